"""Ranks from Python: the numbers of one process, and no rank that waits for one that has failed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ptyle

pytest.importorskip("mpi4py")
MPIRUN = shutil.which("mpirun")
pytestmark = pytest.mark.skipif(not ptyle._core.has_mpi or MPIRUN is None, reason="ptyle or this machine is without MPI")
HERE = Path(__file__).parent
RECIPE = {
    "specimen": {"thickness": 5}, "optics": {"defocus": 60}, "detector": {"window": 32, "pixel_size": 0.2},
    "scan": {"shape": [8, 8], "step": [0.8, 0.9]}, "dose": {"electrons_per_A2": 1e5}, "seed": 7,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    ptyle.simulate(RECIPE, output=folder / "scan.h5")
    return folder


def mpirun(ranks, *arguments, **options):
    command = [MPIRUN, "--allow-run-as-root", "--oversubscribe", "-n", str(ranks), sys.executable, "-m", "mpi4py",
               *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, "OMP_NUM_THREADS": "1"}, **options)


def finished(process, seconds=240):
    said, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, said
    return said


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_give_the_numbers_of_one_process(folder, ranks):
    """Sums over ranks are rounded in another order: 1e-15 of the object in double, after few iterations."""
    assert "all is well" in finished(mpirun(ranks, HERE / "run.py", folder))
    settings = {"object.slices": 2, "object.slice_thickness": 2.5, "solver.batches": 5, "probe.modes": 2,
                "solver.precision": "double"}
    one = ptyle.Reconstruction(folder / "scan.h5", settings).run(iterations=2)
    many = ptyle.read_result(folder / f"ranks{ranks}")
    # A result file holds float.
    largest = np.abs(one.result.phase).max()
    np.testing.assert_allclose(many.phase, one.result.phase, rtol=0, atol=3e-7 * largest)
    np.testing.assert_allclose(many.history["cost"], one.history["cost"], rtol=1e-12)
    assert many.positions.tobytes() == one.result.positions.tobytes()


@pytest.mark.parametrize("ranks", [2, 3])
def test_what_fails_on_one_rank_is_an_exception_on_all(folder, ranks):
    assert "all failures are known" in finished(mpirun(ranks, HERE / "failures.py", folder))


def test_ctrl_c_on_one_rank_ends_all(folder):
    script = ("import os, signal, sys, threading\n"
              "from mpi4py import MPI\n"
              "import ptyle\n"
              "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
              f"run = ptyle.Reconstruction({str(folder / 'scan.h5')!r}, slices=2, slice_thickness=2.5)\n"
              "if run.rank == 1: threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
              "try:\n"
              "    run.run(iterations=100000)\n"
              "except KeyboardInterrupt:\n"
              "    run.run(iterations=1)\n"
              "    print('ended', flush=True)\n")
    assert finished(mpirun(2, "-c", script)).count("ended") == 2


def test_without_mpi4py_a_warning_says_so(folder):
    script = f"import ptyle; ptyle.Reconstruction({str(folder / 'scan.h5')!r}, iterations=1)"
    assert "2 processes were started, and each does the whole" in finished(mpirun(2, "-c", script))
