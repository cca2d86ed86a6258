"""What fails on one rank is an exception on all: failures.py FOLDER."""

import sys
from pathlib import Path

from mpi4py import MPI

import ptyle

comm, folder = MPI.COMM_WORLD, Path(sys.argv[1])
last = comm.size - 1


def raised(work, *kinds):
    try:
        work()
    except kinds as why:
        return f"{type(why).__name__}: {why}"
    raise AssertionError("nothing was raised")


def opened(**more):
    return ptyle.Reconstruction(folder / "scan.h5", comm=comm, **more)


# The same mistake on all.
said = raised(lambda: opened(slices=-1), ptyle.InputError)
assert "slices" in said, said
# A file that is not there for one.
name = "nowhere.h5" if comm.rank == last else "scan.h5"
said = raised(lambda: ptyle.Reconstruction(folder / name, comm=comm), ptyle.InputError)
assert "nowhere.h5" in said and (comm.rank == last or f"rank {last}" in said), said


# A callback's failure on one.
def fail(run, progress):
    if run.rank == last:
        raise ZeroDivisionError("the callback")


run = opened()
said = raised(lambda: run.run(iterations=3, callbacks=[fail]), ZeroDivisionError, ptyle.Error)
assert "the callback" in said, said
said = raised(run.step, ptyle.InputError)
assert "begin a new one" in said, said


# A regulariser's.
def broken(phase, absorption):
    if comm.rank == last:
        raise RuntimeError("the regulariser")


broken.reach = 0
run = opened(regularisers=[broken])
said = raised(run.step, RuntimeError, ptyle.Error)
assert "the regulariser" in said, said
said = raised(lambda: opened(regularisers=[lambda phase, absorption: None]), ptyle.InputError)
assert "reach" in said, said
# A folder that is there: on all, and the run goes on.
run = opened()
run.step()
run.save(folder / f"there{comm.size}", overwrite=True)
said = raised(lambda: run.save(folder / f"there{comm.size}"), ptyle.InputError)
assert run.step().iteration == 2
if comm.rank == 0:
    print("all failures are known on", comm.size, "ranks")
