#include "session/open_fit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.hpp"
#include "core/pulse.hpp"
#include "io/disk_space.hpp"
#include "operator/operator.hpp"
#include "operator/probe.hpp"
#include "session/agreement.hpp"
#include "session/device.hpp"
#include "session/fingerprint.hpp"
#include "session/open_experiment.hpp"
#include "session/orientation.hpp"
#include "session/pattern_disk.hpp"
#include "session/plan_ranks.hpp"
#include "session/settings.hpp"
#include "session/start.hpp"
#include "session/warnings.hpp"
#include "session/write_result.hpp"
#include "solver/batches.hpp"
#include "solver/states.hpp"
#include "solver/vacuum.hpp"
#include "solver/variables/variable_probe_options.hpp"
#include "tiles/nodes.hpp"

namespace ptyle {

bool finds_checkpoint(const std::string& folder, Team& team) {
  const bool here = has_checkpoint(folder);
  std::vector<double> some{here ? 1.0 : 0.0, here ? 0.0 : 1.0};
  team.maximum(some);
  if (some[0] > 0 && some[1] > 0)
    throw UserError(
        fmt::format("output.folder: only some ranks find the checkpoint in '{}'; the folder should "
                    "be on a disk "
                    "that all machines share",
                    folder));
  return here;
}

template <class T>
OpenFit<T>::OpenFit(const ReconstructConfig& its_config, const ReconstructCallbacks& its_callbacks,
                    Team& its_team, const PatternsInMemory* patterns, bool measured)
    : config(its_config),
      callbacks(its_callbacks),
      team_(its_team),
      ledger(ledger_of_process(its_team.processes_on_node())),
      threads_(config.solver.threads > 0 ? config.solver.threads
                                         : default_threads(its_team.processes_on_node())) {
  take_device();
  open_data(patterns, measured);
  set_stage("making the fit");
  fit = std::make_unique<Fit<T>>(make_fit());
  std::vector<Position>().swap(experiment.positions);  // the division's are kept
}

template <class T>
void OpenFit<T>::log(const std::string& line) const {
  if (callbacks.log && team().leads()) callbacks.log(line);
}
template <class T>
void OpenFit<T>::warn(const std::string& line) const {
  if (callbacks.warn && team().leads()) callbacks.warn(line);
}

template <class T>
std::vector<Position> OpenFit<T>::positions_at_start() const {
  std::vector<Position> positions;
  const double pixel = experiment.calibration.pixel;
  for (const auto& at : division->frame.positions)
    positions.push_back({at.row * pixel, at.col * pixel});
  return positions;
}

/// Every rank knows those of its own.
template <class T>
std::vector<double> OpenFit<T>::records(const std::string& name) const {
  if (!fit->state().has(name)) return {};
  const auto& field = fit->state().field(name);
  const i64 each = field.shape[2];
  std::vector<double> all(static_cast<std::size_t>(each) * division->frame.positions.size());
  for (std::size_t t = 0; t < fit->tiles().size(); ++t) {
    const auto here = fit->arithmetic().on_host(field.on(t));
    const auto& own = fit->tiles()[t].own;
    for (std::size_t k = 0; k < own.size(); ++k)
      for (i64 n = 0; n < each; ++n)
        all[static_cast<std::size_t>(each * own[k] + n)] =
            static_cast<double>(here.view(0, static_cast<i64>(k), n));
  }
  team().sum(all);
  return all;
}

template <class T>
std::vector<Position> OpenFit<T>::positions() const {
  std::vector<Position> positions = positions_at_start();
  const std::vector<double> shifts = records("shift");
  if (shifts.empty()) return positions;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    positions[i].row += experiment.calibration.pixel * shifts[2 * i];
    positions[i].col += experiment.calibration.pixel * shifts[2 * i + 1];
  }
  return positions;
}

template <class T>
Kept OpenFit<T>::kept(std::span<const Position> positions, i64 window, double pixel) {
  ReconstructConfig as_before = config;
  if (checkpoint_ && config.ranks.of == 0) as_before.ranks.of = resumed_dealt_for(*checkpoint_);
  division = divide(as_before, positions, window, pixel, team().size(), [this](const Mesh& mesh) {
    place_tiles(mesh);
    return team().here().size() == 1 ? team().here().front() : -1;
  });
  Kept kept;
  for (const int rank : team().here()) {
    const PositionShare& share = division->shares[static_cast<std::size_t>(rank)];
    kept.own.insert(kept.own.end(), share.own.begin(), share.own.end());
    kept.extra.insert(kept.extra.end(), share.extra.begin(), share.extra.end());
  }
  if (team().here().size() > 1) {  // all are here: each is somebody's own
    std::sort(kept.own.begin(), kept.own.end());
    kept.extra.clear();
  }
  return kept;
}

