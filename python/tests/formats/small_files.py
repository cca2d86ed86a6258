"""Small files of formats that no package writes, made by the formats' descriptions."""

import struct

import numpy as np


def write_dm4(path, data, scales, units, kilovolts):
    """Gatan's DM4, little-endian, of an array (slow, fast, ky, kx); axes as in the array.

    Layout: https://personal.ntu.edu.sg/cbb/info/dmformat (tag groups, data tags with an info array).
    """
    kinds = {np.dtype("u2"): (10, 4), np.dtype("u1"): (6, 10), np.dtype("f4"): (2, 6)}
    data_type, element = kinds[data.dtype]

    def tag(name, payload, kind):
        return struct.pack(">BH", kind, len(name)) + name.encode() + struct.pack(">Q", len(payload)) + payload

    def group(name, tags):
        return tag(name, struct.pack(">BBQ", 0, 0, len(tags)) + b"".join(tags), 20)

    def value(name, info, raw):
        return tag(name, b"%%%%" + struct.pack(f">Q{len(info)}Q", len(info), *info) + raw, 21)

    def u4(name, number):
        return value(name, [5], struct.pack("<L", number))

    def f4(name, number):
        return value(name, [6], struct.pack("<f", number))

    def text(name, string):
        raw = string.encode("utf-16-le")
        return value(name, [20, 4, len(raw) // 2], raw)

    dimensions = [u4("", n) for n in data.shape[::-1]]
    calibrations = [group("", [f4("Origin", 0), f4("Scale", s), text("Units", u)])
                    for s, u in zip(scales[::-1], units[::-1])]
    brightness = group("Brightness", [f4("Origin", 0), f4("Scale", 1), text("Units", "")])
    image = group("", [
        group("ImageData", [
            group("Calibrations", [brightness, group("Dimension", calibrations)]),
            value("Data", [20, element, data.size], data.tobytes()),
            u4("DataType", data_type), group("Dimensions", dimensions)]),
        group("ImageTags", [group("Microscope Info", [f4("Voltage", 1000 * kilovolts)])]),
        text("Name", "scan")])
    tags = [group("ImageList", [image])]
    root = struct.pack(">BBQ", 0, 0, len(tags)) + b"".join(tags)
    with open(path, "wb") as file:
        file.write(struct.pack(">LQL", 4, len(root) + 8, 1) + root + bytes(8))


def write_mrc(path, frames):
    """MRC 2014, mode 6 (uint16), of (N, ky, kx)."""
    n, rows, cols = frames.shape
    header = np.zeros(256, "<i4")
    header[:4] = cols, rows, n, 6
    header[7:10] = cols, rows, n
    header[10:13] = np.array([cols, rows, n], "<f4").view("<i4")
    header[16:19] = 1, 2, 3
    header[52] = np.frombuffer(b"MAP ", "<i4")[0]
    header[53] = 0x00004144
    with open(path, "wb") as file:
        file.write(header.tobytes() + frames.astype("<u2").tobytes())


def write_mib(path, data):
    """Merlin's MIB, U16, one chip, of (slow, fast, 256, 256), with its .hdr. The file has the lowest row
    first, and RosettaSciIO turns it round."""
    with open(path, "wb") as file:
        for number, frame in enumerate(data.reshape(-1, *data.shape[-2:])):
            head = (f"MQ1,{number + 1:06d},00384,01,{data.shape[-1]:04d},{data.shape[-2]:04d},U16,   1x1,01,"
                    "2026-01-02 03:04:05.000000,0.001,0,0,0,1.2E+2,3RX,175,511,000,000,MQ1A,"
                    "2026-01-02T03:04:05.000000000Z,1000000ns,12,").ljust(384)
            file.write(head.encode() + frame[::-1].astype(">u2").tobytes())
    frames = data.shape[0] * data.shape[1]
    with open(str(path)[:-4] + ".hdr", "w") as file:
        file.write("HDR,\nTime and Date Stamp (day, mnth, yr, hr, min, s):\t1/1/2026 00:00:00\n"
                   f"Frames in Acquisition (Number):\t{frames}\n"
                   f"Frames per Trigger (Number):\t{data.shape[1]}\nEnd\t\n")


def write_empad(path, data):
    """EMPAD's .raw beside its .xml, of (slow, fast, 128, 128) float32."""
    slow, fast = data.shape[:2]
    frames = np.zeros((slow * fast, 130, 128), "<f4")
    frames[:, :128] = data.reshape(-1, 128, 128)
    raw = str(path)[:-4] + ".raw"
    frames.tofile(raw)
    with open(path, "w") as file:
        file.write(f'<?xml version="1.0"?><root><raw_file filename="{raw.rsplit("/", 1)[-1]}"/>'
                   f"<pix_x>{fast}</pix_x><pix_y>{slow}</pix_y><iom_measurements>"
                   f"<calibrated_pixelsize>2.5e-10</calibrated_pixelsize>"
                   f"<optics.get_full_scan_field_of_view>[{slow * 1e-10}, {fast * 1e-10}]"
                   "</optics.get_full_scan_field_of_view></iom_measurements></root>")
