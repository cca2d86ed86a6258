"""What Python costs, on the demonstration: overhead.py EXAMPLES.

Python adds the calls of an iteration; all else is the same code, whose numbers are the same. Its cost is the time of
`run` beyond that of the module's own steps within, which do what the program does: iterations, and between them a look at
patterns that may be none. The program's and Python's iterations are timed in turn as well: they differ by what else the
machine does.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py

import ptyle
import ptyle_program


class Timed:
    """A run of the module's, whose steps are timed."""

    def __init__(self, run):
        self._run, self.seconds = run, 0.0

    def step(self):
        start = time.perf_counter()
        try:
            return self._run.step()
        finally:
            self.seconds += time.perf_counter() - start

    def __getattr__(self, name):
        return getattr(self._run, name)


examples, turns, iterations = Path(sys.argv[1]), 3, 5
with tempfile.TemporaryDirectory() as folder:
    data = ptyle.simulate(examples / "lead-titanate-mini.yaml", output=Path(folder, "data.h5"))
    seconds, added = {"program": [], "python": []}, []
    for turn in range(turns):
        run = ptyle.Reconstruction.from_yaml(examples / "lead-titanate-mini-run.yaml", data=data,
                                             set={"solver.iterations": iterations})
        run.step()  # reads the patterns, too
        steps = run._run = Timed(run._run)
        start = time.perf_counter()
        run.run()
        added.append(100 * ((time.perf_counter() - start) / steps.seconds - 1))
        seconds["python"].append(run.history["seconds"][-1])
        out = Path(folder, f"out{turn}")
        settings = [f"data.file={data.file}", f"output.folder={out}", f"solver.iterations={iterations}"]
        subprocess.run([ptyle_program.program(), "reconstruct", examples / "lead-titanate-mini-run.yaml",
                        *(f"--set={setting}" for setting in settings)], check=True, capture_output=True)
        with h5py.File(out / "result.h5") as result:
            seconds["program"].append(result["history/seconds"][-1])
            assert result["object/phase"][()].tobytes() == run.gather().phase.tobytes()
for who, times in seconds.items():
    print(f"{who}: {' '.join(f'{t:.2f}' for t in times)} s, least {min(times):.2f} s")
print(f"beyond the steps: {' '.join(f'{a:.3f}' for a in added)} %")
print(f"overhead of Python = {statistics.median(added):.3f} %")
