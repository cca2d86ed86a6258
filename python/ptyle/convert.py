"""Other programs' and microscopes' files as HDF5 that ptyle reads.

1. RosettaSciIO reads the file lazily.
2. The signal with the patterns is chosen; its scan axes come first, its detector axes last.
3. Frames are copied some scan lines at a time into HyperSpy's layout, from which ptyle takes the
   calibration of all axes, accelerating voltage and convergence semi-angle.
4. The file gets its name when it is whole.
"""

import argparse
import pathlib
import sys
import warnings

from .errors import InputError
from .new_file import part_of, refuse_existing
from .packages import needed
from .signals import signal_in, write_head

#: Frames in memory at a time, bytes; as much again where an axis is moved.
BLOCK_BYTES = 128 * 2**20
#: Frames that lie together in a chunk of the file, bytes; at least one.
CHUNK_BYTES = 2**20

EXAMPLES = """examples:
  ptyle convert scan.dm4 scan.h5
  ptyle convert scan.emd scan.h5 --signal 2     the third signal of a file that has several
  ptyle inspect scan.h5 --write-config run.yaml

Reads what RosettaSciIO reads: .dm3, .dm4, .blo, .tvips, .mrc, .emd, .nxs, .zspy, .prz, EMPAD's
.xml, Merlin's .mib and more. The result is HyperSpy's HDF5 layout, with the calibration of
scan and detector, the accelerating voltage and the convergence semi-angle where the file states them."""


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
    h5py = needed("h5py", "ptyle convert", "ptyle[formats]")
    source, target = pathlib.Path(source), pathlib.Path(target)
    refuse_existing(target, overwrite, "choose another name, or --force replaces it")
    if target.exists() and source.exists() and target.samefile(source):
        raise InputError(f"{target} is the file that is read; choose another name")
    data, axes, metadata = signal_in(source, signal)
    if not hasattr(data, "chunks"):
        import dask.array

        data = dask.array.from_array(data, chunks="auto")
    with part_of(target) as part:
        with h5py.File(part, "w") as file:
            dataset = file.create_dataset(f"Experiments/{metadata['General']['title']}/data", data.shape,
                                          data.dtype.newbyteorder("="), chunks=_chunk_shape(data))
            _copy(data, dataset, progress)
        write_head(part, data, axes, metadata)
    return data.shape


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
