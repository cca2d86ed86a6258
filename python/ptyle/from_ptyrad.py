"""PtyRAD 1.0's parameters as keys of ptyle.

Facts of PtyRAD are those of its sources, version 1.0.0: params/*.py (names, defaults),
init/initializer.py (order of the preprocessing: permute, reshape, flips, crop, pad; calibrations are of
the frame before the crop), optics/aberrations.py (notations), utils/affine.py.
"""

import math
import re

RECOGNISED_BY = "init_params"

#: Coefficients in Haider's notation: Krivanek's (n, m) and its factor (C21 = 3 B2, C32 = 4 S3).
HAIDER = {"C1": ((1, 0), 1), "A1": ((1, 2), 1), "B2": ((2, 1), 3), "A2": ((2, 3), 1), "C3": ((3, 0), 1)}
OTHER_NAMES = {"defocus": ((1, 0), -1), "Cs": ((3, 0), 1)}
#: What ptyle has, by (n, m).
KNOWN = {(1, 0), (1, 2), (2, 1), (2, 3), (3, 0)}

STEPS = "step sizes are estimated from the curvature of the cost"
#: Parameters that nothing in ptyle needs (None: not even a line), or why they have no counterpart.
NO_NEED = {
    **{f"recon_params.{name}": None for name in (
        "SAVE_ITERS", "recon_dir_affixes", "prefix_time", "prefix", "postfix", "save_result", "result_modes",
        "selected_figs", "convergence_monitor", "copy_params", "compiler_configs", "if_quiet")},
    "init_params.meas_Npix": None,
    "init_params.pos_N_scans": None,
    "init_params.meas_source": None,
    "init_params.meas_export": None,
    "init_params.meas_normalization": None,  # counts are kept
    "init_params.probe_normalization": None,
    "init_params.random_seed": "solver.seed is of the mini-batches alone",
    "init_params.pos_scan_rand_std": "positions start where the scan says",
    "init_params.obj_omode_init_occu": None,
    "init_params.meas_resample": "data.bin sums whole pixels",
    "init_params.meas_add_source_size": "more probe modes take up a source's size",
    "init_params.meas_add_detector_blur": "",
    "init_params.pos_scan_flipT": "data.flip_rows, flip_cols and transpose turn the patterns instead",
    "model_params.detector_blur_std": "the detector's blur is not modelled",
    "model_params.preload_data": None,
    "model_params.optimizer_params": f"{STEPS}; solver.rule: adam is there",
    "model_params.scheduler_params": STEPS,
    "model_params.update_params.obj_tilts": "geometry.refine: [tilt] fits one tilt while slices are binned",
    "model_params.update_params.slice_thickness": "geometry.refine: [thickness] fits it",
    "loss_params.loss_sparse": "penalty.square is a term of the phase's squares",
    "constraint_params.ortho_pmode": None,  # the result's modes are
    "constraint_params.fix_probe_int": None,  # the probe has the counts' power
    "constraint_params.pos_recenter": None,  # positions keep their origin
    "recon_params.GROUP_MODE": None,
    "hypertune_params": "solver.hold_out_pixels judges settings; runs are started one by one",
    "params_path": None,
}


def translate(t):
    init = "init_params."
    if t.given(init + "probe_illum_type") == "xray":
        t.note("the file is of X-rays: lengths in m and the zone plate's probe are not translated")
    slow, fast = t.number(init + "pos_N_scan_slow"), t.number(init + "pos_N_scan_fast")
    data(t, init, slow, fast)
    calibration(t, init)
    scan(t, init, slow, fast)
    t.copy(init + "probe_kv", "optics.energy")
    t.copy(init + "probe_conv_angle", "optics.semi_angle")
    aberrations(t, init)
    specimen(t, init)
    t.copy(init + "probe_pmode_max", "probe.modes", int, otherwise=4)
    powers = t.given(init + "probe_pmode_init_pows")
    if powers and len(powers) == 1 and t.lines["probe.modes"][0] > 1:
        t.set("probe.mode_power", float(powers[0]), init + "probe_pmode_init_pows")
    elif powers and len(powers) > 1:
        t.leave(init + "probe_pmode_init_pows", "probe.mode_power is one for all further modes")
    updates(t)
    losses(t)
    constraints(t)
    course(t, slow, fast)
    t.finish(NO_NEED)


