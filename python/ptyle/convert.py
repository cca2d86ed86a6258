"""Other programs' and microscopes' files as HDF5 that ptyle reads.

1. RosettaSciIO reads the file lazily.
2. The signal with the patterns is chosen; its scan axes come first, its detector axes last.
3. Frames are copied some scan lines at a time into HyperSpy's layout, from which ptyle takes the
   calibration of all axes, accelerating voltage and convergence semi-angle.
4. The file gets its name when it is whole.
"""

import argparse
import copy
import pathlib
import sys
import warnings

from .errors import InputError
from .new_file import part_of, refuse_existing

#: Frames in memory at a time, bytes; as much again where an axis is moved.
BLOCK_BYTES = 128 * 2**20
#: Frames that lie together in a chunk of the file, bytes; at least one.
CHUNK_BYTES = 2**20

#: RosettaSciIO 0.15 takes a deflated .prz for one that is not, and returns other numbers, if it reads it
#: lazily.
READ_WHOLE = {"PantaRhei"}

EXAMPLES = """examples:
  ptyle convert scan.dm4 scan.h5
  ptyle convert scan.emd scan.h5 --signal 2     the third signal of a file that has several
  ptyle inspect scan.h5 --write-config run.yaml

Reads what RosettaSciIO reads: .dm3, .dm4, .blo, .tvips, .mrc, .emd, .nxs, .zspy, .prz, EMPAD's
.xml, Merlin's .mib and more. The result is HyperSpy's HDF5 layout, with the calibration of
scan and detector, the accelerating voltage and the convergence semi-angle where the file states them."""


def _rosettasciio():
    try:
        import rsciio
    except ImportError:
        raise InputError("ptyle convert reads by RosettaSciIO, which is not installed; "
                        "pip install 'ptyle[rosettasciio]'") from None
    return rsciio


def _plugins_of(path):
    """RosettaSciIO's formats with the file's extension; several may share it."""
    extension = path.suffix.lower().lstrip(".")
    return [plugin for plugin in _rosettasciio().IO_PLUGINS
            if extension in (e.lower() for e in plugin["file_extensions"])]


def _read(path):
    """The signals of a file, lazily, as RosettaSciIO's dictionaries."""
    import importlib

    plugins = _plugins_of(path)
    if not path.exists():
        raise InputError(f"there is no file {path}")
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
        raise InputError(f"{path} holds several scans; choose one by --signal N of {listed}")
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


def _lines_at_a_time(data):
    """Scan lines (patterns, of a stack) that are copied together: all that share the file's chunks, or
    as many as BLOCK_BYTES holds."""
    line = data.dtype.itemsize
    for n in data.shape[1:]:
        line *= n
    most = max(1, BLOCK_BYTES // line)
    begin, blocks = 0, []
    for together in data.chunks[0]:
        end = begin + together
        while begin < end:
            blocks.append(slice(begin, min(begin + most, end)))
            begin = blocks[-1].stop
    return blocks


def _chunk_shape(data):
    frame = data.shape[-1] * data.shape[-2] * data.dtype.itemsize
    together = max(1, min(data.shape[-3], CHUNK_BYTES // max(1, frame)))
    return (1,) * (data.ndim - 3) + (together,) + data.shape[-2:]


def _copy(data, dataset, progress):
    import dask

    blocks = _lines_at_a_time(data)
    with dask.config.set(scheduler="synchronous"):  # several chunks at a time would take more memory
        for done, block in enumerate(blocks, 1):
            # A line may be larger than a block: then parts of it, each of whole frames.
            frame = data.shape[-1] * data.shape[-2] * data.dtype.itemsize
            wide = data.ndim == 4 and data[block].nbytes > BLOCK_BYTES
            step = max(1, BLOCK_BYTES // frame) if wide else data.shape[1]
            for first in range(0, data.shape[1] if wide else 1, step):
                part = (block, slice(first, first + step)) if wide else (block,)
                dataset[part] = data[part].compute()
            if progress:
                progress(done / len(blocks))


def convert(source, target, *, signal=None, overwrite=False, progress=None):
    """Writes the 4D-STEM data of a file that RosettaSciIO reads as HDF5 in HyperSpy's layout.

    source: path of the file. target: path of the HDF5 file, which gets its name when it is whole.
    signal: number of the data set within the file, counted from 0; None: the one with four axes (or,
    where none has, with three). overwrite: replace an existing target. progress: called with the
    fraction that is done. Returns the shape of the patterns, (slow, fast, ky, kx) or (N, ky, kx); their
    type, values and the order of rows and columns are those of the source. Raises InputError.
    """
    import h5py

    source, target = pathlib.Path(source), pathlib.Path(target)
    refuse_existing(target, overwrite, "choose another name, or --force replaces it")
    if target.exists() and source.exists() and target.samefile(source):
        raise InputError(f"{target} is the file that is read; choose another name")
    found = _chosen(_read(source), signal, source)
    data, axes = _scan_first(found, source)
    if not hasattr(data, "chunks"):
        import dask.array

        data = dask.array.from_array(data, chunks="auto")
    metadata = _metadata_of(found)
    title = metadata.setdefault("General", {}).get("title") or source.stem
    metadata["General"]["title"] = title.replace("/", "-")
    with part_of(target) as part:
        with h5py.File(part, "w") as file:
            dataset = file.create_dataset(f"Experiments/{metadata['General']['title']}/data", data.shape,
                                          data.dtype.newbyteorder("="), chunks=_chunk_shape(data))
            _copy(data, dataset, progress)
        write_head(part, data, axes, metadata)
    return data.shape


def write_head(path, data, axes, metadata, original_metadata=None):
    """Axes and metadata of HyperSpy's layout beside the data that is there, by RosettaSciIO's own writer.

    path: of a file with /Experiments/TITLE/data, TITLE the metadata's General.title. Axes are in its order.
    """
    from rsciio.hspy import file_writer

    head = dict(data=data, axes=axes, metadata=metadata, original_metadata=original_metadata or {}, attributes={"_lazy": False},
                package_info={"package": "ptyle", "package_version": ""}, tmp_parameters={},
                learning_results={}, models={})
    file_writer(str(path), head, write_dataset=False, mode="a", compression=None, shuffle=None)


def _progress_line(fraction):
    end = "\n" if fraction == 1 else ""
    print(f"\r{100 * fraction:3.0f} %", end=end, file=sys.stderr, flush=True)


def main(argv):
    """``ptyle convert``; returns the exit status. Raises InputError."""
    parser = argparse.ArgumentParser(
        "ptyle convert", description="Turn a file of another program or microscope into HDF5.",
        epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="IN")
    parser.add_argument("target", metavar="OUT.h5")
    parser.add_argument("--signal", type=int, metavar="N", help="which data set of the file, counted from 0")
    parser.add_argument("--force", action="store_true", help="replace OUT.h5")
    given = parser.parse_args(argv)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        shape = convert(given.source, given.target, signal=given.signal, overwrite=given.force,
                        progress=_progress_line if sys.stderr.isatty() else None)
    for one in said:
        if issubclass(one.category, UserWarning):
            print(f"ptyle: warning: {one.message}", file=sys.stderr)
    print(f"{given.target}: patterns {' x '.join(map(str, shape))}; "
          f"ptyle inspect {given.target} shows what the file states")
    return 0
