"""Pictures of arrays in a notebook, without another package."""

from __future__ import annotations

import base64
import html as _html
import struct
import zlib

import numpy as np

_LEAST_PX = 256  # smaller pictures are enlarged, each pixel to a square


def logarithmic(values: np.ndarray) -> np.ndarray:
    """log(1 + values), negative values taken as 0: for diffraction patterns."""
    return np.log1p(np.maximum(values, 0))


def png(image: np.ndarray) -> bytes:
    """A real image (rows, cols) as a grey PNG, row 0 at the top.

    Black and white are the 0.2 and 99.8 % quantiles of its finite values.
    """
    image = np.asarray(image, np.float64)
    finite = image[np.isfinite(image)]
    low, high = np.quantile(finite, (0.002, 0.998)) if finite.size else (0.0, 1.0)
    grey = np.nan_to_num((image - low) / (high - low if high > low else 1.0), nan=0.0, posinf=1.0, neginf=0.0)
    pixels = (255 * np.clip(grey, 0, 1) + 0.5).astype(np.uint8)
    enlarged = max(1, -(-_LEAST_PX // max(pixels.shape)))
    pixels = pixels.repeat(enlarged, axis=0).repeat(enlarged, axis=1)
    rows, cols = pixels.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", cols, rows, 8, 0, 0, 0, 0)  # 8 bits, grey
    lines = np.zeros((rows, cols + 1), np.uint8)  # each begins with its filter, 0: none
    lines[:, 1:] = pixels
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes()))
            + chunk(b"IEND", b""))


def html(image: np.ndarray, text: str, caption: str) -> str:
    """A picture with a caption, and a text below it."""
    picture = base64.b64encode(png(image)).decode()
    return (f'<figure style="margin:0"><img alt="{_html.escape(caption)}" src="data:image/png;base64,{picture}" '
            f'style="max-width:400px;image-rendering:pixelated"><figcaption>{_html.escape(caption)}</figcaption>'
            f"</figure><pre>{_html.escape(text)}</pre>")


def html_of_inspection(found) -> str:
    """The lines of an inspection below its mean pattern, which a result has not."""
    lines = "\n".join(found.lines)
    if found.of_result:
        return f"<pre>{_html.escape(lines)}</pre>"
    return html(logarithmic(found.mean_pattern), lines, "mean pattern, logarithmic")


def html_of_quick_look(look) -> str:
    """The lines of a quick look below its side-band phase."""
    return html(look.side_bands, "\n".join(look.lines), "phase by side bands")


def html_of_result(result) -> str:
    """A result's summed phase."""
    return html(result.phase.sum(axis=0), result.ended or "not ended", "phase, summed over the slices")
