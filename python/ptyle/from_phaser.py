"""A plan of phaser 0.3 as keys of ptyle.

Facts of phaser are those of its sources, version 0.3.1: plan.py and hooks/__init__.py (names, defaults),
utils/optics.py (probe), utils/scan.py (raster), utils/image.py (flips), types.py (aberrations).
"""

import cmath
import math

RECOGNISED_BY = "raw_data"

#: phaser's names of coefficients: (n, m) and the factor to Krivanek's (types.py).
NAMED = {"c1": (1, 0, 1), "a1": (1, 2, 1), "b2": (2, 1, 3), "a2": (2, 3, 1), "c3": (3, 0, 1), "s3": (3, 2, 3),
         "a3": (3, 4, 1), "b4": (4, 1, 4), "d4": (4, 3, 4), "a4": (4, 5, 1), "c5": (5, 0, 1)}
KNOWN = {(1, 0), (1, 2), (2, 1), (2, 3), (3, 0)}

STEPS = "step sizes are estimated from the curvature of the cost"
NO_NEED = {
    "file_type": None, "version": None, "name": None, "backend": None, "device": None,
    "wavelength": "optics.energy is the accelerating voltage in kV",
    "raw_data.type": None, "raw_data.dtype": None, "raw_data.det_shape": None,
    "raw_data.offset": "raw numbers other than an EMPAD's need a copy as .npy",
    "raw_data.gap": "raw numbers other than an EMPAD's need a copy as .npy",
    "raw_data.adu": "counts are kept as they are; their gain is taken from the pixels that vary least",
    "post_init": None,  # patterns without numbers are left out, and the disc's place is measured
    "init.object": "object.start takes an earlier result; without one, vacuum",
    "init.state": "object.start, probe.start and scan.file take a result of ptyle",
    "init.probe.type": None, "init.scan.type": None, "init.tilt.type": None,
    "engine.type": None, "engine.compact": None, "engine.shuffle_groups": None, "engine.buffer_n_groups": None,
    "engine.jit_unroll_slices": None, "engine.calc_error": None, "engine.calc_error_fraction": None,
    "engine.save": None, "engine.save_images": None, "engine.save_options": None, "engine.obj_pad_px": None,
    "engine.check_every_group": None, "engine.send_every_group": None,
    "engine.solver": STEPS + "; solver.rule: pie is ePIE", "engine.solvers": STEPS + "; solver.rule: adam is there",
    "engine.position_solver": STEPS,
    "engine.noise_model": None,
    "engine.early_termination": "solver.until ends a run by R of held-out pixels",
    "engine.mtf": "the detector's blur is not modelled",
    "engine.regularizers": "penalty.lateral, along_z and square are ptyle's",
    "engine.bwlim_frac": "object.band_limit cuts the propagator alone",
}


def translate(t):
    """Several engines become one run: their iterations together, all else as the last has it."""
    engines = t.given("engines") or []
    last = engines[-1] if engines else {}
    t.content = {**{k: v for k, v in t.content.items() if k != "engines"}, "engine": last}
    if len(engines) > 1:
        t.note(f"the {len(engines)} engines are one run: their iterations together, all else as the last has it")
    data(t)
    scan(t)
    optics(t)
    specimen(t)
    engine(t, engines)
    t.finish(NO_NEED)


