// A reconstruction, by all ranks of a team together:
//   1. check the output folder and choose the device; open the data, calibrate, divide the
//      positions and the object among the ranks, and read the patterns of each (open_experiment,
//      divide)
//   2. probe and object to start with
//   3. the fit, an iteration at a time, until done or stopped; checkpoints are written meanwhile
//   4. the result, put together from the ranks' cores, the TIFF stack and the pictures
// One rank leads: it prints and writes.

#include "session/reconstruct.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "io/dataset_name.hpp"
#include "io/room.hpp"
#include "operator/gpu.hpp"
#include "operator/operator.hpp"
#include "operator/probe.hpp"
#include "session/device.hpp"
#include "session/division.hpp"
#include "session/fingerprint.hpp"
#include "session/open_experiment.hpp"
#include "session/plan_ranks.hpp"
#include "session/rank_memory.hpp"
#include "session/rank_report.hpp"
#include "session/resumption.hpp"
#include "session/settings.hpp"
#include "session/start.hpp"
#include "session/stitch.hpp"
#include "session/warnings.hpp"
#include "session/write_result.hpp"
#include "solver/fit.hpp"

namespace ptyle {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <class T>
class Run {
 public:
  Run(const ReconstructConfig& config, const ReconstructCallbacks& callbacks, Team& team)
      : config_(config),
        callbacks_(callbacks),
        team_(team),
        threads_(config.solver.threads > 0 ? config.solver.threads
                                           : default_threads(team.processes_on_node())),
        ledger_(available_memory_bytes() / static_cast<std::size_t>(team.processes_on_node())) {}

  bool operator()(const std::string& resolved_yaml) {
    take_device();
    open();
    auto fit = std::make_unique<Fit<T>>(make_fit());
    // Begun anew: --resume is not to mix what an earlier run left with this one.
    if (team_.leads() && !config_.output.resume) remove_checkpoint(config_.output.folder);
    const bool finished = iterate(*fit);
    write(std::move(fit), resolved_yaml);
    const auto& o = config_.output;
    if (finished && team_.leads() && o.checkpoint_every == 0 && o.checkpoint_minutes == 0)
      remove_checkpoint(o.folder);
    return finished;
  }

 private:
  i64 window() const { return experiment_.patterns->window(); }
  std::vector<Position> positions_on_object() const {  // Å (px in pixel units)
    std::vector<Position> positions;
    const double pixel = experiment_.calibration.pixel;
    for (const auto& at : division_->frame.positions)
      positions.push_back({at.row * pixel, at.col * pixel});
    return positions;
  }
  const Mesh& mesh() const { return division_->sharing.mesh; }

  Kept kept(std::span<const Position> positions, i64 window, double pixel) {
    division_ = divide({positions.begin(), positions.end()}, window, pixel, config_.ranks,
                       team_.size(), planes_of(config_), sizeof(T));
    Kept kept;
    for (const int rank : team_.here()) {
      const PositionShare& share = division_->shares[static_cast<std::size_t>(rank)];
      kept.own.insert(kept.own.end(), share.own.begin(), share.own.end());
      kept.extra.insert(kept.extra.end(), share.extra.begin(), share.extra.end());
    }
    if (team_.here().size() > 1) {  // all are here: each is somebody's own
      std::sort(kept.own.begin(), kept.own.end());
      kept.extra.clear();
    }
    return kept;
  }

  void take_device() {
    const GpuCensus census = config_.solver.device == ComputeOn::cpu ? GpuCensus{} : find_gpus();
    const DeviceChoice choice = choose_device(config_.solver.device, census, team_);
    if (!choice.why_cpu.empty()) log("computing on the CPU, as " + choice.why_cpu);
    if (choice.gpu >= 0) {
      gpu_facts_ = census.gpus[static_cast<std::size_t>(choice.gpu)];
      gpu_ = open_gpu(choice.gpu);
      gpu_facts_.free_bytes = free_bytes(*gpu_);
      log("computing on " + describe(gpu_facts_));
    }
    const int sharing = ranks_on_gpu(gpu_facts_.id, team_);
    if (sharing < 2) return;
    warn(
        fmt::format("{} ranks share a GPU ({}), which is slower than one each: start as many ranks "
                    "as there are GPUs",
                    sharing, gpu_facts_.name));
    gpu_facts_.free_bytes = gpu_facts_.total_bytes / 10 * 9 / static_cast<std::size_t>(sharing);
    gpu_shared_ = true;
  }

