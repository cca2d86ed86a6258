"""Other programs' and microscopes' files, as RosettaSciIO reads them.

1. RosettaSciIO reads the file lazily: dask's arrays, or memory maps.
2. The signal with the patterns is chosen; its scan axes come first, its detector axes last.
3. Patterns are read as they are asked for. What the file states of them is written in HyperSpy's layout,
   from which ptyle takes calibration, accelerating voltage and convergence semi-angle.
"""

from __future__ import annotations

import copy
import importlib
import os
import pathlib

import numpy as np

from .errors import InputError
from .packages import needed

#: RosettaSciIO 0.15 takes a deflated .prz for one that is not, and returns other numbers, if it reads it
#: lazily.
READ_WHOLE = {"PantaRhei"}


def _plugins_of(path):
    """RosettaSciIO's formats with the file's extension; several may share it."""
    extension = path.suffix.lower().lstrip(".")
    rosettasciio = needed("rsciio", f"reading {path}", "ptyle[formats]")
    return [plugin for plugin in rosettasciio.IO_PLUGINS
            if extension in (e.lower() for e in plugin["file_extensions"])]


def _read(path):
    """The signals of a file, lazily, as RosettaSciIO's dictionaries."""
    if not path.exists():
        raise InputError(f"there is no file {path}")
    plugins = _plugins_of(path)
    if not plugins:
        raise InputError(f"{path}: RosettaSciIO knows no format with the extension '{path.suffix}'; "
                        "its documentation lists those that it reads")
    reasons = []
    for plugin in plugins:
        try:
            reader = importlib.import_module(plugin["api"]).file_reader
            try:
                return reader(str(path), lazy=plugin["name"] not in READ_WHOLE)
            except NotImplementedError:  # some small formats are only read whole
                return reader(str(path))
        except ImportError as missing:
            reasons.append(f"{plugin['name']}: {missing}")
        except Exception as why:  # any: the readers raise what their parsers do
            reasons.append(f"{plugin['name']}: {type(why).__name__} {why}".rstrip())
    raise InputError(f"{path} cannot be read ({'; '.join(reasons)}); "
                    "is it whole, and of the format that its extension says?")


def _describe(signal):
    shape = " x ".join(str(n) for n in signal["data"].shape)
    return f"{signal['metadata'].get('General', {}).get('title') or 'without title'} ({shape})"


def _chosen(signals, number, path):
    """The signal whose number is given, or the one with most axes, if there is one."""
    listed = "; ".join(f"{i}: {_describe(s)}" for i, s in enumerate(signals))
    if number is not None:
        if not 0 <= number < len(signals):
            raise InputError(f"{path}: there is no signal {number}; it has {listed}")
        return signals[number]
    scans = [s for s in signals if s["data"].ndim == 4] or [s for s in signals if s["data"].ndim == 3]
    if not scans:
        raise InputError(f"{path} holds no 4D-STEM data, which has four axes (or three: patterns, rows, "
                        f"columns), but {listed or 'nothing'}")
    if len(scans) > 1:
        raise InputError(f"{path} holds several scans; choose one by its number (signal): {listed}")
    return scans[0]


def _scan_first(signal, path):
    """Data and axes with the scan's axes first and the two of the detector last."""
    data, axes = signal["data"], signal["axes"]
    if data.ndim not in (3, 4):
        raise InputError(f"{path}: {_describe(signal)} has {data.ndim} axes, but 4D-STEM data has four "
                        "(or three: patterns, rows, columns)")
    if data.dtype.kind not in "biuf":
        raise InputError(f"{path}: {_describe(signal)} holds {data.dtype}, but patterns are real numbers")
    scan = [i for i, axis in enumerate(axes) if axis.get("navigate")]
    if len(scan) != data.ndim - 2:  # not known to the format: NumPy's order
        scan = list(range(data.ndim - 2))
    detector = [i for i in range(data.ndim) if i not in scan]
    reciprocal = [_is_reciprocal(axis.get("units")) for axis in axes]
    if len(scan) == 2 and all(reciprocal[i] for i in scan) and not any(reciprocal[i] for i in detector):
        scan, detector = detector, scan  # as GMS stores some scans
    order = scan + detector
    return data.transpose(order), [_axis(axes[i], place, i in scan) for place, i in enumerate(order)]


def _is_reciprocal(unit):
    """Is it a unit of reciprocal lengths or angles?"""
    unit = str(unit or "").replace(" ", "")
    return unit.startswith("1/") or unit.endswith(("-1", "⁻¹")) or unit in ("mrad", "rad")


def _axis(axis, place, navigate):
    """A signal's axis as HyperSpy's layout has it; a scale that the format does not state is 1 px."""
    scale = axis.get("scale", 1.0)
    if "axis" in axis and len(axis["axis"]) > 1:  # given by its places
        scale = float(axis["axis"][1] - axis["axis"][0])
    return uniform_axis(str(axis.get("name") or ""), int(axis["size"]), float(scale), float(axis.get("offset", 0.0)),
                        str(axis.get("units") or ""), navigate, place)


