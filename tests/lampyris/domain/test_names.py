"""The grammar of names."""

from string import ascii_lowercase, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.domain.names import check_alias_name, check_model_name, check_upload_id
from lampyris.errors import InvalidName

ENDS = st.sampled_from(ascii_lowercase + digits)
NAMES = ENDS | st.builds("{}{}{}".format, ENDS, st.text(ascii_lowercase + digits + "_-", max_size=61), ENDS)


@given(NAMES)
def test_name_of_the_grammar_is_returned_as_it_is(name: str) -> None:
    assert check_model_name(name) == name
    assert check_upload_id(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Iris",
        "iris.v2",
        "a/b",
        "..",
        "-iris",
        "iris-",
        "_",
        "iris ",
        "iris\n",
        "äpfel",
        "٣",  # a digit, but not one of ours
        "x" * 64,
    ],
)
def test_name_against_the_grammar_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(InvalidName, match="use 1 to 63 lower-case letters"):
        check_model_name(name)
    with pytest.raises(InvalidName):
        check_alias_name(name)
    with pytest.raises(InvalidName):
        check_upload_id(name)


@given(st.text())
def test_accepted_name_is_always_one_safe_segment_of_a_key(name: str) -> None:
    try:
        check_model_name(name)
    except InvalidName:
        return

    assert name.isascii()
    assert not set(name) & set("/.%+ \n")


def test_longest_name_has_63_characters() -> None:
    assert check_model_name("x" * 63) == "x" * 63


def test_alias_is_never_a_number() -> None:
    assert check_alias_name("v3") == "v3"
    with pytest.raises(InvalidName, match="not a number"):
        check_alias_name("3")
