"""Measured patterns, in a file or in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core, display
from .arrays import as_frames, as_numpy
from .errors import InputError
from .values import Values, values_of, yaml_of

if TYPE_CHECKING:
    from .signals import LazyFrames


class Data:
    """Patterns and what is known of them; ``load`` makes it.

    Attributes: ``shape``, (N, ky, kx) or (slow, fast, ky, kx) of a raster; ``dtype`` of the values as
    they are stored; ``values``, the keys that were given; ``file``, the name of the patterns' file,
    None where they are in memory; ``patterns``, the NumPy array (N, ky, kx) of these, else None.
    """

    def __init__(self, values: Values, in_memory: _core.Patterns | None = None, *, file: str | None = None,
                 patterns: np.ndarray | None = None, scan_shape: tuple[int, int] = (0, 0),
                 lazy: LazyFrames | None = None):
        self.values = values
        self.file = file
        self.patterns = patterns
        self._in_memory = in_memory
        self._lazy = lazy
        if lazy is not None:
            (count, *frame), scan_shape = lazy.frames, lazy.scan_shape
            self.dtype, self._where = lazy.dtype, f"{lazy.name}, by RosettaSciIO"
        elif patterns is not None:
            count, frame, self.dtype, self._where = len(patterns), patterns.shape[1:], patterns.dtype, "in memory"
        else:
            found = _core.FileOfFrames(values)  # open no longer than needed
            count, frame, scan_shape = found.count, found.shape, found.scan_shape
            self.dtype, self._where = np.dtype(found.type), found.name
        self._count = count
        self.shape: tuple[int, ...] = (*(scan_shape if scan_shape[0] else (count,)), *frame)

    def __len__(self) -> int:
        return self._count

    def read(self, first: int, n: int = 1) -> np.ndarray:
        """Patterns ``first`` to ``first + n - 1``, (n, ky, kx): int64 or float32 of a file, a view of an array."""
        return self._reader()(first, n)

    def _reader(self) -> Callable[[int, int], np.ndarray]:
        """``read`` with the file open, for several calls."""
        if self._lazy is not None:
            return self._lazy.read
        patterns = self.patterns
        if patterns is not None:
            return lambda first, n: patterns[first:first + n]
        found = _core.FileOfFrames(self.values)
        return found.read_integers if found.is_integer else found.read_floats

    def inspect(self, settings: Mapping[str, Any] | None = None, *, quick: bool = False, memory_GB: float = 2,
                folder: str | os.PathLike[str] | None = None, **keys: Any) -> _core.Inspection:
        """The contents of the patterns, whether they hang together, and what is still to be given.

        The same as the command ``ptyle inspect``; ``print`` the result to read its lines. ``quick``
        adds a quick look, ``folder`` takes the pictures. Sets of more than ``memory_GB`` are looked
        at in part.
        """
        values = self.values + values_of(settings, keys)
        return _core.inspect(values, self._in_memory, quick, memory_GB, os.fspath(folder or ""))

    def quick_look(self, settings: Mapping[str, Any] | None = None, **keys: Any) -> _core.QuickLook:
        """The specimen without iterations, and rotation, flips, defocus and astigmatism with their errors.

        Raises InputError where positions lie on no raster, or beam and calibration are not known.
        """
        return _core.quick_look(self.values + values_of(settings, keys), self._in_memory)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        given = ", ".join(f"{name}={value}" for name, value in self.values if name != "data.file")
        return f"ptyle.Data: {shape} {self.dtype}, {self._where}" + (f"; {given}" if given else "")

    def _repr_html_(self) -> str:
        n = min(len(self), 16)
        some = np.linspace(0, len(self) - 1, n).astype(int)
        read = self._reader()
        mean = np.mean([read(int(i), 1)[0] for i in some], axis=0, dtype=np.float64)
        return display.html(display.logarithmic(mean), repr(self), f"mean of {n} patterns, logarithmic")


def load(source: Any, settings: Mapping[str, Any] | None = None, *, positions: Any = None, bad: Any = None,
         signal: int | None = None, **keys: Any) -> Data:
    """Patterns of a file or of an array.

    ``source`` is the name of a file, or an array (N, ky, kx) or (slow, fast, ky, kx) of counts:
    NumPy's, which is not copied where it is contiguous, or one with ``__array__`` or DLPack (h5py,
    dask, CuPy, PyTorch), which is converted. HDF5 and the other formats that ``ptyle inspect`` reads
    are read by it, all other files (``.dm4`` and more) by RosettaSciIO (the extra ``ptyle[formats]``),
    as their patterns are needed, with the calibration that they state. ``signal`` is the number of
    the data set there, where a file has several; given, RosettaSciIO reads any file.

    ``positions`` of an array are (N, 2) or (slow, fast, 2), (row, col) in Å; a raster has a step
    in their place, ``scan={"step": [0.4, 0.4]}``. ``bad`` is (ky, kx), not 0 where a pixel is bad.
    Both are given likewise beside a file that RosettaSciIO reads. ``positions`` of another file is
    the name of a dataset.

    Keys are those of a configuration, by their last part where no other key ends so
    (``energy=300``), or in ``settings`` by their whole name (``{"data.patterns": "/entry/data"}``).
    Raises InputError for what is wrong in them, or in the file.
    """
    values = values_of(settings, keys)
    if isinstance(source, (str, os.PathLike)) and not _is_for_rosettasciio(source, values, signal):
        if bad is not None:
            raise InputError("bad pixels of a file are named by data.mask, as in file.h5:/mask")
        if positions is not None:
            values.append(("scan.positions", yaml_of(positions)))
        values.insert(0, ("data.file", yaml_of(source)))
        _core.check_values("", values)
        return Data(values, file=os.fspath(source))
    _core.check_values("", values)
    at = None if positions is None else _positions(positions)
    pixels = None if bad is None else np.ascontiguousarray(as_numpy(bad) != 0, np.uint8)
    if isinstance(source, (str, os.PathLike)):
        from .signals import LazyFrames
        lazy = LazyFrames(source, signal)
        with tempfile.TemporaryDirectory() as folder:
            read_by_python = _core.Patterns(lazy, lazy.facts(folder), at, pixels)
        return Data(values, read_by_python, file=os.fspath(source), lazy=lazy)
    frames, scan_shape = as_frames(source)
    in_memory = _core.Patterns(frames, list(scan_shape), at, pixels)
    return Data(values, in_memory, patterns=frames, scan_shape=scan_shape)


def _is_for_rosettasciio(path: str | os.PathLike[str], values: Values, signal: int | None) -> bool:
    """Is it a file (or a folder with an extension, as .zspy), and of a format that the program does not know?"""
    if signal is not None:
        return True
    raw = any(name.rpartition(".")[2] == "raw_type" for name, _ in values)
    there = os.path.isfile(path) or (os.path.isdir(path) and os.path.splitext(path)[1] != "")
    return there and not raw and not _core.reads(os.fspath(path))


def _positions(positions: Any) -> np.ndarray:
    if not isinstance(positions, np.ndarray) and isinstance(positions, (list, tuple)):
        positions = np.array(positions, dtype=np.float64)
    at = as_numpy(positions)
    if at.ndim < 2 or at.shape[-1] != 2:
        raise InputError(f"positions are (N, 2) or (slow, fast, 2), (row, col) in Å; their shape is {at.shape}")
    return np.ascontiguousarray(at, np.float64).reshape(-1, 2)