  void open() {
    const bool all_here = static_cast<int>(team_.here().size()) == team_.size();
    const Share share{all_here ? 0 : team_.here().front(), all_here ? 1 : team_.size(),
                      [this](std::span<const Position> positions, i64 window, double pixel) {
                        return kept(positions, window, pixel);
                      },
                      [this](std::span<double> values) { team_.sum(values); }};
    if (config_.output.resume) checkpoint_.emplace(config_.output.folder);
    experiment_ = open_experiment(config_.data, config_.calibration, config_.scan, config_.optics,
                                  &ledger_, &share);
    if (checkpoint_) checkpoint_->check(fingerprint_of(config_, experiment_, division_->frame));
    for (const auto& note : experiment_.notes) log(note);
    for (const auto& warning : experiment_.warnings) warn(warning);
    for (const auto& warning : warnings_of(config_, experiment_)) warn(warning);
    if (experiment_.band_limit.value_or(0) > 0 && config_.object.band_limit == 0 &&
        config_.object.slices > 1)
      log(
          fmt::format("the file was simulated with a propagator that ends at {0:.4g} of Nyquist, "
                      "which is not done here; object.band_limit={0:.4g} does",
                      *experiment_.band_limit));
    const auto& o = config_.output;
    if (team_.leads())
      check_room(o.folder,
                 output_bytes({config_.object.slices, division_->frame.rows, division_->frame.cols},
                              config_.object.type == ObjectType::complex, o.tiff),
                 "the result");
    const ObjectFrame& frame = division_->frame;
    log(fmt::format("object: {} slice{} of {} x {} pixels; {} positions, {} thread{}{}",
                    config_.object.slices, config_.object.slices == 1 ? "" : "s", frame.rows,
                    frame.cols, frame.positions.size(), threads_, threads_ == 1 ? "" : "s",
                    team_.size() > 1 ? " a rank" : ""));
    if (team_.size() > 1) log_division();
  }

  void log_division() const {
    std::size_t least = division_->shares[0].own.size(), most = least;
    for (const PositionShare& share : division_->shares) {
      least = std::min(least, share.own.size());
      most = std::max(most, share.own.size());
    }
    log(fmt::format("{} ranks: {} x {} tiles, halo {} px, {} to {} positions each, exchange {}",
                    team_.size(), mesh().rows(), mesh().cols(), mesh().halo().before, least, most,
                    name_of(division_->sharing.scheme)));
  }

  void log(const std::string& line) const {
    if (callbacks_.log && team_.leads()) callbacks_.log(line);
  }
  void warn(const std::string& line) const {
    if (callbacks_.warn && team_.leads()) callbacks_.warn(line);
  }

  /// Of a tile: as the checkpoint has it, or as the configuration says.
  TileStart<T> start_of(const Box& box) {
    const bool absorption = config_.object.type == ObjectType::complex;
    if (checkpoint_)
      return resumed_tile<T>(*checkpoint_, config_.object.slices, absorption, box, &ledger_);
    const auto object = start_object(config_.object, division_->frame, box,
                                     experiment_.calibration.pixel, absorption);
    return {converted<T, float, 3>(object.phase.view(), &ledger_, "object"),
            converted<T, float, 3>(object.absorption.view(), &ledger_, "object")};
  }

