"""Variables of a fit that are written in Python."""

from __future__ import annotations

from typing import Any, TypeVar

from . import _core

Self = TypeVar("Self", bound="Variable")


class Variable:
    """Something that a fit finds beside the object, by moving the probe's waves; a base class.

    ``numbers`` are its values by name, floats: the same on all ranks, in checkpoints as
    ``variable.NAME.number``, and brought back where a run is resumed. NAME is ``name``, or the
    class's own. Neither has a dot.
    """

    name: str = ""
    numbers: dict[str, float]

    def __new__(cls: type[Self], *arguments: Any, **options: Any) -> Self:
        one = super().__new__(cls)
        one.numbers = {}
        return one

    def step(self, batch: _core.MiniBatch) -> None:
        """In each mini-batch, once its gradients are there: changes ``numbers`` and ``batch.probe`` in place.

        It does the same on every rank. Arrays of ``batch`` are the fit's, and neither they nor views
        of them are to be kept.
        """

    def end_iteration(self, batch: _core.MiniBatch) -> None:
        """After the last mini-batch of an iteration, likewise; ``batch`` has no gradient then, and its
        ``number`` and ``patterns`` mean nothing."""
