"""A reconstruction that Python drives."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from . import _core, display
from .data import Data, load
from .values import Values, values_of

Callback = Callable[["Reconstruction", _core.Progress], Any]
_log = logging.getLogger("ptyle")


class ObjectValues(NamedTuple):
    """The whole object: phase (slice, row, col) float32, rad, and absorption, None where it is not fitted."""

    phase: np.ndarray
    absorption: np.ndarray | None


class Reconstruction:
    """A multislice reconstruction, from patterns to object, probe and positions.

    ``data`` is what ``load`` returns, or what it takes. Keys are those of ``run.yaml``, by their
    last part where no other key ends so (``energy=300``, kV; ``semi_angle=21.4``, mrad), or in
    ``settings`` by their whole name: ``{"solver.step": 0.5}``. All of them are checked before
    anything runs; InputError lists every mistake. Notes go to the logger ``ptyle``, warnings to
    ``warnings``.
    """

    def __init__(self, data: Any, settings: Mapping[str, Any] | None = None, **keys: Any):
        data = data if isinstance(data, Data) else load(data)
        self._open("", data.values + values_of(settings, keys), data)

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str], set: Mapping[str, Any] | None = None,
                  data: Any = None) -> Reconstruction:
        """The one of a configuration file; ``set`` takes the place of its keys, as ``--set`` does.

        ``data``, a file or an array, takes the place of ``data.file``.
        """
        run = cls.__new__(cls)
        data = data if data is None or isinstance(data, Data) else load(data)
        values = [] if data is None else [("data.file", "~"), *data.values]
        run._open(os.fspath(path), values + values_of(set, {}), data)
        return run

    def _open(self, file: str, values: Values, data: Data | None) -> None:
        self._run = _core.Run(file, values, data._in_memory if data is not None else None)
        self._tell()

    def _tell(self) -> None:
        notes, warned = self._run.take_lines()
        for line in notes:
            _log.info(line)
        for line in warned:
            warnings.warn(line, stacklevel=3)

    def run(self, iterations: int | None = None, callbacks: Iterable[Callback] = ()) -> Reconstruction:
        """So many iterations more, or all that ``solver.iterations`` leaves; fewer where ``solver.until`` ends them.

        After each, every callback is called with this reconstruction and its Progress (iteration,
        cost, r_factor, …); one that returns True ends the run. Ctrl-C raises KeyboardInterrupt
        after the mini-batch at hand; another ``run`` or ``step`` does the rest of the iteration.
        Returns this reconstruction.
        """
        callbacks = list(callbacks)
        if iterations is not None:
            self._run.iterations = self.iteration + iterations
        while not self.finished:
            progress = self.step()
            if any([callback(self, progress) is True for callback in callbacks]):
                break
        return self

    def step(self) -> _core.Progress:
        """One iteration, or the rest of one, also beyond ``solver.iterations``."""
        try:
            return self._run.step()
        finally:
            self._tell()

    @property
    def object(self) -> np.ndarray:
        """The phase (slice, row, col), rad, as it stands: a view of the fit's own array, not a copy.

        float32, or float64 by ``solver.precision``; read-only. It is valid until the next step,
        after which it is asked for anew. Of several ranks it is this one's core, which lies at
        ``box``; ``gather`` has the whole.
        """
        return self._run.field("phase")

    @property
    def absorption(self) -> np.ndarray | None:
        """The absorption (slice, row, col), a view as ``object`` is; None where it is not fitted."""
        return self._run.field("absorption") if self._run.has_field("absorption") else None

    @property
    def probe(self) -> np.ndarray:
        """(mode, W, W) complex, centred on [W/2, W/2], the fit's modes as they are; a view as ``object`` is."""
        return self._run.field("probe")

    @property
    def positions(self) -> np.ndarray:
        """(N, 2) float64, (row, col) from the centre of object pixel [0, 0], Å (px without a calibration).

        Always the same array, read-only; a step changes its values.
        """
        return self._run.positions

    @property
    def box(self) -> tuple[slice, slice]:
        """The rows and columns of the whole object that ``object`` is."""
        (top, bottom), (left, right) = self._run.box
        return slice(top, bottom), slice(left, right)

    def gather(self) -> ObjectValues:
        """The whole object, a copy, float32."""
        return ObjectValues(*self._run.gather())

    @property
    def history(self) -> dict[str, np.ndarray]:
        """cost, r_factor, seconds, passes and, where held out, r_held_out, r_held_out_pixels: one an iteration.
        And what geometry.refine asks for: defocus, C12, ..., slice_thickness (Å), tilt_row, tilt_col (mrad)."""
        return self._run.history

    @property
    def iteration(self) -> int:
        """The number of whole iterations that are done."""
        return len(self._run.history.get("cost", ()))

    @property
    def finished(self) -> bool:
        """All iterations that were asked for are done, or R stands still by ``solver.until``."""
        return self._run.finished

    @property
    def result(self) -> _core.Result:
        """All that a result file has, as it stands: a copy, made at each call. ``result.save(path)`` writes it."""
        return self._run.result()

    @property
    def configuration(self) -> str:
        """Every key with its value, YAML."""
        return self._run.config

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False, pictures: bool = True,
             tiff: bool = True) -> None:
        """Writes what the program writes: result.h5, phase.tif and pictures, into a folder."""
        self._run.write(os.fspath(folder), overwrite, pictures, tiff)
        self._tell()

    def to_xarray(self) -> Any:
        """The result as an xarray Dataset with coordinates and units."""
        return self._exported("to_xarray")

    def to_hyperspy(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes the result as HyperSpy reads it (.hspy)."""
        self._exported("to_hyperspy", path, overwrite=overwrite)

    def to_emd(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes the result as EMD 1.0, which py4DSTEM reads."""
        self._exported("to_emd", path, overwrite=overwrite)

    def to_ptyrad(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes the result as PtyRAD writes one."""
        self._exported("to_ptyrad", path, overwrite=overwrite)

    def _exported(self, how: str, *arguments: Any, **options: Any) -> Any:
        from . import exports
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "result.h5")
            self.result.save(file)
            return getattr(exports, how)(file, *arguments, **options)

    def save_checkpoint(self, folder: str | os.PathLike[str]) -> None:
        """Writes a checkpoint into a folder, from which ``ptyle reconstruct --resume`` goes on."""
        self._run.save_checkpoint(os.fspath(folder))

    def __repr__(self) -> str:
        z, rows, cols = self.object.shape
        modes, window, _ = self.probe.shape
        r_factor = self._run.history.get("r_factor")
        r_text = f", R {r_factor[-1]:.4g}" if r_factor is not None else ""
        return (f"ptyle.Reconstruction: {z} slice{'s' * (z > 1)} of {rows} x {cols} px, {modes} probe mode"
                f"{'s' * (modes > 1)} of {window} px, {len(self.positions)} patterns; "
                f"iteration {self.iteration} of {self._run.iterations}{r_text}")

    def _repr_html_(self) -> str:
        return display.html(self.object.sum(axis=0), repr(self), "phase, summed over the slices")