def data(t, init, slow, fast):
    source = t.given(init + "meas_params")
    if isinstance(source, dict):
        if source.get("path"):
            t.file("data.file", source["path"], init + "meas_params.path")
        if source.get("key"):
            t.set("data.patterns", "/" + str(source["key"]).strip("/"), init + "meas_params.key")
        for name in ("shape", "offset", "gap", "selection", "zarr_kwargs"):
            if source.get(name):
                t.leave(f"{init}meas_params.{name}", "ptyle takes an EMPAD's .raw; other raw numbers need a copy as .npy")
        if str(source.get("path", "")).endswith(".mat"):
            t.note("data.file is MATLAB's: ptyle inspect shows whether its axes need data.axes or data.transpose")
    order = t.given(init + "meas_permute")
    if order:
        t.set("data.axes", order, init + "meas_permute")
    t.given(init + "meas_reshape")  # the order of frames and scan's shape say the same
    if slow and fast:
        t.set("data.scan_shape", [int(slow), int(fast)], init + "pos_N_scan_slow, pos_N_scan_fast")
    flips = t.given(init + "meas_flipT") or []
    for flip, key in zip(flips, ("flip_rows", "flip_cols", "transpose")):
        if flip:
            t.set(f"data.{key}", True, init + "meas_flipT")
    crop(t, init, fast)
    pad = t.given(init + "meas_pad")
    if pad and pad.get("mode"):
        t.set("data.window", int(pad.get("target_Npix", 256)), init + "meas_pad; what is padded is not fitted")
    negative = t.given(init + "meas_remove_neg_values") or {}
    if negative.get("mode") == "subtract_value" and negative.get("value"):
        t.set("data.background", float(negative["value"]), init + "meas_remove_neg_values")
    elif negative.get("mode") in ("subtract_min", "clip_value"):
        t.leave(init + "meas_remove_neg_values", "data.background subtracts a number; negative values become 0")


