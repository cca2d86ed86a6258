"""Parameter files of PtyRAD and phaser as a configuration of ptyle.

1. The file is read, and by its sections it is PtyRAD's or phaser's.
2. Every parameter that has a counterpart becomes a key, with where it comes from
   (from_ptyrad.py, from_phaser.py).
3. Every other one that is given is listed, with why where there is a reason.
"""

import argparse
import json
import os
import pathlib
import re

from .errors import InputError
from .new_file import part_of, refuse_existing
from .packages import needed

EXAMPLES = """examples:
  ptyle import params.yaml                     PtyRAD 1.0 (YAML, JSON, TOML) or phaser 0.3 (YAML): writes run.yaml
  ptyle import plan.yaml --output first.yaml
  ptyle reconstruct --check run.yaml

Each line of the configuration says where it comes from; its head and the terminal list what has no
counterpart. Names of files are searched for from the current folder, as those programs do."""

#: The order of a configuration's sections.
SECTIONS = ("data", "calibration", "scan", "optics", "object", "probe", "solver", "positions", "output")


class Translation:
    """Parameters of another program, of which each is taken once, and the keys that come of them."""

    def __init__(self, content, name, folder):
        self.content = content  #: the file as nested dictionaries
        self.name = name  #: of the file
        self.folder = pathlib.Path(folder)  #: of the configuration that will be written
        self.lines = {}  #: key -> (value, where it comes from)
        self.left = {}  #: parameter -> why it has no counterpart; may be empty
        self.notes = []  #: what is to be looked at
        self._taken = set()

    def given(self, path):
        """The value of "section.name", or None; it counts as seen."""
        self._taken.add(path)
        value = self.content
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def number(self, path, otherwise=None):
        """The same as a number: YAML 1.1 takes 1e-4 for a text."""
        value = self.given(path)
        if value is None:
            return otherwise
        try:
            return value if isinstance(value, (int, float)) and not isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            raise InputError(f"{self.name}: {path} is {value!r}; it must be a number") from None

    def set(self, key, value, origin):
        self.lines[key] = (value, origin)

    def copy(self, path, key, change=lambda value: value, otherwise=None):
        """A key that is a parameter's number, or `otherwise`, that program's default."""
        value = self.number(path, otherwise)
        if value is None:
            return None
        self.set(key, change(value), path if self.given(path) is not None else f"{path}, by default")
        return value

    def leave(self, path, why=""):
        self._taken.add(path)
        self.left[path] = why

    def note(self, text):
        self.notes.append(text)

    def file(self, key, path, origin):
        """A file's name, relative to the configuration if it is found from here or beside the parameters."""
        path = pathlib.Path(path).expanduser()
        for start in ("", os.path.dirname(self.name)):
            here = pathlib.Path(start) / path
            if here.exists():
                path = here if path.is_absolute() else pathlib.Path(os.path.relpath(here, self.folder))
                break
        else:
            self.note(f"{key}: there is no file {path} here; files are relative to this configuration")
        self.set(key, str(path), origin)

    def finish(self, no_need):
        """Lists what nobody took, part by part; `no_need`: parts with why they are left, None: not even listed.

        Whatever is off (null, false, a part without a mode, a state or a first iteration) is not listed.
        """
        for path, value in _leaves(self.content):
            parents = [path.rsplit(".", n)[0] for n in range(path.count(".") + 1)]
            if value is None or any(p in self._taken for p in parents):
                continue
            part = next((p for p in parents if p in no_need), ".".join(path.split(".")[:2]))
            if no_need.get(part, "") is not None:
                self.left.setdefault(part, no_need.get(part, ""))

    def text(self):
        """The configuration."""
        out = [f"# Made of {os.path.basename(self.name)} by ptyle import; ptyle reconstruct --check says whether it is "
               "complete."]
        if self.notes:
            out += ["#", "# To look at:"] + [f"#   {note}" for note in self.notes]
        if self.left:
            out += ["#", "# Without a counterpart:"]
            out += [f"#   {path}{': ' + why if why else ''}" for path, why in self.left.items()]
        for section in SECTIONS:
            keys = [(k.split(".")[1], *line) for k, line in self.lines.items() if k.startswith(section + ".")]
            if keys:
                out.append(f"{section}:")
                out += [f"  {f'{key}: {shown(value)}':<34} # {origin}" for key, value, origin in keys]
        return "\n".join(out) + "\n"


def _leaves(content, path=""):
    for name, value in content.items():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(value, dict) and value:
            off = any(value.get(k, 1) in (None, False) for k in ("mode", "state", "start_iter", "enable"))
            if not off:
                yield from _leaves(value, here)
        elif value not in (False, "", [], {}):
            yield here, value


def shown(value):
    """A value as YAML 1.2."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(shown(v) for v in value)}]"
    if isinstance(value, (int, float)):
        return f"{value:.10g}"
    plain = re.fullmatch(r"[A-Za-z_/][\w./-]*", value) and value not in ("true", "false", "null")
    return value if plain else json.dumps(value, ensure_ascii=False)


def _load(path):
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as why:
        raise InputError(f"{path} cannot be read: {why}") from None
    try:
        if path.suffix == ".json":
            return json.loads(text)
        if path.suffix == ".toml":
            try:
                import tomllib
            except ImportError:
                raise InputError(f"{path}: TOML is read by Python 3.11 and later") from None
            return tomllib.loads(text)
        return needed("yaml", "ptyle import", "pyyaml").safe_load(text)
    except InputError:
        raise
    except Exception as why:  # the parsers' own errors, which name line and column
        raise InputError(f"{path} cannot be parsed: {' '.join(str(why).split())}") from None


def translate(source, folder="."):
    """The Translation of a parameter file into keys of a configuration in `folder`. Raises InputError."""
    from . import from_phaser, from_ptyrad

    source = pathlib.Path(source)
    content = _load(source)
    for program in (from_ptyrad, from_phaser):
        if isinstance(content, dict) and program.RECOGNISED_BY in content:
            translation = Translation(content, str(source), folder)
            program.translate(translation)
            return translation
    raise InputError(f"{source} is neither a parameter file of PtyRAD 1.0, which has init_params, nor a plan of "
                    "phaser, which has raw_data and engines")


def main(argv):
    """``ptyle import``; returns the exit status. Raises InputError."""
    parser = argparse.ArgumentParser(
        "ptyle import", description="Turn a parameter file of PtyRAD or phaser into a configuration.",
        epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="PARAMETERS")
    parser.add_argument("--output", default="run.yaml", metavar="FILE", help="the configuration (run.yaml)")
    parser.add_argument("--force", action="store_true", help="replace it")
    given = parser.parse_args(argv)
    target = pathlib.Path(given.output)
    of_source = target.exists() and target.samefile(given.source)
    refuse_existing(target, given.force and not of_source, "choose another name by --output, or --force replaces it")
    translation = translate(given.source, target.parent)
    with part_of(target) as part:
        part.write_text(translation.text(), encoding="utf-8")
    for note in translation.notes:
        print(f"to look at: {note}")
    for path, why in translation.left.items():
        print(f"without a counterpart: {path}{': ' + why if why else ''}")
    print(f"{target}: {len(translation.lines)} keys; ptyle reconstruct --check {target} says whether it is complete")
    return 0