  Fit<T> make_fit() {
    const FitOptions options = fit_options(config_, experiment_, *division_, threads_);
    if (!options.continuation.finished())
      log("the specimen is thick for its angle: coarse to fine, laterally and in depth");
    if (config_.solver.loss == LossChoice::automatic &&
        loss_of(config_, experiment_) == Loss::poisson)
      log(fmt::format("{:.2g} counts a detector pixel are few: solver.loss poisson",
                      counts_a_detector_pixel(experiment_)));
    log(fmt::format("{} group{} an iteration", options.groups, options.groups == 1 ? "" : "s"));
    const double counts = counts_an_object_pixel(experiment_, *division_);
    if (const auto few = warning_of_few_counts(counts, options.groups)) warn(*few);
    FitData<T> data;
    data.positions = division_->frame.positions;
    data.load = [this](i64 i, T* to) { experiment_.patterns->load(i, to); };
    data.raw = [this](i64 i) { return experiment_.patterns->raw(i); };
    valid_ = converted<T, float, 2>(experiment_.valid.view());
    data.valid = valid_;
    data.dk = experiment_.calibration.dk;
    const OperatorSetup setup = operator_setup(config_, experiment_);
    auto op = gpu_ ? operator_on_gpu(setup, options.groups) : operator_on_cpu(setup);
    std::vector<TileStart<T>> start;
    for (const int rank : team_.here()) start.push_back(start_of(mesh().extended(rank)));
    auto probe = checkpoint_ ? resumed_probe<T>(*checkpoint_)
                             : converted<Complex<T>, Complex<double>, 3>(
                                   start_probe(config_.probe, experiment_).view());
    Fit<T> fit(std::move(op), std::move(data), options, team_, division_->sharing, std::move(start),
               std::move(probe), &ledger_,
               gpu_ ? make_gpu_arithmetic<T>(*gpu_, &gpu_ledger_) : nullptr);
    if (checkpoint_) {
      resume(fit, *checkpoint_);
      history_ = resumed_history(*checkpoint_);
      log(fmt::format("going on from the checkpoint in {}, after {} iteration{}",
                      config_.output.folder, history_.cost.size(),
                      history_.cost.size() == 1 ? "" : "s"));
      checkpoint_.reset();
    }
    return fit;
  }

  std::unique_ptr<Operator<T>> operator_on_cpu(const OperatorSetup& setup) {
    const double budget = memory_budget(config_, team_.processes_on_node(), ledger_.most());
    const RankMemory memory =
        rank_memory<T>(config_, setup, *division_, team_.here().front(), threads_,
                       experiment_.patterns->bytes_a_pattern(), budget);
    check_memory(memory.total());
    const CpuOptions& storage = memory.options;
    if (storage.waves != WaveStorage::store || !storage.copy_transmission)
      log(fmt::format("to save memory: waves {}", describe(storage)));
    log(fmt::format("windows of {} px are computed by {}", setup.window,
                    describe_path(setup.window)));
    return make_cpu_operator<T>(setup, threads_, &ledger_, storage);
  }

  /// Before the large arrays are made: the system may end the process where it finds none.
  void check_memory(double needed) const {
    const auto there = static_cast<double>(ledger_.most());
    if (needed > there)
      throw UserError(fmt::format(
          "a rank needs {:.3g} GB, but {:.3g} GB are free for it; more ranks on more machines, "
          "fewer slices, modes or threads, or a smaller window need less (ptyle plan says how "
          "much)",
          1e-9 * needed, 1e-9 * there));
  }

  std::unique_ptr<Operator<T>> operator_on_gpu(const OperatorSetup& setup, i64 groups) {
    const RankMemory memory =
        gpu_rank_memory<T>(config_, setup, *division_, team_.here().front(),
                           experiment_.patterns->bytes_a_pattern(), groups, gpu_facts_);
    check_gpu_memory(memory, gpu_facts_, config_, experiment_, team_.size());
    GpuOptions options = memory.gpu_options;
    if (options.waves != WaveStorage::store) log("to save memory: waves are recomputed");
    // Others on this GPU need their part of what is free.
    if (gpu_shared_)
      options.memory = static_cast<std::size_t>(memory.gpu.at("waves") + memory.gpu.at("patterns"));
    log(fmt::format("windows of {} px are computed with {}", setup.window,
                    describe_gpu_path<T>(setup, gpu_facts_, options)));
    return make_gpu_operator<T>(setup, *gpu_, &gpu_ledger_, options);
  }

