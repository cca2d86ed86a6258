"""The processes that share a reconstruction, as mpi4py has them."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from . import _core
from .errors import InputError

_LAUNCHED = "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"  # Open MPI's, MPICH's and Slurm's number of processes


def ranks_of(comm: Any) -> _core.Ranks:
    """Those of a communicator of mpi4py's; None: of COMM_WORLD where mpi4py runs, else this process alone.

    All processes of the communicator call it. Raises InputError where they are several, and ptyle is
    built without MPI or with another one than mpi4py.
    """
    if comm is None:
        mpi = sys.modules.get("mpi4py.MPI")
        if mpi is None or not mpi.Is_initialized() or mpi.Is_finalized():
            _warn_of_others(mpi)
            return _core.Ranks()
        comm = mpi.COMM_WORLD
    if not hasattr(comm, "Get_size"):
        raise InputError(f"comm is a {type(comm).__name__}; a communicator of mpi4py is needed, MPI.COMM_WORLD say")
    if comm.Get_size() == 1:
        return _core.Ranks()
    from mpi4py import MPI
    if not _core.has_mpi:
        raise InputError(
            f"{comm.Get_size()} processes are to share the reconstruction, but this ptyle is built without MPI: in "
            "ptyle's sources, python3 -m pip install . -C cmake.define.PTYLE_MPI=ON (or give comm=MPI.COMM_SELF for "
            "a reconstruction of each process's own)")
    theirs, ours = MPI.Get_library_version().rstrip("\0 \n"), _core.mpi_library().rstrip("\0 \n")
    if theirs != ours:
        raise InputError(f"mpi4py uses {_first(theirs)}, ptyle {_first(ours)}: install mpi4py for the latter, "
                         "python3 -m pip install --no-binary mpi4py --force-reinstall mpi4py")
    return _core.Ranks(MPI._addressof(comm))


def _warn_of_others(mpi: Any) -> None:
    """mpirun has started several processes, and nobody has told them of each other."""
    launched = next((os.environ[name] for name in _LAUNCHED if name in os.environ), "1")
    if mpi is None and launched.isdecimal() and int(launched) > 1:
        warnings.warn(f"{launched} processes were started, and each does the whole reconstruction; "
                      "`from mpi4py import MPI` before it divides it among them", stacklevel=4)


def _first(text: str) -> str:
    return text.splitlines()[0].split(",")[0] if text else "none"
