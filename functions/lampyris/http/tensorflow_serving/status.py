"""What exists and what it takes: the status of versions, and metadata."""

from lampyris.domain.datatypes import Datatype
from lampyris.domain.manifest import Manifest
from lampyris.domain.signature import TensorSpec
from lampyris.http.tensorflow_serving.messages import (
    SERVING_DEFAULT,
    Dimension,
    Metadata,
    ModelMetadata,
    ModelSpec,
    ModelStatus,
    ModelVersionStatus,
    SignatureDef,
    SignatureDefMap,
    TensorInfo,
    TensorShape,
)

_DTYPES: dict[Datatype, str] = {
    "BOOL": "DT_BOOL",
    "UINT8": "DT_UINT8",
    "UINT16": "DT_UINT16",
    "UINT32": "DT_UINT32",
    "UINT64": "DT_UINT64",
    "INT8": "DT_INT8",
    "INT16": "DT_INT16",
    "INT32": "DT_INT32",
    "INT64": "DT_INT64",
    "FP16": "DT_HALF",
    "FP32": "DT_FLOAT",
    "FP64": "DT_DOUBLE",
    "BYTES": "DT_STRING",
}


def model_status(versions: list[int]) -> ModelStatus:
    """Say of each version, highest first, that it answers."""
    return ModelStatus(
        model_version_status=[
            ModelVersionStatus(version=str(version)) for version in sorted(versions, reverse=True)
        ]
    )


def model_metadata(manifest: Manifest) -> ModelMetadata:
    signature = manifest.signature
    serving_default = SignatureDef(inputs=_tensors(signature.inputs), outputs=_tensors(signature.outputs))
    return ModelMetadata(
        model_spec=ModelSpec(name=manifest.model, version=str(manifest.version)),
        metadata=Metadata(signature_def=SignatureDefMap(signature_def={SERVING_DEFAULT: serving_default})),
    )


def _tensors(specs: tuple[TensorSpec, ...]) -> dict[str, TensorInfo]:
    return {
        spec.name: TensorInfo(
            dtype=_DTYPES[spec.datatype],
            tensor_shape=TensorShape(dim=[Dimension(size=str(size)) for size in spec.shape]),
            name=spec.name,
        )
        for spec in specs
    }
