#include "session/check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "core/error.hpp"
#include "io/checkpoint.hpp"
#include "io/data_file.hpp"
#include "io/dataset_name.hpp"
#include "io/frames.hpp"
#include "io/hdf5.hpp"
#include "io/name_pattern.hpp"
#include "session/file_facts.hpp"
#include "session/keys.hpp"
#include "session/open_experiment.hpp"
#include "session/pattern_disk.hpp"
#include "session/rank_memory.hpp"
#include "session/settings.hpp"
#include "session/start.hpp"
#include "solver/parts.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/states.hpp"
#include "solver/vacuum.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/probe_limits.hpp"
#include "solver/variables/recentre.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

/// Facts that the data file itself states, so that the user need not.
struct FileStates {
  bool energy = false, semi_angle = false, calibration = false, scan = false;
  std::vector<KeyFault> reservations = {};  ///< about what it states otherwise
};

FileStates states_of(const FileFacts& facts) {
  FileStates states;
  states.energy = facts.energy || facts.xray_energy;
  states.semi_angle = facts.semi_angle.has_value();
  states.calibration = facts.states_calibration();
  states.scan = facts.scan_step[0] > 0;
  return states;
}

/// A file that cannot be asked may well state everything: nothing is said to be missing.
const FileStates unknown_states{true, true, true, true};

/// The configuration under check, with the few questions that the checks ask.
struct Check {
  const std::set<std::string>& faulty;
  std::set<std::string> given;
  std::vector<KeyFault>& faults;
  const PatternsInMemory* patterns;
  FileStates file = {};

  void fault(const std::string& key, const std::string& text) const {
    if (!faulty.contains(key)) faults.push_back({key, text});
  }
  [[nodiscard]] bool has(const std::string& key) const { return given.contains(key); }
  [[nodiscard]] bool has_energy() const {
    return has("optics.energy") || has("optics.xray_energy") || file.energy;
  }
  [[nodiscard]] bool has_positions() const {
    return has("scan.positions") || (patterns && !patterns->positions.empty());
  }
  [[nodiscard]] bool has_semi_angle() const { return has("optics.semi_angle") || file.semi_angle; }
  /// The fault of a key that is missing where the file states it, but not so that it is taken.
  void missing(const std::string& key, std::string text, const std::string& stated) const {
    for (const auto& [its, reservation] : file.reservations)
      if (its == stated) text += "; " + reservation;
    fault(key, text);
  }
  void not_both(const std::string& key, const std::string& other) const {
    if (has(key) && has(other)) fault(other, fmt::format("excludes {}; give one of the two", key));
  }
};

/// True if a text names a dataset alone: no file, be it in "file.h5:/dataset" or by itself.
bool is_dataset(const std::string& text) {
  return !split_dataset(text) && !fs::path(text).has_extension() && !fs::exists(text);
}

/// True if the key names a file that is there.
bool check_file(const Check& check, const std::string& key, const std::string& file) {
  if (!check.has(key) || file.empty()) return false;
  if (fs::is_directory(file))
    check.fault(key, fmt::format("{} is a folder, not a file", file));
  else if (!fs::exists(file))
    check.fault(key, fmt::format("there is no file {}", file));
  else if (access(file.c_str(), R_OK) != 0)
    check.fault(key, fmt::format("the file {} may not be read", file));
  else
    return true;
  return false;
}

/// Runs a look into a file; what is wrong there becomes a fault of the key.
template <class Look>
void look(const Check& check, const std::string& key, Look&& into) {
  try {
    into();
  } catch (const UserError& e) {
    check.fault(key, e.what());
  }
}

/// Opens the data: are patterns and positions there, and what does the file state?
FileStates check_data(const ReconstructConfig& c, const std::vector<std::string>& files,
                      const Check& check) {
  FileStates states = unknown_states;
  look(check, "data.file", [&] {
    FramesAsked asked = frames_asked(c.data);
    asked.axes.clear();
    const h5::File file = open_data_file(files.front(), asked.raw);
    std::optional<Frames> frames;
    look(check, check.has("data.patterns") ? "data.patterns" : "data.file",
         [&] { frames.emplace(file, asked); });
    asked.axes = c.data.axes;
    if (frames && !asked.axes.empty())
      look(check, "data.axes", [&] { frames.emplace(file, asked); });
    const StatedFacts stated = read_file_facts(file, frames ? &*frames : nullptr);
    states = states_of(stated.facts);
    states.reservations = stated.reservations;
    states.scan = states.scan || !stated.positions.empty();
    if (check.has("scan.step")) return;
    const bool elsewhere = check.has("scan.file") && !fs::exists(c.scan.file);
    if (!elsewhere)
      look(check, "scan.positions",
           [&] { states.scan = read_positions(file, c.scan, asked).has_value() || states.scan; });
  });
  return states;
}

