"""Arrays of other packages as NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import InputError


def as_numpy(source: Any) -> np.ndarray:
    """The array itself where it is NumPy's; else what it converts to.

    Takes ``__array__`` (h5py, dask, PyTorch on the CPU), DLPack, and arrays of a GPU that have a
    ``get`` (CuPy) or can be brought to the CPU by DLPack. Raises InputError for anything else.
    """
    if isinstance(source, np.ndarray):
        return source
    if hasattr(source, "__cuda_array_interface__") and hasattr(source, "get"):
        return np.asarray(source.get())
    if hasattr(source, "__array__"):
        return np.asarray(source)
    if hasattr(source, "__dlpack__"):
        try:
            return np.from_dlpack(source)
        except (BufferError, RuntimeError):
            return np.from_dlpack(source, device="cpu")
    raise InputError(
        f"{type(source).__name__} is no data: the name of a file is needed, or an array with __array__ or DLPack")


def as_frames(source: Any) -> tuple[np.ndarray, tuple[int, int]]:
    """Patterns (N, ky, kx), contiguous, and the scan's shape (slow, fast), (0, 0) where it has none.

    Nothing is copied of a contiguous array of float32, float64, int8 to int64 or uint8 to uint32.
    """
    array = as_numpy(source)
    if array.ndim not in (3, 4):
        raise InputError(f"patterns are (N, ky, kx) or (slow, fast, ky, kx); the array's shape is {array.shape}")
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8 or array.dtype == np.uint64:
        raise InputError(
            f"patterns of type {array.dtype} are not read; float32, float64 and integers but uint64 are (astype)")
    scan_shape = array.shape[:2] if array.ndim == 4 else (0, 0)
    return np.ascontiguousarray(array).reshape(-1, *array.shape[-2:]), scan_shape
