"""What a caller wants to know, and as which media type: `Accept`, `?output=` and `?top=`."""

import msgspec

from lampyris.domain.signature import Signature
from lampyris.errors import InvalidTensor, MalformedRequest
from lampyris.http.event import Request
from lampyris.http.predictions.media_types import NPY, chosen_media_type


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs that are wanted, by name.

    `labels` are a classifier's, where its probabilities are wanted; `top` is how many of them, None for all.
    """

    media_type: str
    outputs: tuple[str, ...]
    labels: tuple[str, ...] | None
    top: int | None


def read_wanted(request: Request, signature: Signature) -> Wanted:
    """Read what is wanted: by default a classifier's probabilities, and all outputs of any other model.

    A .npy file holds one array: of the output that ?output= names, or of the first.
    Raises: NotAcceptable, MalformedRequest; InvalidTensor if the model has no such output.
    """
    media_type = chosen_media_type(request.header("accept"))
    names = tuple(spec.name for spec in signature.outputs)
    output, top = request.query.get("output"), request.query.get("top")
    if output is not None and output not in names:
        raise InvalidTensor(
            tensor=output, reason=f"the model has no such output; it gives {', '.join(names)}."
        )
    labels = signature.labels if output in {None, names[0]} else None
    if output is not None:
        names = (output,)
    elif labels is not None or media_type == NPY:
        names = names[:1]
    if top is not None and (labels is None or media_type == NPY):
        raise MalformedRequest(
            reason="?top= is for the labels of a classifier, in JSON, NDJSON or CSV; leave it out here."
        )
    count = None if top is None or labels is None else _read_top(top, len(labels))
    return Wanted(media_type=media_type, outputs=names, labels=labels, top=count)


def _read_top(text: str, labels: int) -> int:
    if text not in map(str, range(1, labels + 1)):
        raise MalformedRequest(
            reason=f"?top= is {text[:20]!r}; it may be 1 to {labels}, the number of the model's labels."
        )
    return int(text)