/// Type and shape of raw numbers belong together.
void check_raw(const Check& check) {
  const bool type = check.has("data.raw_type"), shape = check.has("data.raw_shape");
  if (type && !shape)
    check.fault("data.raw_type", "needs data.raw_shape, the rows and columns of a frame");
  for (const char* key :
       {"data.raw_shape", "data.raw_offset", "data.raw_gap", "data.raw_big_endian"})
    if (check.has(key) && !type) check.fault(key, "needs data.raw_type, the type of the numbers");
}

FileStates check_files(const ReconstructConfig& c, const Check& check) {
  check_raw(check);
  if (!check.patterns && !check.has("data.file"))
    check.fault("data.file", "must be given, the file of the patterns");
  check_file(check, "scan.file", c.scan.file);
  check_file(check, "object.start", c.object.start);
  if (const auto mask = split_dataset(c.data.mask))
    check_file(check, "data.mask", mask->file);
  else if (!check.patterns && check.has("data.mask") && !is_dataset(c.data.mask))
    check.fault("data.mask", fmt::format("{} is a file; the dataset in it is needed too, as in "
                                         "file.h5:/mask",
                                         c.data.mask));
  std::vector<std::string> files;
  look(check, "data.file", [&] { files = data_files(c.data.file); });
  if (c.probe.starts_from() == ProbeStart::file && file_part(c.probe.start) != c.data.file)
    check_file(check, "probe.start", file_part(c.probe.start));
  if (check.patterns) {
    for (const auto& [key, text] : faults_of(*check.patterns, c.data, c.scan))
      check.fault(key, text);
    return states_of(check.patterns->facts);
  }
  if (!files.empty() && check_file(check, "data.file", files.front()))
    return check_data(c, files, check);
  return check.has("data.file") ? unknown_states : FileStates{};
}

void check_calibration(const Check& check) {
  const std::vector<std::string> all{"calibration.pixel_size",     "calibration.dk",
                                     "calibration.mrad_per_pixel", "calibration.max_angle",
                                     "calibration.disc_radius",    "calibration.fit_disc"};
  std::vector<std::string> given;
  for (const auto& key : all)
    if (check.has(key)) given.push_back(key);
  if (given.size() > 1)
    check.fault(given.back(), fmt::format("only one calibration may be given, there are {}: {}",
                                          given.size(), fmt::join(given, ", ")));
  if (given.empty() && check.has_energy() && !check.file.calibration)
    check.missing("calibration",
                  fmt::format("one of these must be given: {}", fmt::join(all, ", ")),
                  "calibration.pixel_size");
  for (const auto& key : given) {
    const bool in_angles = key != "calibration.pixel_size" && key != "calibration.dk";
    const bool of_disc = key == "calibration.disc_radius" || key == "calibration.fit_disc";
    if (in_angles && !check.has_energy())
      check.missing(key, "needs optics.energy (or optics.xray_energy)", "optics.energy");
    if (of_disc && !check.has_semi_angle())
      check.missing(key, "needs optics.semi_angle, the bright-field disc's radius in mrad",
                    "optics.semi_angle");
  }
}

void check_scan(const ReconstructConfig& c, const Check& check) {
  check.not_both("scan.positions", "scan.step");
  if (!check.has_positions() && !check.has("scan.step") && !check.file.scan)
    check.missing("scan",
                  check.patterns
                      ? "the patterns in memory have no positions: either these or scan.step "
                        "must be given"
                      : "either scan.positions (a dataset) or scan.step must be given",
                  "scan.step");
  const auto not_of_positions = [&](const char* key, bool asked) {
    if (asked && check.has_positions())
      check.fault(key, fmt::format("belongs to scan.step; positions {} are final",
                                   check.patterns ? "in memory" : "of a dataset"));
  };
  not_of_positions("scan.rotation", c.scan.rotation.value_or(0) != 0);
  not_of_positions("scan.snake", c.scan.snake);
  if (check.has("scan.file") && !check.has("scan.positions"))
    check.fault("scan.file", "needs scan.positions, the dataset in it");
  const bool calibrated = check.has_energy() || check.file.calibration ||
                          check.has("calibration.pixel_size") || check.has("calibration.dk");
  if (!calibrated && check.has_positions() && c.scan.unit != LengthUnit::pixel)
    check.fault("scan.unit", "must be px where no optics.energy is given");
  const auto& range = c.data.positions;
  const bool three = range.size() == 3;
  if (check.has("data.positions") &&
      !((three || range.size() == 2) && range[0] < range[1] && (!three || range[2] > 0)))
    check.fault("data.positions", "must be [first, last] or [first, last, stride], first < last");
}

