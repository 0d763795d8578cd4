"""Which reader reads which source of a recipe."""

from typing import assert_never

from lampyris_build.data.cifar import read_cifar
from lampyris_build.data.cleaning import cleaned
from lampyris_build.data.csv_rows import CsvRows
from lampyris_build.data.dataset import Feature, Source
from lampyris_build.data.fetch import local_path
from lampyris_build.data.idx import read_idx
from lampyris_build.data.image_folder import read_images
from lampyris_build.data.joining import Part
from lampyris_build.data.json_lines import JsonLinesRows
from lampyris_build.data.npy import read_npy
from lampyris_build.data.npz import read_npz
from lampyris_build.data.parquet_rows import ParquetRows
from lampyris_build.data.scikit_learn import read_sklearn
from lampyris_build.data.table import Columns, Rows, read_table
from lampyris_build.data.text import read_text
from lampyris_build.errors import DatasetMissing, InvalidRecipe
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.sources import (
    AnySource,
    CifarSource,
    ColumnType,
    CsvSource,
    IdxSource,
    ImagesSource,
    JsonLinesSource,
    NpySource,
    NpzSource,
    ParquetSource,
    SklearnSource,
    TextSource,
)


def read_all(recipe: Recipe) -> list[tuple[Source, Part]]:
    """Read every source of a recipe; what the first holds, the others are read for.

    Raises: InvalidRecipe, DatasetMissing, DatasetBroken, WriteFailed.
    """
    _check_column(recipe)
    read: list[tuple[Source, Part]] = []
    for source in recipe.sources:
        like = read[0][0].features if read else ()
        read.append((_read(recipe, source, like), source.part))
    return read


def _read(recipe: Recipe, source: AnySource, like: tuple[Feature, ...]) -> Source:
    match source:
        case CsvSource() | ParquetSource() | JsonLinesSource():
            return _read_table(recipe, source, like)
        case SklearnSource():
            return read_sklearn(source)
    path = local_path(source.path, source.sha256)
    match source:
        case IdxSource():
            return read_idx(path)
        case CifarSource():
            return read_cifar(path)
        case ImagesSource():
            return read_images(source, path, like)
        case NpzSource():
            return read_npz(path)
        case NpySource():
            return read_npy(path, None if source.targets is None else local_path(source.targets, None))
        case TextSource():
            return read_text(source, path)
        case _:
            assert_never(source)


def _read_table(
    recipe: Recipe,
    source: CsvSource | ParquetSource | JsonLinesSource,
    like: tuple[Feature, ...],
) -> Source:
    """Read a table; of one after the first, the columns that the first had, as what they were."""
    columns = Columns(
        inputs=tuple(feature.name for feature in like) or source.columns,
        target=source.target,
        key=recipe.split.column,
        types=_types(like) | source.types,
        is_series=recipe.window is not None,
    )
    table = read_table(_rows(source), columns, max_bad_rows=recipe.cleaning.max_bad_rows)
    return cleaned(table, recipe.cleaning, wants_target=recipe.task in {"classification", "regression"})


def _types(like: tuple[Feature, ...]) -> dict[str, ColumnType]:
    """Return what columns hold. Raises: InvalidRecipe if they are no columns."""
    types: dict[str, ColumnType] = {}
    for feature in like:
        if feature.kind not in {"number", "category", "text"}:
            raise InvalidRecipe(
                reason=f"one dataset is a table, and another holds {feature.kind}; both must be alike."
            )
        types[feature.name] = feature.kind
    return types


def _rows(source: CsvSource | ParquetSource | JsonLinesSource) -> Rows:
    path = local_path(source.path, source.sha256)
    if not path.is_file() and not (path.is_dir() and isinstance(source, ParquetSource)):
        raise DatasetMissing(
            path=path, wanted=f"looked for a file{' or folder' if isinstance(source, ParquetSource) else ''}."
        )
    match source:
        case CsvSource():
            return CsvRows(path, source.delimiter)
        case ParquetSource():
            return ParquetRows(path)
        case JsonLinesSource():
            return JsonLinesRows(path)


def _check_column(recipe: Recipe) -> None:
    tables = (CsvSource, ParquetSource, JsonLinesSource)
    if recipe.split.column is not None and not all(isinstance(source, tables) for source in recipe.sources):
        raise InvalidRecipe(
            reason=f"split.column is {recipe.split.column!r}, but only csv, parquet and jsonl have columns."
        )
