"""PtyRAD on the workload of bench/workload.hpp: seconds an iteration and the R-factor it ends with.

    ptyrad_iterations.py DATA.h5 WORKLOAD BATCH ITERATIONS THREADS

WORKLOAD is JSON, its keys those of the struct there. Object phase and probe are optimised, the
object's amplitude is not; blurs, thresholds, position refinement and results on disk are off. One
more iteration comes first, to warm up. Prints the median seconds of the others and R as ptyle has
it, sum (sqrt(I) - sqrt(y))^2 / sum y over all patterns, after the last of them.
"""

import json
import logging
import os
import sys

file, load = sys.argv[1], json.loads(sys.argv[2])
batch, iterations, threads = map(int, sys.argv[3:6])
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import torch
from ptyrad.params.ptyrad_params import PtyRADParams
from ptyrad.solver import PtyRADSolver

torch.set_num_threads(threads)
logging.disable(logging.WARNING)


def off():
    return {"start_iter": None, "lr": 0.0}


def parameters():
    side = load["side"]
    constraints = {name: {"start_iter": None} for name in ("obj_rblur", "obj_zblur", "pos_recenter")}
    return {
        "init_params": {
            "probe_kv": load["energy"],
            "probe_conv_angle": load["semi_angle"],
            "probe_aberrations": {"C10": -load["defocus"]},
            "probe_pmode_max": load["modes"],
            "probe_pmode_init_pows": [load["mode_power"]],
            "meas_Npix": load["window"],
            "meas_calibration": {"mode": "dx", "value": load["pixel"]},
            "meas_source": "file",
            "meas_params": {"path": file, "key": "patterns"},
            "pos_N_scans": side * side,
            "pos_N_scan_slow": side,
            "pos_N_scan_fast": side,
            "pos_scan_step_size": load["step"],
            "pos_scan_rand_std": None,
            "obj_Nlayer": load["slices"],
            "obj_slice_thickness": load["slice_thickness"],
            "random_seed": 1,
        },
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
print(np.median(model.iter_times[1:]), r_factor(model, load["side"] ** 2))
