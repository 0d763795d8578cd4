"""Traces: the parts of a prediction as X-Ray shows them, below the segment that Lambda itself writes.

A subsegment is a JSON document in one UDP datagram to the daemon beside the function, which never answers: so
it costs no waiting. The X-Ray SDK would do this too, and patches and imports for 100 ms.

Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html and
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

import os
from collections.abc import Callable, Mapping, Sequence

import msgspec

_HEADER = b'{"format": "json", "version": 1}\n'
_encode = msgspec.json.Encoder().encode


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a request; times are seconds, on whatever clock."""

    name: str
    started_s: float
    ended_s: float


class _Subsegment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    name: str
    start_time: float
    end_time: float
    type: str = ""
    trace_id: str = ""
    parent_id: str = ""
    annotations: Mapping[str, str] = {}
    subsegments: tuple["_Subsegment", ...] = ()


class Tracer:
    """Sends to the daemon at `address` ("host:port").

    `trace_header` returns what Lambda says of the present invocation: `Root=…;Parent=…;Sampled=1`.
    `now_s` is the time since 1970.
    """

    def __init__(self, address: str, *, trace_header: Callable[[], str], now_s: Callable[[], float]) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._trace_header = trace_header
        self._now_s = now_s

    def send(self, whole: Span, parts: Sequence[Span], annotations: Mapping[str, str]) -> None:
        """Send one request, which ends now, and its parts; if its trace is sampled."""
        fields = dict(field.partition("=")[::2] for field in self._trace_header().split(";"))
        if fields.get("Sampled") != "1" or "Root" not in fields or "Parent" not in fields:
            return
        offset_s = self._now_s() - whole.ended_s
        document = _Subsegment(
            id=_new_id(),
            name=whole.name,
            start_time=whole.started_s + offset_s,
            end_time=whole.ended_s + offset_s,
            type="subsegment",
            trace_id=fields["Root"],
            parent_id=fields["Parent"],
            annotations=annotations,
            subsegments=tuple(
                _Subsegment(
                    id=_new_id(),
                    name=part.name,
                    start_time=part.started_s + offset_s,
                    end_time=part.ended_s + offset_s,
                )
                for part in parts
            ),
        )
        self._send(_HEADER + _encode(document))

    def _send(self, datagram: bytes) -> None:
        import socket  # noqa: PLC0415 - 3 ms of a cold start, and few requests are sampled

        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
                daemon.sendto(datagram, self._address)
        except OSError:  # a trace that is lost must not lose the answer
            return


def _new_id() -> str:
    return os.urandom(8).hex()
