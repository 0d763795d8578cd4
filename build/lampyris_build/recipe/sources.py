"""`[dataset]`, or several times `[[dataset]]`: where examples come from."""

from typing import Annotated, Literal

import msgspec

from lampyris_build.recipe.section import Count, Name, Section

# What a column of a table holds. Without a word in the recipe, it is inferred.
ColumnType = Literal["number", "category", "text"]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class Source(Section, frozen=True, kw_only=True, tag_field="source"):
    """`part` says what the examples are for.

    "all" are divided by `[split]`, or learnt from if there is a test set; "test" are only measured on; of
    "train", the test set that comes with it is left out.
    """

    part: Literal["all", "train", "test"] = "all"


class FileSource(Source, frozen=True, kw_only=True):
    """`path` is a file or folder, s3://bucket/key, or an https URL, which needs the SHA-256 of what is there.

    What is fetched is kept in ~/.cache/lampyris, or in XDG_CACHE_HOME.
    """

    path: Name
    sha256: Sha256 | None = None


class SklearnSource(Source, frozen=True, kw_only=True, tag="sklearn"):
    """A dataset that scikit-learn carries: no download."""

    name: Literal["digits", "iris", "wine", "breast_cancer", "diabetes"]


class IdxSource(FileSource, frozen=True, kw_only=True, tag="idx"):
    """MNIST's four files, gzipped or not, in a folder, a zip or a .tar.gz."""


class CifarSource(FileSource, frozen=True, kw_only=True, tag="cifar"):
    """CIFAR-10's or CIFAR-100's own binary files, in a folder, a .tar.gz or a zip."""


class ImagesSource(FileSource, frozen=True, kw_only=True, tag="images"):
    """A folder, or a zip of one: [train|test/][class/]picture.png. All are brought to one size.

    `height` and `width` default to those of the first picture, of the first dataset if there are several.
    """

    height: Count | None = None
    width: Count | None = None
    channels: Literal[1, 3] = 3


class NpzSource(FileSource, frozen=True, kw_only=True, tag="npz"):
    """numpy arrays: x_train, y_train and, if there is a test set, x_test, y_test."""


class NpySource(FileSource, frozen=True, kw_only=True, tag="npy"):
    """One array of inputs, which stays on disk, and one of `targets`, also a path, unless there are none."""

    targets: Name | None = None


class _Table(FileSource, frozen=True, kw_only=True):
    """`target` is the column to predict. `columns` are those that the model takes: all others by default.

    What a column holds is inferred from all its cells (`lampyris_build.data.columns` says how); `types` says
    it where that is wrong. Dates become days since 1970-01-01; true and false become 1 and 0.
    """

    target: Name | None = None
    columns: tuple[Name, ...] = ()
    types: dict[str, ColumnType] = {}  # noqa: RUF012 - msgspec gives each record its own


class CsvSource(_Table, frozen=True, kw_only=True, tag="csv"):
    """Comma-separated values with a header (RFC 4180), gzipped or not."""

    delimiter: Literal[",", ";", "\t", "|", " "] = ","


class ParquetSource(_Table, frozen=True, kw_only=True, tag="parquet"):
    """A Parquet file, or a folder of them."""


class JsonLinesSource(_Table, frozen=True, kw_only=True, tag="jsonl"):
    """A JSON object a line, gzipped or not."""


class TextSource(FileSource, frozen=True, kw_only=True, tag="text"):
    """Plain text in UTF-8, or a folder of .txt: its characters are the tokens, `context` at a time."""

    context: Count = 128


AnySource = (
    SklearnSource
    | IdxSource
    | CifarSource
    | ImagesSource
    | NpzSource
    | NpySource
    | CsvSource
    | ParquetSource
    | JsonLinesSource
    | TextSource
)


class Cleaning(Section, frozen=True, kw_only=True):
    """`[cleaning]`: what happens to rows of a table that cannot be learnt from as they are.

    Missing values are filled in the exported graph (a number by the median, a category by its own class), or
    their rows dropped. A row that cannot be read (too few cells, no number where all are numbers) is counted
    and left out, if such rows are at most `max_bad_rows` of all.
    """

    missing: Literal["fill", "drop"] = "fill"
    duplicates: Literal["keep", "drop"] = "keep"
    max_bad_rows: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01


class Window(Section, frozen=True, kw_only=True):
    """`[window]`: rows are moments of a series; `length` of them predict the target `horizon` rows later.

    A window is made every `stride` rows, after the split: none has rows of two sets. By default the past of
    the target is one of its columns.
    """

    length: Count
    horizon: Count = 1
    stride: Count = 1


class Split(Section, frozen=True, kw_only=True):
    """`[split]`: what is taken for the test set, unless there is one, and for validation from what is left.

    "stratified" keeps the share of every class, "time" takes the latest by `column` (the last rows, without
    one), "group" keeps rows with equal `column` together, "random" draws. Without a word, series and text are
    divided by time, what has classes is stratified, and all else drawn.
    """

    by: Literal["stratified", "random", "time", "group"] | None = None
    column: Name | None = None
    test: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.2
    validation: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.1


class Augmentation(Section, frozen=True, kw_only=True):
    """`[augmentation]`: how pictures change from epoch to epoch while they are learnt.

    `shift` pixels at most in each direction, `flip` left and right, `cutout` pixels of a grey square,
    `rotate` degrees.
    """

    shift: Annotated[int, msgspec.Meta(ge=0)] = 0
    flip: bool = False
    cutout: Annotated[int, msgspec.Meta(ge=0)] = 0
    rotate: Annotated[float, msgspec.Meta(ge=0, le=180)] = 0.0
