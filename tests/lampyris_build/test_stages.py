from io import StringIO

import pytest
from rich.console import Console

from lampyris_build.stages import Stages


def test_each_stage_leaves_one_line_and_its_time() -> None:
    printed = StringIO()

    with Stages(Console(file=printed, width=80)) as stages:
        with stages.stage("data") as stage:
            stage.outcome = "[bold] pictures"
        with stages.stage("training") as stage:
            stage.expect(2)
            stage.advance("epoch 1")
            stage.outcome = "done"

    lines = [line for line in printed.getvalue().splitlines() if line.strip()]
    assert [line.split()[0] for line in lines] == ["data", "training"]
    assert "[bold] pictures" in lines[0]
    assert stages.elapsed_s.keys() == {"data", "training"}


def test_stage_that_fails_leaves_no_line() -> None:
    printed = StringIO()

    with pytest.raises(OSError, match="disk"), Stages(Console(file=printed)) as stages, stages.stage("data"):
        raise OSError("disk")

    assert "data" not in printed.getvalue()
    assert stages.elapsed_s == {}
