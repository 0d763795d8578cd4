"""What a caller sent, as arrays: each media type has its reader, imported when it first comes."""
# ruff: noqa: PLC0415 - see above

from lampyris.domain.manifest import Manifest
from lampyris.domain.tensors import Array
from lampyris.errors import InvalidImage, MalformedRequest, UnsupportedMediaType
from lampyris.http.event import Request
from lampyris.http.predictions.media_types import (
    CSV,
    FORMS,
    IMAGES,
    JSON,
    NDJSON,
    NPY,
    TAKEN,
    Content,
    read_header,
)
from lampyris.http.predictions.rows import read_json


def read_inputs(request: Request, manifest: Manifest) -> dict[str, Array]:
    """Turn a request's body into arrays, as its Content-Type says.

    Raises: UnsupportedMediaType, MalformedRequest, InvalidImage, ImageTooLarge, ImagesTooLarge, TooManyRows,
        InvalidTensor.
    """
    media_type, parameters = read_header(request.header("content-type"))
    if media_type == JSON:
        return read_json(request.body, manifest.signature)
    content = Content(media_type=media_type, parameters=parameters, body=request.content)
    return _of_form(content, manifest) if media_type in FORMS else _of_content(content, manifest)


def _of_form(form: Content, manifest: Manifest) -> dict[str, Array]:
    """Read the one file of a form, or several images in their order."""
    from lampyris.http.predictions.multipart import read_parts

    parts = read_parts(form)
    if len(parts) == 1:
        return _of_content(parts[0], manifest)
    for place, part in enumerate(parts, start=1):
        if part.media_type not in IMAGES:
            raise MalformedRequest(
                reason=f"Part {place} of {len(parts)} is {part.media_type!r}; "
                f"several parts may come where all are images: {', '.join(IMAGES)}."
            )
    return _of_images([part.body for part in parts], manifest)


def _of_content(content: Content, manifest: Manifest) -> dict[str, Array]:
    media_type, signature = content.media_type, manifest.signature
    if media_type == JSON:
        return read_json(content.body, signature)
    if media_type in IMAGES:
        return _of_images([content.body], manifest)
    if media_type == CSV:
        from lampyris.http.predictions.csv_rows import read_csv

        return read_csv(content, signature)
    if media_type == NDJSON:
        from lampyris.http.predictions.ndjson import read_ndjson

        return read_ndjson(content.body, signature)
    if media_type == NPY:
        from lampyris.http.predictions.npy import read_npy

        return read_npy(content.body, signature)
    raise UnsupportedMediaType(media_type=media_type, supported=TAKEN)


def _of_images(files: list[bytes], manifest: Manifest) -> dict[str, Array]:
    spec = manifest.signature.image
    if spec is None:
        takes = ", ".join(f"{spec.name} ({spec.datatype})" for spec in manifest.signature.inputs)
        raise InvalidImage(
            reason=f"Model {manifest.model!r} takes no images; send JSON with its inputs: {takes}."
        )
    from lampyris.domain.images import decode_image, decode_images

    pixels = decode_image(files[0], spec)[None] if len(files) == 1 else decode_images(files, spec)
    return {spec.input: pixels}