  bool iterate(Fit<T>& fit) {
    const auto& o = config_.output;
    const int iterations = config_.solver.iterations;
    const double before = history_.seconds.empty() ? 0 : history_.seconds.back();
    const auto start = Clock::now();
    auto saved = start;
    const auto due = [&] {  // by the clock
      return o.checkpoint_minutes > 0 && seconds_since(saved) > 60 * o.checkpoint_minutes;
    };
    const auto asked = [&] { return callbacks_.stop && callbacks_.stop(); };
    CheckpointWriter<T> writer(team_, o.folder, fit, *division_, writes_while_computing(config_),
                               &ledger_);
    // Ranks agree on what is written between groups too: a checkpoint is not to wait for the end of
    // a long iteration. Where stops between groups change the sums, those are not to depend on the
    // disk.
    const auto written = [&] { return !config_.ranks.exchange_behind && writer.written(); };
    bool go_on = true;
    int i = static_cast<int>(history_.cost.size()) + 1;
    while (go_on && i <= iterations) {
      const IterationReport report = fit.iterate([&] { return asked() || due() || written(); });
      if (!std::isfinite(report.fitted.cost)) {  // on all ranks
        writer.finish();
        throw UserError(fmt::format(
            "the cost is no longer a finite number in iteration {}; try a smaller solver.step or "
            "probe.step",
            i));
      }
      std::vector<double> wishes{asked() ? 1.0 : 0.0, due() ? 1.0 : 0.0,
                                 writer.writing() ? 1.0 : 0.0};
      team_.sum(wishes);
      go_on = wishes[0] == 0;
      if (wishes[2] == 0) writer.commit();
      if (report.whole) {
        tell(fit, report, i, before + seconds_since(start));
        if (report.diverging) warn("the cost rose: the steps are halved");
        ++i;
      }
      const bool by_count =
          report.whole && o.checkpoint_every > 0 && (i - 1) % o.checkpoint_every == 0;
      if (!go_on || wishes[1] > 0 || by_count) {
        writer.save(history_, fingerprint_of(config_, experiment_, division_->frame));
        saved = Clock::now();
      }
    }
    writer.finish();
    return i > iterations;
  }

  void tell(const Fit<T>& fit, const IterationReport& report, int iteration, double seconds) {
    Progress p;
    p.iteration = iteration;
    p.iterations = config_.solver.iterations;
    p.cost = report.fitted.cost;
    p.r_factor = report.fitted.r_factor();
    if (!fit.held_out().empty()) p.r_held_out = report.held_out.r_factor();
    p.seconds = seconds;
    p.seconds_before = history_.seconds.empty() ? 0 : history_.seconds.back();
    p.seconds_left = seconds / iteration * (p.iterations - iteration);
    p.stage = report.stage;
    history_.cost.push_back(p.cost);
    history_.r_factor.push_back(p.r_factor);
    history_.seconds.push_back(p.seconds);
    if (!fit.held_out().empty()) history_.r_held_out.push_back(p.r_held_out);
    if (callbacks_.progress && team_.leads()) callbacks_.progress(p);
    if (callbacks_.look) {
      const Array<float, 3> phase = stitched(fit);
      if (team_.leads()) callbacks_.look(p, phase.view(), positions_on_object());
    }
  }

  /// The whole phase, where somebody looks.
  Array<float, 3> stitched(const Fit<T>& fit) const {
    const ObjectFrame& frame = division_->frame;
    Array<float, 3> whole;
    if (team_.leads()) whole = Array<float, 3>({config_.object.slices, frame.rows, frame.cols});
    for (i64 z = 0; z < config_.object.slices; ++z) {
      const auto slice = stitched_slice(team_, mesh(), fit, z, false);
      if (team_.leads()) std::copy(slice.begin(), slice.end(), whole.view()[z].begin());
    }
    return whole;
  }

  /// The fit's as orthogonal modes, of which the log says what each has of the power.
  Array<Complex<float>, 3> written_probe(View<const Complex<T>, 3> probe) const {
    const auto modes = orthogonal_modes(converted<Complex<double>, Complex<T>, 3>(probe));
    if (modes.shape()[0] > 1) {
      std::string shares;
      for (const double share : shares_of_power<double>(modes))
        shares += fmt::format(" {:.3g}", 100 * share);
      log("probe modes, % of the power:" + shares);
    }
    return converted<Complex<float>, Complex<double>, 3>(modes.view());
  }

