"""ptyle.load of files that only RosettaSciIO reads: lazily, with their calibration, as after ptyle convert."""

import sys

import numpy as np
import pytest

pytest.importorskip("rsciio")
pytest.importorskip("dask")

import ptyle  # noqa: E402
import small_files  # noqa: E402
from ptyle.convert import convert  # noqa: E402
from test_convert import counts, written, written_by_rosettasciio  # noqa: E402

# Others are HDF5, or of a format that ptyle reads itself.
FOREIGN = ["scan.zspy", "scan.blo", "scan_000.tvips", "stack.rpl", "scan.dm4", "stack.mrc", "scan.xml"]


@pytest.mark.parametrize("name", FOREIGN)
def test_every_value_is_read(name, tmp_path):
    wanted = written(name, tmp_path)
    data = ptyle.load(tmp_path / name)
    assert data.shape == wanted.shape and data.dtype == wanted.dtype and "by RosettaSciIO" in repr(data)
    frames = wanted.reshape(-1, *wanted.shape[-2:])
    np.testing.assert_array_equal(data.read(0, len(data)), frames)
    for first, n in (0, 1), (1, 2), (len(frames) - 2, 2):
        np.testing.assert_array_equal(data.read(first, n), frames[first:first + n])


def scan_of(folder, name="scan.dm4"):
    """A scan with a disc, in a format that states its calibration."""
    y, x = np.mgrid[-16:16, -16:16]
    disc = np.where(np.hypot(y, x) < 8, 80.0, 1.0)
    data = np.random.default_rng(1).poisson(disc, (6, 7, 32, 32)).astype("u2")
    small_files.write_dm4(folder / name, data, (0.05, 0.04, 0.2, 0.2), ("nm", "nm", "1/nm", "1/nm"), 200)
    return folder / name


def test_it_is_inspected_as_its_conversion_is(tmp_path):
    path = scan_of(tmp_path)
    convert(path, tmp_path / "scan.h5")
    given = {"semi_angle": 20, "defocus": 100}
    direct, converted = ptyle.load(path, **given).inspect(), ptyle.load(tmp_path / "scan.h5", **given).inspect()
    np.testing.assert_array_equal(direct.mean_pattern, converted.mean_pattern)
    for figure in "dose", "step", "overlap", "mean_counts":
        assert getattr(direct, figure) == getattr(converted, figure) > 0

    def found(inspection):
        return [line.split("#")[0] for line in inspection.configuration.splitlines()
                if line.strip().startswith(("energy", "dk", "step"))]

    assert found(direct) == found(converted) and len(found(direct)) == 3


def test_it_is_reconstructed_as_its_conversion_is(tmp_path):
    path = scan_of(tmp_path)
    convert(path, tmp_path / "scan.h5")
    runs = [ptyle.Reconstruction(ptyle.load(source), semi_angle=20, defocus=100, iterations=2).run()
            for source in (path, tmp_path / "scan.h5")]
    assert runs[0].gather().phase.tobytes() == runs[1].gather().phase.tobytes()
    np.testing.assert_array_equal(runs[0].positions, runs[1].positions)


def test_what_the_user_gives_takes_the_place_of_what_the_file_states(tmp_path):
    path = scan_of(tmp_path)
    run = ptyle.Reconstruction(ptyle.load(path), semi_angle=20, defocus=100, energy=300, pixel_size=0.2,
                               scan={"step": [1, 1]}, iterations=1)
    assert np.diff(run.positions[:, 1]).max() == pytest.approx(1) and run.result.pixel_size == 0.2
    positions = np.random.default_rng(2).uniform(0, 3, (42, 2))
    run = ptyle.Reconstruction(ptyle.load(path, positions=positions), semi_angle=20, defocus=100, iterations=1)
    np.testing.assert_allclose(run.positions - run.positions[0], positions - positions[0], atol=1e-9)


def test_it_is_read_lazily(tmp_path, monkeypatch):
    """No more is read than is asked for."""
    data = counts("u2", (64, 4, 16, 16))
    small_files.write_dm4(tmp_path / "scan.dm4", data, (0.05, 0.04, 0.2, 0.2), ("nm", "nm", "1/nm", "1/nm"), 200)
    lazy = ptyle.load(tmp_path / "scan.dm4")._lazy
    assert hasattr(lazy._data, "compute")
    read = []
    compute = type(lazy._data).compute
    monkeypatch.setattr(type(lazy._data), "compute", lambda self, **k: (read.append(self.size), compute(self, **k))[1])
    lazy.read(5, 2)
    assert read == [4 * 16 * 16]


def test_several_signals_are_chosen_from(tmp_path):
    data = counts()
    written_by_rosettasciio("hspy", "a.hspy", data)(tmp_path)
    np.testing.assert_array_equal(ptyle.load(tmp_path / "a.hspy", signal=0).read(0), data[0, :1])
    with pytest.raises(ptyle.InputError, match="there is no signal 3"):
        ptyle.load(tmp_path / "a.hspy", signal=3)


def test_what_cannot_be_read_is_said(tmp_path, monkeypatch):
    (tmp_path / "notes.odt").write_text("no scan")
    with pytest.raises(ptyle.InputError, match="no format with the extension '.odt'"):
        ptyle.load(tmp_path / "notes.odt")
    (tmp_path / "broken.dm4").write_bytes(b"no scan")
    with pytest.raises(ptyle.InputError, match="broken.dm4 cannot be read"):
        ptyle.load(tmp_path / "broken.dm4")
    with pytest.raises(ptyle.InputError, match="nowhere.dm4"):
        ptyle.load(tmp_path / "nowhere.dm4")
    monkeypatch.setitem(sys.modules, "rsciio", None)
    with pytest.raises(ptyle.InputError, match=r"needs the package rsciio, .*pip install 'ptyle\[formats\]'"):
        ptyle.load(scan_of(tmp_path))
