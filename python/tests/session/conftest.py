"""A small simulated scan, made once, and the program of the installed package."""

import subprocess

import h5py
import numpy as np
import pytest

import ptyle
import ptyle_program
from small_run import RECIPE

@pytest.fixture(scope="session")
def scan(tmp_path_factory):
    """The data set in a file."""
    return ptyle.simulate(RECIPE, output=tmp_path_factory.mktemp("scan") / "scan.h5")


@pytest.fixture(scope="session")
def arrays(scan):
    """The same as arrays: patterns uint16, positions Å, and the keys that the file states."""
    with h5py.File(scan.file) as file:
        patterns, positions = file["patterns"][()], file["positions"][()]
    return patterns.astype(np.uint16), positions


@pytest.fixture(scope="session")
def stated(scan):
    """The keys that the file states, for arrays that state nothing."""
    with h5py.File(scan.file) as file:
        a = file.attrs
        return {"energy": float(a["energy_kV"]), "semi_angle": float(a["semi_angle_mrad"]),
                "defocus": float(a["defocus_A"]), "pixel_size": 0.2}


@pytest.fixture
def run_program():
    """Runs the installed program; its finished process."""

    def run(*arguments, **options):
        return subprocess.run([ptyle_program.program(), *map(str, arguments)], capture_output=True, text=True,
                              timeout=300, **options)

    return run
