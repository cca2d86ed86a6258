"""Variables of a fit that are written in Python."""

from __future__ import annotations

from . import _core


class Variable:
    """Something that a fit finds beside the object, by moving the probe's waves; a base class.

    ``numbers`` are its values by name, floats: the same on all ranks, in checkpoints as
    ``variable.NAME.number``, and brought back where a run is resumed. NAME is ``name``, or the
    class's own.
    """

    name: str = ""
    numbers: dict[str, float]

    def __init__(self) -> None:
        self.numbers = {}

    def step(self, batch: _core.MiniBatch) -> None:
        """In each mini-batch, once its gradients are there: changes ``numbers`` and ``batch.probe`` in place.

        It does the same on every rank. Arrays of ``batch`` are the fit's, and are not to be kept.
        """

    def end_iteration(self, batch: _core.MiniBatch) -> None:
        """After the last mini-batch of an iteration, likewise; there is no gradient then."""
