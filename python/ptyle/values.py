"""Keys of a configuration and their values, from Python's arguments to what the session reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

Values = list[tuple[str, str]]


def yaml_of(value: Any) -> str:
    """A value as YAML on one line. None takes the key back to its default."""
    if value is None:
        return "~"
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(yaml_of, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def values_of(settings: Mapping[str, Any] | None, keys: Mapping[str, Any]) -> Values:
    """All keys with their values. A mapping stands for a section: ``scan={"step": [1, 1]}``."""
    values: Values = []
    for name, value in {**(settings or {}), **keys}.items():
        if isinstance(value, Mapping):
            values += values_of({f"{name}.{part}": of_part for part, of_part in value.items()}, {})
        else:
            values.append((name, yaml_of(value)))
    return values
