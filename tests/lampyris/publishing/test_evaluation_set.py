"""What is read of a bundle's test set, and what is refused before it does harm."""

import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lampyris.domain.datatypes import Datatype
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import CorruptBundle
from lampyris.publishing.evaluation_set import EvaluationSet, read_evaluation_set

LIMIT_BYTES = 1_000_000


def taking(datatype: Datatype, *shape: int, name: str = "x") -> Signature:
    return Signature(
        inputs=(TensorSpec(name=name, datatype=datatype, shape=shape),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=(-1, 3)),),
    )


X = taking("FP32", -1, 4)
ROWS = np.arange(20, dtype=np.float32).reshape(5, 4)
CLASSES = np.array([0, 1, 2, 0, 1])


def npy(values: Any, *, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=allow_pickle)
    return file.getvalue()


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return file.getvalue()


def whole(**arrays: Any) -> bytes:
    return archive({f"{name}.npy": npy(values) for name, values in {"labels": CLASSES, **arrays}.items()})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "evaluation.npz"


def read(path: Path, data: bytes, signature: Signature = X, limit_bytes: int = LIMIT_BYTES) -> EvaluationSet:
    path.write_bytes(data)
    return read_evaluation_set(path, signature, limit_bytes=limit_bytes)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archive_of_numpy_reads_back(path: Path, save: Any) -> None:
    file = io.BytesIO()
    save(file, x=ROWS, labels=CLASSES)

    test = read(path, file.getvalue())

    np.testing.assert_array_equal(test.inputs["x"], ROWS)
    np.testing.assert_array_equal(test.labels, CLASSES)


def test_order_of_values_in_the_file_does_not_matter(path: Path) -> None:
    test = read(path, whole(x=np.asfortranarray(ROWS)))

    np.testing.assert_array_equal(test.inputs["x"], ROWS)
    assert test.inputs["x"].flags.c_contiguous


def test_strings_come_as_the_model_takes_them(path: Path) -> None:
    test = read(path, whole(x=np.array([["dark"], ["dim"], ["lit"], [""], ["ü"]])), taking("BYTES", -1, 1))

    assert test.inputs["x"].dtype == object
    assert test.inputs["x"].ravel().tolist() == ["dark", "dim", "lit", "", "ü"]


def test_missing_values_stay_missing(path: Path) -> None:
    rows = ROWS.copy()
    rows[2, 1] = np.nan

    np.testing.assert_array_equal(read(path, whole(x=rows)).inputs["x"], rows)


def test_small_rows_run_many_at_once_and_large_ones_alone(path: Path) -> None:
    labels = np.zeros(100, np.int64)
    small = whole(x=np.zeros((100, 4), np.float32), labels=labels)
    large = whole(x=np.zeros((2, 300_000), np.float32), labels=labels[:2])

    assert read(path, small).batch == 64
    assert read(path, large, taking("FP32", -1, -1), 10_000_000).batch == 1


def test_fixed_number_of_rows_is_kept_to(path: Path) -> None:
    assert read(path, whole(x=ROWS), taking("FP32", 1, 4)).batch == 1
    with pytest.raises(CorruptBundle, match="takes 2 rows at once, of which 5 are no multiple"):
        read(path, whole(x=ROWS), taking("FP32", 2, 4))


