#pragma once

// Configuration of the fit: plain structs, each with its keys (core/keys.hpp).

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "core/choice.hpp"
#include "core/limits.hpp"
#include "core/precision.hpp"
#include "core/units.hpp"
#include "operator/operator.hpp"
#include "physics/propagator.hpp"
#include "solver/sharing.hpp"
#include "solver/switch.hpp"

namespace ptyle {

/// A potential has a phase only, a complex object absorption too.
enum class ObjectType { automatic, potential, complex };
constexpr auto choices(ObjectType) {
  return std::to_array<Named<ObjectType>>({{ObjectType::automatic, "auto"},
                                           {ObjectType::potential, "potential"},
                                           {ObjectType::complex, "complex"}});
}

/// Keys object.*
struct ObjectConfig {
  ObjectType type = ObjectType::automatic;
  int slices = 1;
  double slice_thickness = 0;  ///< 0: not given
  std::string start;           ///< empty: vacuum
  Switch positivity = Switch::automatic;
  double phase_min = 0, phase_max = 0;
  double tilt_row = 0, tilt_col = 0;
  double band_limit = 0;
  /// The specimen's, rad.
  [[nodiscard]] Tilt tilt() const { return {tilt_row * mrad, tilt_col * mrad}; }
  [[nodiscard]] bool absorbs() const {
    return type == ObjectType::complex || (type == ObjectType::automatic && slices > 1);
  }
};

template <class V>
void keys(V& v, ObjectConfig& c) {
  v.section("object", "the specimen");
  v("type", c.type,
    "phase only, or phase and absorption; auto: complex with several slices, where it takes up "
    "what "
    "thermal motion and incoherence take from the wave")
      .same_at_resume();
  v("slices", c.slices, between(1, 10000), "along the beam")
      .example("1")
      .also_called("nlayer")
      .same_at_resume();
  v("slice_thickness", c.slice_thickness, above(0), "Å",
    "of every slice; needed with more than one")
      .example("5")
      .also_called("dz thickness")
      .same_at_resume();
  v("start", c.start, filled(), "an earlier result to start from; left out: vacuum")
      .example("earlier/result.h5")
      .also_called("initial init")
      .file()
      .same_at_resume();
  v("positivity", c.positivity, "phase of every voxel 0 or more; auto: with solver.continuation");
  v("phase_min", c.phase_min, "rad", "smallest phase of a voxel; equal limits: none");
  v("phase_max", c.phase_max, "rad", "largest phase of a voxel");
  v("tilt_row", c.tilt_row, between(-500, 500), "mrad", "specimen's mistilt, rows")
      .same_at_resume();
  v("tilt_col", c.tilt_col, between(-500, 500), "mrad", "specimen's mistilt, columns")
      .same_at_resume();
  v("band_limit", c.band_limit, between(0, 1), "of Nyquist",
    "propagator cut here (0.667 for simulated sets); 0: none")
      .same_at_resume();
}

/// The value of probe.start: a word, or else the name of a file.
enum class ProbeStart { optics, mean, file };
constexpr auto choices(ProbeStart) {
  return std::to_array<Named<ProbeStart>>(
      {{ProbeStart::optics, "optics"}, {ProbeStart::mean, "mean"}});
}

/// Keys probe.*
struct ProbeConfig {
  std::string start = "optics";  ///< a word of ProbeStart, "file.h5" or "file.h5:/dataset"
  int modes = 1;
  double mode_power = 0;  ///< 0: a quarter together, where they are made of one
  double counts = 0;      ///< of a pattern without specimen; 0: those of the mean pattern
  int refine_from = 2;    ///< an iteration (1, 2, …)
  double step = 0.5;      ///< 1: a Gauss-Newton step of a pure-phase object
  [[nodiscard]] ProbeStart starts_from() const {
    return choice_named<ProbeStart>(start).value_or(ProbeStart::file);
  }
};

template <class V>
void keys(V& v, ProbeConfig& c) {
  v.section("probe", "the illumination");
  v("start", c.start, words_or_file(words_of<ProbeStart>()),
    "optics | mean (pattern) | earlier/result.h5 | file.h5:/dataset | /dataset of data.file")
      .also_called("initial init")
      .file(FileKind::dataset)
      .same_at_resume();
  v("modes", c.modes, between(1, 100), "incoherent modes")
      .also_called("nmodes pmode")
      .same_at_resume();
  v("mode_power", c.mode_power, between(0, 1),
    "fraction of the power of each further mode at the start; 0: a quarter together")
      .same_at_resume();
  v("counts", c.counts, between(0, 1e18), "counts",
    "of a pattern without specimen, with which the probe starts. With probe.power: fixed the "
    "object absorbs what the mean pattern lacks of them. 0: those of the mean pattern")
      .also_called("vacuum_counts probe_intensity mean_absorption")
      .reported_if_set()
      .same_at_resume();
  v("refine_from", c.refine_from, at_least(0),
    "first iteration that refines the probe (later while solver.continuation delays it); 0: never");
  v("step", c.step, above(0).up_to(10), "1: a Gauss-Newton step");
}

constexpr auto choices(std::optional<Loss>) {
  std::array<Named<std::optional<Loss>>, losses.size() + 1> table{{{std::nullopt, "auto"}}};
  for (std::size_t i = 0; i < losses.size(); ++i) table[i + 1] = {losses[i].loss, losses[i].name};
  return table;
}

/// The device that ranks compute on.
enum class ComputeOn { automatic, cpu, cuda };
constexpr auto choices(ComputeOn) {
  return std::to_array<Named<ComputeOn>>(
      {{ComputeOn::automatic, "auto"}, {ComputeOn::cpu, "cpu"}, {ComputeOn::cuda, "cuda"}});
}

/// Keys solver.*
struct SolverConfig {
  int iterations = 20;
  double until = 0;  ///< 0: all iterations are done
  int until_over = 5;
  int batches = 0;
  std::optional<Loss> loss;
  double hold_out = 0;
  std::optional<double> hold_out_pixels{};  ///< not given: as needed
  std::uint64_t seed = 0;
  int threads = 0;    ///< 0: default_threads() (session/settings)
  double memory = 0;  ///< GB are 1e9 bytes
  Precision precision = Precision::float32;
  /// The kernels have not run on a GPU yet: once they have, `automatic` is to be the default.
  ComputeOn device = ComputeOn::cpu;
  Switch continuation = Switch::automatic;
};

template <class V>
void keys(V& v, SolverConfig& c) {
  v.section("solver", "the fit");
  v("iterations", c.iterations, between(1, 1000000), "through all patterns")
      .example("20")
      .also_called("niter epochs");
  v("until", c.until, between(0, 1),
    "ends earlier, once R (of held-out pixels or patterns, where there are any) has fallen by less "
    "than this fraction over solver.until_over iterations; 0: never")
      .example("0.005")
      .also_called("tolerance tol early_stopping")
      .reported_if_set();
  v("until_over", c.until_over, between(1, 1000000), "the iterations that solver.until looks back")
      .also_called("patience")
      .reported_if_set();
  v("batches", c.batches, at_least(0),
    "mini-batches per iteration; 0: 20, fewer of few positions or counts, or by ranks.of")
      .formerly("groups")
      .not_to_be_taken_for("batch_size", "their number, not their size")
      .same_at_resume();
  v("loss", c.loss,
    "what is minimised; auto: poisson where a detector pixel has less than one count");
  v("hold_out", c.hold_out, between(0, 0.5),
    "fraction of the patterns held out of the fit, to validate R on; their positions move by the "
    "affine model alone")
      .same_at_resume();
  v("hold_out_pixels", c.hold_out_pixels, between(0, 0.5),
    "fraction of the detector pixels held out, one in so many, at random in each pattern; left "
    "out: 0.02 where positions are refined, else 0")
      .example("0.02")
      .same_at_resume();
  v("seed", c.seed, at_least(0), "of the mini-batches; the same seed, the same result")
      .same_at_resume();
  v("threads", c.threads, between(0, 4096),
    "0: all there are, at most OMP_NUM_THREADS where that is set");
  v("memory", c.memory, at_least(0), "GB",
    "that each rank is to keep to, by recomputing waves and by patterns on the disk, with a "
    "warning where these do not suffice; 0: the machine's");
  v("precision", c.precision, "of the arithmetic").same_at_resume();
  v("device", c.device, "where ranks compute; auto: on a GPU each, where all have one")
      .also_called("gpu");
  v("continuation", c.continuation,
    "multi-resolution schedule; auto: where the specimen is thick relative to the depth of focus")
      .same_at_resume();
}

/// How overlapping gradients are exchanged: chosen where it has no value.
inline auto choices(std::optional<Scheme>) {
  std::array<Named<std::optional<Scheme>>, all_schemes.size() + 1> table{{{std::nullopt, "auto"}}};
  for (std::size_t i = 0; i < all_schemes.size(); ++i)
    table[i + 1] = {all_schemes[i], name_of(all_schemes[i])};
  return table;
}

/// The tiles that the object is cut into (tiles/mesh, tiles/bisection).
enum class Tiling { automatic, mesh, bisection };
constexpr auto choices(Tiling) {
  return std::to_array<Named<Tiling>>(
      {{Tiling::automatic, "auto"}, {Tiling::mesh, "mesh"}, {Tiling::bisection, "bisection"}});
}

enum class UpdateChoice { consistent, literal };
constexpr auto choices(UpdateChoice) {
  return std::to_array<Named<UpdateChoice>>(
      {{UpdateChoice::consistent, "consistent"}, {UpdateChoice::literal, "literal"}});
}

/// Keys ranks.*: how MPI ranks share the object and the patterns.
struct RanksConfig {
  int of = 0;                 ///< 0: chosen (session/division)
  std::array<int, 2> mesh{};  ///< 0: chosen
  Tiling tiling = Tiling::automatic;
  std::string halo = "exact";  ///< "exact" (half a window), or a number: Å (px in pixel units)
  std::optional<Scheme> exchange;
  int chunk = 0;
  int in_flight = 0;
  UpdateChoice update = UpdateChoice::consistent;
  int local_positions = 0;
  bool exchange_behind = false;
  int extra_rows = 2;
  bool exchange_at_end = false;
  bool verify_halos = false;
  double bandwidth = 12.5;
  double latency = 1.5;
  double disk = 1;
  double seconds_per_position = 0;
  double watchdog = 300;
};

template <class V>
void keys(V& v, RanksConfig& c) {
  v.section("ranks",
            "how MPI ranks (mpirun -n N) share the work; the result is the same for any N, with "
            "one ranks.of");
  v("of", c.of, between(0, 1000000),
    "ranks that mini-batches are dealt for, so that all are at work in each; the result depends on "
    "it, and not on how many run; 0: those that run where they are more than 16, else 1")
      .same_at_resume();
  v("mesh", c.mesh, at_least(1), "rows and columns of tiles; left out: chosen").example("[2, 3]");
  v("tiling", c.tiling,
    "mesh: by lines across the whole object; bisection: part by part, for scans that are turned or "
    "round; auto: by positions, memory and traffic of the fullest rank");
  v("halo", c.halo, filled().or_number(), "Å",
    "of a tile about its core: exact (half a window), or a length, which loses some gradient");
  v("exchange", c.exchange,
    "of overlapping gradients; voxel and what follows exchange voxels instead, with seams");
  v("chunk", c.chunk, at_least(0), "planes", "that travel together; 0: chosen");
  v("in_flight", c.in_flight, at_least(0), "chunks",
    "on their way at a time, which bounds the buffers; 0: chosen");
  v("update", c.update,
    "literal: as Algorithm 1 of the SC22 paper is printed, whose copies drift apart");
  v("local_positions", c.local_positions, at_least(0),
    "a rank applies its own gradient after each so many; 0: never. Depends on the mesh");
  v("exchange_behind", c.exchange_behind,
    "the sum travels while the next mini-batch is computed. Depends on the mesh");
  v("extra_rows", c.extra_rows, between(0, 100),
    "of neighbours' positions that a rank fits too, with an exchange of voxels");
  v("exchange_at_end", c.exchange_at_end,
    "voxels are exchanged at the end of an iteration alone, as the SC22 paper describes it");
  v("verify_halos", c.verify_halos,
    "after every exchange, copies of a voxel are compared bit by bit");
  v("bandwidth", c.bandwidth, above(0), "GB/s", "of a rank's link: what the exchange is chosen by");
  v("latency", c.latency, above(0), "µs", "of a message, likewise");
  v("disk", c.disk, above(0), "GB/s",
    "at which all ranks together read and write files, for ptyle plan");
  v("seconds_per_position", c.seconds_per_position, at_least(0), "s",
    "that a position's gradient takes on a rank, for ptyle plan; 0: measured here");
  v("watchdog", c.watchdog, at_least(0), "s",
    "after which the run ends where a rank has given no sign of life; 0: never");
}

/// Keys output.*
struct OutputConfig {
  std::string folder;
  std::string scratch{};  ///< empty: folder
  bool overwrite = false;
  bool pictures = true;
  bool tiff = true;
  int checkpoint_every = 0;
  std::optional<double> checkpoint_minutes{};  ///< not given: minutes_by_default
  double minutes_by_default = 0;               ///< no key: of a run that is to end by a time
  [[nodiscard]] double minutes_between_checkpoints() const {
    return checkpoint_minutes.value_or(checkpoint_every > 0 ? 0 : minutes_by_default);
  }
  bool resume = false;  ///< no key: resume from the folder's checkpoint, where there is one
};

template <class V>
void keys(V& v, OutputConfig& c) {
  v.section("output", "what is written");
  v("folder", c.folder, filled(), "left out: beside this file, named after it")
      .example("result")
      .file();
  v("scratch", c.scratch, filled(),
    "folder, best on a disk of the machine's own, for patterns that solver.memory does not hold; "
    "left out: the folder of the result")
      .example("/scratch")
      .file();
  v("overwrite", c.overwrite, "replace an earlier result");
  v("pictures", c.pictures, "PNGs of phase, slices, probe and R-factor");
  v("tiff", c.tiff, "TIFF stacks of object and probe for ImageJ");
  v("checkpoint_every", c.checkpoint_every, at_least(0), "iterations",
    "a checkpoint, from which --resume continues, written from a copy in memory while the fit "
    "continues; 0: none");
  v("checkpoint_minutes", c.checkpoint_minutes, at_least(0), "min",
    "the same by the clock; 0: none; left out: 30 where the run is to end by a time "
    "(--wall-time, a Slurm job) and checkpoint_every is not given")
      .example("30");
}

}  // namespace ptyle
