"""Results in other programs' files, read back by those programs' packages."""

import importlib.util

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from ptyle import exports  # noqa: E402
from ptyle.errors import InputError  # noqa: E402

PIXEL, THICKNESS, WINDOW = 0.2, 2.5, 16


@pytest.fixture(params=[True, False], ids=["absorption", "phase alone"])
def result(request, tmp_path):
    """A small result file as docs/formats.md describes it, all values different."""
    rng = np.random.default_rng(1)
    path = tmp_path / "result.h5"
    with h5py.File(path, "w") as file:
        file["object/phase"] = rng.normal(0, 1, (3, 40, 50)).astype("f4")
        if request.param:
            file["object/absorption"] = rng.uniform(0, 0.2, (3, 40, 50)).astype("f4")
        file["probe"] = (rng.normal(size=(2, WINDOW, WINDOW)) + 1j * rng.normal(size=(2, WINDOW, WINDOW))).astype("c8")
        file["positions"] = PIXEL * (WINDOW // 2 + rng.uniform(0, 20, (12, 2)))
        file["positions"][0] = PIXEL * np.array([WINDOW // 2 - 1.3, WINDOW // 2 + 30.4])  # over two edges
        file.attrs.update(pixel_size=PIXEL, slice_thickness=THICKNESS, energy_kV=200.0, units="A", version="1.2.3",
                          semi_angle_mrad=21.4, wavelength_A=0.02508, config="data:\n  file: x.h5\n")
    return path


def images(path):
    with h5py.File(path) as file:
        return {name.rsplit("/", 1)[-1]: file[name][()] for name in ("object/phase", "object/absorption", "probe")
                if name in file}


def test_emd_is_read_by_emdfile(result, tmp_path):
    emdfile = pytest.importorskip("emdfile")
    exports.to_emd(result, tmp_path / "out.emd")
    root = emdfile.read(str(tmp_path / "out.emd"))
    for name, wanted in images(result).items():
        array = root.tree(name)
        np.testing.assert_array_equal(array.data, wanted)
        np.testing.assert_allclose(array.dims[-1][:2], [0, PIXEL])
        assert tuple(array.dim_units[-2:]) == ("Å", "Å") and tuple(array.dim_names[-2:]) == ("y", "x")
    assert root.tree("phase").units == "rad"
    np.testing.assert_allclose(root.tree("phase").dims[0], [0, THICKNESS, 2 * THICKNESS])
    assert root.tree("positions").data.shape == (12, 2)
    assert root.metadata["ptyle"]["energy_kV"] == 200 and root.metadata["ptyle"]["version"] == "1.2.3"


def test_hspy_is_read_by_hyperspy(result, tmp_path):
    hs = pytest.importorskip("hyperspy.api")
    exports.to_hyperspy(result, tmp_path / "out.hspy")
    signals = {s.metadata.General.title: s for s in hs.load(str(tmp_path / "out.hspy"))}
    assert set(signals) == set(images(result))
    for name, wanted in images(result).items():
        signal = signals[name]
        np.testing.assert_array_equal(signal.data, wanted)
        x, y = signal.axes_manager.signal_axes
        assert (x.name, y.name, x.units, y.units) == ("x", "y", "Å", "Å")
        assert x.scale == pytest.approx(PIXEL) and y.scale == pytest.approx(PIXEL)
        assert signal.metadata.Acquisition_instrument.TEM.beam_energy == 200
        assert signal.metadata.Acquisition_instrument.TEM.convergence_angle == 21.4
    (z,) = signals["phase"].axes_manager.navigation_axes
    assert z.scale == THICKNESS and z.units == "Å"


def test_ptyrads_file_is_read_by_ptyle(result, tmp_path, ptyle):
    """ptyle's own reader of PtyRAD's layout lays the object, and the positions, where they were."""
    import subprocess

    exports.to_ptyrad(result, tmp_path / "model.hdf5")
    ran = subprocess.run([ptyle, "compare", "model.hdf5", "result.h5"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    figures = dict(line.split(" = ") for line in ran.stdout.splitlines() if line.startswith("sum.") and " = " in line)
    assert float(figures["sum.correlation"]) == pytest.approx(1, abs=1e-6), ran.stdout


@pytest.mark.skipif(not importlib.util.find_spec("ptyrad"), reason="PtyRAD is not installed")
def test_ptyrads_file_is_read_by_ptyrad(result, tmp_path):
    """Its loader; then object, probe and positions as its Initializer takes them of the dictionary."""
    from ptyrad.io.hierarchy import load_hdf5

    exports.to_ptyrad(result, tmp_path / "model.hdf5")
    got = load_hdf5(str(tmp_path / "model.hdf5"))
    tensors, model = got["optimizable_tensors"], got["model_attributes"]
    wanted = images(result)
    assert model["dx"] == pytest.approx(PIXEL) and model["dk"] == pytest.approx(1 / (WINDOW * PIXEL))
    assert float(np.ravel(tensors["slice_thickness"])[0]) == pytest.approx(THICKNESS)
    objects = tensors["obja"] * np.exp(1j * tensors["objp"])
    assert objects.shape[0] == 1
    np.testing.assert_allclose(tensors["probe"], WINDOW * wanted["probe"], rtol=1e-6)
    with h5py.File(result) as file:
        positions = file["positions"][()] / PIXEL
    corners = model["crop_pos"] + tensors["probe_pos_shifts"]  # Initializer._load_pos_from_ptyrad
    offset = (corners + WINDOW // 2) - positions  # of the object's rows and columns that were added
    np.testing.assert_allclose(offset, np.round(offset[:1]).repeat(12, 0), atol=1e-5)
    row, col = np.round(offset[0]).astype(int)
    here = objects[0, :, row:row + 40, col:col + 50]
    np.testing.assert_allclose(np.angle(np.exp(1j * wanted["phase"])), np.angle(here), atol=1e-6)
    np.testing.assert_allclose(abs(here), np.exp(-wanted.get("absorption", np.zeros_like(wanted["phase"]))), rtol=1e-6)
    assert model["crop_pos"].min() >= 0  # Initializer.init_check
    assert (model["crop_pos"].max(axis=0) + WINDOW <= objects.shape[-2:]).all()


def test_xarray_has_coordinates_with_units(result):
    pytest.importorskip("xarray")
    data = exports.to_xarray(str(result))
    for name, wanted in images(result).items():
        np.testing.assert_array_equal(data[name].values, wanted)
    np.testing.assert_allclose(data["x"][:2], [0, PIXEL])
    np.testing.assert_allclose(data["z"], [0, THICKNESS, 2 * THICKNESS])
    assert data["x"].attrs["units"] == "Å" and data["phase"].attrs["units"] == "rad"
    assert float(data["x_probe"][WINDOW // 2]) == 0
    assert data.attrs["version"] == "1.2.3"


@pytest.mark.parametrize("write, package", [(exports.to_emd, "emdfile"), (exports.to_hyperspy, "rsciio"),
                                            (exports.to_ptyrad, "h5py")])
def test_nothing_is_overwritten_and_no_part_is_left(result, tmp_path, write, package):
    pytest.importorskip(package)
    target = tmp_path / "out.hdf5"
    target.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        write(result, target)
    assert target.read_text() == "mine"
    write(result, target, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.hdf5", "result.h5"]
    with pytest.raises(InputError, match="is no result of ptyle"):
        write(target, tmp_path / "again.hdf5")
    with pytest.raises(InputError, match="cannot be read"):
        write(tmp_path / "none.h5", tmp_path / "again.hdf5")
