"""The version for pip, by the rules of ptyle_version.cmake, which is then told of it.

A source distribution has no tags: PKG-INFO, which was written into it, has its version.
"""

import re
import subprocess
import sys
from pathlib import Path


def version_of(sources: Path) -> str:
    """X.Y.Z, or X.Y.Z+N.gCOMMIT of a checkout N commits after the tag vX.Y.Z."""
    if (sources / "PKG-INFO").exists():
        return re.search(r"^Version: (\S+)$", (sources / "PKG-INFO").read_text("utf-8"), re.MULTILINE)[1]
    if (sources / ".git").exists():
        try:
            described = subprocess.run(
                ["git", "-C", sources, "describe", "--tags", "--long", "--abbrev=10", "--match", "v[0-9]*.[0-9]*.[0-9]*"],
                capture_output=True, text=True).stdout
        except OSError:  # there is no git
            described = ""
        found = re.fullmatch(r"v(\d+\.\d+\.\d+)-(\d+)-(g[0-9a-f]+)\n", described)
        if found:
            numbers, commits, commit = found.groups()
            return numbers if commits == "0" else f"{numbers}+{commits}.{commit}"
    return re.search(r"^version: (\d+\.\d+\.\d+)$", (sources / "CITATION.cff").read_text("utf-8"), re.MULTILINE)[1]


def dynamic_metadata(field: str, settings: dict[str, object]) -> str:
    """What scikit-build-core asks for."""
    if field != "version" or settings:
        raise ValueError("ptyle_version gives the version, and has no settings")
    return version_of(Path(__file__).parent.parent)


if __name__ == "__main__":
    print(version_of(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent))
