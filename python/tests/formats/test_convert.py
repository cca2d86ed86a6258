"""ptyle convert: files of other formats, value by value, with their calibration."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
pytest.importorskip("rsciio")
pytest.importorskip("dask")

import small_files  # noqa: E402
from ptyle import convert as module  # noqa: E402
from ptyle.convert import convert  # noqa: E402
from ptyle.errors import InputError  # noqa: E402

SLOW, FAST, KY, KX = 3, 4, 10, 12


def counts(dtype="u2", shape=(SLOW, FAST, KY, KX)):
    """All values differ, the largest of the type among them; no frame is its mirror image."""
    return (np.iinfo(dtype).max - np.arange(np.prod(shape)) % np.iinfo(dtype).max).astype(dtype).reshape(shape)


def signal(data, title="scan"):
    """RosettaSciIO's dictionary of a calibrated scan, 200 kV, 21.4 mrad."""
    names = ["y", "x", "ky", "kx"][-data.ndim:]
    scales, units = [0.05, 0.04, 0.2, 0.2][-data.ndim:], ["nm", "nm", "1/nm", "1/nm"][-data.ndim:]
    axes = [dict(_type="UniformDataAxis", size=n, index_in_array=i, name=names[i], scale=scales[i], offset=0.0,
                 units=units[i], navigate=i < data.ndim - 2) for i, n in enumerate(data.shape)]
    tem = {"beam_energy": 200.0, "convergence_angle": 21.4}
    return dict(data=data, axes=axes, original_metadata={}, attributes={"_lazy": False}, learning_results={},
                metadata={"General": {"title": title}, "Signal": {"signal_type": ""},
                          "Acquisition_instrument": {"TEM": tem}},
                package_info={"package": "", "package_version": ""}, tmp_parameters={}, models={})


def written_by_rosettasciio(plugin, name, data, **options):
    def write(folder):
        importlib.import_module(f"rsciio.{plugin}").file_writer(str(folder / name), signal(data), **options)
        return data

    return write


def handmade(writer, data, *more):
    def write(folder, name):
        writer(folder / name, data, *more)
        return data

    return write


def arina(folder):
    """A master with its frames, as a Dectris Arina's software leaves them."""
    data = counts("u2", (4, 4, KX, KX))
    with h5py.File(folder / "scan_master.h5", "w") as file:
        file["entry/data/data_000001"] = data[:2].reshape(-1, KX, KX)
        file["entry/data/data_000002"] = data[2:].reshape(-1, KX, KX)
        file["entry/definition"] = "NXmx"
    return data


square, byte = counts("u2", (SLOW, FAST, 16, 16)), counts("u1", (SLOW, FAST, 16, 16))
full = {"scan": (0.5, 0.4), "dk": 0.02, "energy": 200, "angle": 21.4}  # in Å, 1/Å, kV, mrad
FORMATS = {
    # file: how it is written, and what of its calibration its format holds
    "scan.hspy": (written_by_rosettasciio("hspy", "scan.hspy", counts()), full),
    "scan.zspy": (written_by_rosettasciio("zspy", "scan.zspy", counts()), full),
    "scan.emd": (written_by_rosettasciio("emd", "scan.emd", counts()), {"scan": (0.5, 0.4), "dk": 0.02}),
    "scan.nxs": (written_by_rosettasciio("nexus", "scan.nxs", counts()), full),
    "scan.npy": (written_by_rosettasciio("numpy", "scan.npy", counts()), {}),
    # its detector pixel is a length on the detector, in cm
    "scan.blo": (written_by_rosettasciio("blockfile", "scan.blo", byte, intensity_scaling=None),
                 {"scan": (0.5, 0.4)}),
    # without the scan's shape: a stack; RosettaSciIO rounds its pixel to whole units, here 0
    "scan_000.tvips": (written_by_rosettasciio("tvips", "scan.tvips", square.reshape(-1, 16, 16)),
                       {"energy": 200}),
    "scan.prz": (written_by_rosettasciio("pantarhei", "scan.prz", counts()), {}),
    "stack.rpl": (written_by_rosettasciio("ripple", "stack.rpl", counts("u2", (SLOW, KY, KX))), {"dk": 0.02}),
    "stack.tif": (written_by_rosettasciio("tiff", "stack.tif", counts("u2", (SLOW, KY, KX))), {"dk": 0.02}),
    "scan.dm4": (handmade(small_files.write_dm4, counts(), (0.05, 0.04, 0.2, 0.2), ("nm", "nm", "1/nm", "1/nm"),
                          200), {"scan": (0.5, 0.4), "dk": 0.02, "energy": 200}),
    "stack.mrc": (handmade(small_files.write_mrc, counts("u2", (SLOW, KY, KX))), {}),
    "scan.mib": (handmade(small_files.write_mib, counts("u2", (SLOW, FAST, 256, 256))), {}),
    "scan.xml": (handmade(small_files.write_empad, np.random.default_rng(1).normal(
        0, 100, (SLOW, FAST, 128, 128)).astype("f4")), {"scan": (1, 1), "dk": 0.025}),
    "scan_master.h5": (arina, {}),
}