def data(t):
    path = t.given("raw_data.path")
    if path:
        t.file("data.file", path, "raw_data.path")
        if str(path).endswith(".json"):
            t.note("data.file is phaser's description of an EMPAD's .raw: name the .raw, and give what the "
                   "description says (voltage, angle, step, scan shape)")
        if str(path).lower().endswith((".dm3", ".dm4")):
            t.note("data.file: ptyle convert turns it into HDF5, with its calibration")
    key = t.given("raw_data.key")
    if key:
        t.set("data.patterns", "/" + str(key).replace(".", "/").strip("/"), "raw_data.key")
    empad = t.given("raw_data.type") == "empad"
    flips = t.given("raw_data.det_flips")
    origin = "raw_data.det_flips" + ("" if flips is not None else ", an EMPAD's by default")
    for flip, name in zip(flips or ((True, False, False) if empad else ()), ("flip_rows", "flip_cols", "transpose")):
        if flip:
            t.set(f"data.{name}", True, origin)
    if t.given("raw_data.fftshifted"):
        t.set("data.dc", "corner", "raw_data.fftshifted")
    binned = 1
    for step in t.given("post_load") or []:
        kind = step.get("type") if isinstance(step, dict) else step
        if kind == "bin":
            binned *= int(step["bin"])
            t.set("data.bin", binned, "post_load, bin")
        elif kind == "offset":
            t.set("data.background", float(step["offset"]), "post_load, offset")
        else:
            t.leave(f"post_load, {kind}", {"crop_data": "data.positions, data.skip choose positions"}.get(kind, ""))
    t.copy("raw_data.diff_step", "calibration.mrad_per_pixel", lambda value: value * binned)


def scan(t):
    shape, step = t.given("init.scan.shape"), t.given("init.scan.step_size")
    if shape:
        t.set("data.scan_shape", [int(n) for n in shape], "init.scan.shape")
    if step:
        t.set("scan.step", [float(s) for s in step] if isinstance(step, list) else [float(step)] * 2,
              "init.scan.step_size")
    t.copy("init.scan.rotation", "scan.rotation")
    if t.given("init.scan.affine"):
        t.leave("init.scan.affine", "positions.model: affine fits one")


def optics(t):
    t.copy("raw_data.kv", "optics.energy")
    t.copy("init.probe.conv_angle", "optics.semi_angle")
    # phaser's probe is exp(−iχ(−k)): what is odd in k has the other sign
    t.copy("init.probe.defocus", "optics.defocus", lambda value: -value + 0.0)
    if "optics.defocus" in t.lines:
        t.set("optics.defocus", t.lines["optics.defocus"][0], "init.probe.defocus, which is positive over focus")
    for item in t.given("init.probe.aberrations") or []:
        for n, m, value, name in _coefficients(item):
            where = f"init.probe.aberrations, {name}"
            if (n, m) not in KNOWN:
                t.leave(where, "ptyle has C10, C12, C21, C23 and C30")
            elif m == 0:
                key = "optics.defocus" if n == 1 else f"optics.C{n}{m}"
                earlier = t.lines.get(key, (0, ""))[0]
                t.set(key, earlier + (-value.real if n == 1 else value.real), where)
            else:
                value = 0j - value if n % 2 == 0 else value
                t.set(f"optics.C{n}{m}", abs(value), where)
                t.set(f"optics.phi{n}{m}", math.degrees(cmath.phase(value)) / m, where)


def _coefficients(item):
    """(n, m, C exp(i m φ), name) of an entry: {a1: …} or {n: 1, m: 2, …}; values complex, re and im, mag and angle."""
    if "n" in item and "m" in item:
        factor = float(item.get("scale_factor", 1))
        yield int(item["n"]), int(item["m"]), factor * _complex(item), f"C{item['n']}{item['m']}"
        return
    for name, value in item.items():
        n, m, factor = NAMED[name.lower()]
        yield n, m, factor * _complex(value), name


def _complex(value):
    if not isinstance(value, dict):
        return complex(value)
    if "val" in value:
        return complex(value["val"])
    if "mag" in value:
        return cmath.rect(float(value["mag"]), math.radians(float(value.get("angle", 0))))
    return complex(float(value["re"]), float(value.get("im", 0)))


