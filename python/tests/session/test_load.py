"""Patterns from files and arrays: the same values, and no copy where none is needed."""

import h5py
import numpy as np
import pytest

import ptyle
from ptyle import _core
from ptyle.values import values_of
from small_run import SETTINGS


def test_a_file_has_the_shape_and_values_that_h5py_reads(scan):
    with h5py.File(scan.file) as file:
        patterns = file["patterns"][()]
    assert scan.shape[-2:] == patterns.shape[-2:] and len(scan) == len(patterns.reshape(-1, *patterns.shape[-2:]))
    assert scan.dtype == patterns.dtype
    np.testing.assert_array_equal(scan.read(5, 3), patterns.reshape(-1, *patterns.shape[-2:])[5:8])
    with pytest.raises(ptyle.InputError, match="there are patterns 0 to 63"):
        scan.read(60, 5)


@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "i1", "u2", "i2", "u4", "i4", "i8"])
def test_an_array_is_not_copied(arrays, dtype):
    patterns = np.minimum(arrays[0], 100).astype(dtype)
    data = ptyle.load(patterns, positions=arrays[1])
    assert data._in_memory.address == patterns.ctypes.data
    assert np.shares_memory(data.patterns, patterns) and np.shares_memory(data.read(3), patterns)
    assert data.shape == patterns.shape and data.dtype == patterns.dtype


def test_a_raster_of_frames_is_not_copied_either(arrays, stated):
    raster = arrays[0].reshape(8, 8, 32, 32)
    data = ptyle.load(raster, scan={"step": [0.8, 0.9]}, **stated)
    assert data._in_memory.address == raster.ctypes.data
    assert data.shape == raster.shape
    assert ptyle.Reconstruction(data).positions.shape == (64, 2)


class OfAnother:
    """An array of another package: by DLPack alone, or by __array__ alone."""

    def __init__(self, array, names):
        for name in names:
            setattr(type(self), name, staticmethod(getattr(array, name)))


def test_other_arrays_are_converted(arrays, tmp_path):
    patterns = arrays[0]
    by_dlpack = type("ByDLPack", (OfAnother,), {})(patterns, ["__dlpack__", "__dlpack_device__"])
    by_array = type("ByArray", (OfAnother,), {})(patterns, ["__array__"])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("frames", data=patterns)
        for source in by_dlpack, by_array, dataset, patterns.astype(">u2"), np.asfortranarray(patterns):
            np.testing.assert_array_equal(ptyle.load(source).patterns, patterns)
    assert ptyle.load(patterns > 3).dtype == np.uint8
    assert ptyle.load(patterns.astype("f2")).dtype == np.float32


@pytest.mark.parametrize("source, sentence", [
    (np.zeros((3, 4)), r"\(N, ky, kx\) or \(slow, fast, ky, kx\); the array's shape is \(3, 4\)"),
    (np.zeros((3, 4, 4), complex), "complex128 are not read"),
    (np.zeros((3, 4, 4), np.uint64), "uint64 are not read"),
    (object(), "object is no data"),
    ("nowhere.h5", "nowhere.h5"),
])
def test_other_sources_are_refused(source, sentence):
    with pytest.raises(ptyle.InputError, match=sentence):
        ptyle.load(source)


def test_positions_of_another_number_are_refused(arrays):
    with pytest.raises(ptyle.InputError, match="there are 63 positions for 64 patterns"):
        ptyle.load(arrays[0], positions=arrays[1][1:])
    with pytest.raises(ptyle.InputError, match="their shape is"):
        ptyle.load(arrays[0], positions=arrays[1].T)


def test_inspect_says_what_the_program_says(scan, run_program):
    found = scan.inspect()
    said = run_program("inspect", scan.file, "--no-pictures").stdout
    assert str(found) + "\n" == said and len(found.lines) > 10


def test_an_array_is_inspected_as_its_file_is(scan, arrays, stated):
    of_file = scan.inspect()
    of_array = ptyle.load(arrays[0], positions=arrays[1], **stated).inspect()
    np.testing.assert_array_equal(of_array.mean_pattern, of_file.mean_pattern)
    for figure in "dose", "step", "overlap", "mean_counts":
        assert getattr(of_array, figure) == getattr(of_file, figure) > 0
    assert of_array.complete and "energy: 200" in of_array.configuration
    assert not ptyle.load(arrays[0]).inspect().complete


def test_a_result_is_inspected_without_a_configuration(scan, tmp_path, run_program):
    path = tmp_path / "result.h5"
    run = ptyle.Reconstruction(scan, SETTINGS)
    run.run()
    run.result.save(path)
    values = values_of({"data.file": str(path)}, {})
    found = _core.inspect(values, None, False, 2, "")
    assert found.of_result and not scan.inspect().of_result
    assert found.configuration == "" and not found.complete
    assert str(found) + "\n" == run_program("inspect", path, "--no-pictures").stdout
    assert "object: 2 slices" in found._repr_html_()
    with pytest.raises(ptyle.InputError, match="is a result, without patterns: a quick look is of a measurement"):
        _core.inspect(values, None, True, 2, "")


def test_a_quick_look_is_taken(scan):
    look = scan.quick_look()
    assert look.side_bands.shape == look.tilt_corrected.shape == look.centre_of_mass.shape == (8, 8)
    with pytest.raises(ptyle.InputError, match="no quick look"):
        ptyle.load(np.ones((4, 8, 8))).quick_look()
