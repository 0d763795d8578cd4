"""Make what strangers wrote fit for terminals and lists."""


def printable(text: str, *, longest: int) -> str:
    """Replace what a terminal might obey, and cut what is too long."""
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
