"""The package of this folder, and the program `ptyle` (environment variable PTYLE, or in $PATH)."""

import os
import pathlib
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE)]


@pytest.fixture
def ptyle():
    program = os.environ.get("PTYLE") or shutil.which("ptyle")
    if not program:
        pytest.skip("there is no program ptyle in $PATH; $PTYLE names it")
    return program
