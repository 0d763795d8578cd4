from collections import Counter

from lampyris_local.cloud.disturbed_mail import Delivery, DisturbedMail, Message
from lampyris_local.cloud.faults import Faults
from lampyris_local.cloud.stack import Queue

STANDARD = Queue(logical_id="Jobs", name="jobs", arn="arn", url="url", visibility_timeout_s=30, attributes={})
ORDERED = Queue(
    logical_id="Ordered",
    name="ordered.fifo",
    arn="arn",
    url="url",
    visibility_timeout_s=30,
    attributes={"FifoQueue": "true"},
)


def messages(*names: str) -> list[Message]:
    return [{"MessageId": name} for name in names]


def delivered(mail: DisturbedMail, polls: int) -> list[Delivery]:
    """What is delivered of so many polls of two messages each, and an empty one."""
    batches = [messages(f"{poll}a", f"{poll}b") for poll in range(polls)]
    return [delivery for batch in (*batches, []) for delivery in mail.deliveries(batch)]


def ids(deliveries: list[Delivery]) -> list[str]:
    return [message["MessageId"] for delivery in deliveries for message in delivery.messages]


def test_every_message_comes_at_least_once_and_a_duplicate_twice() -> None:
    told: list[str] = []
    mail = DisturbedMail(Faults(delay=0.3, duplicate=0.3, reorder=0.3), STANDARD, told.append)

    came = Counter(ids(delivered(mail, 100)))

    assert len(came) == 200
    assert set(came.values()) == {1, 2}
    assert sum(count == 2 for count in came.values()) == sum("comes again" in text for text in told)


def test_message_out_of_its_order_comes_behind_the_next_poll() -> None:
    mail = DisturbedMail(Faults(reorder=1), STANDARD, lambda _: None)

    first, second = mail.deliveries(messages("first")), mail.deliveries([])

    assert (ids(first), ids(second)) == ([], ["first"])


def test_late_message_does_not_hold_up_its_neighbours() -> None:
    mail = DisturbedMail(Faults(delay=0.5, seed=1), STANDARD, lambda _: None)

    now, *later = mail.deliveries(messages("a", "b", "c", "d", "e", "f"))

    assert now.after_s == 0
    assert len(later) == 6 - len(now.messages) > 0
    assert all(delivery.after_s > 0 for delivery in later)


def test_fifo_queue_keeps_its_order() -> None:
    mail = DisturbedMail(Faults(delay=0.5, duplicate=1, reorder=1), ORDERED, lambda _: None)

    deliveries = delivered(mail, 20)

    assert ids(deliveries) == [f"{poll}{which}" for poll in range(20) for which in "ab"]
    assert any(delivery.after_s for delivery in deliveries)


def test_all_that_happens_is_told() -> None:
    told: list[str] = []
    mail = DisturbedMail(Faults(duplicate=1, reorder=1), STANDARD, told.append)

    mail.deliveries(messages("a"))

    assert len(told) == 2
    assert told[0].startswith("message 1 (a) comes again after")
    assert told[1] == "message 1 (a) comes behind those of the next poll"
