"""What strangers wrote is printed, and not obeyed."""

import pytest

from lampyris_local.cli.output import answers, new_table, print_error


def test_table_does_not_hand_a_strangers_control_characters_to_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = new_table("gives", "labels")
    table.add_row("y\x1b[31m", "cat\x9b2J\u202e")

    answers().print(table)

    printed = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\u202e"} & set(printed)
    assert "y[31m" in printed


def test_colours_of_our_own_reach_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    print_error("no", code="absent")

    assert "\x1b[1;31mError: " in capsys.readouterr().err


def test_long_error_is_one_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("word " * 100, code="long")

    assert len(capsys.readouterr().err.splitlines()) == 1