/// The disk for so many bytes of this process's patterns; null: memory holds them.
template <class T>
std::shared_ptr<Scratch> OpenFit<T>::scratch_for(double bytes) const {
  const double budget = memory_budget(config, team().processes_on_node(), ledger);
  return disk_for_patterns<T>(config, *division, team().here().front(), bytes, budget,
                              [this](const std::string& line) { log(line); });
}

/// From here on each process has the rank of its tile.
template <class T>
void OpenFit<T>::place_tiles(const Mesh& mesh) {
  const std::vector<int> nodes = team_.nodes(), tile_of = tiles_on_nodes(mesh, nodes);
  if (std::is_sorted(tile_of.begin(), tile_of.end())) return;
  placed_ = team_.in_order(tile_of);
  log(fmt::format("ranks have the tiles of their nodes in blocks, on {} nodes",
                  std::set<int>(nodes.begin(), nodes.end()).size()));
}

template <class T>
void OpenFit<T>::take_device() {
  const GpuCensus census = config.solver.device == ComputeOn::cpu ? GpuCensus{} : find_gpus();
  const DeviceChoice choice = choose_device(config.solver.device, census, team());
  if (!choice.why_cpu.empty()) log("computing on the CPU, as " + choice.why_cpu);
  if (choice.gpu >= 0) {
    gpu_facts_ = census.gpus[static_cast<std::size_t>(choice.gpu)];
    gpu_ = open_gpu(choice.gpu);
    gpu_facts_.free_bytes = free_bytes(*gpu_);
    log("computing on " + describe(gpu_facts_));
  }
  const int sharing = ranks_on_gpu(gpu_facts_.id, team());
  if (sharing < 2) return;
  warn(
      fmt::format("{} ranks share a GPU ({}), which is slower than one each: start as many ranks "
                  "as there are GPUs",
                  sharing, gpu_facts_.name));
  gpu_facts_.free_bytes = gpu_facts_.total_bytes / 10 * 9 / static_cast<std::size_t>(sharing);
  gpu_shared_ = true;
}

template <class T>
void OpenFit<T>::open_data(const PatternsInMemory* patterns, bool measured) {
  const bool all_here = static_cast<int>(team().here().size()) == team().size();
  const Distribution distribution{all_here ? 0 : team().here().front(),
                                  all_here ? 1 : team().size(),
                                  [this](std::span<const Position> positions, i64 window,
                                         double pixel) { return kept(positions, window, pixel); },
                                  [this](std::span<double> values) { team().sum(values); },
                                  [this](std::span<double> values) { team().maximum(values); },
                                  [this](double bytes) { return scratch_for(bytes); }};
  if (config.output.resume && finds_checkpoint(config.output.folder, team()))
    checkpoint_.emplace(
        config.output.folder,
        [this](const std::string& path) { return file_of_leader(team(), path); }, team().leads());
  experiment = open_experiment(config.data, config.calibration, config.scan, config.optics, &ledger,
                               &distribution, patterns);
  division->transfer_reach = transfer_reach(config, experiment);
  if (checkpoint_) {
    const auto changes = check_same_run(*checkpoint_, config, experiment, *division);
    if (!changes.empty()) log(fmt::format("resuming with a change: {}", fmt::join(changes, "; ")));
  }
  for (const auto& note : experiment.notes) log(note);
  for (const auto& warning : experiment.warnings) warn(warning);
  if (team().leads())
    for (const auto& warning : warnings_of(config, experiment)) warn(warning);
  if (!measured) warn_of_orientation();
  if (config.parts.of<GeometryOptions>().has(GeometryPart::descan))
    experiment.descan = descan_of_centres(experiment);
  std::vector<Position>().swap(experiment.centres);  // nobody asks for them any more
  if (experiment.band_limit.value_or(0) > 0 && config.object.band_limit == 0 &&
      config.object.slices > 1)
    log(fmt::format(
        "simulated with band limit {0:.4g} of Nyquist; set object.band_limit={0:.4g} to match",
        *experiment.band_limit));
  const auto& o = config.output;
  if (team().leads() && !o.folder.empty())
    check_disk_space(
        o.folder,
        output_bytes({config.object.slices, division->frame.rows, division->frame.cols},
                     config.object.absorbs(), o.tiff, config.parts.of<StatesOptions>().states),
        "the result");
  const ObjectFrame& frame = division->frame;
  log(fmt::format("object: {} slice{} of {} x {} pixels; {} positions, {} thread{}{}",
                  config.object.slices, config.object.slices == 1 ? "" : "s", frame.rows,
                  frame.cols, frame.positions.size(), threads_, threads_ == 1 ? "" : "s",
                  team().size() > 1 ? " per rank" : ""));
  if (team().size() > 1) log_division();
}

