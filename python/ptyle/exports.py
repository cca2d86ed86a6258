"""Results of ptyle in other programs' files: EMD 1.0, HyperSpy, PtyRAD, and as an xarray Dataset.

Every function takes the path of a result.h5 (docs/formats.md, section 3), or an object with the fields of
`Result`, and writes the file whole or not at all. Objects are held in memory.
"""

import contextlib
import dataclasses
import pathlib

import numpy as np

from .errors import InputError
from .new_file import part_of, refuse_existing
from .packages import needed


@dataclasses.dataclass
class Result:
    """The content of a result file, with the conventions of docs/math.md.

    phase, absorption: (slice, row, col) float32, rad and μ; absorption may be None. probe: (mode, W, W)
    complex64, centred on [W/2, W/2]; W² Σ|probe|² are counts of a pattern. positions: (N, 2) (row, col) of the
    probe's centre from the centre of object pixel [0, 0], in `units`. attributes: of the file's root, among
    them pixel_size and slice_thickness in `units` ("A" or "px"), energy_kV, semi_angle_mrad, version.
    """

    phase: np.ndarray
    absorption: np.ndarray | None
    probe: np.ndarray | None
    positions: np.ndarray
    attributes: dict

    @property
    def pixel_size(self):
        return float(self.attributes["pixel_size"])

    @property
    def slice_thickness(self):
        """Å; 0 for a single slice."""
        return float(self.attributes.get("slice_thickness", 0))

    @property
    def units(self):
        return {"A": "Å", "px": "px"}[_text(self.attributes.get("units", "A"))]


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def load_result(path):
    """The Result of a result.h5. Raises InputError."""
    import h5py

    try:
        file = h5py.File(path)
    except OSError as why:
        raise InputError(f"{path} cannot be read: {why}") from None
    with file:
        if "object/phase" not in file or "pixel_size" not in file.attrs:
            raise InputError(f"{path} is no result of ptyle, which has /object/phase and the attribute pixel_size")

        def read(name):
            return file[name][()] if name in file else None

        return Result(read("object/phase"), read("object/absorption"), read("probe"), read("positions"),
                      dict(file.attrs))


def _loaded(result):
    return load_result(result) if isinstance(result, (str, pathlib.Path)) else result


@contextlib.contextmanager
def _part(path, overwrite):
    refuse_existing(path, overwrite, "choose another name, or overwrite=True replaces it")
    with part_of(path) as part:
        yield part


def _steps(result, axes):
    """Step, name and unit of the last `axes` axes of (slice, row, col); slices without a thickness are counted."""
    thick = result.slice_thickness
    every = [(thick or 1.0, "z", result.units if thick else ""), (result.pixel_size, "y", result.units),
             (result.pixel_size, "x", result.units)]
    return every[-axes:]


def _images(result):
    """(name, array, unit of its values, axes) of phase, absorption and probe, where they are."""
    yield "phase", result.phase, "rad", _steps(result, 3)
    if result.absorption is not None:
        yield "absorption", result.absorption, "", _steps(result, 3)
    if result.probe is not None:
        yield "probe", result.probe, "", [(1.0, "mode", ""), *_steps(result, 2)]


def _plain(attributes):
    """Attributes as numbers, texts and arrays."""
    return {name: value.decode() if isinstance(value, bytes) else value.item() if isinstance(value, np.generic)
            else value for name, value in attributes.items()}


def to_emd(result, path, *, overwrite=False):
    """EMD 1.0, read by emdfile and py4DSTEM: arrays phase, absorption, probe, with pixel sizes and units,
    positions, and the result's attributes as metadata."""
    emdfile = needed("emdfile", "to_emd")
    result = _loaded(result)
    root = emdfile.Root(name="ptyle_result")
    for name, data, unit, axes in _images(result):
        root.add_to_tree(emdfile.Array(
            data, name=name, units=unit, dims=[step for step, _, _ in axes], dim_names=[n for _, n, _ in axes],
            dim_units=[u for _, _, u in axes]))
    if result.positions is not None:
        root.add_to_tree(emdfile.Array(result.positions, name="positions", units=result.units,
                                       dim_names=["position", "row_col"]))
    root.metadata = emdfile.Metadata(name="ptyle", data=_plain(result.attributes))
    with _part(path, overwrite) as part:
        emdfile.save(str(part), root, mode="o")


