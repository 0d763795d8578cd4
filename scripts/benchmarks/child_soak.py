"""Answer many requests to many models in one environment; report errors, loads and memory after each batch.

Models are asked for as Zipf has it, each in one of four forms, from the same seed every time.
"""

import json
import random
import sys
from collections import Counter
from itertools import accumulate
from time import perf_counter

import numpy as np

from event import Context, Event, answer_parent, binary_event, json_event
from lampyris.handlers.predict import handler

_EXPONENT = 1.5
_PAGE_KB = 4
_OK = 200


def forms(model: str, tensor: str, values: list[float]) -> list[Event]:
    """Make the same request in four forms: a tensor in JSON and in binary, TF Serving's rows and our own."""
    row = np.array([values], np.float32)
    given = {"name": tensor, "shape": [1, len(values)], "datatype": "FP32"}
    head = {
        "inputs": [{**given, "parameters": {"binary_data_size": row.nbytes}}],
        "parameters": {"binary_data_output": True},
    }
    infer = f"/v2/models/{model}/infer"
    return [
        json_event(infer, json.dumps({"inputs": [{**given, "data": values}]})),
        binary_event(infer, json.dumps(head).encode(), row.tobytes()),
        json_event(f"/v1/models/{model}:predict", json.dumps({"instances": [values]})),
        json_event(f"/models/{model}/predict", json.dumps({"inputs": [values]})),
    ]


def rss_kb() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - as the kernel has it
        return int(file.read().split()[1]) * _PAGE_KB


def peak_kb() -> int:
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123 - as above
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def answer_batch(events: list[Event]) -> dict[str, object]:
    context = Context()
    errors: Counter[str] = Counter()
    durations_s = []
    loads = 0
    for event in events:
        started_s = perf_counter()
        response = handler(event, context)
        durations_s.append(perf_counter() - started_s)
        if response["statusCode"] != _OK:
            errors[f"{response['statusCode']} {json.loads(response['body'])['detail']}"] += 1
        loads += "session;" in response["headers"]["server-timing"]
    return {
        "durations_s": durations_s,
        "errors": errors,
        "loads": loads,
        "rss_kb": rss_kb(),
        "peak_kb": peak_kb(),
    }


models, tensor, width, batches, batch = json.loads(sys.argv[1])
chance = random.Random(0)  # noqa: S311 - not a secret, and the same every time
values = [chance.random() for _ in range(width)]
choices = [forms(model, tensor, values) for model in models]
shares = list(accumulate(rank**-_EXPONENT for rank in range(1, len(models) + 1)))
for _ in range(batches):
    events = [chance.choice(events) for events in chance.choices(choices, cum_weights=shares, k=batch)]
    answer_parent(json.dumps(answer_batch(events)))