def written(name, folder):
    make = FORMATS[name][0]
    return make(folder, name) if make.__qualname__.startswith("handmade") else make(folder)


@pytest.mark.parametrize("name", FORMATS)
def test_every_value_and_calibration_is_carried_over(name, tmp_path):
    wanted = written(name, tmp_path)
    assert convert(tmp_path / name, tmp_path / "out.h5") == wanted.shape
    assert not [file.name for file in tmp_path.iterdir() if ".part" in file.name]
    with h5py.File(tmp_path / "out.h5") as file:
        (group,) = file["Experiments"].values()
        assert group["data"].dtype == wanted.dtype
        np.testing.assert_array_equal(group["data"][()], wanted)
        assert calibration(group) == pytest.approx(flat(FORMATS[name][1]), rel=1e-6)
    (back,) = importlib.import_module("rsciio.hspy").file_reader(str(tmp_path / "out.h5"))
    assert [axis["navigate"] for axis in back["axes"]] == [True] * (wanted.ndim - 2) + [False, False]


def flat(facts):
    return {f"{name} {i}": value for name, of in facts.items() for i, value in enumerate(np.atleast_1d(of))}


def calibration(group):
    """Lengths and reciprocal lengths as the layout has them, in ptyle's units."""
    lengths = {"pm": 0.01, "nm": 10, "Å": 1, "A": 1, "µm": 1e4}
    facts = {}
    axes = [dict(group[f"axis-{i}"].attrs) for i in range(group["data"].ndim)]
    if len(axes) == 4 and all(a["units"] in lengths for a in axes[:2]):
        facts["scan"] = [a["scale"] * lengths[a["units"]] for a in axes[:2]]
    reciprocal = [a["units"].replace(" ", "") for a in axes[-2:]]
    if all(u.startswith("1/") and u[2:] in lengths for u in reciprocal):
        assert axes[-1]["scale"] == pytest.approx(axes[-2]["scale"])
        facts["dk"] = axes[-1]["scale"] / lengths[reciprocal[-1][2:]]
    tem = group.get("metadata/Acquisition_instrument/TEM")
    for name, key in (("energy", "beam_energy"), ("angle", "convergence_angle")):
        if tem is not None and key in tem.attrs:
            facts[name] = float(tem.attrs[key])
    return {name: value for name, value in flat(facts).items() if value != 0}  # which ptyle does not take


def test_axes_of_a_detector_that_come_first_are_moved_by_their_units(tmp_path):
    data = counts()
    swapped = np.ascontiguousarray(data.transpose(2, 3, 0, 1))
    small_files.write_dm4(tmp_path / "a.dm4", swapped, (0.2, 0.2, 0.05, 0.04), ("1/nm", "1/nm", "nm", "nm"), 300)
    assert convert(tmp_path / "a.dm4", tmp_path / "a.h5") == data.shape
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["Experiments/scan/data"][()], data)
        assert calibration(file["Experiments/scan"])["scan 1"] == pytest.approx(0.4)


