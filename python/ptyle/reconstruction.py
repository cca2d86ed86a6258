"""A reconstruction that Python drives."""

from __future__ import annotations

import contextlib
import logging
import numbers
import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from . import _core, display
from .data import Data, load
from .errors import InputError
from .ranks import ranks_of
from .values import Values, values_of
from .variables import Variable

Callback = Callable[["Reconstruction", _core.Progress], Any]
Regulariser = Callable[[np.ndarray, "np.ndarray | None"], Any]
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

    ``regularisers`` are functions f(phase, absorption) that change the object in place after every
    iteration: arrays (slice, row, col), rad and μ; absorption is None where it is not fitted. They
    are slow, and are to keep no array. Several ranks need to know how far from a pixel f looks
    laterally: ``f.reach``, px, 0 where it looks at that pixel alone; halos must be as wide.

    ``variables`` are objects of classes made of ``ptyle.Variable``, which move the probe in every
    mini-batch, in their order, after the fit's own variables.

    ``comm``, a communicator of mpi4py's, divides object and patterns among its processes, which all
    make the same calls; None is ``MPI.COMM_WORLD`` where mpi4py was imported, else this process.

    ``resume`` is a folder with a checkpoint (``save_checkpoint``, or the program's) from which the
    run goes on; where there is none, it begins.
    """

    def __init__(self, data: Any, settings: Mapping[str, Any] | None = None, *,
                 regularisers: Iterable[Regulariser] = (), variables: Iterable[Variable] = (), comm: Any = None,
                 resume: str | os.PathLike[str] = "", **keys: Any):
        self._open(comm, resume, regularisers, variables, lambda: self._given(data, settings, keys))

    @staticmethod
    def _given(data: Any, settings: Mapping[str, Any] | None, keys: Mapping[str, Any]) -> tuple[str, Values, Data]:
        data = data if isinstance(data, Data) else load(data)
        return "", data.values + values_of(settings, keys), data

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str], set: Mapping[str, Any] | None = None,
                  data: Any = None, *, regularisers: Iterable[Regulariser] = (), variables: Iterable[Variable] = (),
                  comm: Any = None, resume: str | os.PathLike[str] = "") -> Reconstruction:
        """The one of a configuration file; ``set`` takes the place of its keys, as ``--set`` does.

        ``data``, a file or an array, takes the place of ``data.file``. ``regularisers``, ``variables``,
        ``comm`` and ``resume`` as above.
        """
        def given() -> tuple[str, Values, Data | None]:
            its = data if data is None or isinstance(data, Data) else load(data)
            values = [] if its is None else [("data.file", "~"), *its.values]
            return os.fspath(path), values + values_of(set, {}), its

        run = cls.__new__(cls)
        run._open(comm, resume, regularisers, variables, given)
        return run

    def _open(self, comm: Any, resume: str | os.PathLike[str], regularisers: Iterable[Regulariser],
              variables: Iterable[Variable],
              given: Callable[[], tuple[str, Values, Data | None]]) -> None:
        self._ranks = ranks_of(comm)
        with self._told_to_others():
            file, values, data = given()
            functions = [self._with_reach(f) for f in regularisers]
            objects = _with_names(variables)
        in_memory = data._in_memory if data is not None else None
        self._run = _core.Run(file, values, in_memory, self._ranks, os.fspath(resume), functions, objects)
        self._tell()

    def _with_reach(self, function: Regulariser) -> tuple[Regulariser, str, int]:
        """A regulariser, its name and its reach. Raises InputError."""
        name = getattr(function, "__name__", type(function).__name__)
        if not callable(function):
            raise InputError(f"regularisers are functions f(phase, absorption); {function!r} is none")
        reach = getattr(function, "reach", None)
        if reach is None and self.ranks > 1:
            raise InputError(f"the regulariser {name} does not say how far from a pixel it looks: give it the "
                             f"attribute reach, px ({name}.reach = 0: at that pixel alone), or use one rank")
        return function, name, 0 if reach is None else int(reach)

    @contextlib.contextmanager
    def _told_to_others(self) -> Iterator[None]:
        """What is raised here is a failure of this rank, for which no other is to wait."""
        try:
            yield
        except BaseException as why:
            if self.ranks > 1:
                self._ranks.tell_others(isinstance(why, InputError), f"{type(why).__name__}: {why}")
            raise

    def _tell(self) -> None:
        notes, warned = self._run.take_lines()
        for line in notes:
            _log.info(line)
        for line in warned:
            warnings.warn(line, stacklevel=3)

    def run(self, iterations: int | None = None, callbacks: Iterable[Callback] = ()) -> Reconstruction:
        """So many iterations more, or all that ``solver.iterations`` leaves; fewer where ``solver.until`` ends them.

        After each, every callback is called with this reconstruction and its Progress (iteration,
        cost, r_factor, …); one that returns True (on any rank) ends the run. Ctrl-C raises
        KeyboardInterrupt after the mini-batch at hand; another ``run`` or ``step`` does the rest of
        the iteration. Returns this reconstruction.
        """
        callbacks = list(callbacks)
        if iterations is not None:
            self._run.iterations = self.iteration + iterations
        with self._interrupted_together():
            while not self.finished:
                progress = self.step()
                with self._told_to_others():
                    end = any([callback(self, progress) is True for callback in callbacks])
                if self._ranks.any(end) if self.ranks > 1 else end:
                    break
        return self

    @contextlib.contextmanager
    def _interrupted_together(self) -> Iterator[None]:
        """Ctrl-C on a rank of several, wherever it is just then, is KeyboardInterrupt on all of them after a step."""
        if self.ranks == 1:
            yield
            return
        here = threading.current_thread() is threading.main_thread()
        before = signal.getsignal(signal.SIGINT) if here else None
        ours = before is signal.default_int_handler
        if ours:
            signal.signal(signal.SIGINT, lambda number, frame: self._run.stop())
        try:
            yield
        finally:
            if ours:
                signal.signal(signal.SIGINT, before)
        if self._ranks.any(self._run.take_stop()):  # after the last step
            raise KeyboardInterrupt

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
        after which it is asked for anew. On several ranks it is this one's core, which lies at
        ``box``; ``gather`` has the whole. Of several states (``object.states``) it has all slices of
        one state after the other; ``gather`` has their mean, ``result.states`` each.
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

    @property
    def ranks(self) -> int:
        """The number of processes that share the reconstruction. All of them call the same methods."""
        return self._ranks.size

    @property
    def rank(self) -> int:
        """This process's number among them, 0, 1, …"""
        return self._ranks.rank

    def gather(self) -> ObjectValues:
        """The whole object, a copy, float32, on every rank."""
        return ObjectValues(*self._run.gather())

    @property
    def history(self) -> dict[str, np.ndarray]:
        """cost, r_factor, seconds, passes and, where held out, r_held_out, r_held_out_pixels: one an iteration.
        And what geometry.refine asks for: defocus, C12, ..., slice_thickness (Å), tilt_row, tilt_col (mrad),
        descan_row_row, ... (px/Å, or px/px in pixel units); of detector.refine: background (counts)."""
        return self._run.history

    @property
    def iteration(self) -> int:
        """The number of whole iterations that are done."""
        return self._run.iteration

    @property
    def finished(self) -> bool:
        """All iterations that were asked for are done, or R stands still by ``solver.until``."""
        return self._run.finished

    @property
    def result(self) -> _core.Result:
        """All that a result file has, as it stands: a copy, made at each call, on every rank.

        ``result.save(path)`` writes it; of several ranks one does (``if run.rank == 0``).
        """
        return self._run.result()

    @property
    def configuration(self) -> str:
        """Every key with its value, YAML."""
        return self._run.config

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False, pictures: bool = True,
             tiff: bool = True) -> None:
        """Writes what the program writes: result.h5, phase.tif and pictures, into a folder. All ranks call it."""
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
        """Writes the result as PtyRAD writes one; of several states their mean."""
        self._exported("to_ptyrad", path, overwrite=overwrite)

    def _exported(self, how: str, *arguments: Any, **options: Any) -> Any:
        from . import exports
        result = self.result
        if self.rank > 0 and arguments:
            return None  # one rank writes the file
        with tempfile.TemporaryDirectory() as folder, self._told_to_others():
            file = os.path.join(folder, "result.h5")
            result.save(file)
            return getattr(exports, how)(file, *arguments, **options)

    def save_checkpoint(self, folder: str | os.PathLike[str]) -> None:
        """Writes a checkpoint into a folder, from which ``ptyle reconstruct --resume`` goes on."""
        self._run.save_checkpoint(os.fspath(folder))

    def _one(self) -> np.ndarray:
        """``object`` as one: of several states the mean."""
        shares = self._run.shares
        if not shares:
            return self.object
        states = self.object.reshape(len(shares), -1, *self.object.shape[1:])
        return np.tensordot(np.asarray(shares, states.dtype), states, 1)

    def __repr__(self) -> str:
        planes, rows, cols = self.object.shape
        z = planes // max(1, len(self._run.shares))
        modes, window, _ = self.probe.shape
        r_factor = self._run.r_factor
        r_text = f", R {r_factor:.4g}" if r_factor is not None else ""
        r_text += f"; rank {self.rank} of {self.ranks}" if self.ranks > 1 else ""
        return (f"ptyle.Reconstruction: {z} slice{'s' * (z > 1)} of {rows} x {cols} px, {modes} probe mode"
                f"{'s' * (modes > 1)} of {window} px, {len(self.positions)} patterns; "
                f"iteration {self.iteration} of {self._run.iterations}{r_text}")

    def _repr_html_(self) -> str:
        return display.html(self._one().sum(axis=0), repr(self), "phase, summed over the slices")


def _with_names(variables: Iterable[Variable]) -> list[tuple[Variable, str]]:
    """Variables and their names. Raises InputError for what is none, and for two of one name."""
    named: list[tuple[Variable, str]] = []
    for one in variables:
        if not isinstance(one, Variable):
            raise InputError(f"variables are objects of classes made of ptyle.Variable; {one!r} is none")
        name = one.name or type(one).__name__
        if any(name == other for _, other in named):
            raise InputError(f"two variables are called {name}: give each a name of its own")
        if any("." in text for text in (name, *map(str, one.numbers))):
            raise InputError(f"variable {name}: neither its name nor those of its numbers have a dot")
        for key, value in one.numbers.items():
            if not isinstance(key, str) or isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise InputError(f"variable {name}: numbers are floats by name; {key!r}: {value!r} is none")
        named.append((one, name))
    return named