template <class T>
void OpenFit<T>::warn_of_orientation() {
  const auto shadow = shadow_images(experiment, experiment.positions, &team());
  if (!team().leads()) return;
  if (const auto wrong = shadow ? warning_of_orientation(*shadow, config.data)
                                : warning_in_focus(experiment, config.data))
    warn(*wrong);
}

template <class T>
void OpenFit<T>::log_division() const {
  const auto& [mesh, scheme, chunk, in_flight] = division->sharing;
  log(fmt::format("{} ranks: {}, halo {} px, {} to {} positions each, exchange {}", team().size(),
                  mesh.describe(), mesh.halo().before, division->least, division->most,
                  name_of(scheme)));
}

/// The start of a tile: as the checkpoint has it, or by the configuration.
template <class T>
TileStart<T> OpenFit<T>::start_of(const Box& box) {
  const bool absorption = config.object.absorbs();
  const i64 states = config.parts.of<StatesOptions>().states;
  if (checkpoint_)
    return resumed_tile<T>(*checkpoint_, states * config.object.slices, absorption, box, &ledger);
  const ObjectStart object =
      start_object(config.object, division->frame, box, experiment.calibration.pixel, absorption,
                   config.parts.of<VacuumOptions>().slices, config.parts.of<StatesOptions>());
  if (!object.note.empty() && !std::exchange(start_noted_, true)) log(object.note);
  return {converted<T, float, 3>(object.phase.view(), &ledger, "object"),
          converted<T, float, 3>(object.absorption.view(), &ledger, "object")};
}

/// The probe by the configuration.
template <class T>
Array<Complex<T>, 3> OpenFit<T>::first_probe() {
  auto probe = start_probe(config.probe, experiment, &ledger,
                           [this](const std::string& line) { log(line); });
  if (const int above = config.parts.of<VacuumOptions>().slices[0]; above > 0)
    start_above(probe, above, config.object, experiment);
  return converted<Complex<T>, Complex<double>, 3>(probe.view(), &ledger, "probe");
}

template <class T>
void OpenFit<T>::log_settings(const FitOptions& options) const {
  if (!options.continuation.finished())
    log("the specimen is thick relative to the depth of focus: multi-resolution schedule, "
        "laterally and in depth");
  if (!config.solver.loss && loss_of(config, experiment) == Loss::poisson)
    log(fmt::format("only {:.2g} counts per detector pixel: solver.loss poisson",
                    counts_per_detector_pixel(experiment)));
  if (division->margin > 0)
    log(fmt::format("positions are refined, by up to {:.3g} {}",
                    options.parts.of<PositionOptions>().largest_move,
                    experiment.calibration.in_pixels() ? "px" : "Å"));
  if (const auto& variable = config.parts.of<VariableProbeOptions>(); variable.any())
    log(describe(variable));
  if (const auto shares = config.parts.of<StatesOptions>().shares(); !shares.empty())
    log(fmt::format("the object has {} states, with fractions {:.3g} of the dose", shares.size(),
                    fmt::join(shares, ", ")));
  if (options.hold_out_pixels > 0)
    log(fmt::format("one in {} detector pixels is held out, at random in each pattern",
                    one_pixel_in(options.hold_out_pixels)));
  log(fmt::format("{} mini-batch{} per iteration{}; {}", options.batches,
                  options.batches == 1 ? "" : "es",
                  division->of > 1 ? fmt::format(", dealt for {} ranks", division->of) : "",
                  describe(options.parts.of<RuleOptions>(), options.pixel,
                           experiment.calibration.in_pixels() ? "px" : "Å")));
}

/// The measurement as a fit asks for it.
template <class T>
FitData<T> OpenFit<T>::fit_data() {
  FitData<T> data;
  data.positions = division->frame.positions;
  data.load = [this](i64 i, T* to) { experiment.patterns->load(i, to); };
  data.raw = [this](i64 i) { return experiment.patterns->raw(i); };
  data.will_load = [this](std::span<const i64> next) { experiment.patterns->will_load(next); };
  data.hands = {experiment.patterns->bytes_a_pattern(),
                [this](i64 i) { return experiment.patterns->raw(i).data; },
                [this](i64 i) { return experiment.patterns->take(i); },
                [this](i64 i) { experiment.patterns->drop(i); }};
  valid_ = converted<T, float, 2>(experiment.valid.view());
  data.valid = valid_;
  data.dk = experiment.calibration.dk;
  return data;
}