def test_a_file_larger_than_a_block_is_copied_in_parts(tmp_path, monkeypatch):
    data = counts()
    np.save(tmp_path / "a.npy", data)
    seen = []
    line = data[0].nbytes
    for block in (line // 2, line, 2 * line):  # less than a line, a line, two of three
        monkeypatch.setattr(module, "BLOCK_BYTES", block)
        seen.clear()
        convert(tmp_path / "a.npy", tmp_path / "a.h5", overwrite=True, progress=seen.append)
        with h5py.File(tmp_path / "a.h5") as file:
            np.testing.assert_array_equal(file["Experiments/a/data"][()], data)
        assert len(seen) == (2 if block == 2 * line else 3) and seen[-1] == 1


def test_memory_is_bounded(tmp_path):
    """A set of 1 GB takes no more than blocks: two copies of one, and dask's chunk of 128 MiB."""
    data = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", "u2", (64, 128, 256, 256))
    data[::8, ::16, ::16, ::16] = 7
    del data
    code = ("import sys, resource\nfrom ptyle.convert import convert\n"
            "own = lambda: int([l for l in open('/proc/self/status') if l.startswith('RssAnon')][0].split()[1])\n"
            "most = [0]\n"
            "import dask, h5py, rsciio.hspy, rsciio.numpy\n"
            "before = own()\n"
            "convert(sys.argv[1], sys.argv[2], progress=lambda f: most.__setitem__(0, max(most[0], own())))\n"
            "print((most[0] - before) // 1024)")
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.npy"), str(tmp_path / "a.h5")],
                         capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 3 * 128, ran.stdout


def test_nothing_is_overwritten_unasked_and_nothing_half_done_is_left(tmp_path):
    np.save(tmp_path / "a.npy", counts())
    (tmp_path / "a.h5").write_text("mine")
    with pytest.raises(InputError, match="exists already.*--force"):
        convert(tmp_path / "a.npy", tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_text() == "mine"
    with pytest.raises(InputError, match="the file that is read"):
        convert(tmp_path / "a.npy", tmp_path / "a.npy", overwrite=True)

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "a.npy", tmp_path / "a.h5", overwrite=True, progress=stop)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.h5", "a.npy"]
    assert (tmp_path / "a.h5").read_text() == "mine"
    with pytest.raises(InputError, match="cannot be written"):
        convert(tmp_path / "a.npy", tmp_path / "none/a.h5")


def test_what_is_no_scan_is_refused_in_a_sentence(tmp_path):
    np.save(tmp_path / "image.npy", counts(shape=(KY, KX)))
    with pytest.raises(InputError, match=r"no 4D-STEM data.*\(10 x 12\)"):
        convert(tmp_path / "image.npy", tmp_path / "a.h5")
    np.save(tmp_path / "waves.npy", np.zeros((2, 2, KY, KX), complex))
    with pytest.raises(InputError, match="complex128.*real numbers"):
        convert(tmp_path / "waves.npy", tmp_path / "a.h5")
    (tmp_path / "broken.dm4").write_bytes(b"\0\0\0\4 and no more")
    with pytest.raises(InputError, match="broken.dm4 cannot be read"):
        convert(tmp_path / "broken.dm4", tmp_path / "a.h5")
    (tmp_path / "notes.odt").write_text("")
    with pytest.raises(InputError, match="knows no format.*'.odt'"):
        convert(tmp_path / "notes.odt", tmp_path / "a.h5")
    with pytest.raises(InputError, match="there is no file"):
        convert(tmp_path / "none.dm4", tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()


def test_one_of_several_scans_is_chosen_by_its_number(tmp_path):
    from rsciio.hspy import file_writer

    one, other = counts(), counts("u1")
    for data, name in ((one, "one"), (other, "other")):
        file_writer(str(tmp_path / f"{name}.hspy"), signal(data, name))
    with h5py.File(tmp_path / "one.hspy", "a") as file, h5py.File(tmp_path / "other.hspy") as more:
        more.copy("Experiments/other", file["Experiments"])
    (tmp_path / "one.hspy").rename(tmp_path / "a.hspy")
    with pytest.raises(InputError, match=r"several scans.*number \(signal\): 0: one.*1: other"):
        convert(tmp_path / "a.hspy", tmp_path / "a.h5")
    with pytest.raises(InputError, match="no signal 2"):
        convert(tmp_path / "a.hspy", tmp_path / "a.h5", signal=2)
    convert(tmp_path / "a.hspy", tmp_path / "a.h5", signal=1)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["Experiments/other/data"][()], other)


def run(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "ptyle", *map(str, arguments)], capture_output=True, text=True,
                          **options)


def test_the_command_says_what_it_did_and_what_is_wrong(tmp_path):
    np.save(tmp_path / "a.npy", counts())
    ran = run("convert", tmp_path / "a.npy", tmp_path / "a.h5")
    assert ran.returncode == 0 and "patterns 3 x 4 x 10 x 12" in ran.stdout
    again = run("convert", tmp_path / "a.npy", tmp_path / "a.h5")
    assert again.returncode == 2 and again.stderr.startswith("ptyle: ") and again.stderr.count("\n") == 1
    assert "examples:" in run("convert", "--help").stdout
    assert run("convert").returncode == 2
    assert "convert, import" in run("no").stderr


def test_without_the_package_the_line_that_installs_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.dm4").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "rsciio", None)
    with pytest.raises(InputError, match=r"needs the package rsciio, .*pip install 'ptyle\[formats\]'"):
        convert(tmp_path / "a.dm4", tmp_path / "a.h5")


def test_the_program_finds_all_that_the_file_states(tmp_path, ptyle):
    """`ptyle inspect` of a converted scan: calibration, step, voltage, angle."""
    data = np.random.default_rng(1).poisson(20, (SLOW, FAST, 32, 32)).astype("u2")
    written_by_rosettasciio("hspy", "a.hspy", data)(tmp_path)
    convert(tmp_path / "a.hspy", tmp_path / "a.h5")
    ran = subprocess.run([ptyle, "inspect", "a.h5", "--write-config", "run.yaml"], cwd=tmp_path,
                         capture_output=True, text=True)
    text = (tmp_path / "run.yaml").read_text()
    assert ran.returncode == 0, ran.stderr
    for line in ("energy: 200", "semi_angle: 21.4", "dk: 0.02", "step: [0.5, 0.4]"):
        assert line in text, text
