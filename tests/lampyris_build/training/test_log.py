from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]  # no types
    EventAccumulator,
)

from lampyris_build.errors import WriteFailed
from lampyris_build.recipe.training import Training
from lampyris_build.training.history import Epoch
from lampyris_build.training.log import CsvLog, TensorBoardLog, log_for


def rows(count: int) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(epoch=n, step=10 * n, loss=1 / n, validation_loss=2 / n, learning_rate=0.1, seconds=0.5 * n)
        for n in range(1, count + 1)
    )


def test_csv_has_one_row_an_epoch(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "training.csv")

    log.record(rows(1))
    log.record(rows(2))

    assert log.path.read_text() == (
        "epoch,step,loss,validation_loss,learning_rate,seconds\n1,10,1.0,2.0,0.1,0.5\n2,20,0.5,1.0,0.1,1.0\n"
    )


def test_csv_of_a_resumed_training_has_no_row_twice(tmp_path: Path) -> None:
    CsvLog(tmp_path / "training.csv").record(rows(3))

    CsvLog(tmp_path / "training.csv").record(rows(4))

    assert [line.split(",")[0] for line in (tmp_path / "training.csv").read_text().splitlines()[1:]] == list(
        "1234"
    )


def test_tensorboard_of_a_resumed_training_has_no_point_twice(tmp_path: Path) -> None:
    first = TensorBoardLog(tmp_path)
    first.record(rows(1))
    first.record(rows(3))

    TensorBoardLog(tmp_path).record(rows(4))

    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4]
    assert [event.value for event in events.Scalars("validation_loss")] == pytest.approx([2, 1, 2 / 3, 0.5])


def test_recipe_chooses_the_log(tmp_path: Path) -> None:
    assert isinstance(log_for(Training(epochs=1), tmp_path), CsvLog)
    assert isinstance(log_for(Training(epochs=1, log="tensorboard"), tmp_path), TensorBoardLog)


def test_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(WriteFailed, match=r"training\.csv could not be written: File exists"):
        CsvLog(tmp_path / "file" / "training.csv").record(rows(1))
