"""Things that the package brings along."""

import subprocess
import sys
from pathlib import Path

import ptyle


def test_the_program_is_there_and_of_the_same_version(run_program):
    assert run_program("--version").stdout.startswith(f"ptyle {ptyle.__version__}")
    script = Path(sys.executable).with_name("ptyle")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith(f"ptyle {ptyle.__version__}")


def test_types_are_there():
    folder = Path(ptyle.__file__).parent
    assert (folder / "py.typed").exists()
    stub = (folder / "_core.pyi").read_text()
    assert "class Run:" in stub and "def step(self) -> Progress" in stub


def test_the_import_is_quick():
    """Under 0.3 s of the processor, NumPy's import included; the least of five."""
    script = "import time; t = time.process_time(); import ptyle; print(time.process_time() - t)"
    times = [float(subprocess.check_output([sys.executable, "-c", script], timeout=60)) for _ in range(5)]
    print("import:", times)
    assert min(times) < 0.3, times


def test_every_public_name_says_what_it_is():
    for name in ptyle.__all__:
        assert getattr(ptyle, name).__doc__, name
