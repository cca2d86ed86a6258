"""ptyle: multislice electron ptychography, from measured patterns to a picture.

    import ptyle
    data = ptyle.load("scan.h5", energy=300, semi_angle=21.4)
    print(data.inspect())
    run = ptyle.Reconstruction(data, defocus=100)
    run.run(iterations=20, callbacks=[ptyle.LivePlot()])
    run.save("result")

Lengths are in Å, angles in mrad (azimuths and rotations in degrees), accelerating voltages in kV.
"""

from ._core import Comparison, Inspection, MiniBatch, Plan, Progress, QuickLook, Result
from ._core import version as __version__
from .commands import compare, plan, read_result, simulate
from .data import Data, load
from .errors import Error, InputError
from .live_plot import LivePlot
from .reconstruction import ObjectValues, Reconstruction
from .variables import Variable

__all__ = [
    "Comparison", "Data", "Error", "InputError", "Inspection", "LivePlot", "MiniBatch", "ObjectValues", "Plan",
    "Progress", "QuickLook", "Reconstruction", "Result", "Variable", "compare", "load", "plan", "read_result", "simulate",
]
