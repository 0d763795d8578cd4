"""The project's own template with a trusted key: who may publish, from the parameter to the verdict."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter, sleep

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from obstore.store import S3Store
from onnx import TensorProto, helper

from lampyris.adapters.object_store import ObjectStore
from lampyris.domain.bundle import MODEL_FILE, PROBE_FILE, Bundle, BundleFile, Probe
from lampyris.domain.layout import BUNDLE_FILE, Upload
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.domain.tensors import tensor_of
from lampyris.registry.documents import list_versions, read_rejection, read_version
from lampyris_local.assets import asset
from lampyris_local.cloud.intrinsics import TemplateError
from lampyris_local.cloud.local_cloud import LocalCloud

TIMEOUT_S = 60
KEY = Ed25519PrivateKey.generate()
DER = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def bucket() -> Iterator[Store]:
    parameters = {"TrustedKeys": base64.b64encode(DER).decode()}
    with LocalCloud(asset("template.yaml"), parameters=parameters, on_line=print) as cloud:
        yield ObjectStore(
            S3Store(
                cloud.outputs["Bucket"],
                config={"endpoint": cloud.endpoint_url, "region": cloud.region},
                access_key_id="local",
                secret_access_key="local",
                client_options={"allow_http": True},
            )
        )


def relu() -> dict[str, bytes]:
    """Make a bundle: its files by name, `bundle.json` among them."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    inputs, outputs = (TensorSpec(name=name, datatype="FP32", shape=(-1, 2)) for name in "xy")
    probe = Probe(
        inputs=(tensor_of(inputs, np.array([[-1, 2]], np.float32)),),
        outputs=(tensor_of(outputs, np.array([[0, 2]], np.float32)),),
        rtol=1e-4,
        atol=1e-5,
    )
    files = {MODEL_FILE: model.SerializeToString(), PROBE_FILE: msgspec.json.encode(probe)}
    document = Bundle(
        model="glow",
        created_at=datetime.now(UTC),
        files={
            name: BundleFile(digest=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
            for name, data in files.items()
        },
        signature=Signature(inputs=(inputs,), outputs=(outputs,)),
    )
    return {**files, BUNDLE_FILE: msgspec.json.encode(document)}


def test_only_what_a_trusted_key_signed_is_published(bucket: Store) -> None:
    files = relu()
    signed, unsigned = (Upload(model="glow", upload=name, file=BUNDLE_FILE) for name in ("good", "bad"))
    bucket.put(signed.signature_key, KEY.sign(files[BUNDLE_FILE]))
    for upload in (unsigned, signed):
        for name in (MODEL_FILE, PROBE_FILE):
            bucket.put(upload.file_key(name), files[name])
        bucket.put(upload.key, files[BUNDLE_FILE])

    until_s = perf_counter() + TIMEOUT_S
    while perf_counter() < until_s and not (
        list_versions(bucket, "glow") and read_rejection(bucket, "glow", "bad")
    ):
        sleep(0.1)

    version, rejection = read_version(bucket, "glow", 1), read_rejection(bucket, "glow", "bad")
    assert rejection is not None
    assert rejection.code == "unsigned-upload"
    assert (version.upload, version.evidence.signed_by) == ("good", hashlib.sha256(DER).hexdigest())
    assert list_versions(bucket, "glow") == [1]


def test_key_that_is_none_stops_the_deployment() -> None:
    parameters = {"TrustedKeys": "nonsense"}

    with (
        pytest.raises(TemplateError, match="The parameter TrustedKeys is 'nonsense'"),
        LocalCloud(asset("template.yaml"), parameters=parameters, on_line=print),
    ):
        pass
