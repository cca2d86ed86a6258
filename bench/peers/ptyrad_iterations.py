"""PtyRAD on the workload of bench/workload.hpp: seconds an iteration and the R-factor it ends with.

    ptyrad_iterations.py DATA.h5 TOLD BATCH ITERATIONS

TOLD is the JSON of bench/peers.hpp. Object phase and probe are optimised, the object's amplitude is
not; blurs, thresholds, position refinement and results on disk are off. One more iteration comes
first, to warm up. Prints the median seconds of the others and R as ptyle has it,
sum (sqrt(I) - sqrt(y))^2 / sum y over all patterns, after the last of them.
"""

import sys

from ptyrad_set import init_params, told_of

file, told = sys.argv[1], told_of(sys.argv[2])
batch, iterations = map(int, sys.argv[3:5])

import numpy as np
import torch
from ptyrad.params.ptyrad_params import PtyRADParams
from ptyrad.solver import PtyRADSolver


def off():
    return {"start_iter": None, "lr": 0.0}


def parameters():
    constraints = {name: {"start_iter": None} for name in ("obj_rblur", "obj_zblur", "pos_recenter")}
    return {
        "init_params": {**init_params(file, told), "pos_scan_rand_std": None},
        "model_params": {
            "update_params": {
                "obja": off(),
                "objp": {"start_iter": 1, "lr": 5e-4},
                "probe": {"start_iter": 1, "lr": 1e-4},
                "probe_pos_shifts": off(),
            }
        },
        "constraint_params": constraints,
        "recon_params": {
            "NITER": iterations + 1,
            "BATCH_SIZE": {"size": batch, "grad_accumulation": 1},
            "SAVE_ITERS": None,
            "copy_params": False,
        },
    }


def r_factor(model, count):
    above = below = 0.0
    with torch.no_grad():
        for some in torch.arange(count).split(16):
            measured = model.get_measurements(some)
            above += (model(some).sqrt() - measured.sqrt()).square().sum(dtype=torch.float64).item()
            below += measured.sum(dtype=torch.float64).item()
    return above / below


solver = PtyRADSolver(PtyRADParams(**parameters()).model_dump(), device="cpu")
solver.run()
model = solver.reconstruct_results
print(np.median(model.iter_times[1:]), r_factor(model, np.prod(told["scan"])))