  void write(std::unique_ptr<const Fit<T>> fit, const std::string& resolved_yaml) {
    RankReport report;
    for (const Tile& tile : fit->tiles()) report.positions += static_cast<double>(tile.own.size());
    report.computing = fit->seconds_computing();
    report.reading = experiment_.seconds_reading;
    report.total = seconds_since(start_);
    const std::vector<RankFigure> figures = gather_report(team_, report, ledger_, gpu_ledger_);

    ResultFacts facts;
    if (team_.leads()) facts.probe = written_probe(fit->probe());
    facts.positions = positions_on_object();
    facts.origin = division_->frame.origin;
    facts.history = history_;
    facts.ranks = figures;
    facts.pixel_size = experiment_.calibration.pixel;
    facts.slice_thickness = config_.object.slices > 1 ? config_.object.slice_thickness : 0;
    facts.energy_kV = experiment_.optics.energy;
    facts.units = experiment_.calibration.in_pixels() ? "px" : "A";
    facts.version = PTYLE_VERSION;
    facts.config = resolved_yaml;

    const auto& o = config_.output;
    const bool absorption = config_.object.type == ObjectType::complex;
    const i64 slices = config_.object.slices;
    std::optional<ResultWriter> writer;
    if (team_.leads())
      writer.emplace(facts,
                     std::array<i64, 3>{slices, division_->frame.rows, division_->frame.cols},
                     absorption, o.folder, OutputChoice{o.overwrite, o.pictures, o.tiff}, &ledger_);
    for (i64 z = 0; z < slices; ++z) {
      const auto phase = stitched_slice(team_, mesh(), *fit, z, false);
      const auto mu = absorption ? stitched_slice(team_, mesh(), *fit, z, true) : Array<float, 2>();
      if (writer) writer->slice(z, phase.view(), mu.view());
    }
    fit.reset();  // what pictures are drawn in takes its place
    experiment_.patterns.reset();
    if (writer) writer->finish();
    for (const std::string& line : report_lines(figures)) log(line);
  }

  const ReconstructConfig& config_;
  const ReconstructCallbacks& callbacks_;
  Team& team_;
  const Clock::time_point start_ = Clock::now();
  int threads_;
  Ledger ledger_, gpu_ledger_;   // of the host's memory, and of the GPU's
  std::unique_ptr<Memory> gpu_;  // none: on the CPU
  GpuFacts gpu_facts_;           // what of it is this rank's
  bool gpu_shared_ = false;
  Experiment experiment_;
  std::optional<Division> division_;      // once the positions are known
  std::optional<Checkpoint> checkpoint_;  // to go on from
  Array<T, 2> valid_;
  History history_;
};

/// Whether there is a checkpoint to go on from, in the same folder for all ranks.
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

/// The measurement's files, and those of the start.
std::vector<std::string> files_read(const ReconstructConfig& c) {
  std::vector<std::string> files{c.data.file, c.scan.file, file_part(c.data.mask), c.object.start};
  if (c.probe.starts_from() == ProbeStart::file) files.push_back(file_part(c.probe.start));
  std::erase(files, "");
  return files;
}

}  // namespace

bool reconstruct(const ReconstructConfig& config, const std::string& resolved_yaml,
                 const ReconstructCallbacks& callbacks, Team& team) {
  ReconstructConfig c = config;
  c.output.resume = c.output.resume && finds_checkpoint(c.output.folder, team);
  // The run that goes on replaces what it wrote when it was stopped.
  if (c.output.resume) c.output.overwrite = true;
  std::optional<FolderLock> lock;
  if (team.leads()) {
    check_output(c.output.folder, c.output.overwrite, files_read(c));
    lock.emplace(c.output.folder);
    check_checkpoint_place(c.output.folder);
    if (!c.output.overwrite && has_checkpoint(c.output.folder))
      throw UserError(
          fmt::format("{} has a checkpoint of an earlier run; say --resume to go on from it, or "
                      "--overwrite to begin anew",
                      c.output.folder));
  }
  return c.solver.precision == Precision::float64 ? Run<double>(c, callbacks, team)(resolved_yaml)
                                                  : Run<float>(c, callbacks, team)(resolved_yaml);
}

}  // namespace ptyle
