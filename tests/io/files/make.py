#!/usr/bin/env python3
"""Makes the files of this folder: 4 frames of 5 x 6, numbered through, by the packages that users have.

Made with NumPy 2.4, SciPy 1.17, tifffile 2026.3.
"""
import pathlib

import numpy as np
import scipy.io
import tifffile

here = pathlib.Path(__file__).parent
frames = np.arange(4 * 5 * 6, dtype="u2").reshape(4, 5, 6)
beside = {"positions": np.arange(8.0).reshape(4, 2), "scan_shape": [2, 2], "energy_kV": 200.0, "note": "text"}
np.savez(here / "stored.npz", dp=frames, **beside)
np.savez_compressed(here / "deflated.npz", dp=frames, turned=np.asfortranarray(frames.astype("f4")), **beside)
wave = frames[0] + 1j * frames[1]
for name, packed in (("plain.mat", False), ("packed.mat", True)):  # (ky, kx, n), as MATLAB users have it
    scipy.io.savemat(here / name, {"dp": frames.transpose(1, 2, 0), "wave": wave, "s": {"gain": 2.5}, **beside},
                     do_compression=packed)
gray = {"photometric": "minisblack"}
tifffile.imwrite(here / "plain.tif", frames.reshape(2, 2, 5, 6), **gray)
tifffile.imwrite(here / "imagej.tif", frames, imagej=True, **gray)
tifffile.imwrite(here / "packed.tif", frames, compression="zlib", byteorder=">", **gray)
