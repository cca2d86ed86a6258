"""The command ``ptyle`` of an installed package: the program, but for the commands that run in Python.

A module of its own, so that the program starts without importing the package and NumPy.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

IN_PYTHON = ("convert", "import")


def program() -> str:
    """The path of the program in the package."""
    return str(Path(find_spec("ptyle").origin).parent / "bin" / "ptyle")


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] in IN_PYTHON:
        from ptyle.__main__ import main as run_in_python

        sys.exit(run_in_python(sys.argv[1:]))
    path = program()
    os.execv(path, [path, *sys.argv[1:]])
