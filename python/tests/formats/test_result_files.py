"""The files of a reconstruction, as other programs read them."""

import datetime
import subprocess

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

RECIPE = """output: set.h5
specimen: {structure: PbTiO3, zone_axis: [0, 0, 1], thickness: 10, slice_thickness: 5}
optics: {energy: 200, semi_angle: 20, defocus: 100}
detector: {window: 64, pixel_size: 0.2}
scan: {shape: [4, 5], step: [1.5, 1.5]}
dose: {electrons_per_A2: 1.0e+5}
"""
RUN = """data: {file: set.h5}
object: {slices: 2, slice_thickness: 5, type: complex}
optics: {C12: 10, phi12: 20}
probe: {modes: 2}
solver: {iterations: 1}
output: {folder: run, pictures: false}
"""


@pytest.fixture
def run(tmp_path, ptyle):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "run.yaml").write_text(RUN)
    for command in (["simulate", "recipe.yaml"], ["reconstruct", "run.yaml"]):
        ran = subprocess.run([ptyle, *command], cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
    return tmp_path / "run"


def test_result_has_units_optics_and_origin_and_no_empty_group(run):
    with h5py.File(run / "result.h5") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) or (
            pytest.fail(f"{name} is empty") if isinstance(item, h5py.Group) and not len(item) else None))
        assert not [name for name in names if name.startswith("ranks/gpu") or set(name) & set(" ,")]
        attributes = dict(file.attrs)
        assert attributes["energy_kV"] == 200 and attributes["semi_angle_mrad"] == 20
        assert attributes["defocus_A"] == 100 and attributes["C12_A"] == 10 and attributes["phi12_deg"] == 20
        assert attributes["dk_inv_A"] == pytest.approx(1 / (64 * 0.2))
        # relativistic, CODATA 2018: 2.50793 pm at 200 kV
        assert attributes["wavelength_A"] == pytest.approx(0.0250793, rel=1e-5)
        assert attributes["mrad_per_pixel"] == pytest.approx(1e3 * 0.0250793 / (64 * 0.2), rel=1e-5)
        when = datetime.datetime.strptime(attributes["date"], "%Y-%m-%dT%H:%M:%SZ")
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        assert datetime.timedelta(0) <= now - when < datetime.timedelta(minutes=10)
        assert attributes["command"].endswith(" reconstruct run.yaml") and attributes["host"]
        assert list(file["object/phase"].attrs["pixel_size"]) == [5, 0.2, 0.2]
        assert file["object/phase"].attrs["units"] == "rad" and file["positions"].attrs["units"] == "A"


@pytest.mark.parametrize("name, dataset", [("phase", "object/phase"), ("absorption", "object/absorption"),
                                           ("probe", "probe")])
def test_tiff_stacks_have_pixel_size_and_unit_for_imagej_and_hyperspy(run, name, dataset):
    tifffile, rsciio = pytest.importorskip("tifffile"), pytest.importorskip("rsciio.tiff")
    with h5py.File(run / "result.h5") as file:
        wanted = abs(file[dataset][()]) if name == "probe" else file[dataset][()]
    with tifffile.TiffFile(run / f"{name}.tif") as file:
        np.testing.assert_allclose(file.asarray(), wanted, rtol=1e-6)  # |z| in float32
        assert file.imagej_metadata["unit"] == "angstrom" and file.imagej_metadata["slices"] == 2
        assert ("spacing" in file.imagej_metadata) == (name != "probe")
        pixels, per = file.pages[0].tags["XResolution"].value
        assert pixels / per == pytest.approx(1 / 0.2)
    (signal,) = rsciio.file_reader(str(run / f"{name}.tif"))
    np.testing.assert_array_equal(signal["data"].shape, wanted.shape)
    for axis in signal["axes"][-2:]:
        assert axis["scale"] == pytest.approx(0.2) and axis["units"] == "angstrom"
    if name != "probe":
        assert signal["axes"][0]["scale"] == 5 and signal["axes"][0]["units"] == "angstrom"
