"""phaser on a film: its results on the way, and when they were there.

    phaser_film.py DATA.h5 TOLD FOLDER ITERATIONS EVERY [WITHOUT]

TOLD is the JSON of bench/peers.hpp. The settings are those of phaser's examples for its gradient
engine (prsco3_grad), in smaller groups. With WITHOUT, one of `parts` below is taken away and
positions stay nominal ("nothing": that alone). Every EVERY iterations a result in ptyle's format
(docs/formats.md) goes to FOLDER, and a line "ITERATION SECONDS FILE" is printed at the end. Seconds
count from the reading of the patterns to the end of the iteration, with what JAX compiles meanwhile,
without what is written. Before these lines come the seconds until the first iteration, and those of
all that were spent compiling.
"""

import json
import logging
import os
import sys
import time

file, told, folder = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
iterations, every = map(int, sys.argv[4:6])
without = sys.argv[6] if len(sys.argv) > 6 else None
# XLA takes as many threads as there are processors for it.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: told["threads"]])
os.environ["JAX_PLATFORMS"] = "cpu"

import h5py
import jax
import numpy as np
from phaser.execute import execute_plan
from phaser.observer import Observer
from phaser.plan import ReconsPlan

h, c, m_e, e = 6.62607015e-34, 299792458.0, 9.1093837015e-31, 1.602176634e-19  # SI
volts = 1e3 * told["energy"]
wavelength = 1e10 * h / np.sqrt(2 * m_e * e * volts * (1 + e * volts / (2 * m_e * c**2)))  # Å
mrad_per_pixel = 1e3 * wavelength / (told["window"] * told["pixel"])


def adam(rate):
    return {"type": "adam", "learning_rate": rate, "nesterov": True}


def sgd(rate):
    return {"type": "sgd", "learning_rate": rate, "momentum": 0.9, "nesterov": True}


engine = {
    "type": "gradient",
    "probe_modes": told["modes"],
    "niter": iterations,
    "grouping": 32,
    "bwlim_frac": 1.0,
    "noise_model": {"type": "poisson", "eps": 2.0},
    "solvers": {"object": adam(1e-2), "probe": adam(0.1), "positions": sgd(0.5)},
    "regularizers": [{"type": "obj_l2", "cost": 0.4}, {"type": "obj_tikh", "cost": 0.2}],
    "group_constraints": [],
    "iter_constraints": [
        {"type": "limit_probe_support", "max_angle": told["semi_angle"]},
        {"type": "clamp_object_amplitude", "amplitude": 1.0},
    ],
    "update_probe": {"after": 2},
    "update_positions": {"after": 5},
    "save": False,
}
parts = {
    "nothing": {},
    "penalties": {"regularizers": []},
    "clamp": {"iter_constraints": engine["iter_constraints"][:1]},
    "poisson": {"noise_model": {"type": "amplitude"}},
    "adam": {"solvers": {**engine["solvers"], "object": sgd(1.0)}},
    "aperture": {"iter_constraints": engine["iter_constraints"][1:]},
    "absorption": {
        "iter_constraints": engine["iter_constraints"][:1],
        "group_constraints": [{"type": "clamp_object_amplitude", "amplitude": [1.0, 1.0]}],
    },
}
if without:
    engine |= {**parts[without], "update_positions": False}
slow, fast = told["scan"]
plan = {
    "name": "film",
    "backend": "jax",
    "raw_data": {
        "type": "manual",
        "path": file,
        "key": "patterns",
        "diff_step": mrad_per_pixel,
        "kv": told["energy"],
    },
    "init": {
        # + is overfocus
        "probe": {
            "type": "focused",
            "conv_angle": told["semi_angle"],
            "defocus": -told["defocus"],
        },
        "scan": {"type": "raster", "shape": [slow, fast], "step_size": told["step"]},
    },
    "slices": {"n": told["slices"], "total_thickness": told["slices"] * told["slice_thickness"]},
    "engines": [engine],
}


def write(path, state, seconds):
    sampling = state.object.sampling
    # The window of a position has its middle there; the probe lies half a pixel further.
    positions = np.asarray(state.scan.data).reshape(-1, 2) - sampling.corner + sampling.sampling / 2
    with h5py.File(path, "w") as result:
        result["object/phase"] = np.angle(np.asarray(state.object.data)).astype(np.float32)
        result["positions"] = positions.astype(np.float64)
        result["history/seconds"] = seconds
        result.attrs["pixel_size"] = told["pixel"]
        result.attrs["slice_thickness"] = told["slice_thickness"]


class Watch(Observer):
    """Notes when iterations end, on a clock that stands while a result is written."""

    def __init__(self):
        self.start = time.perf_counter()
        self.first, self.seconds, self.results = 0, [], []

    def start_engine(self, init_state):
        self.first = time.perf_counter() - self.start

    def update_iteration(self, state, i, n, errors):
        jax.block_until_ready((state.object.data, state.probe.data, state.scan.data))
        end = time.perf_counter()
        self.seconds.append(end - self.start)
        if i % every == 0:
            self.results.append((i, self.seconds[-1], f"{folder}/{i}.h5"))
            write(self.results[-1][2], state, self.seconds)
            print(f"phaser: iteration {i}, {self.seconds[-1]:.0f} s", file=sys.stderr)
        self.start += time.perf_counter() - end


compiling = []


def note_compiling(event, seconds, **_):
    if event.endswith("backend_compile_duration"):
        compiling.append(seconds)


jax.monitoring.register_event_duration_secs_listener(note_compiling)
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
logging.disable(logging.WARNING)
watch = Watch()
execute_plan(ReconsPlan.from_data(plan), override_observers=watch)
print(watch.first, sum(compiling))
for iteration, seconds, result in watch.results:
    print(iteration, seconds, result)
