"""ptyle import: parameter files of PtyRAD and phaser, by the real packages' facts where they are installed."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

yaml = pytest.importorskip("yaml")

from ptyle.parameter_files import translate  # noqa: E402
from ptyle.errors import InputError  # noqa: E402

PTYRAD = """
init_params:
  probe_kv: 200
  probe_conv_angle: 30
  probe_aberrations: {C10: -250, A1: 20, A1phi: 30, B2: 100, phi21: 10, C23a: 3, C23b: 4, Cs: 1.0e4, C45: 7}
  meas_Npix: 256
  pos_N_scan_slow: 12
  pos_N_scan_fast: 12
  pos_scan_step_size: 1.45
  meas_calibration: {mode: dx, value: 0.1}
  probe_pmode_max: 2
  probe_pmode_init_pows: [0.02]
  obj_Nlayer: 20
  obj_omode_max: 2
  obj_omode_init_occu: {occu_type: custom, init_occu: [0.7, 0.3]}
  obj_slice_thickness: 1.25
  meas_permute: null
  meas_flipT: [1, 0, 1]
  meas_crop: [null, null, [2, 254], [2, 254]]
  meas_pad: {mode: on_the_fly, padding_type: power, target_Npix: 256}
  meas_resample: {mode: null, scale_factors: [2, 2]}
  meas_add_source_size: 0.3
  pos_scan_affine: [1.01, 0.02, 3, 0.5]
  meas_params: {path: set.h5, key: patterns}
  tilt_params: {tilt_type: all, init_tilts: [[1, -2]]}
model_params:
  update_params:
    objp: {start_iter: 1, lr: 5e-4}
    probe: {start_iter: 3, lr: 1e-4}
    probe_pos_shifts: {start_iter: null, lr: 0}
loss_params:
  loss_single: {state: true, weight: 1, dp_pow: 0.5}
  loss_sparse: {state: true, weight: 0.1, ln_order: 1}
  loss_simlar: {state: false, weight: 0.1}
constraint_params:
  obj_rblur: {start_iter: 1, step: 1, end_iter: null, obj_type: both, kernel_size: 5, std: 0.5}
  objp_postiv: {start_iter: 1, step: 1, end_iter: null, relax: 0}
  kz_filter: {start_iter: 1, step: 1, end_iter: null, obj_type: both, beta: 1, alpha: 1}
  kr_filter: {start_iter: null, step: 1, end_iter: null}
recon_params:
  NITER: 50
  BATCH_SIZE: {size: 32, grad_accumulation: 2}
  SAVE_ITERS: 10
  output_dir: output/mini/
"""

PHASER = """
name: mini
raw_data:
  type: manual
  path: set.h5
  key: patterns
  kv: 200
  diff_step: 0.98
  det_flips: [true, false, true]
init:
  scan: {type: raster, shape: [12, 12], step_size: [1.45, 1.4], rotation: -5}
  probe: {type: focused, conv_angle: 30, defocus: -250, aberrations: [{a1: {mag: 20, angle: 60}}, {n: 2, m: 1, re: 30}]}
  tilt: {type: global, tilt: [1, -2]}
slices: {n: 20, total_thickness: 25}
engines:
  - type: conventional
    niter: 20
    noise_model: amplitude
    solver: lsqml
    group_constraints: []
    iter_constraints: []
  - type: gradient
    probe_modes: 3
    niter: 30
    grouping: 48
    noise_model: {type: poisson, eps: 0.001}
    solvers: {object: {type: adam, learning_rate: 1.0e-2}}
    update_probe: {after: 5}
    update_positions: true
    regularizers: [{type: obj_tv, cost: 1.0}]
    group_constraints: [{type: clamp_object_amplitude, amplitude: 1.1}]
    iter_constraints: [nonneg_object_phase, {type: layers, weight: 0.9, sigma: 50.0}]
