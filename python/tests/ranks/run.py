"""A reconstruction on the ranks that mpirun starts: run.py FOLDER. Rank 0 writes what test_ranks.py asks for.

Its own assertions fail on the rank that makes them; no rank waits for one that has failed.
"""

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

import ptyle

comm, folder = MPI.COMM_WORLD, Path(sys.argv[1])
settings = {"object.slices": 2, "object.slice_thickness": 2.5, "solver.batches": 5, "probe.modes": 2,
            "solver.precision": "double"}


def halve(phase, absorption):
    phase *= 0.5


halve.reach = 0
seen = []
run = ptyle.Reconstruction(folder / "scan.h5", settings, comm=comm)
assert run.ranks == comm.size and run.rank == comm.rank
run.run(iterations=2, callbacks=[lambda r, p: seen.append(p.cost)])
whole = run.gather()
assert len(seen) == 2 and run.iteration == 2
np.testing.assert_array_equal(run.object.astype("f4"), whole.phase[(slice(None), *run.box)])
result = run.result
np.testing.assert_array_equal(result.phase, whole.phase)
assert all(np.array_equal(result.phase, other) for other in comm.allgather(result.phase))
assert all(np.array_equal(run.positions, other) for other in comm.allgather(run.positions))
assert sum(comm.allgather(run.object[0].size)) == whole.phase[0].size  # cores cover the object once
run.save(folder / f"ranks{comm.size}", overwrite=True)
run.save_checkpoint(folder / f"checkpoint{comm.size}")

# COMM_WORLD without a word; a regulariser, which halves the object.
by_itself = ptyle.Reconstruction(folder / "scan.h5", settings, regularisers=[halve])
by_itself.step()
plain = ptyle.Reconstruction(folder / "scan.h5", settings, comm=comm)
plain.step()
np.testing.assert_allclose(by_itself.gather().phase, 0.5 * plain.gather().phase, rtol=1e-5, atol=1e-7)


# A variable, in place of the fit's own steps of the probe.
class Descent(ptyle.Variable):
    def step(self, batch):
        batch.probe[...] -= 0.5 * batch.probe_gradient / (batch.probe.shape[-1] ** 2 * batch.patterns)


one_mode = {**settings, "probe.modes": 1}
by_variable = ptyle.Reconstruction(folder / "scan.h5", one_mode, comm=comm, probe={"refine_from": 0},
                                   variables=[Descent()]).run(iterations=2)
by_itself = ptyle.Reconstruction(folder / "scan.h5", one_mode, comm=comm, probe={"refine_from": 1}).run(iterations=2)
np.testing.assert_allclose(by_variable.probe, by_itself.probe, rtol=0, atol=1e-12 * np.abs(by_itself.probe).max())
# Each its own.
alone = ptyle.Reconstruction(folder / "scan.h5", settings, comm=MPI.COMM_SELF)
assert alone.ranks == 1 and alone.step().iteration == 1
np.testing.assert_allclose(alone.gather().phase, plain.gather().phase, rtol=0, atol=1e-6)

# A callback that ends the run on one rank ends it on all.
plain.run(iterations=5, callbacks=[lambda r, p: r.rank == comm.size - 1])
assert comm.allreduce(plain.iteration, MPI.MAX) == plain.iteration == 2
if comm.rank == 0:
    print("all is well on", comm.size, "ranks")
