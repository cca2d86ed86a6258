"""A plot that follows a reconstruction."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .packages import needed

if TYPE_CHECKING:
    from . import _core
    from .reconstruction import Reconstruction


class LivePlot:
    """A callback of ``Reconstruction.run`` that draws the summed phase and R as they come.

    In a notebook the plot is replaced at each iteration; a script gets a window where matplotlib
    has one. ``every`` iterations it is drawn; ``save`` names a PNG that is replaced each time.
    Of several ranks the first draws the whole object.
    """

    def __init__(self, every: int = 1, save: str | os.PathLike[str] | None = None):
        plt = self._plt = needed("matplotlib.pyplot", "LivePlot", "matplotlib")
        self._every, self._save = every, save
        self._handle: Any = None
        self.figure, (self._image_axes, self._r_axes) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
        self._image: Any = None
        (self._curve,) = self._r_axes.plot([], [], ".-")
        self._r_axes.set(xlabel="iteration", ylabel="R", yscale="log")
        self._r_axes.xaxis.get_major_locator().set_params(integer=True)
        self._image_axes.set_title("phase, summed over the slices (rad)")

    def __call__(self, run: Reconstruction, progress: _core.Progress) -> None:
        if progress.iteration % self._every and not run.finished:
            return
        whole = run.gather().phase if run.ranks > 1 else run._one()
        if run.rank > 0:
            return
        phase = whole.sum(axis=0)
        if self._image is None:
            self._image = self._image_axes.imshow(phase, cmap="gray")
            self.figure.colorbar(self._image, ax=self._image_axes)
        self._image.set_data(phase)
        self._image.autoscale()
        r_factor = run.history["r_factor"]
        self._curve.set_data(range(1, len(r_factor) + 1), r_factor)
        self._r_axes.relim()
        self._r_axes.autoscale_view()
        self._show()
        if self._save is not None:
            self.figure.savefig(self._save)

    def _show(self) -> None:
        try:
            from IPython import get_ipython
            in_notebook = get_ipython() is not None and "IPKernelApp" in get_ipython().config
        except ImportError:
            in_notebook = False
        if in_notebook:
            from IPython.display import display
            if self._handle is None:
                self._plt.close(self.figure)  # else the cell shows it once more at its end
                self._handle = display(self.figure, display_id=True)
            else:
                self._handle.update(self.figure)
        elif self._plt.get_backend().lower() != "agg":
            self.figure.canvas.draw_idle()
            self._plt.pause(0.001)
