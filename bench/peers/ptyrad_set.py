"""What PtyRAD is told of a set of patterns, for the programs beside this file.

`told` is the JSON of bench/peers.hpp. To be imported before PyTorch, as it sets the threads.
"""

import json
import logging
import os


def told_of(text):
    told = json.loads(text)
    threads = told["threads"]
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    os.environ.setdefault("MPLBACKEND", "Agg")
    import torch

    torch.set_num_threads(threads)
    logging.disable(logging.WARNING)
    return told


def init_params(file, told):
    slow, fast = told["scan"]
    params = {
        "probe_kv": told["energy"],
        "probe_conv_angle": told["semi_angle"],
        "probe_aberrations": {"C10": -told["defocus"]},
        "probe_pmode_max": told["modes"],
        "meas_Npix": told["window"],
        "meas_calibration": {"mode": "dx", "value": told["pixel"]},
        "meas_source": "file",
        "meas_params": {"path": file, "key": "patterns"},
        "pos_N_scans": slow * fast,
        "pos_N_scan_slow": slow,
        "pos_N_scan_fast": fast,
        "pos_scan_step_size": told["step"],
        "obj_Nlayer": told["slices"],
        "obj_slice_thickness": told["slice_thickness"],
        "random_seed": 1,
    }
    if told["mode_power"]:
        params["probe_pmode_init_pows"] = [told["mode_power"]]
    return params
