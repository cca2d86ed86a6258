"""HDF5 layouts of other programs, with what they state of the measurement.

py4DSTEM's files by emdfile, its package for them; hyperspy's and EMD 0.2 by RosettaSciIO; CXI, NeXus and
Dectris' masters by h5py, as their documents say.
"""
import emdfile
import h5py
import numpy as np
from rsciio.emd import file_writer as write_emd
from rsciio.hspy import file_writer as write_hspy

SLOW, FAST, KY, KX = 3, 4, 10, 12
JOULE = 1.602176634e-16  # a keV


def axis(name, units, scale, size, navigate, index):
    return {"name": name, "units": units, "scale": scale, "offset": 0.0, "size": size, "navigate": navigate,
            "index_in_array": index, "is_binned": False, "_type": "UniformDataAxis"}


def signal(values):
    """As hyperspy hands one to RosettaSciIO: axes in nm and 1/nm."""
    axes = [axis("y", "nm", 0.05, SLOW, True, 0), axis("x", "nm", 0.06, FAST, True, 1),
            axis("ky", "1/nm", 0.2, KY, False, 2), axis("kx", "1/nm", 0.2, KX, False, 3)]
    tem = {"beam_energy": 200.0, "convergence_angle": 21.5}
    return {"data": values, "axes": axes, "original_metadata": {}, "learning_results": {}, "models": {},
            "metadata": {"General": {"title": "scan"}, "Signal": {"signal_type": "electron_diffraction"},
                         "Acquisition_instrument": {"TEM": tem}},
            "package_info": {"package": "hyperspy", "package_version": "2.3"},
            "tmp_parameters": {}, "attributes": {"_lazy": False, "ragged": False}}