def crop(t, init, fast):
    """[[slow], [fast], [ky], [kx]], each [from, to] or null, of the frame after the flips."""
    ranges = t.given(init + "meas_crop")
    if not ranges or len(ranges) != 4:
        return
    pixels = t.number(init + "meas_Npix")
    rows, cols = ranges[2], ranges[3]
    if rows and cols and rows[1] - rows[0] == cols[1] - cols[0] and pixels:
        side = rows[1] - rows[0]
        t.set("data.crop", side, init + "meas_crop")
        centre = [rows[0] + side // 2, cols[0] + side // 2]
        if centre != [pixels // 2, pixels // 2]:
            t.set("data.centre", centre, init + "meas_crop")
    elif rows or cols:
        t.leave(init + "meas_crop", "data.crop is a square")
    lines, columns = ranges[0], ranges[1]
    if lines and not columns and fast:
        t.set("data.positions", [int(lines[0] * fast), int(lines[1] * fast), 1], init + "meas_crop")
    elif lines or columns:
        t.leave(init + "meas_crop", "of the scan's columns; data.skip leaves positions out by their numbers")


def calibration(t, init):
    """All are of the whole frame, before crop and padding, and so are stated by its pixel."""
    given = t.given(init + "meas_calibration") or {"mode": "fitRBF"}
    mode, value = given.get("mode", "fitRBF"), given.get("value")
    pixels, angle = t.number(init + "meas_Npix"), t.number(init + "probe_conv_angle")
    origin = f"{init}meas_calibration, {mode}"
    if mode == "fitRBF":
        t.set("calibration.fit_disc", True, origin if t.given(init + "meas_calibration") else origin + ", by default")
        return
    value = float(value)
    keys = {"dk": ("dk", 1), "kMax": ("dk", 2 / pixels), "da": ("mrad_per_pixel", 1),
            "angleMax": ("mrad_per_pixel", 2 / pixels), "n_alpha": ("mrad_per_pixel", 2 * (angle or 0) / pixels),
            "RBF": ("disc_radius", 1)}
    if mode == "dx":
        t.set("calibration.dk", 1 / (pixels * value), origin + ": 1 / (meas_Npix dx)")
    elif mode in keys:
        key, factor = keys[mode]
        t.set(f"calibration.{key}", value * factor, origin)
    else:
        t.leave(init + "meas_calibration", f"{mode} is no mode of PtyRAD 1.0")


def scan(t, init, slow, fast):
    step = t.number(init + "pos_scan_step_size")
    source = t.given(init + "pos_source") or "simu"
    path = t.given(init + "pos_params")
    if source != "simu":
        t.leave(init + "pos_source", "positions of a file are a dataset of probe centres in Å, scan.positions "
                f"({path}; docs/coming-from.md has the line that makes them of PtyRAD's)")
    affine = t.given(init + "pos_scan_affine")
    if step is None:
        return
    steps, origin = [step, step], init + "pos_scan_step_size"
    if affine:
        # PtyRAD: rows (y, x) times scale · diag(1 + a/2, 1 − a/2) · R · shear, where (y, x) R is ptyle's R (y, x)
        scale, asymmetry, rotation, shear = (float(v) for v in affine)
        steps = [step * scale * (1 + asymmetry / 2), step * scale * (1 - asymmetry / 2)]
        origin += ", pos_scan_affine" if steps != [step, step] else ""
        if rotation:
            t.set("scan.rotation", rotation, init + "pos_scan_affine")
        if shear:
            t.leave(init + "pos_scan_affine", f"its shear of {shear:g}°; positions.model: affine fits one")
    t.set("scan.step", steps, origin)


def aberrations(t, init):
    """Any of PtyRAD's notations: Krivanek's polar or Cartesian, Haider's, its older keys."""
    path = init + "probe_aberrations"
    given = dict(t.given(path) or {})
    for old, name in (("probe_defocus", "defocus"), ("probe_c3", "C30"), ("probe_c5", "C50")):
        value = t.number(init + old)
        if value is not None and not {name, "C10", "C1", "C3", "Cs", "C5"} & set(given):
            given[name] = value
    polar, cartesian = {}, {}
    for name, value in given.items():
        found = _coefficient(str(name))
        if found is None or found[0] not in KNOWN:
            if float(value) != 0:
                t.leave(f"{path}.{name}", "ptyle has C10, C12, C21, C23 and C30")
            continue
        nm, part, factor = found
        if part in "ab":
            cartesian.setdefault(nm, {})[part] = float(value) * factor
        else:
            polar.setdefault(nm, {})[part] = float(value) * (factor if part == "size" else 1)
    for (n, m), parts in cartesian.items():
        a, b = parts.get("a", 0.0), parts.get("b", 0.0)
        polar[n, m] = {"size": math.hypot(a, b), "azimuth": math.degrees(math.atan2(b, a)) / m if m else 0}
    for (n, m), parts in sorted(polar.items()):
        size = parts.get("size", 0.0)
        if (n, m) == (1, 0):
            t.set("optics.defocus", -size + 0.0, f"{path}: −C10")
        else:
            t.set(f"optics.C{n}{m}", size, path)
            if m and parts.get("azimuth"):
                t.set(f"optics.phi{n}{m}", parts["azimuth"], path)
    if "optics.defocus" not in t.lines:
        t.set("optics.defocus", 0, f"{path}, none by default")


def _coefficient(name):
    """((n, m), "size" | "azimuth" | "a" | "b", factor to Krivanek's) of a name; None: no name of PtyRAD's."""
    if name in OTHER_NAMES:
        nm, factor = OTHER_NAMES[name]
        return nm, "size", factor
    krivanek = re.fullmatch(r"(C|phi)(\d)(\d)([ab]?)", name)
    if krivanek:
        kind, n, m, part = krivanek.groups()
        return (int(n), int(m)), "azimuth" if kind == "phi" else part or "size", 1
    haider = re.fullmatch(r"([A-Z]\d)(phi|[ab])?", name)
    if haider and haider[1] in HAIDER:
        nm, factor = HAIDER[haider[1]]
        return nm, {"phi": "azimuth", None: "size"}.get(haider[2], haider[2]), factor
    return None


def specimen(t, init):
    slices = t.copy(init + "obj_Nlayer", "object.slices", int)
    thickness = t.number(init + "obj_slice_thickness")
    if thickness and (slices or 1) > 1:
        t.set("object.slice_thickness", thickness, init + "obj_slice_thickness")
    for kind, key in (("obj", "object.start"), ("probe", "probe.start")):
        source, path = t.given(f"{init}{kind}_source") or "simu", t.given(f"{init}{kind}_params")
        if source == "PtyRAD" and path:
            t.file(key, path, f"{init}{kind}_params")
        elif source != "simu":
            t.leave(f"{init}{kind}_source", f"{key} takes results of ptyle and PtyRAD")
    if (t.number(init + "obj_omode_max") or 1) > 1:
        states = t.copy(init + "obj_omode_max", "object.states", int)
        occupancy = t.given(init + "obj_omode_init_occu")
        shares = occupancy.get("init_occu") if isinstance(occupancy, dict) else None
        if isinstance(shares, list) and len(shares) == states:
            t.set("object.occupancy", [float(share) for share in shares], init + "obj_omode_init_occu")
        elif shares is not None:
            t.leave(init + "obj_omode_init_occu", f"object.occupancy needs a fraction for each of {states:g} states")
    tilt = t.given(init + "tilt_params")
    if t.given(init + "tilt_source") in (None, "simu") and isinstance(tilt, dict):
        tilts = tilt.get("init_tilts") or [[0, 0]]
        if len(tilts) == 1:
            for value, key in zip(tilts[0], ("tilt_row", "tilt_col")):
                if value:
                    t.set(f"object.{key}", float(value), init + "tilt_params")
            return
    if t.given(init + "tilt_source") not in (None, "simu") or (tilt and len(tilt.get("init_tilts", [])) > 1):
        t.leave(init + "tilt_params", "one tilt for all positions: object.tilt_row, tilt_col")


def updates(t):
    update = "model_params.update_params."
    for name in ("obja", "objp", "probe", "probe_pos_shifts"):
        t.given(update + name)

    def first(name):
        of = t.given(update + name)
        return of.get("start_iter") if of is not None else 1  # PtyRAD's default

    def origin(name):
        return update + name + ("" if t.given(update + name) is not None else ", by default")

    t.set("object.type", "potential" if first("obja") is None else "complex", origin("obja"))
    t.set("probe.refine_from", first("probe") or 0, origin("probe"))
    moves = first("probe_pos_shifts")
    t.set("positions.refine", "off" if moves is None else "on", origin("probe_pos_shifts"))
    if moves and moves > 1:
        t.set("positions.start", moves, origin("probe_pos_shifts"))
    for name in ("obja", "objp", "probe", "probe_pos_shifts"):
        if (t.given(update + name) or {}).get("lr"):
            t.leave(f"{update}{name}.lr", STEPS)


def losses(t):
    single, poisson = t.given("loss_params.loss_single"), t.given("loss_params.loss_poissn")
    if poisson and poisson.get("state"):
        t.set("solver.loss", "poisson", "loss_params.loss_poissn")
        if single is None or single.get("state", True):
            t.note("solver.loss is one: PtyRAD adds loss_single")
    else:
        t.set("solver.loss", "amplitude", "loss_params.loss_single" + ("" if single else ", by default"))
        if single and single.get("dp_pow", 0.5) != 0.5:
            t.leave("loss_params.loss_single.dp_pow", "amplitudes, 0.5")


def constraints(t):
    """A blur is PtyRAD's in each iteration, as ptyle's; only where the file says so."""
    for name, key in (("obj_rblur", "object.blur"), ("obj_zblur", "object.blur_z")):
        path = f"constraint_params.{name}"
        of = t.given(path)
        if of and _is_on(of):
            t.set(key, float(of.get("std", 0.4 if name == "obj_rblur" else 1)), path)
            if of.get("obj_type", "both") != "both":
                t.note(f"{key} blurs phase and absorption, {path} the {of['obj_type']} alone")
    if _is_on(t.given("constraint_params.objp_postiv") or {}):
        t.set("object.positivity", "on", "constraint_params.objp_postiv")


def _is_on(constraint):
    return constraint.get("start_iter") is not None or constraint.get("freq") is not None


def course(t, slow, fast):
    recon = "recon_params."
    t.copy(recon + "NITER", "solver.iterations", int, otherwise=200)
    batch = t.given(recon + "BATCH_SIZE") or {}
    size = int(batch.get("size", 32)) * int(batch.get("grad_accumulation", 1))
    if slow and fast:
        positions = int(slow * fast)
        if "data.positions" in t.lines:
            begin, end, _ = t.lines["data.positions"][0]
            positions = end - begin
        t.set("solver.batches", max(1, math.ceil(positions / size)),
              f"{recon}BATCH_SIZE: {positions} positions by {size}" + ("" if batch else ", by default"))
    indices = t.given(recon + "INDICES_MODE") or {}
    if indices.get("mode", "full") != "full":
        t.leave(recon + "INDICES_MODE", "data.positions: [first, last, stride] chooses along the scan's order")
    folder = t.given(recon + "output_dir")
    if folder:
        t.set("output.folder", str(folder).rstrip("/"), recon + "output_dir")