def uniform_axis(name, size, scale, offset, units, navigate, place):
    """An axis of even steps in HyperSpy's layout."""
    return {"_type": "UniformDataAxis", "name": name, "size": size, "scale": scale, "offset": offset, "units": units,
            "navigate": navigate, "index_in_array": place}


def _metadata_of(signal):
    """The signal's metadata, with what its format keeps under names of its own (its mapping)."""
    metadata = copy.deepcopy(dict(signal["metadata"]))
    for path, targets in (signal.get("mapping") or {}).items():
        value = signal.get("original_metadata", {})
        for name in path.split("."):
            value = value.get(name) if hasattr(value, "get") else None
        if value is None:
            continue
        for target, change in [targets] if isinstance(targets, tuple) else targets:
            *groups, last = target.split(".")
            place = metadata
            for name in groups:
                place = place.setdefault(name, {})
            try:
                place[last] = change(value) if change else value
            except (ValueError, TypeError, KeyError, IndexError):
                pass  # what the format's own reader cannot make sense of
    return metadata


def signal_in(path, number=None):
    """Patterns (slow, fast, ky, kx) or (N, ky, kx), lazy where their reader is, with axes and metadata.

    path: a pathlib.Path. number: of the data set within the file, counted from 0; None: the one with four
    axes (or, where none has, with three). The metadata's General.title names it. Raises InputError.
    """
    found = _chosen(_read(path), number, path)
    data, axes = _scan_first(found, path)
    metadata = _metadata_of(found)
    title = metadata.setdefault("General", {}).get("title") or path.stem
    metadata["General"]["title"] = title.replace("/", "-")
    return data, axes, metadata


def write_head(path, data, axes, metadata, original_metadata=None):
    """Axes and metadata of HyperSpy's layout beside the data that is there, by RosettaSciIO's own writer.

    path: of a file with /Experiments/TITLE/data, TITLE the metadata's General.title. Axes are in its order.
    """
    from rsciio.hspy import file_writer

    head = dict(data=data, axes=axes, metadata=metadata, original_metadata=original_metadata or {}, attributes={"_lazy": False},
                package_info={"package": "ptyle", "package_version": ""}, tmp_parameters={},
                learning_results={}, models={})
    file_writer(str(path), head, write_dataset=False, mode="a", compression=None, shuffle=None)


class LazyFrames:
    """Patterns of a file that only RosettaSciIO reads, a few at a time; what the session asks of them.

    Attributes: ``frames``, (N, ky, kx); ``scan_shape``, (slow, fast) or (0, 0); ``dtype`` as stored;
    ``frames_together``, how many lie in one piece of the file.
    """

    def __init__(self, path: str | os.PathLike[str], number: int | None = None):
        source = pathlib.Path(path)
        self._data, self._axes, self._metadata = signal_in(source, number)
        shape, self.dtype = self._data.shape, self._data.dtype
        if self.dtype == np.uint64 or self.dtype.itemsize > 8:
            raise InputError(f"{path}: patterns of type {self.dtype} are not read; float32, float64 and integers "
                             "but uint64 are")
        self.scan_shape = shape[:2] if len(shape) == 4 else (0, 0)
        self.frames = (int(np.prod(shape[:-2])), *shape[-2:])
        self.is_integer = self.dtype.kind in "biu"
        self.largest = float(np.iinfo(self.dtype).max) if self.dtype.kind in "iu" else float(self.dtype.kind == "b")
        self.bytes_a_value = self.dtype.itemsize
        self.name = f"'{path}'"
        chunks = getattr(self._data, "chunks", None)
        lines = chunks[0][0] if chunks else 1
        self.frames_together = int(lines * (shape[1] if len(shape) == 4 else 1))

    def read(self, first: int, n: int) -> np.ndarray:
        """Patterns ``first`` to ``first + n - 1``: (n, ky, kx), int64, or float32 where they are no integers."""
        fast = self._data.shape[1] if self._data.ndim == 4 else 1
        some = self._data[first // fast:-(-(first + n) // fast)]
        if hasattr(some, "compute"):
            some = some.compute(scheduler="synchronous")  # several pieces at a time would take more memory
        some = some.reshape(-1, *some.shape[-2:])[first % fast:first % fast + n]
        return np.ascontiguousarray(some, np.int64 if self.is_integer else np.float32)

    def facts(self, folder: str) -> str:
        """A file in the folder that states all that this one does, of patterns that it has not."""
        h5py = needed("h5py", f"reading {self.name}", "ptyle[formats]")
        path = os.path.join(folder, "facts.h5")
        with h5py.File(path, "w") as file:  # chunks that are never written take no room
            file.create_dataset(f"Experiments/{self._metadata['General']['title']}/data", self._data.shape,
                                self.dtype.newbyteorder("="), chunks=(1,) * (self._data.ndim - 2) + self.frames[1:])
        write_head(path, self._data, self._axes, self._metadata)
        return path