def to_hyperspy(result, path, *, overwrite=False):
    """HyperSpy's .hspy: signals phase, absorption and probe, slices (modes) as the navigation axis, with pixel
    sizes and units, the accelerating voltage and the convergence semi-angle."""
    needed("rsciio.hspy", "to_hyperspy", "ptyle[formats]")
    import h5py

    from .signals import uniform_axis, write_head

    result = _loaded(result)
    attributes = _plain(result.attributes)
    tem = {key: attributes[name] for key, name in (
        ("beam_energy", "energy_kV"), ("convergence_angle", "semi_angle_mrad")) if attributes.get(name)}
    with _part(path, overwrite) as part:
        for name, data, unit, steps in _images(result):
            axes = [uniform_axis(axis, n, step, 0.0, of, i == 0, i)
                    for i, ((step, axis, of), n) in enumerate(zip(steps, data.shape))]
            metadata = {"General": {"title": name}, "Acquisition_instrument": {"TEM": tem},
                        "Signal": {"signal_type": "", "quantity": f"{name} ({unit})" if unit else name}}
            with h5py.File(part, "a") as file:
                file[f"Experiments/{name}/data"] = data
            write_head(part, data, axes, metadata, original_metadata={"ptyle": attributes})


def to_ptyrad(result, path, *, overwrite=False):
    """PtyRAD 1.0's model file (.hdf5), for its `obj_source`, `probe_source` and `pos_source: PtyRAD`.

    The object is one mode of amplitude exp(−μ) and phase. PtyRAD's Fourier transform is unitary, so the probe
    is multiplied by W, and its power is that of a pattern in counts; PtyRAD scales it when it loads it
    (probe_normalization). Positions are windows' upper left corners and the rest, px.
    """
    import h5py

    result = _loaded(result)
    if result.units == "px":
        raise InputError("to_ptyrad needs lengths in Å; the result is in pixels")
    if result.probe is None or result.positions is None:
        raise InputError("to_ptyrad needs probe and positions, which the result does not hold")
    window, dx = result.probe.shape[-1], result.pixel_size
    corners = np.asarray(result.positions) / dx - window // 2
    crop = np.round(corners).astype("i4")
    # PtyRAD's windows lie within the object
    before = np.maximum(0, -crop.min(axis=0))
    after = np.maximum(0, crop.max(axis=0) + window - result.phase.shape[1:])
    around = [(0, 0), *zip(before, after)]
    phase = np.pad(result.phase, around)[None].astype("f4")
    loss = np.zeros_like(phase[0]) if result.absorption is None else np.pad(result.absorption, around)
    attributes = _plain(result.attributes)
    tensors = {"objp": phase, "obja": np.exp(-loss)[None].astype("f4"),
               "probe": (result.probe * window).astype("c8"), "probe_pos_shifts": (corners - crop).astype("f4"),
               "obj_tilts": np.zeros((1, 2), "f4"), "slice_thickness": np.float32(result.slice_thickness or 1)}
    model = {"crop_pos": crop + before.astype("i4"), "dx": dx, "dk": 1 / (window * dx), "meas_Npix": window,
             "slice_thickness": result.slice_thickness or 1.0, "omode_occu": np.ones(1, "f4"),
             "lambd": attributes.get("wavelength_A", 0.0)}
    with _part(path, overwrite) as part, h5py.File(part, "w") as file:
        for group, values in (("optimizable_tensors", tensors), ("model_attributes", model)):
            for name, value in values.items():
                file[f"{group}/{name}"] = value
        file.attrs["written_by"] = f"ptyle {attributes.get('version', '')}"


def to_xarray(result):
    """An xarray Dataset: phase, absorption (z, y, x), probe (mode, y_probe, x_probe), positions; coordinates in
    Å with their units, the result's attributes."""
    xarray = needed("xarray", "to_xarray")
    result = _loaded(result)
    coordinates, variables = {}, {}

    def coordinate(name, n, step, first, unit):
        coordinates[name] = (name, first + step * np.arange(n), {"units": unit} if unit else {})
        return name

    for name, data, unit, axes in _images(result):
        own = "_probe" if name == "probe" else ""
        dims = [coordinate(axis + (own if axis in "yx" else ""), n, step,
                           -step * (n // 2) if own and axis in "yx" else 0.0, of)
                for (step, axis, of), n in zip(axes, data.shape)]
        variables[name] = (dims, data, {"units": unit} if unit else {})
    if result.positions is not None:
        variables["positions"] = (["position", "row_col"], result.positions, {"units": result.units})
        coordinates["row_col"] = ["row", "col"]
    return xarray.Dataset(variables, coordinates, _plain(result.attributes))
