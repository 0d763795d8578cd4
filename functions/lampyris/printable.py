"""Make what strangers wrote fit for terminals, lists and documents."""


def printable(text: str, *, longest: int) -> str:
    """Replace what a terminal might obey, make one line of it, and cut what is too long."""
    line = " ".join(text.split())
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
