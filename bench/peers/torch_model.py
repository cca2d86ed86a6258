#!/usr/bin/env python3
"""How long does the workload of wse2-gpu take as the peers compute it: PyTorch, by autograd?

    torch_model.py [--device cuda|cpu] [--side N] [--window W] [--slices S] [--modes M] [BATCH ...]

A model of PtyRAD, not PtyRAD: the object's phase and the probe are leaves; patches of the object are
gathered, the probe is shifted by its sub-pixel part, waves go through the slices by torch.fft, the
loss is the squared difference of amplitudes, Adam takes a step after each batch. Numbers are random:
only time is looked at. Some batches are run and the median is scaled to all positions. Prints
seconds an iteration for each batch size, and on its last line the fastest.
"""

import argparse
import math
import statistics
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("torch_model: PyTorch is not installed")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--device", default="cuda")
for name, value in dict(side=128, window=128, slices=6, modes=12, step=6, runs=7).items():
    parser.add_argument("--" + name, type=int, default=value)
parser.add_argument("batches", nargs="*", type=int, default=[16, 64, 256])
a = parser.parse_args()
if a.device == "cuda" and not torch.cuda.is_available():
    sys.exit("torch_model: PyTorch finds no GPU")
device = torch.device(a.device)
w, extent = a.window, a.window + a.step * a.side
count = a.side * a.side

torch.manual_seed(1)
phase = (0.01 * torch.randn(a.slices, extent, extent)).to(device).requires_grad_()
# Real and imaginary parts: an optimiser's leaf has real numbers.
probe = torch.randn(a.modes, w, w, 2).div(w).to(device).requires_grad_()
k = torch.fft.fftfreq(w, device=device)
propagator = torch.exp(-1j * math.pi * 4 * (k[:, None] ** 2 + k[None, :] ** 2))
measured = torch.rand(count, w, w).to(device)
corners = a.step * torch.cartesian_prod(torch.arange(a.side), torch.arange(a.side)).to(device)
shifts = torch.rand(count, 2).to(device) - 0.5
inside = torch.arange(w, device=device)
optimizer = torch.optim.Adam([{"params": [phase], "lr": 5e-4}, {"params": [probe], "lr": 1e-4}])


def loss(some):
    rows = corners[some, 0, None, None] + inside[None, :, None]
    cols = corners[some, 1, None, None] + inside[None, None, :]
    patches = torch.polar(torch.ones((), device=device), phase[:, rows, cols])  # (S, n, W, W)
    turns = shifts[some, 0, None, None] * k[None, :, None] + shifts[some, 1, None, None] * k
    ramp = torch.exp(-2j * math.pi * turns)
    spectrum = torch.fft.fft2(torch.view_as_complex(probe))
    waves = torch.fft.ifft2(spectrum[None] * ramp[:, None])  # (n, M, W, W)
    for s in range(a.slices):
        waves = waves * patches[s][:, None]
        if s + 1 < a.slices:
            waves = torch.fft.ifft2(torch.fft.fft2(waves) * propagator)
    model = torch.fft.fft2(waves, norm="ortho").abs().square().sum(1)
    return ((model + 1e-10).sqrt() - measured[some].sqrt()).square().sum()


def wait():
    if device.type == "cuda":
        torch.cuda.synchronize()


best = None
for batch in a.batches:
    times = []
    for run in range(a.runs + 2):  # two to warm up
        some = torch.randperm(count, device=device)[:batch]
        wait()
        start = time.perf_counter()
        optimizer.zero_grad()
        loss(some).backward()
        optimizer.step()
        wait()
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times[2:]) * count / batch
    best = seconds if best is None else min(best, seconds)
    print("    PyTorch %s on %s, batches of %d: %.2f s an iteration of %d positions, %d^2, %d slices, "
          "%d modes" % (torch.__version__, a.device, batch, seconds, count, w, a.slices, a.modes))
print("torch-model = %.2f s" % best)
