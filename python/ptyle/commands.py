"""The program's other commands as functions."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from . import _core
from .data import Data, load
from .errors import InputError
from .reconstruction import Reconstruction
from .values import values_of

File = str | os.PathLike


def simulate(recipe: File | Mapping[str, Any], settings: Mapping[str, Any] | None = None, *,
             overwrite: bool = False, progress: Callable[[str, int, int], Any] | None = None, **keys: Any) -> Data:
    """Makes the data set of a recipe and returns it; its file also holds the ground truth.

    ``recipe`` is a YAML file of ``ptyle simulate``, or a mapping of its keys, ``output`` among
    them. ``progress`` is called with the stage, how much of it is done, and of how much. After
    Ctrl-C the same call goes on where it was.
    """
    if isinstance(recipe, Mapping):
        file, settings = "", {**recipe, **(settings or {})}
    else:
        file = os.fspath(recipe)
    return load(_core.simulate(file, values_of(settings, keys), overwrite, progress))


def compare(result: File | Reconstruction | _core.Result, reference: File | Data | _core.Result, *,
            folder: File | None = None, overwrite: bool = False) -> _core.Comparison:
    """How far a result agrees with the ground truth of a simulated set, or with another result.

    Ramp, shift and the constants between slices are taken out first. ``folder`` takes the figures
    and pictures.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return _core.compare(_file_of(result, Path(scratch, "result.h5")),
                             _file_of(reference, Path(scratch, "reference.h5")), os.fspath(folder or ""), overwrite)


def _file_of(what: Any, scratch: Path) -> str:
    """A file of a result: the one that is named, or one that is written for it."""
    if isinstance(what, Reconstruction):
        what = what.result
    if isinstance(what, _core.Result):
        what.save(os.fspath(scratch))
        return os.fspath(scratch)
    if isinstance(what, Data):
        if what.file is None:
            raise InputError("data in memory have no ground truth; a simulated set's file is needed")
        return what.file
    path = Path(what)
    return os.fspath(path / "result.h5" if path.is_dir() else path)


def plan(data: Any, settings: Mapping[str, Any] | None = None, *, ranks: Iterable[int] = (1, 2, 4, 8, 16),
         **keys: Any) -> list[_core.Plan]:
    """A forecast of memory and time for each number of ranks, without running anything.

    ``data`` and keys as for Reconstruction, or ``data`` is a configuration file (.yaml). The time
    of a gradient is measured here, in some seconds, unless ``ranks.seconds_per_position`` says it.
    """
    if isinstance(data, (str, os.PathLike)) and Path(data).suffix in (".yaml", ".yml"):
        return _core.plan(os.fspath(data), values_of(settings, keys), None, list(ranks))
    data = data if isinstance(data, Data) else load(data)
    return _core.plan("", data.values + values_of(settings, keys), data._in_memory, list(ranks))


def read_result(path: File) -> _core.Result:
    """The result in a file, or in a folder with a result.h5; also a simulated set's ground truth."""
    return _core.read_result(_file_of(path, Path()))
