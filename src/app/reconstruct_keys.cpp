#include "app/reconstruct_keys.hpp"

#include "physics/loss/losses.hpp"
#include "solver/sharing.hpp"

namespace ptyle {
namespace {

std::vector<Section> sections() {
  return {{"data", "the patterns and how they lie in the file"},
          {"calibration", "at most one of these, none where the file states it; the others follow"},
          {"scan", "where the probe stood: positions of a dataset, or step and rotation"},
          {"optics", "the beam; without an energy everything is in pixels, one slice"},
          {"object", "the specimen"},
          {"probe", "the illumination"},
          {"solver", "the fit"},
          {"ranks", "how MPI ranks (mpirun -n N) share the work; the result is the same for any N"},
          {"output", "what is written"}};
}

std::vector<std::string> exchange_names() {
  std::vector<std::string> names{"auto"};
  for (const Scheme scheme : all_schemes) names.emplace_back(name_of(scheme));
  return names;
}

std::vector<std::string> loss_names() {
  std::vector<std::string> names{"auto"};
  for (const LossFacts& loss : losses) names.emplace_back(loss.name);
  return names;
}

std::vector<Key> data_keys(DataConfig& c) {
  return {
      {.path = "data.file",
       .field = &c.file,
       .limits = filled(),
       .doc = "HDF5 file of the patterns; relative to this configuration",
       .example = "patterns.h5",
       .starts = true,
       .also_called = "path filename",
       .file = FileKind::file},
      {.path = "data.patterns",
       .field = &c.patterns,
       .limits = filled(),
       .doc = "dataset in it, (N, ky, kx) or (slow, fast, ky, kx); left out: found by its shape",
       .example = "/data",
       .also_called = "dataset key"},
      {"data.scan_shape", &c.scan_shape, "", at_least(1),
       "(slow, fast) where the dataset is (N, ky, kx) of a raster", "[64, 64]"},
      {"data.flip_rows",
       &c.flip_rows,
       "",
       {},
       "turn every pattern upside down (first of the three)",
       "",
       false,
       "flipud"},
      {"data.flip_cols", &c.flip_cols, "", {}, "swap left and right (second)", "", false, "fliplr"},
      {"data.transpose", &c.transpose, "", {}, "swap rows and columns (last)"},
      {"data.dc", &c.dc, "", one_of({"centre", "corner"}), "where the zero frequency lies", "",
       false, "origin"},
      {"data.centre",
       &c.centre,
       "detector px",
       {},
       "bright disc's centre (row, col) before bin and crop, where it is not the middle",
       "[128, 128]",
       false,
       "center"},
      {"data.find_centre", &c.find_centre, "", {}, "take the centre from the mean pattern's disc"},
      {"data.bin", &c.bin, "detector px", between(1, 64), "sum b x b detector pixels", "", false,
       "binning"},
      {"data.crop", &c.crop, "detector px", at_least(0),
       "keep this square about the centre; 0: all"},
      {"data.window", &c.window, "px", between(0, 16384),
       "pad or crop to W x W after binning; 0: the larger side", "", false, "pad size"},
      {.path = "data.mask",
       .field = &c.mask,
       .limits = filled(),
       .doc = "dataset of bad pixels (not 0 = bad): /dataset or file.h5:/dataset",
       .example = "/mask",
       .also_called = "bad_pixels",
       .file = FileKind::dataset},
      {"data.saturation", &c.saturation, "counts", at_least(0),
       "pixels at or above are left out; 0: none"},
      {"data.background", &c.background, "counts", at_least(0), "subtracted from every pixel"},
      {"data.positions", &c.positions, "", at_least(0),
       "[first, last, stride]: use only these, last not included", "[0, 1000, 1]"},
  };
}

std::vector<Key> calibration_keys(CalibrationConfig& c) {
  return {
      {"calibration.pixel_size", &c.pixel_size, "Å", above(0), "pixel of the object", "0.2", true,
       "dx sampling"},
      {"calibration.dk", &c.dk, "1/Å", above(0), "detector pixel, after binning", "0.02"},
      {"calibration.mrad_per_pixel", &c.mrad_per_pixel, "mrad", above(0),
       "detector pixel, after binning", "0.5", false, "da dalpha"},
      {"calibration.max_angle", &c.max_angle, "mrad", above(0),
       "from the centre to the detector's edge", "60", false, "kmax"},
      {"calibration.disc_radius", &c.disc_radius, "detector px", above(0),
       "bright disc's radius, after binning; needs optics.semi_angle", "30", false, "rbf"},
      {"calibration.fit_disc",
       &c.fit_disc,
       "",
       {},
       "measure the radius on the mean pattern; needs optics.semi_angle",
       "true"},
  };
}

std::vector<Key> scan_keys(ScanConfig& c) {
  return {
      {.path = "scan.positions",
       .field = &c.positions,
       .limits = filled(),
       .doc = "dataset, (N, 2) or (slow, fast, 2); final, no rotation is applied to them",
       .example = "/positions",
       .starts = true},
      {.path = "scan.file",
       .field = &c.file,
       .limits = filled(),
       .doc = "the file with the positions, where it is another",
       .example = "positions.h5",
       .file = FileKind::file},
      {"scan.unit", &c.unit, "", one_of({"auto", "A", "m", "px"}),
       "of the positions: Å, m or object px; auto: what their dataset says", "", false, "units"},
      {"scan.order", &c.order, "", one_of({"row_col", "x_y"}), "of the two numbers of a position"},
      {"scan.step", &c.step, "Å", above(0).alone(),
       "between positions (slow, fast), instead of scan.positions; in scan.unit if that is given",
       "[1.0, 1.0]", false, "scan_step step_size"},
      {"scan.rotation", &c.rotation, "degrees", between(-360, 360),
       "of the raster: R(rotation) (slow, fast) on (row, col); left out: the file's own beside its "
       "step, or 0",
       "30", false, "angle scan_rotation"},
      {"scan.snake", &c.snake, "", {}, "every second line of the raster runs backwards"},
  };
}

std::vector<Key> optics_keys(OpticsConfig& c) {
  return {
      {"optics.energy", &c.energy, "kV", above(0).up_to(10000), "of the electrons", "300", true,
       "voltage kv acceleration_voltage ht"},
      {"optics.xray_energy", &c.xray_energy, "keV", above(0).up_to(1000),
       "of the photons, instead of energy", "8.8"},
      {"optics.semi_angle", &c.semi_angle, "mrad", above(0).up_to(1000), "convergence semi-angle",
       "20", true, "convergence_angle conv_angle alpha aperture"},
      {"optics.defocus",
       &c.defocus,
       "Å",
       {},
       "positive = underfocus, = -C10",
       "100",
       true,
       "C10 df"},
      {"optics.C12", &c.C12, "Å", {}, "two-fold astigmatism", "", false, "A1 astigmatism"},
      {"optics.phi12", &c.phi12, "degrees", {}, "its azimuth, from +x (columns) towards +y (rows)"},
      {"optics.C21", &c.C21, "Å", {}, "axial coma", "", false, "B2 coma"},
      {"optics.phi21", &c.phi21, "degrees", {}, "its azimuth"},
      {"optics.C23", &c.C23, "Å", {}, "three-fold astigmatism", "", false, "A2"},
      {"optics.phi23", &c.phi23, "degrees", {}, "its azimuth"},
      {"optics.C30", &c.C30, "Å", {}, "spherical aberration, 1 mm = 1e7 Å", "", false, "Cs C3"},
  };
}

std::vector<Key> object_keys(ObjectConfig& c) {
  return {
      {"object.type", &c.type, "", one_of({"potential", "complex"}),
       "phase only, or phase and absorption"},
      {"object.slices", &c.slices, "", between(1, 10000), "along the beam", "1", true, "nlayer"},
      {"object.slice_thickness", &c.slice_thickness, "Å", above(0),
       "of every slice; needed with more than one", "5", false, "dz thickness"},
      {.path = "object.start",
       .field = &c.start,
       .limits = filled(),
       .doc = "an earlier result to start from; left out: vacuum",
       .example = "earlier/result.h5",
       .also_called = "initial init",
       .file = FileKind::file},
      {"object.positivity", &c.positivity, "", one_of({"auto", "on", "off"}),
       "phase of every voxel 0 or more; auto: with the continuation"},
      {"object.phase_min",
       &c.phase_min,
       "rad",
       {},
       "smallest phase of a voxel; equal limits: none"},
      {"object.phase_max", &c.phase_max, "rad", {}, "largest phase of a voxel"},
      {"object.blur", &c.blur, "px", between(0, 100),
       "lateral Gaussian blur each iteration, sigma"},
      {"object.blur_z", &c.blur_z, "slices", between(0, 100), "the same along the beam, sigma"},
      {"object.tilt_row", &c.tilt_row, "mrad", between(-500, 500), "specimen's mistilt, rows"},
      {"object.tilt_col", &c.tilt_col, "mrad", between(-500, 500), "specimen's mistilt, columns"},
      {"object.band_limit", &c.band_limit, "of Nyquist", between(0, 1),
       "propagator cut here (0.667 for simulated sets); 0: none"},
  };
}

std::vector<Key> probe_keys(ProbeConfig& c) {
  return {
      {.path = "probe.start",
       .field = &c.start,
       .limits = one_of({"optics", "mean"}),
       .doc =
           "optics | mean (pattern) | earlier/result.h5 | file.h5:/dataset | /dataset of data.file",
       .also_called = "initial init",
       .file = FileKind::dataset},
      {"probe.modes", &c.modes, "", between(1, 100), "incoherent modes", "", false, "nmodes pmode"},
      {"probe.mode_power", &c.mode_power, "", between(0, 1),
       "share of the power of each further mode at the start; 0: a quarter together"},
      {"probe.refine_from", &c.refine_from, "", at_least(0),
       "first iteration that refines the probe (later while coarse to fine limits it); 0: never"},
      {"probe.step", &c.step, "", above(0).up_to(10), "1: a Gauss-Newton step"},
  };
}

std::vector<Key> solver_keys(SolverConfig& c) {
  return {
      {"solver.iterations", &c.iterations, "", between(1, 1000000), "through all patterns", "20",
       true, "niter epochs"},
      {"solver.groups", &c.groups, "", at_least(0),
       "mini-batches an iteration; 0: 20, fewer of few positions or counts", "", false,
       "batches batch_size"},
      {"solver.step", &c.step, "", between(0, 10), "of the object; 0: estimated", "", false,
       "lr learning_rate"},
      {"solver.preconditioner", &c.preconditioner, "", one_of({"illumination", "none"}),
       "what a gradient is divided by: how brightly each voxel is lit, or one number"},
      {"solver.damping", &c.damping, "", above(0).up_to(1),
       "of the illumination preconditioner, of its maximum"},
      {"solver.loss", &c.loss, "", one_of(loss_names()),
       "what is minimised; auto: poisson where a detector pixel has less than one count"},
      {"solver.hold_out", &c.hold_out, "", between(0, 0.5),
       "share of the patterns kept out of the fit, to watch R on"},
      {"solver.seed", &c.seed, "", at_least(0), "of the groups; the same seed, the same result"},
      {"solver.threads", &c.threads, "", between(0, 4096), "0: all there are"},
      {"solver.memory", &c.memory, "GB", at_least(0),
       "of each rank, to choose how waves are kept by; 0: the machine's"},
      {"solver.precision", &c.precision, "", one_of({"float", "double"}), "of the arithmetic"},
      {"solver.device", &c.device, "", one_of({"auto", "cpu", "cuda"}),
       "where ranks compute; auto: on a GPU each, where all have one", "", false, "gpu"},
      {"solver.continuation", &c.continuation, "", one_of({"auto", "on", "off"}),
       "coarse to fine; auto: where the specimen is thick for its angle"},
  };
}

std::vector<Key> ranks_keys(RanksConfig& c) {
  return {
      {"ranks.mesh", &c.mesh, "", at_least(1), "rows and columns of tiles; left out: chosen",
       "[2, 3]"},
      {"ranks.halo", &c.halo, "Å", filled(),
       "of a tile about its core: exact (half a window), or a length, which loses some gradient"},
      {"ranks.exchange", &c.exchange, "", one_of(exchange_names()),
       "of overlapping gradients; voxel and what follows exchange voxels instead, with seams"},
      {"ranks.chunk", &c.chunk, "planes", at_least(0), "that travel together; 0: chosen"},
      {"ranks.in_flight", &c.in_flight, "chunks", at_least(0),
       "on their way at a time, which bounds the buffers; 0: chosen"},
      {"ranks.update", &c.update, "", one_of({"consistent", "literal"}),
       "literal: as Algorithm 1 of the SC22 paper is printed, whose copies drift apart"},
      {"ranks.local_positions", &c.local_positions, "", at_least(0),
       "a rank applies its own gradient after each so many; 0: never. Depends on the mesh"},
      {"ranks.exchange_behind",
       &c.exchange_behind,
       "",
       {},
       "the sum travels while the next group is computed. Depends on the mesh"},
      {"ranks.extra_rows", &c.extra_rows, "", between(0, 100),
       "of neighbours' positions that a rank fits too, with an exchange of voxels"},
      {"ranks.verify_halos",
       &c.verify_halos,
       "",
       {},
       "after every exchange, copies of a voxel are compared bit by bit"},
      {"ranks.bandwidth", &c.bandwidth, "GB/s", above(0),
       "of a rank's link: what the exchange is chosen by"},
      {"ranks.latency", &c.latency, "µs", above(0), "of a message, likewise"},
      {"ranks.seconds_per_position", &c.seconds_per_position, "s", at_least(0),
       "that a position's gradient takes on a rank, for ptyle plan; 0: measured here"},
  };
}

std::vector<Key> output_keys(OutputConfig& c) {
  return {
      {.path = "output.folder",
       .field = &c.folder,
       .limits = filled(),
       .doc = "left out: beside this file, named after it",
       .example = "result",
       .file = FileKind::file},
      {"output.overwrite", &c.overwrite, "", {}, "replace an earlier result"},
      {"output.pictures", &c.pictures, "", {}, "PNGs of phase, slices, probe and R-factor"},
      {"output.tiff", &c.tiff, "", {}, "a TIFF stack of the phase for ImageJ"},
      {"output.checkpoint_every", &c.checkpoint_every, "iterations", at_least(0),
       "a checkpoint, from which --resume goes on, written from a copy in memory while computing "
       "goes on; 0: none"},
      {"output.checkpoint_minutes", &c.checkpoint_minutes, "min", at_least(0),
       "the same by the clock; 0: none"},
  };
}

}  // namespace

Schema reconstruct_schema(ReconstructConfig& config) {
  std::vector<Key> keys;
  for (auto&& part :
       {data_keys(config.data), calibration_keys(config.calibration), scan_keys(config.scan),
        optics_keys(config.optics), object_keys(config.object), probe_keys(config.probe),
        solver_keys(config.solver), ranks_keys(config.ranks), output_keys(config.output)})
    keys.insert(keys.end(), part.begin(), part.end());
  return {sections(), std::move(keys)};
}

ReconstructInput read_reconstruct(const std::string& file, const std::vector<std::string>& settings,
                                  bool overwrite, bool resume, bool writes) {
  ReconstructInput input;
  input.config.output.resume = resume;
  Schema schema = reconstruct_schema(input.config);
  Faults faults;
  if (!schema.read_file(file, faults)) faults.raise(file);
  for (const auto& setting : settings) schema.read_setting(setting, faults);
  if (overwrite) input.config.output.overwrite = true;
  check_reconstruct(input.config, schema, file, faults, writes);
  faults.raise(file);
  input.resolved = schema.resolved();
  return input;
}

std::string reconstruct_template() {
  ReconstructConfig config;
  return reconstruct_schema(config).starting_file(
      "A starting configuration for: ptyle reconstruct run.yaml\n"
      "Lengths in Å, angles in mrad (azimuths and scan rotation in degrees), energy in kV.\n"
      "Commented keys show their default or an example; files are relative to this file.");
}

}  // namespace ptyle
