"""Packages that are not always there."""

import importlib
from types import ModuleType

from .errors import InputError


def needed(module: str, what: str, install: str | None = None) -> ModuleType:
    """The module; InputError, with the line that installs its package, where it is missing.

    ``what`` needs it: "LivePlot". ``install`` is what pip is told, where that is not the module's name.
    """
    try:
        return importlib.import_module(module)
    except ImportError as why:
        missing = why.name if why.name else module
        raise InputError(f"{what} needs the package {missing.split('.')[0]}, which is not installed: "
                         f"python3 -m pip install '{install or module}'") from None