def add(layout, Layout, counts):
    def values_of(dtype="u2"):
        return counts(dtype, (SLOW, FAST, KY, KX))

    def flat(values):
        return values.reshape(-1, KY, KX)

    @layout("hyperspy's .hspy, by RosettaSciIO")
    def _():
        values = values_of()
        write_hspy("x.hspy", signal(values), close_file=True)
        return Layout("x.hspy", flat(values), scan=(SLOW, FAST), energy=200,
                      facts={"semi_angle": 21.5, "dk": 0.02, "step": [0.5, 0.6]})

    @layout("EMD 0.2, by RosettaSciIO")
    def _():
        values = values_of()
        write_emd("x.emd", signal(values))
        return Layout("x.emd", flat(values), scan=(SLOW, FAST), facts={"dk": 0.02, "step": [0.5, 0.6]})

    def datacube(values, dims, units):
        return emdfile.Array(values, name="datacube", units="counts", dims=dims, dim_units=units,
                             dim_names=["Rx", "Ry", "Qx", "Qy"])

    @layout("EMD 1.0 of py4DSTEM, axes alone")
    def _():
        values = values_of()
        root = emdfile.Root(name="datacube_root")
        root.tree(datacube(values, [0.5, 0.5, 0.02, 0.02], ["A", "A", "A^-1", "A^-1"]))
        emdfile.save("x.h5", root, mode="o")
        return Layout("x.h5", flat(values), scan=(SLOW, FAST), facts={"dk": 0.02, "step": [0.5, 0.5]})

    @layout("EMD 1.0 of py4DSTEM, calibrated")
    def _():
        values = values_of()
        cube = datacube(values, [1, 1, 1, 1], ["pixels"] * 4)
        calibration = emdfile.Metadata(name="calibration")
        calibration._params.update(
            {"Q_pixel_size": 0.6, "Q_pixel_units": "mrad", "R_pixel_size": 0.7, "R_pixel_units": "A",
             "QR_rotation": 0.2, "QR_flip": False, "R_shape": (SLOW, FAST)})
        root = emdfile.Root(name="datacube_root")
        root.metadata = calibration
        root.tree(cube)
        emdfile.save("x.h5", root, mode="o")
        return Layout("x.h5", flat(values), scan=(SLOW, FAST), facts={"mrad": 0.6, "step": [0.7, 0.7]})

    @layout("CXI")
    def _():
        values = flat(values_of())
        with h5py.File("x.cxi", "w") as file:
            file["cxi_version"] = 160
            entry = file.create_group("entry_1")
            entry["data_1/data"] = values
            entry["data_1/translation"] = np.zeros((len(values), 3))
            entry["instrument_1/source_1/energy"] = 8.8 * JOULE
            detector = entry.create_group("instrument_1/detector_1")
            detector["distance"], detector["x_pixel_size"], detector["y_pixel_size"] = 2.0, 75e-6, 75e-6
            detector["mask"] = np.zeros((KY, KX), "u4")
            entry["instrument_1/source_1/illumination"] = np.ones((2, KX, KX), "c8")
        return Layout("x.cxi", values, facts={
            "probe": "/entry_1/instrument_1/source_1/illumination", "xray_energy": 8.8, "mrad": 0.0375, "positions": "/entry_1/data_1/translation",
            "mask": "/entry_1/instrument_1/detector_1/mask"})

    @layout("NeXus, in its units")
    def _():
        values = flat(values_of())
        with h5py.File("x.nxs", "w") as file:
            file["entry/data/data"] = values
            beam = file.create_dataset("entry/instrument/beam/incident_energy", data=9.1)
            beam.attrs["units"] = "keV"
            for name, value, unit in (("distance", 500.0, "mm"), ("x_pixel_size", 0.1, "mm"),
                                      ("y_pixel_size", 100.0, "um")):
                file.create_dataset(f"entry/instrument/detector/{name}", data=value).attrs["units"] = unit
        return Layout("x.nxs", values, facts={"xray_energy": 9.1, "mrad": 0.2})

    @layout("Dectris' master and its files, of electrons")
    def _():
        values = flat(values_of())
        half = len(values) // 2
        with h5py.File("x_master.h5", "w") as file:
            for i, part in enumerate((values[:half], values[half:])):
                with h5py.File(f"x_data_{i + 1:06}.h5", "w") as other:
                    other["entry/data/data"] = part
                file[f"entry/data/data_{i + 1:06}"] = h5py.ExternalLink(f"x_data_{i + 1:06}.h5",
                                                                         "/entry/data/data")
            file["entry/instrument/detector/description"] = "Dectris ARINA Si"
            file["entry/instrument/detector/detectorSpecific/pixel_mask"] = np.zeros((KY, KX), "u4")
            file["entry/instrument/beam/incident_energy"] = 200e3
            file["entry/instrument/beam/incident_energy"].attrs["units"] = "eV"
        return Layout("x_master.h5", values, energy=200, facts={
            "mask": "/entry/instrument/detector/detectorSpecific/pixel_mask"})

    @layout("PtyRAD's and fold_slice's /dp")
    def _():
        values = flat(values_of("f4"))
        with h5py.File("x.h5", "w") as file:
            file.create_dataset("dp", data=values, chunks=(1, KY, KX))
        return Layout("x.h5", values)

    @layout("one dataset a frame")
    def _():
        values = flat(values_of())
        with h5py.File("x.h5", "w") as file:
            for i, frame in enumerate(values):
                file[f"entry/frame_{i:04}/data"] = frame
        return Layout("x.h5", values)

    @layout("a virtual dataset over two files")
    def _():
        values = flat(values_of())
        half = len(values) // 2
        whole = h5py.VirtualLayout(values.shape, values.dtype)
        for i, part in enumerate((values[:half], values[half:])):
            with h5py.File(f"part_{i}.h5", "w") as file:
                file["d"] = part
            whole[i * half:i * half + len(part)] = h5py.VirtualSource(f"part_{i}.h5", "d", part.shape)
        with h5py.File("x.h5", "w") as file:
            file.create_virtual_dataset("data", whole)
        return Layout("x.h5", values)
