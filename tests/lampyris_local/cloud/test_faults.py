import pytest

from lampyris_local.cloud.faults import Fate, Fates, Faults, travel

OFTEN = Faults(kill=0.5, delay=0.3, duplicate=0.3, reorder=0.3, throttle=0.2, seed=7)


def fates(faults: Faults, count: int = 50) -> list[tuple[object, list[object]]]:
    """What befalls the first invocations of a function, each with ten calls of AWS."""
    drawn = Fates(faults, {"Train"})
    return [
        (fate.death, [fate.next_call() for _ in range(10)])
        for fate in (drawn.next("Train") for _ in range(count))
    ]


def test_faults_are_read_as_they_are_written() -> None:
    faults = Faults.parse("kill=0.02, delay=1,throttle=0", seed=7)

    assert faults == Faults(kill=0.02, delay=1.0, throttle=0.0, seed=7)
    assert Faults.parse("") == Faults()
    assert str(faults) == "kill=0.02, delay=1 (seed 7)"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("explode=1", "no fault 'explode'; there are kill, delay, duplicate, reorder, throttle"),
        ("seed=1", "no fault 'seed'"),
        ("kill", "a probability from 0 to 1, as in kill=0.1, not ''"),
        ("kill=2", "not '2'"),
        ("kill=nan", "not 'nan'"),
        ("kill=0.1,kill=0.2", "kill is given twice"),
    ],
)
def test_faults_that_make_no_sense_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Faults.parse(text)


def test_same_seed_brings_the_same_faults() -> None:
    assert fates(OFTEN) == fates(OFTEN)
    assert [travel(OFTEN, "Jobs", number) for number in range(50)] == [
        travel(OFTEN, "Jobs", number) for number in range(50)
    ]


def test_another_seed_brings_others() -> None:
    other = Faults(kill=0.5, delay=0.3, duplicate=0.3, reorder=0.3, throttle=0.2, seed=8)

    assert fates(OFTEN) != fates(other)


def test_one_kind_of_fault_does_not_move_another() -> None:
    more_throttled = Faults(kill=0.5, throttle=0.9, seed=7)

    assert [death for death, _ in fates(OFTEN)] == [death for death, _ in fates(more_throttled)]


def test_faults_come_about_as_often_as_they_should() -> None:
    drawn = fates(OFTEN, 1000)
    messages = [travel(OFTEN, "Jobs", number) for number in range(1000)]

    assert 450 < sum(death is not None for death, _ in drawn) < 550
    assert 250 < sum(message.again_s is not None for message in messages) < 350
    assert 250 < sum(message.delay_s > 0 for message in messages) < 350


def test_invocation_dies_before_a_call_after_a_call_or_at_a_moment() -> None:
    deaths = [Fate(Faults(kill=1), "Train", number, mortal=True).death for number in range(100)]

    assert {death.when for death in deaths if death} == {"before", "after", "moment"}
    assert {death.call for death in deaths if death and death.when == "before"} >= {1, 2, 3}


def test_function_that_no_queue_wakes_is_not_killed() -> None:
    fate = Fates(Faults(kill=1), {"Train"}).next("Predict")

    assert fate.death is None
