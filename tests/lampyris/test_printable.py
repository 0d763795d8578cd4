import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("model 'iris' is fine: ä, 中, 🪲", "model 'iris' is fine: ä, 中, 🪲"),
        ("\x1b[31mred", "\N{REPLACEMENT CHARACTER}[31mred"),
        ("one\r\ntwo\tthree", "one two three"),
        ("gpj.\u202eexe", "gpj.\N{REPLACEMENT CHARACTER}exe"),
        ("x" * 21, "x" * 19 + "…"),
        ("", ""),
    ],
)
def test_text_is_shown_without_what_a_terminal_obeys(text: str, shown: str) -> None:
    assert printable(text, longest=20 if text.startswith("xx") else 100) == shown


@given(st.text(), st.integers(1, 50))
def test_any_text_becomes_one_line_of_what_was_asked_for(text: str, longest: int) -> None:
    shown = printable(text, longest=longest)

    assert shown.isprintable()
    assert len(shown) <= longest