void check_geometry(const ReconstructConfig& c, const Check& check) {
  const auto& geometry = c.parts.of<GeometryOptions>();
  if (fault_of_refine(geometry)) return;  // a fault of the parts
  if (geometry.any_of_optics() && !check.has_energy())
    check.missing("geometry.refine", "needs optics.energy", "optics.energy");
  if (geometry.any_of_optics() && !check.has_semi_angle())
    check.missing("geometry.refine", "needs optics.semi_angle", "optics.semi_angle");
}

void check_probe_limits(const ReconstructConfig& c, const Check& check) {
  const auto& limits = c.parts.of<ProbeLimitOptions>();
  if (check.has("probe.counts") && !c.object.absorbs())
    check.fault(
        "probe.counts",
        "needs an object that absorbs what the patterns lack of them (object.type: complex)");
  else if (check.has("probe.counts") && c.probe.refine_from > 0 &&
           limits.power != ProbePower::fixed)
    check.fault("probe.counts",
                "needs probe.power: fixed, as a probe that is refined loses them again");
  if (limits.any() && c.probe.refine_from == 0)
    check.fault(key_of(limits),
                "limits a probe that is refined, which probe.refine_from: 0 forbids");
  if (limits.aperture <= 0) return;
  if (limits.aperture < 1)
    check.fault("probe.aperture",
                fmt::format("{} cuts into the aperture; 1 or more is needed, or 0 for none",
                            limits.aperture));
  if (!check.has_energy()) check.missing("probe.aperture", "needs optics.energy", "optics.energy");
  if (!check.has_semi_angle())
    check.missing("probe.aperture", "needs optics.semi_angle", "optics.semi_angle");
}

/// A start of the modes by the beam's incoherence.
void check_coherence(const ReconstructConfig& c, const Check& check) {
  const char* key = check.has("optics.source_size") ? "optics.source_size" : "optics.focal_spread";
  if (!check.has(key)) return;
  if (!check.has_energy()) check.missing(key, "needs optics.energy", "optics.energy");
  if (c.probe.modes < 2)
    check.fault(key, "needs probe.modes above 1, as a single mode is a coherent beam");
  check.not_both(key, "probe.mode_power");
}

void check_vacuum(const ReconstructConfig& c, const Check& check) {
  const auto& vacuum = c.parts.of<VacuumOptions>();
  if (const auto fault = fault_of_regions(vacuum.regions)) check.fault("object.vacuum", *fault);
  const int left = c.object.slices - vacuum.slices[0] - vacuum.slices[1];
  if (left < 1)
    check.fault("object.vacuum_slices",
                fmt::format("{} and {} of {} slices leave none for the specimen", vacuum.slices[0],
                            vacuum.slices[1], c.object.slices));
}

void check_recentre(const ReconstructConfig& c, const Check& check) {
  if (c.parts.of<RecentreOptions>().every == 0) return;
  const auto fault = [&](const char* what) { check.fault("object.recentre_z", what); };
  if (c.object.slices < 2) return fault("needs several slices (object.slices)");
  const auto& geometry = c.parts.of<GeometryOptions>();
  if (geometry.has(GeometryPart::defocus) || geometry.fits_propagator())
    fault(
        "excludes geometry.refine of defocus, thickness and tilt, which are counted from the first "
        "slice where it lies");
}

