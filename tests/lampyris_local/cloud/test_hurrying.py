from pathlib import Path

import pytest

from lampyris_local.cloud.hurrying import hurried
from lampyris_local.cloud.stack import Place, Queue, Stack
from lampyris_local.cloud.template import read_stack

PLACE = Place(api_url="http://127.0.0.1:8080", endpoint_url="http://127.0.0.1:5000")


@pytest.fixture
def stack(jobs_template: Path) -> Stack:
    return read_stack(jobs_template, {}, PLACE)


def queue(stack: Stack, name: str) -> Queue:
    return next(one for one in stack.queues if one.logical_id == name)


@pytest.mark.parametrize(("time_limit_s", "visible_after_s"), [(2, 30), (30, 60), (2700, 5400), (9000, 5400)])
def test_message_of_a_function_that_died_comes_again_after_twice_its_time(
    stack: Stack, time_limit_s: float, visible_after_s: int
) -> None:
    hurrying = hurried(stack, time_limit_s)

    waking = queue(hurrying, "Waking")
    (source,) = (one for one in hurrying.sources if one.queue.logical_id == "Waking")
    assert waking.visibility_timeout_s == visible_after_s
    assert waking.attributes["VisibilityTimeout"] == str(visible_after_s)
    assert source.queue == waking


def test_queue_that_wakes_nobody_stays_as_it_is(stack: Stack) -> None:
    hurrying = hurried(stack, 1)

    assert queue(hurrying, "OrderedDeadLetters") == queue(stack, "OrderedDeadLetters")
