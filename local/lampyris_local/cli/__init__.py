"""The command line. `commands` says what it offers; each command does its work in a module of its own."""

from lampyris_local.cli.commands import main

__all__ = ["main"]
