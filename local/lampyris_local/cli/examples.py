"""Examples at the end of a command's help."""


def example(*lines: str) -> str:
    """Write commands as they stand below a help text."""
    return "Example:\n\n" + "\n\n".join(f"[cyan]{line}[/]" for line in lines)
