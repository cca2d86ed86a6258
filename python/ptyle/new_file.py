"""Files that get their name when they are whole, and replace nothing unless that is asked for."""

import contextlib
import pathlib

from .errors import InputError


def refuse_existing(path, overwrite, remedy):
    """Raises InputError where there is a file of this name, unless it may be replaced; `remedy` is its end."""
    if pathlib.Path(path).exists() and not overwrite:
        raise InputError(f"{path} exists already; {remedy}")


@contextlib.contextmanager
def part_of(path):
    """The name to write to, which becomes `path` if all goes well; else nothing is left. Raises InputError."""
    path = pathlib.Path(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    except OSError as why:
        raise InputError(f"{path} cannot be written: {why}") from None
    finally:
        part.unlink(missing_ok=True)
