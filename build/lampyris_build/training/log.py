"""What a training leaves to be looked at: a row for each epoch, as CSV or for TensorBoard."""

import csv
from collections.abc import Sequence
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from lampyris_build.errors import ExtraMissing, WriteFailed
from lampyris_build.recipe.training import Training
from lampyris_build.training.files import write_atomically
from lampyris_build.training.history import Epoch

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter


class TrainingLog(Protocol):
    def record(self, rows: Sequence[Epoch]) -> None:
        """Take down all epochs until now: of a resumed training, this log may not have seen all.

        Raises: WriteFailed.
        """
        ...


def log_for(settings: Training, folder: Path) -> TrainingLog:
    """Make the log that the recipe asks for. Raises: ExtraMissing."""
    return (
        CsvLog(folder / "training.csv") if settings.log == "csv" else TensorBoardLog(folder / "tensorboard")
    )


class CsvLog:
    """A CSV file; written anew after every epoch, so that no row is missing or there twice."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, rows: Sequence[Epoch]) -> None:
        text = StringIO()
        writer = csv.DictWriter(text, Epoch.__struct_fields__, lineterminator="\n")
        writer.writeheader()
        writer.writerows(msgspec.structs.asdict(row) for row in rows)
        write_atomically(self.path, text.getvalue().encode())


class TensorBoardLog:
    """A folder of event files; one that begins anew says which older ones count no more."""

    def __init__(self, folder: Path) -> None:
        if find_spec("tensorboard") is None:
            raise ExtraMissing(extra="tensorboard", wanted='training.log = "tensorboard"')
        self.folder = folder
        self._writer: SummaryWriter | None = None
        self._written = 0

    def record(self, rows: Sequence[Epoch]) -> None:
        try:
            if self._writer is None:
                from torch.utils.tensorboard.writer import SummaryWriter  # noqa: PLC0415 - an extra

                self._writer = SummaryWriter(self.folder, purge_step=1)
            for row in rows[self._written :]:
                for name in ("loss", "validation_loss", "learning_rate"):
                    self._writer.add_scalar(name, getattr(row, name), row.epoch)
            self._writer.flush()
        except OSError as error:
            raise WriteFailed(path=self.folder, reason=error.strerror or str(error)) from error
        self._written = len(rows)
