"""PtyRAD by its defaults on a film: its results on the way, and when they were there.

    ptyrad_film.py DATA.h5 TOLD FOLDER ITERATIONS EVERY

TOLD is the JSON of bench/peers.hpp. Every EVERY iterations a result in PtyRAD's own format goes to
FOLDER, and a line "ITERATION SECONDS FILE" is printed at the end. Seconds count from the reading of
the patterns to the end of the iteration, without what is written. Before these lines come the
seconds until the first iteration, and those spent compiling, which are 0: it does not compile by
default.
"""

import glob
import sys
import time

from ptyrad_set import init_params, told_of

file, told, folder = sys.argv[1], told_of(sys.argv[2]), sys.argv[3]
iterations, every = map(int, sys.argv[4:6])

import numpy as np
from ptyrad.params.ptyrad_params import PtyRADParams
from ptyrad.solver import PtyRADSolver, reconstruction

first_step = []
step = reconstruction.recon_step


def watched_step(*arguments, **named):
    first_step.append(time.perf_counter())
    return step(*arguments, **named)


reconstruction.recon_step = watched_step
parameters = {
    "init_params": init_params(file, told),
    "recon_params": {
        "NITER": iterations,
        "SAVE_ITERS": every,
        "output_dir": folder,
        "recon_dir_affixes": [],
        "save_result": ["model"],
        "selected_figs": [],
        "copy_params": False,
    },
}
start = time.perf_counter()
solver = PtyRADSolver(PtyRADParams(**parameters).model_dump(), device="cpu")
solver.run()
preparing = first_step[0] - start
seconds = preparing + np.cumsum(solver.reconstruct_results.iter_times)
print(preparing, 0)
for iteration in range(every, iterations + 1, every):
    (result,) = glob.glob(f"{folder}/**/model_iter{iteration:04}.hdf5", recursive=True)
    print(iteration, seconds[iteration - 1], result)
