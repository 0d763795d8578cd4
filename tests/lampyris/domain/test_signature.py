import pytest

from lampyris.domain.signature import ImageSpec, Signature, TensorSpec


def signature(*shapes: tuple[int, ...], datatype: str = "UINT8") -> Signature:
    inputs = tuple(
        TensorSpec(name=f"x{index}", datatype=datatype, shape=shape)  # type: ignore[arg-type] # any datatype's name
        for index, shape in enumerate(shapes)
    )
    return Signature(inputs=inputs, outputs=(TensorSpec(name="y", datatype="FP32", shape=(-1, 2)),))


def test_raw_pixels_are_an_image() -> None:
    assert signature((-1, 28, 30, 3)).image == ImageSpec(input="x0", height=28, width=30, channels=3)


@pytest.mark.parametrize(
    "other",
    [
        signature((-1, 28, 28, 3), datatype="FP32"),
        signature((-1, 28, 28, 2)),
        signature((-1, 28, 28)),
        signature((-1, 28, 28, 1), (-1, 2)),
    ],
)
def test_other_inputs_are_no_image(other: Signature) -> None:
    assert other.image is None
