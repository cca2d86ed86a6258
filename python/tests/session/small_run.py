"""A scan of 8 x 8 patterns of 32 x 32 pixels, and a run on it."""

RECIPE = {
    "specimen": {"thickness": 5},
    "optics": {"defocus": 60},
    "detector": {"window": 32, "pixel_size": 0.2},
    "scan": {"shape": [8, 8], "step": [0.8, 0.9]},
    "dose": {"electrons_per_A2": 1e5},
    "seed": 7,
}
# The same run for all ways to start one.
SETTINGS = {"object.slices": 2, "object.slice_thickness": 2.5, "solver.iterations": 4, "solver.batches": 5,
            "probe.modes": 2}