/// Faults of the parts, whatever the measurement, as one rank's fit has them.
void check_parts(const ReconstructConfig& c, const Check& check) {
  FitOptions options;
  options.parts = c.parts;
  options.batches = c.solver.batches;
  options.probe_from = c.probe.refine_from;
  set_exchange(options, c.ranks);
  // Auto may be any schedule, as the measurement says.
  if (c.solver.continuation != Switch::off) options.continuation = Continuation({.slices = 2});
  look(check, "solver.rule", [&] {
    // On one rank, too, an exchange behind has to go with the rest.
    const FitOptions as_asked = settled(options, false);
    for (const auto& [key, text] :
         faults_of_options(as_asked, c.ranks.exchange.value_or(Scheme::owner), 1, c.object.slices))
      check.fault(key, text);
  });
}

void check_fit(const ReconstructConfig& c, const Check& check) {
  check.not_both("optics.energy", "optics.xray_energy");
  if (c.optics.fitted && !check.has_energy())
    check.missing("optics.fitted", "needs optics.energy", "optics.energy");
  check.not_both("data.centre", "data.find_centre");
  if (c.probe.starts_from() == ProbeStart::optics) {
    const char* need = !check.has_energy()       ? "optics.energy"
                       : !check.has_semi_angle() ? "optics.semi_angle"
                                                 : nullptr;
    if (need)
      check.missing("probe.start",
                    fmt::format("optics needs {}; otherwise the start is mean or a file", need),
                    need);
  }
  if (c.object.slices > 1) {
    if (!check.has("object.slice_thickness"))
      check.fault("object.slices", "needs object.slice_thickness with more than one slice");
    if (!check.has_energy())
      check.missing("object.slices", "more than one slice needs optics.energy", "optics.energy");
  }
  check_vacuum(c, check);
  check_recentre(c, check);
  if (c.object.phase_min > c.object.phase_max)
    check.fault("object.phase_min", fmt::format("{} rad is above object.phase_max, {} rad",
                                                c.object.phase_min, c.object.phase_max));
  if (c.object.positivity == Switch::on && c.object.phase_max > c.object.phase_min &&
      c.object.phase_max <= 0)
    check.fault("object.positivity", fmt::format("leaves no phase where object.phase_max is {} rad",
                                                 c.object.phase_max));
  if ((c.probe.modes - 1) * c.probe.mode_power >= 1)
    check.fault("probe.mode_power",
                fmt::format("{} modes of {} each leave nothing for the first; less is needed",
                            c.probe.modes - 1, c.probe.mode_power));
  check_parts(c, check);
  check_coherence(c, check);
  check_geometry(c, check);
  if (const auto fault = fault_of_step(c.parts.of<RuleOptions>()))
    check.fault("solver.step", *fault);
}

/// Keys beyond the parts that sequential updates, one position at a time on the host, do not go
/// with.
void check_by_position(const ReconstructConfig& c, const Check& check) {
  if (c.parts.of<RuleOptions>().rule != RuleChoice::pie) return;
  const auto refuse = [&](bool asked, const Excluded& excluded) {
    if (asked) check.fault(excluded.key, excluded.text());
  };
  refuse(c.solver.device == ComputeOn::cuda, excluded_by_pie::device);
  refuse(c.solver.loss && *c.solver.loss != Loss::amplitude, excluded_by_pie::loss);
}

/// True if a run with these options starts from a checkpoint.
bool goes_on(const OutputConfig& output) { return output.resume && has_checkpoint(output.folder); }

void check_output_folder(const ReconstructConfig& c, const Check& check, Purpose::Folder how) {
  if (how == Purpose::Folder::unused) return;
  const fs::path folder = c.output.folder;
  if (folder.empty()) return check.fault("output.folder", "must be given");
  const std::string earlier = how == Purpose::Folder::written ? earlier_result(c.output) : "";
  if (!earlier.empty()) check.fault("output.folder", earlier);
  if (const auto fault = fault_of_folder(folder)) check.fault("output.folder", *fault);
}

}  // namespace

std::string earlier_result(const OutputConfig& output) {
  std::error_code ignored;
  if (!fs::exists(fs::path(output.folder) / "result.h5", ignored) || output.overwrite ||
      goes_on(output))
    return {};
  return fmt::format("{} has a result.h5 already; --overwrite replaces it", output.folder);
}

std::vector<KeyFault> faults_between_keys(const ReconstructConfig& config,
                                          const std::set<std::string>& faulty,
                                          const Purpose& purpose) {
  std::vector<KeyFault> faults;
  Check check{faulty, keys_given(config), faults, purpose.patterns};
  check.given.insert(faulty.begin(), faulty.end());
  check.file = check_files(config, check);
  check_calibration(check);
  check_scan(config, check);
  check_fit(config, check);
  check_probe_limits(config, check);
  check_by_position(config, check);
  check_output_folder(config, check, purpose.folder);
  return faults;
}

