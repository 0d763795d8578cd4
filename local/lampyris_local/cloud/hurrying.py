"""Shortened time limits, so that what takes a function's whole time is seen in seconds."""

import math
from dataclasses import replace

from lampyris_local.cloud.stack import Queue, Stack

# What a function that dies leaves behind comes again in seconds, too. AWS advises six times the function's
# timeout, as it may be throttled for long, which here it hardly is. A cold start needs time in any case.
VISIBILITY_RATIO = 2
SHORTEST_VISIBILITY_S = 30


def hurried(stack: Stack, time_limit_s: float) -> Stack:
    """Shorten the visibility timeouts of queues that wake functions to suit functions of `time_limit_s`."""
    most_s = max(SHORTEST_VISIBILITY_S, math.ceil(VISIBILITY_RATIO * time_limit_s))
    waking = {source.queue.arn for source in stack.sources}

    def shortened(queue: Queue) -> Queue:
        visible_after_s = min(queue.visibility_timeout_s, most_s)
        if queue.arn not in waking:
            return queue
        return replace(
            queue,
            visibility_timeout_s=visible_after_s,
            attributes={**queue.attributes, "VisibilityTimeout": str(visible_after_s)},
        )

    return replace(
        stack,
        queues=[shortened(queue) for queue in stack.queues],
        sources=[replace(source, queue=shortened(source.queue)) for source in stack.sources],
    )