def specimen(t):
    own, common = t.given("engine.slices"), t.given("slices")
    slices, where = (own, "the engine's slices") if own else (common, "slices")
    if slices:
        thicknesses = slices.get("thicknesses")
        count = len(thicknesses) if thicknesses else int(slices["n"])
        t.set("object.slices", count, where)
        if count > 1:
            thickness = sum(thicknesses) / count if thicknesses else slices.get("slice_thickness")
            thickness = float(slices["total_thickness"]) / count if thickness is None else float(thickness)
            t.set("object.slice_thickness", thickness, where)
            if thicknesses and max(thicknesses) - min(thicknesses) > 1e-6 * thickness:
                t.note("object.slice_thickness is one for all: the mean of the plan's")
    tilt = t.given("init.tilt.tilt")
    for value, key in zip(tilt or (), ("tilt_row", "tilt_col")):
        if value:
            t.set(f"object.{key}", float(value), "init.tilt.tilt")


def engine(t, engines):
    t.copy("engine.probe_modes", "probe.modes", int, otherwise=1)
    modes, base = t.lines["probe.modes"][0], t.number("engine.base_mode_power", 0.7)
    if modes > 1:
        t.set("probe.mode_power", round((1 - base) / (modes - 1), 10), "the engine's base_mode_power")
    iterations = sum(int(e.get("niter", 10)) for e in engines)
    t.given("engine.niter")
    t.set("solver.iterations", iterations, "niter of the engines" if len(engines) > 1 else "the engine's niter")
    grouping, shape = t.number("engine.grouping"), t.given("init.scan.shape")
    if grouping and shape:
        positions = int(shape[0]) * int(shape[1])
        t.set("solver.batches", max(1, math.ceil(positions / grouping)),
              f"the engine's grouping: {positions} positions by {grouping:g}")
    elif grouping:
        t.leave("engine.grouping", "solver.batches is the number of mini-batches, positions ÷ grouping")
    noise = t.given("engine.noise_model")
    noise = noise.get("type") if isinstance(noise, dict) else noise
    if noise:
        t.set("solver.loss", "poisson" if noise == "poisson" else "amplitude", "the engine's noise_model")
        if noise == "anscombe":
            t.note("solver.loss: phaser's Anscombe transform is the amplitude with an offset of 3/8 counts")
    shape = t.given("engine.sim_shape")
    if shape and shape[0] == shape[1] and t.given("engine.resize_method") in (None, "pad_crop"):
        t.set("data.window", int(shape[0]), "the engine's sim_shape; what is padded is not fitted")
    elif shape:
        t.leave("engine.sim_shape", "data.window pads to a square")
    updates(t)
    constraints(t)


def updates(t):
    """First iterations of flags: true, false, or {after: n, …}, which counts from 0."""
    probe = t.given("engine.update_probe")
    first = _first(probe, True)
    t.set("probe.refine_from", first, "the engine's update_probe" + ("" if probe is not None else ", by default"))
    positions = t.given("engine.update_positions")
    first = _first(positions, False)
    origin = "the engine's update_positions" + ("" if positions is not None else ", by default")
    t.set("positions.refine", "on" if first else "off", origin)
    if first > 1:
        t.set("positions.start", first, origin)
    for name in ("update_tilt", "update_object"):
        flag = t.given(f"engine.{name}")
        if (name == "update_tilt" and flag) or (name == "update_object" and flag is False):
            t.leave(f"engine.{name}", "the object is refined, the tilt is not")


def _first(flag, otherwise):
    if isinstance(flag, dict):
        return int(flag.get("after", 0)) + 1
    return 1 if (otherwise if flag is None else flag) else 0


def constraints(t):
    every = [*(t.given("engine.group_constraints") or []), *(t.given("engine.iter_constraints") or [])]
    for one in every:
        kind = one.get("type") if isinstance(one, dict) else one
        if kind == "nonneg_object_phase":
            t.set("object.positivity", "on", "the engine's nonneg_object_phase")
        elif kind != "remove_phase_ramp":
            t.leave(f"engine's {kind}", {
                "obj_gaussian": "object.blur is a Gaussian in px",
                "layers": "penalty.along_z and object.blur_z smooth along the beam",
                "limit_probe_support": "probe.aperture, times the semi-angle, says it"}.get(kind, ""))