def test_pickle_is_never_read(path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return Path.touch, (path.with_name("sprung"),)  # type: ignore[return-value]  # what a trap returns

    trap = npy(np.array([Trap()], object), allow_pickle=True)

    with pytest.raises(CorruptBundle, match=r"x\.npy holds pickled objects, which are never read"):
        read(path, archive({"x.npy": trap, "labels.npy": npy(CLASSES)}))

    assert not path.with_name("sprung").exists()


ZEROS = np.zeros((5, 1_000_000), np.float32)


def test_archive_that_unpacks_to_more_than_the_limit_is_refused_unread(path: Path) -> None:
    bomb = whole(x=ZEROS)
    assert len(bomb) < LIMIT_BYTES / 10

    with pytest.raises(CorruptBundle, match=r"unpacked it has 20,000,\d+ bytes; at most 1,000,000 are read"):
        read(path, bomb)


def test_archive_that_understates_what_it_unpacks_to_takes_no_more_memory_than_it_says(path: Path) -> None:
    bomb = whole(x=ZEROS)
    understated = bomb.replace(len(npy(ZEROS)).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert understated != bomb
    tracemalloc.start()

    try:
        with pytest.raises(CorruptBundle, match=r"evaluation\.npz: "):
            read(path, understated)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < ZEROS.nbytes / 10


def test_array_that_overstates_its_size_takes_no_memory_for_it(path: Path) -> None:
    honest = npy(ROWS)
    claim = honest.replace(b"(5, 4), }" + b" " * 12, b"(5000000000000, 4), }")
    assert claim != honest

    with pytest.raises(
        CorruptBundle, match=r"x\.npy is cut short, or says another shape than its values have"
    ):
        read(path, archive({"x.npy": claim, "labels.npy": npy(CLASSES)}))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_unpacks_without_bounds_is_refused(path: Path, compression: int) -> None:
    members = {"x.npy": npy(ROWS), "labels.npy": npy(CLASSES)}

    with pytest.raises(CorruptBundle, match="compressed otherwise than"):
        read(path, archive(members, compression))


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, r"holds nothing; it must hold labels\.npy, x\.npy"),
        ({"x.npy": npy(ROWS)}, r"holds x\.npy; it must hold labels\.npy, x\.npy"),
        ({"labels.npy": npy(CLASSES)}, r"holds labels\.npy; it must"),
        (
            {"x.npy": npy(ROWS), "labels.npy": npy(CLASSES), "z.npy": b""},
            r"holds labels\.npy, x\.npy, z\.npy;",
        ),
        ({f"{n:03}.npy": b"" for n in range(200)}, r"008\.npy, 009\.npy, …; it must"),
        ({"x.npy": b"", "labels.npy": npy(CLASSES)}, "x.npy is no array as numpy saves it"),
        ({"x.npy": b"\x93NUMPY\x09\x00", "labels.npy": npy(CLASSES)}, "x.npy is no array as numpy saves it"),
        ({"x.npy": npy(ROWS)[:-1], "labels.npy": npy(CLASSES)}, "cut short"),
        ({"x.npy": npy(ROWS) + b"0", "labels.npy": npy(CLASSES)}, "cut short, or says another shape"),
        ({"x.npy": npy(np.zeros(5, "M8[s]")), "labels.npy": npy(CLASSES)}, r"holds datetime64\[s\]"),
        (
            {"x.npy": npy(np.zeros(5, "i4,f4")), "labels.npy": npy(CLASSES)},
            "save numbers, booleans or strings",
        ),
    ],
)
def test_archive_of_other_members_is_refused(path: Path, members: dict[str, bytes], reason: str) -> None:
    with pytest.raises(CorruptBundle, match=reason):
        read(path, archive(members))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"labels": CLASSES[:4]}, r"input 'x' has shape \[5, 4\], but there are 4 labels"),
        ({"x": ROWS[0, 0]}, r"input 'x' has shape \[\], but there are 5 labels"),
        ({"labels": CLASSES.astype(float)}, "'labels' is float64 of shape"),
        ({"labels": np.full(5, np.nan)}, "'labels' is float64 of shape"),
        ({"labels": np.array(["a"] * 5)}, "it holds the index of each row's class: integers"),
        ({"labels": CLASSES[:, np.newaxis]}, r"'labels' is int64 of shape \[5, 1\]"),
        ({"labels": CLASSES[:0], "x": ROWS[:0]}, "one row at least"),
        ({"x": ROWS.astype(np.float64)}, "does not fit the signature. Tensor 'x': datatype is FP64"),
        ({"x": ROWS[:, :3]}, r"shape is \[5, 3\]; the model wants \[-1, 4\]"),
        ({"x": ROWS[:, :0]}, "holds no values"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(path: Path, arrays: dict[str, Any], reason: str) -> None:
    with pytest.raises(CorruptBundle, match=reason):
        read(path, whole(**{"x": ROWS, **arrays}))


def test_input_that_is_called_as_the_classes_are_is_told(path: Path) -> None:
    with pytest.raises(CorruptBundle, match="an input of the model is called 'labels'"):
        read(path, whole(), taking("INT64", -1, name="labels"))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_altered_bytes_are_read_or_refused_but_never_break_the_reading(
    path: Path, data: st.DataObject
) -> None:
    altered = bytearray(whole(x=ROWS))
    for place in data.draw(st.lists(st.integers(0, len(altered) - 1), min_size=1, max_size=4)):
        altered[place] = data.draw(st.integers(0, 255))

    try:
        test = read(path, bytes(altered))
    except CorruptBundle:
        return
    assert len(test.inputs["x"]) == len(test.labels) == 5


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_altered_array_in_a_whole_archive_is_read_or_refused(path: Path, data: st.DataObject) -> None:
    altered = bytearray(npy(ROWS))
    for place in data.draw(st.lists(st.integers(0, 90), min_size=1, max_size=4)):
        altered[place] = data.draw(st.sampled_from(b"(),:{}'\"019x<>|fOUiTF\0\n-.\xff"))

    try:
        test = read(path, archive({"x.npy": bytes(altered), "labels.npy": npy(CLASSES)}))
    except CorruptBundle:
        return
    assert test.inputs["x"].dtype == np.float32


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=200))
def test_noise_is_refused(path: Path, noise: bytes) -> None:
    with pytest.raises(CorruptBundle, match="no whole archive"):
        read(path, noise)