namespace {

void complete_probe_start(ReconstructConfig& config) {
  auto& start = config.probe.start;
  if (!config.data.file.empty() && start.starts_with("/") && is_dataset(start))
    start = first_data_file(config.data.file) + ":" + start;
}

void complete_by_position(ReconstructConfig& config) {
  if (config.parts.of<RuleOptions>().rule != RuleChoice::pie) return;
  const auto off = [](Switch& one) { one = one == Switch::automatic ? Switch::off : one; };
  off(config.solver.continuation);
  off(config.parts.of<PositionOptions>().refine);
  auto& penalty = config.parts.of<PenaltyOptions>();
  penalty.lateral = penalty.lateral.value_or(0);
  config.solver.loss = config.solver.loss.value_or(Loss::amplitude);
  if (config.solver.device == ComputeOn::automatic) config.solver.device = ComputeOn::cpu;
}

/// Refuses what a run of so many ranks refuses once it has the measurement.
void check_as_run(const ReconstructConfig& config, const Experiment& experiment, Division& division,
                  int ranks, Ledger& ledger, const std::function<void(const std::string&)>& log) {
  const auto& vacuum = config.parts.of<VacuumOptions>();
  (void)boxes_of_regions(vacuum.regions, division.frame.box(), division.frame.origin,
                         experiment.calibration.pixel);
  division.transfer_reach = transfer_reach(config, experiment);
  const FitOptions options = settled(fit_options(config, experiment, division, 1), ranks == 1);
  check_options(options, division.sharing, config.object.slices);
  if (goes_on(config.output)) return;
  // One column of voxels shows whether an earlier result goes with this run.
  const ObjectStart start =
      start_object(config.object, division.frame, {{0, 1}, {0, 1}}, experiment.calibration.pixel,
                   config.object.absorbs(), vacuum.slices, config.parts.of<StatesOptions>());
  if (!start.note.empty()) log(start.note);
  (void)start_probe(config.probe, experiment, &ledger, log);
}

template <class T>
Experiment opened_to_check(const ReconstructConfig& config, int ranks, Ledger& ledger,
                           const std::function<void(const std::string&)>& log) {
  ReconstructConfig here = config;  // of this process, which reads all
  if (ranks > 1) here.ranks = {};
  std::optional<Division> whole, of_ranks;
  const Distribution alone{0,
                           1,
                           [&](std::span<const Position> positions, i64 window, double pixel) {
                             if (ranks > 1)
                               of_ranks = divide(config, positions, window, pixel, ranks);
                             whole = divide(here, positions, window, pixel, 1);
                             return Kept{whole->shares.front().own, {}};
                           },
                           [](std::span<double>) {},
                           [](std::span<double>) {},
                           [&](double bytes) {
                             const double budget = memory_budget(config, 1, ledger);
                             return disk_for_patterns<T>(here, *whole, 0, bytes, budget, log);
                           }};
  Experiment experiment =
      open_experiment(config.data, config.calibration, config.scan, config.optics, &ledger, &alone);
  if (whole) check_as_run(config, experiment, of_ranks ? *of_ranks : *whole, ranks, ledger, log);
  return experiment;
}

}  // namespace

void complete(ReconstructConfig& config) {
  complete_probe_start(config);
  complete_by_position(config);
}

int ranks_to_check(const RanksConfig& config) {
  constexpr i64 most = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp<i64>(i64{config.mesh[0]} * config.mesh[1], 1, most));
}

Experiment checked_experiment(const ReconstructConfig& config, int ranks, Ledger& ledger,
                              const std::function<void(const std::string&)>& log) {
  return config.solver.precision == Precision::float64
             ? opened_to_check<double>(config, ranks, ledger, log)
             : opened_to_check<float>(config, ranks, ledger, log);
}

CheckedConfig checked(ReconstructConfig config, const Purpose& purpose) {
  complete(config);
  auto faults = with_keys(config, limit_faults);
  std::set<std::string> faulty;
  for (const auto& fault : faults) faulty.insert(fault.key);
  const auto between = faults_between_keys(config, faulty, purpose);
  faults.insert(faults.end(), between.begin(), between.end());
  raise(faults);
  return {std::move(config)};
}

}  // namespace ptyle