template <class T>
Fit<T> OpenFit<T>::make_fit() {
  FitOptions options = fit_options(config, experiment, *division, threads_);
  auto& vacuum = options.parts.template of<VacuumOptions>();
  vacuum.boxes = boxes_of_regions(vacuum.regions, division->frame.box(), division->frame.origin,
                                  experiment.calibration.pixel);
  log_settings(options);
  const double counts = counts_per_object_pixel(experiment, *division);
  if (const auto few = warning_of_few_counts(counts, options.batches, options.hold_out_pixels > 0))
    warn(*few);
  const OperatorSetup setup = operator_setup(config, experiment);
  auto op = gpu_ ? operator_on_gpu(setup, options.batches) : operator_on_cpu(setup);
  std::vector<TileStart<T>> start;
  for (const int rank : team().here())
    start.push_back(start_of(division->sharing.mesh.extended(rank)));
  auto probe = checkpoint_ ? resumed_probe<T>(*checkpoint_) : first_probe();
  Fit<T> fit(std::move(op), fit_data(), options, team(), division->sharing, std::move(start),
             std::move(probe), &ledger,
             gpu_ ? make_gpu_arithmetic<T>(*gpu_, &gpu_ledger) : nullptr);
  if (checkpoint_) {
    resume(fit, *checkpoint_, config.data.outliers == Outliers::fit);
    history = resumed_history(*checkpoint_, experiment.calibration.in_pixels());
    log(fmt::format("resuming from the checkpoint in {}, after {} iteration{}",
                    config.output.folder, history.cost.size(),
                    history.cost.size() == 1 ? "" : "s"));
    checkpoint_.reset();
  }
  return fit;
}

template <class T>
std::unique_ptr<Operator<T>> OpenFit<T>::operator_on_cpu(const OperatorSetup& setup) {
  const double budget = memory_budget(config, team().processes_on_node(), ledger);
  const RankMemory memory =
      rank_memory<T>(config, setup, *division, team().here().front(), threads_,
                     experiment.patterns->bytes_a_pattern(), budget);
  check_memory(memory.total());
  const CpuOptions& storage = memory.options;
  if (storage.waves != WaveStorage::store || !storage.copy_transmission)
    log(fmt::format("to save memory: waves {}", describe(storage)));
  log(fmt::format("windows of {} px are computed by {}", setup.window,
                  describe_path(setup.window)));
  return make_cpu_operator<T>(setup, threads_, &ledger, storage);
}

/// Before the large arrays are made: the system may end the process where it finds none.
template <class T>
void OpenFit<T>::check_memory(double arrays) const {
  const auto there = static_cast<double>(ledger.most());
  const double needed = arrays + static_cast<double>(ledger.program());
  std::vector<double> most{needed};  // of all ranks
  team().maximum(most);
  if (config.solver.memory > 0 && most[0] > 1e9 * config.solver.memory)
    warn(fmt::format(
        "solver.memory: {:.4g} GB cannot be kept to, a rank needs {:.4g} GB at least, {:.2g} GB of "
        "it the program; more ranks, fewer slices, modes or threads, or a smaller window need less "
        "(see ptyle plan)",
        config.solver.memory, 1e-9 * most[0], 1e-9 * static_cast<double>(ledger.program())));
  if (needed > there)
    throw UserError(fmt::format(
        "a rank needs {:.4g} GB, but {:.4g} GB are free for it; more ranks on more machines, "
        "fewer slices, modes or threads, or a smaller window need less (see ptyle "
        "plan)",
        1e-9 * needed, 1e-9 * there));
}

template <class T>
std::unique_ptr<Operator<T>> OpenFit<T>::operator_on_gpu(const OperatorSetup& setup, i64 batches) {
  const RankMemory memory = gpu_rank_memory<T>(
      config, setup, *division, team().here().front(), experiment.patterns->bytes_a_pattern(),
      batches, gpu_facts_, memory_budget(config, team().processes_on_node(), ledger));
  check_gpu_memory(memory, gpu_facts_, config, experiment, team().size());
  check_memory(memory.total());
  GpuOptions options = memory.gpu_options;
  if (options.waves != WaveStorage::store) log("to save memory: waves are recomputed");
  // Others on this GPU need their part of what is free.
  if (gpu_shared_)
    options.memory = static_cast<std::size_t>(memory.gpu.at("waves") + memory.gpu.at("patterns"));
  log(fmt::format("windows of {} px are computed with {}", setup.window,
                  describe_gpu_path<T>(setup, gpu_facts_, options)));
  return make_gpu_operator<T>(setup, *gpu_, &gpu_ledger, options);
}

template class OpenFit<float>;
template class OpenFit<double>;

}  // namespace ptyle