"""


def translated(folder, text, name="params.yaml"):
    (folder / name).write_text(text)
    return translate(folder / name, folder)


def values(translation):
    return {key: value for key, (value, _) in translation.lines.items()}


def test_every_parameter_of_ptyrad_is_a_key_or_listed(tmp_path):
    (tmp_path / "set.h5").touch()
    t = translated(tmp_path, PTYRAD)
    got = values(t)
    # B2 = 100 is C21 = 300; Cartesian (3, 4) is 5 at atan2(4, 3) / 3; step·scale·(1 ± asymmetry/2)
    wanted = {
        "data.file": "set.h5", "data.patterns": "/patterns", "data.scan_shape": [12, 12], "data.flip_rows": True,
        "data.transpose": True, "data.crop": 252, "data.window": 256, "calibration.dk": 1 / 25.6,
        "scan.step": [1.45 * 1.01 * 1.01, 1.45 * 1.01 * 0.99], "scan.rotation": 3, "optics.energy": 200,
        "optics.semi_angle": 30, "optics.defocus": 250, "optics.C12": 20, "optics.phi12": 30, "optics.C21": 300,
        "optics.phi21": 10, "optics.C23": 5, "optics.phi23": np.degrees(np.arctan2(4, 3)) / 3, "optics.C30": 1e4,
        "object.slices": 20, "object.slice_thickness": 1.25, "object.states": 2, "object.occupancy": [0.7, 0.3],
        "object.tilt_row": 1, "object.tilt_col": -2,
        "object.type": "complex", "object.positivity": "on", "object.blur": 0.5, "probe.modes": 2,
        "probe.mode_power": 0.02, "probe.refine_from": 3, "positions.refine": "off", "solver.loss": "amplitude",
        "solver.iterations": 50, "solver.batches": 3, "output.folder": "output/mini"}
    assert set(got) == set(wanted)
    for key, value in wanted.items():
        if isinstance(value, (float, list)):
            np.testing.assert_allclose(got[key], value, rtol=1e-12, err_msg=key)
        else:
            assert got[key] == value, key
    assert set(t.left) == {
        "init_params.probe_aberrations.C45", "init_params.meas_add_source_size", "init_params.pos_scan_affine",
        "model_params.update_params.objp.lr", "model_params.update_params.probe.lr",
        "loss_params.loss_sparse", "constraint_params.kz_filter"}
    assert all("init_params." in origin or "params." in origin for _, origin in t.lines.values())


@pytest.mark.parametrize("mode, value, key, wanted", [
    ("dk", 0.02, "dk", 0.02), ("kMax", 2, "dk", 2 * 2 / 256), ("da", 0.5, "mrad_per_pixel", 0.5),
    ("angleMax", 64, "mrad_per_pixel", 0.5), ("n_alpha", 2, "mrad_per_pixel", 2 * 2 * 30 / 256),
    ("RBF", 61, "disc_radius", 61), ("fitRBF", None, "fit_disc", True)])
def test_calibrations_are_of_the_whole_frame(tmp_path, mode, value, key, wanted):
    (tmp_path / "set.h5").touch()
    text = PTYRAD.replace("{mode: dx, value: 0.1}", json.dumps({"mode": mode, "value": value}))
    assert values(translated(tmp_path, text))[f"calibration.{key}"] == pytest.approx(wanted)


def test_what_ptyrad_does_by_default_is_said(tmp_path):
    minimal = {"init_params": {"probe_kv": 80, "probe_conv_angle": 20, "meas_Npix": 128, "pos_N_scan_slow": 8,
                               "pos_N_scan_fast": 16, "pos_scan_step_size": 0.4, "obj_Nlayer": 1,
                               "obj_slice_thickness": 1, "meas_params": {"path": "none.h5", "key": None}}}
    t = translated(tmp_path, json.dumps(minimal), "params.json")
    got = values(t)
    assert got["solver.batches"] == 4 and got["solver.iterations"] == 200 and got["probe.modes"] == 4
    assert got["calibration.fit_disc"] and got["positions.refine"] == "on" and got["object.type"] == "complex"
    assert "object.slice_thickness" not in got
    assert not t.left
    assert any("there is no file none.h5" in note for note in t.notes)
    for key in ("solver.iterations", "probe.modes", "calibration.fit_disc", "positions.refine"):
        assert "by default" in t.lines[key][1], key


def test_a_crop_off_the_middle_states_the_centre(tmp_path):
    text = PTYRAD.replace("[null, null, [2, 254], [2, 254]]", "[[2, 5], null, [10, 250], [0, 240]]")
    got = values(translated(tmp_path, text))
    assert got["data.crop"] == 240 and got["data.centre"] == [130, 120]
    assert got["data.positions"] == [24, 60, 1] and got["solver.batches"] == 1


def test_phasers_engines_are_one_run(tmp_path):
    (tmp_path / "set.h5").touch()
    t = translated(tmp_path, PHASER)
    wanted = {
        "data.file": "set.h5", "data.patterns": "/patterns", "data.scan_shape": [12, 12], "data.flip_rows": True,
        "data.transpose": True, "calibration.mrad_per_pixel": 0.98, "scan.step": [1.45, 1.4], "scan.rotation": -5,
        "optics.energy": 200, "optics.semi_angle": 30, "optics.defocus": 250, "optics.C12": 20, "optics.phi12": 30,
        "optics.C21": 30, "optics.phi21": 180, "object.slices": 20, "object.slice_thickness": 1.25,
        "object.tilt_row": 1, "object.tilt_col": -2, "object.positivity": "on", "probe.modes": 3,
        "probe.mode_power": 0.15, "probe.refine_from": 6, "positions.refine": "on", "solver.loss": "poisson",
        "solver.iterations": 50, "solver.batches": 3}
    got = values(t)
    assert set(got) == set(wanted)
    for key, value in wanted.items():
        assert got[key] == (value if isinstance(value, (str, bool)) else pytest.approx(value)), key
    assert set(t.left) == {"engine's clamp_object_amplitude", "engine's layers", "engine.regularizers", "engine.solvers"}
    assert any("2 engines" in note for note in t.notes)


@pytest.mark.parametrize("text, sentence", [
    ("a: [", "cannot be parsed"), ("a: 1", "neither a parameter file of PtyRAD"), ("", "neither"),
    ("init_params: {probe_kv: high}", "init_params.probe_kv is 'high'; it must be a number")])
def test_other_files_are_refused_in_a_sentence(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        translated(tmp_path, text)
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="there is no file"):
        translate(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", [PTYRAD, PHASER])
def test_the_program_accepts_the_configuration(tmp_path, ptyle, text):
    """On a matching set, --check finds no fault, and the keys that it read are those that were written."""
    recipe = ("output: set.h5\nspecimen: {structure: PbTiO3, zone_axis: [0, 0, 1], thickness: 5, slice_thickness: 5}\n"
              "optics: {energy: 200, semi_angle: 30, defocus: 250}\ndetector: {window: 256, pixel_size: 0.1}\n"
              "scan: {shape: [12, 12], step: [1.45, 1.45]}\n")
    (tmp_path / "recipe.yaml").write_text(recipe)
    subprocess.run([ptyle, "simulate", "recipe.yaml"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "params.yaml").write_text(text)
    ran = subprocess.run([sys.executable, "-m", "ptyle", "import", "params.yaml"], cwd=tmp_path, capture_output=True,
                         text=True)
    assert ran.returncode == 0, ran.stderr
    assert "without a counterpart: " in ran.stdout
    checked = subprocess.run([ptyle, "reconstruct", "--check", "run.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr + (tmp_path / "run.yaml").read_text()
    again = subprocess.run([sys.executable, "-m", "ptyle", "import", "params.yaml"], cwd=tmp_path,
                           capture_output=True, text=True)
    assert again.returncode == 2 and "exists already" in again.stderr


# Against the real packages ----------------------------------------------------------------------------

needs_ptyrad = pytest.mark.skipif(not importlib.util.find_spec("ptyrad"), reason="PtyRAD is not installed")
needs_phaser = pytest.mark.skipif(not importlib.util.find_spec("phaser"), reason="phaser is not installed")


@needs_ptyrad
def test_ptyrads_own_files_are_translated(tmp_path):
    """Those parameters of its packaged files that ptyle cannot have are known one by one."""
    root = pathlib.Path(importlib.util.find_spec("ptyrad").submodule_search_locations[0])
    files = sorted((root / "starter/params").rglob("*.yaml"))
    assert len(files) > 10
    left = set()
    for file in files:
        t = translate(file, tmp_path)
        assert t.lines["optics.energy"][0] in (80, 300) and t.lines["object.slices"][0] in (1, 3, 6, 12, 21), file
        left |= set(t.left)
    assert left <= {
        "model_params.detector_blur_std", "loss_params.loss_sparse", "constraint_params.mirrored_amp",
        "constraint_params.obja_thresh", "constraint_params.obj_z_recenter", "model_params.optimizer_params",
        *(f"model_params.update_params.{name}.lr" for name in ("obja", "objp", "probe", "probe_pos_shifts")),
        "init_params.pos_scan_rand_std", "init_params.pos_source", "init_params.obj_z_pad", "init_params.probe_z_shift",
        "init_params.obj_z_resample", "init_params.meas_resample", "hypertune_params"}


@needs_ptyrad
def test_ptyrads_aberrations_are_those_of_its_own_parser(tmp_path):
    from ptyrad.optics.aberrations import Aberrations

    given = yaml.safe_load(PTYRAD)["init_params"]["probe_aberrations"]
    given["Cs"] = float(given["Cs"])
    polar = Aberrations(given).export(notation="krivanek", style="polar")
    got = values(translated(tmp_path, PTYRAD))
    assert got["optics.defocus"] == -polar["C10"]
    for name in ("C12", "phi12", "C21", "phi21", "C23", "phi23", "C30"):
        assert got[f"optics.{name}"] == pytest.approx(polar[name], abs=0.005), name  # it rounds to 0.01


@needs_ptyrad
def test_ptyrads_affine_raster_is_ptyles(tmp_path):
    from ptyrad.utils.affine import compose_affine_matrix

    places = 1.45 * np.array([(y, x) for y in range(12) for x in range(12)], float)
    theirs = places @ compose_affine_matrix(1.01, 0.02, 3, 0)
    got = values(translated(tmp_path, PTYRAD))
    np.testing.assert_allclose(raster(got), theirs, atol=1e-12)


def raster(got):
    """docs/math.md, section 1: (row, col) = R(θ)(slow, fast)·step."""
    angle = np.radians(got["scan.rotation"])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    places = np.array([(y, x) for y in range(12) for x in range(12)]) * got["scan.step"]
    return places @ turn.T


@needs_phaser
def test_phasers_raster_is_ptyles(tmp_path):
    from phaser.utils.scan import make_raster_scan

    got = values(translated(tmp_path, PHASER))
    theirs = make_raster_scan((12, 12), [1.45, 1.4], -5).reshape(-1, 2)
    np.testing.assert_allclose(raster(got), theirs - theirs[0], atol=1e-12)


@needs_phaser
def test_phasers_probe_is_ptyles(tmp_path):
    """Its probe against exp(−iχ) of the keys (docs/math.md, section 1), to a factor of modulus 1."""
    from pane import convert
    from phaser.types import Aberration
    from phaser.utils.optics import make_focused_probe

    wavelength, n, pixel = 0.0250793, 64, 0.2
    k = np.fft.fftfreq(n, pixel)
    ky, kx = np.meshgrid(k, k, indexing="ij")
    aberrations = [convert(a, Aberration) for a in yaml.safe_load(PHASER)["init"]["probe"]["aberrations"]]
    theirs = make_focused_probe(ky, kx, wavelength, 30, defocus=-250, aberrations=aberrations)
    got = values(translated(tmp_path, PHASER))
    theta, phi = wavelength * np.hypot(ky, kx), np.arctan2(ky, kx)

    def term(n, m):
        azimuth = np.radians(got.get(f"optics.phi{n}{m}", 0))
        return got[f"optics.C{n}{m}"] * theta ** (n + 1) / (n + 1) * np.cos(m * (phi - azimuth))

    chi = 2 * np.pi / wavelength * (-got["optics.defocus"] * theta**2 / 2 + term(1, 2) + term(2, 1))
    ours = np.fft.fftshift(np.fft.ifft2((theta <= 0.03) * np.exp(-1j * chi)))  # centred, as theirs
    overlap = np.vdot(ours, theirs) / np.linalg.norm(ours) / np.linalg.norm(theirs)
    assert abs(overlap) == pytest.approx(1, abs=1e-9)
