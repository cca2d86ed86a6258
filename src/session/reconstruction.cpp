#include "session/reconstruction.hpp"

#include <fmt/format.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <utility>

#include "analysis/scan_model.hpp"
#include "core/waves.hpp"
#include "operator/probe.hpp"
#include "session/agreement.hpp"
#include "session/check.hpp"
#include "session/fingerprint.hpp"
#include "session/fit_fields.hpp"
#include "session/fitted_optics.hpp"
#include "session/misfits.hpp"
#include "session/open_fit.hpp"
#include "session/rank_report.hpp"
#include "session/reconstruct_keys.hpp"
#include "session/result_facts.hpp"
#include "session/write_object.hpp"
#include "solver/states.hpp"
#include "solver/variables/detector_options.hpp"

namespace ptyle {

class Reconstruction::Work {
 public:
  virtual ~Work() = default;
  [[nodiscard]] virtual bool finished() const = 0;
  virtual void set_iterations(int iterations) = 0;
  virtual Progress step(const std::function<bool()>& pause) = 0;
  [[nodiscard]] virtual ObjectValues object() const = 0;
  [[nodiscard]] virtual std::vector<double> shares() const = 0;
  [[nodiscard]] virtual Array<Complex<float>, 3> probe() const = 0;
  [[nodiscard]] virtual std::vector<Position> positions() const = 0;
  [[nodiscard]] virtual const History& history() const = 0;
  [[nodiscard]] virtual std::vector<FieldFacts> fields() const = 0;
  [[nodiscard]] virtual Array<float, 3> field(const std::string& name) const = 0;
  [[nodiscard]] virtual FieldHere here(const std::string& name) const = 0;
  [[nodiscard]] virtual Result result() const = 0;
  virtual void check_folder(const std::string& folder, bool overwrite) const = 0;
  /// At the `end` the memory of all that is not needed any more is given up on the way.
  virtual void write(const std::string& folder, const OutputChoice& choice, bool end) = 0;
  [[nodiscard]] virtual std::unique_ptr<Checkpoints> checkpoints(const std::string& folder,
                                                                 bool while_computing) = 0;
};

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Freed memory goes back to the system, which the allocator would keep for as much again.
void give_back_now() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
void give_memory_back() {
  give_back_now();
#ifdef __GLIBC__
  // Memory that is freed from now on, some MB at a time, goes back at once.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
#endif
}

template <class T>
class FitCheckpoints final : public Checkpoints {
 public:
  FitCheckpoints(OpenFit<T>& open, const History& history, Fingerprint fingerprint,
                 const std::string& folder, bool while_computing)
      : history_(history),
        fingerprint_(std::move(fingerprint)),
        writer_(open.team(), folder, *open.fit, *open.division, while_computing, &open.ledger) {}
  void save() override { writer_.save(history_, fingerprint_); }
  void commit() override { writer_.commit(); }
  void finish() override { writer_.finish(); }
  bool writing() override { return writer_.writing(); }
  [[nodiscard]] bool written() const override { return writer_.written(); }
  [[nodiscard]] bool failed() const override { return writer_.failed(); }

 private:
  const History& history_;
  const Fingerprint fingerprint_;
  CheckpointWriter<T> writer_;
};

template <class T>
class WorkOf final : public Reconstruction::Work {
 public:
  WorkOf(const ReconstructConfig& config, const PatternsInMemory* patterns, Team& team,
         const ReconstructCallbacks& callbacks, const std::string& text)
      : WorkOf(config, with_fitted_optics(config, patterns, team, callbacks), patterns, team,
               callbacks, text) {}

  WorkOf(const ReconstructConfig& given, const FittedOptics& fitted,
         const PatternsInMemory* patterns, Team& team, const ReconstructCallbacks& callbacks,
         const std::string& text)
      : config_(fitted.config),
        callbacks_(callbacks),
        text_(given.optics.fitted && callbacks.measured && team.leads()
                  ? callbacks.measured(fitted.config, fitted.where)
                  : text),
        open_(config_, callbacks_, team, patterns, given.optics.fitted),
        team_(open_.team()),
        history_(open_.history),
        standstill_(standstill()) {
    give_back_now();  // what reading and the start have had
  }

  [[nodiscard]] bool finished() const override {
    return static_cast<int>(history_.cost.size()) >= config_.solver.iterations ||
           standstill_.reached();
  }

  void set_iterations(int iterations) override {
    config_.solver.iterations = iterations;
    if (!text_.empty()) text_ = resolved_text(config_);
  }

  Progress step(const std::function<bool()>& pause) override {
    if (!first_step_) {
      first_step_ = Clock::now();
      seconds_before_ = history_.seconds.empty() ? 0 : history_.seconds.back();
    }
    const int iteration = static_cast<int>(history_.cost.size()) + 1;
    const IterationReport report =
        fit().iterate([&] { return (callbacks_.stop && callbacks_.stop()) || (pause && pause()); });
    if (!std::isfinite(report.fitted.cost))  // on all ranks
      throw CostNotFinite(
          fmt::format("the cost is no longer a finite number in iteration {}; try a smaller "
                      "solver.step or probe.step",
                      iteration));
    Progress p = progress(report, iteration);
    if (!report.whole) return p;
    record(p);
    judge_patterns(open_, iteration, finished());
    for (const std::string& warning : report.warnings) open_.warn(warning);
    if (report.diverging)
      open_.warn(
          fmt::format("the cost rose by over 20 % in iteration {}; step sizes halved", iteration));
    if (standstill_.asked() && finished()) open_.log(ended());
    return p;
  }

  [[nodiscard]] ObjectValues object() const override {
    ObjectValues object{mean_of_states(field("phase"), shares()), {}};
    if (has_absorption()) object.absorption = mean_of_states(field("absorption"), shares());
    return object;
  }

  [[nodiscard]] std::vector<double> shares() const override {
    return config_.parts.of<StatesOptions>().shares();
  }
  [[nodiscard]] Array<Complex<float>, 3> probe() const override {
    return converted<Complex<float>, Complex<T>, 3>(fit().probe());
  }

  [[nodiscard]] std::vector<Position> positions() const override {
    static_cast<void>(fit());
    return open_.positions();
  }
  [[nodiscard]] const History& history() const override { return history_; }

  [[nodiscard]] std::vector<FieldFacts> fields() const override {
    return facts_of_fields(fit(), open_.division->frame);
  }
  [[nodiscard]] Array<float, 3> field(const std::string& name) const override {
    return whole_field(fit(), *open_.division, team_, name);
  }
  [[nodiscard]] FieldHere here(const std::string& name) const override {
    return field_here(fit(), name);
  }

  [[nodiscard]] Result result() const override {
    Result result;
    static_cast<ResultFacts&>(result) = facts(report());
    if (team_.leads()) {
      result.probe = converted<Complex<float>, Complex<double>, 3>(orthogonal_probe().view());
      result.variable_modes = variable_modes();
    }
    auto [phase, absorption] = object();
    result.phase = std::move(phase);
    result.absorption = std::move(absorption);
    if (shares().empty()) return result;
    result.states_phase = field("phase");
    if (has_absorption()) result.states_absorption = field("absorption");
    return result;
  }

  void check_folder(const std::string& folder, bool overwrite) const override {
    if (team_.leads()) check_output(folder, overwrite);
  }

  void write(const std::string& folder, const OutputChoice& choice, bool end) override {
    const Field<T>& phase = fit().state().field("phase");
    std::array<i64, 3> shape = whole_shape(phase, open_.division->frame);
    shape[0] /= phase.volumes;
    if (end) fit().end();
    agree_on_room();
    const RankReport report = this->report();
    ResultFacts facts = this->facts(report);
    const bool refined = !facts.positions_start.empty();
    if (end) keep_only_saved();
    const WritingMemory memory =
        writing_memory(shape, has_absorption(), all_modes(), fit().probe().shape[1],
                       static_cast<i64>(facts.positions.size()), choice);
    write_result(std::move(facts), shape, folder, choice.overwrite, memory.result);
    if (end) open_.fit.reset();
    give_memory_back();
    for (const std::string& missing : write_copies(folder, choice, team_, &open_.ledger))
      open_.warn(missing);
    // The memory's peak may have been there.
    const auto ranks = gather_report(team_, report, open_.ledger, open_.gpu_ledger);
    for (const std::string& line : report_lines(ranks)) open_.log(line);
    if (team_.size() > 1 && refined)
      open_.log(fmt::format("positions that changed hands between ranks, as they moved: {:.0f}",
                            handed_over(ranks)));
  }

  [[nodiscard]] std::unique_ptr<Checkpoints> checkpoints(const std::string& folder,
                                                         bool while_computing) override {
    static_cast<void>(fit());
    return std::make_unique<FitCheckpoints<T>>(open_, history_, fingerprint(), folder,
                                               while_computing);
  }

 private:
  Fit<T>& fit() const {
    if (!open_.fit) throw std::logic_error("Reconstruction: its end was written, the fit is gone");
    return *open_.fit;
  }
  [[nodiscard]] bool has_absorption() const { return fit().state().has("absorption"); }

  [[nodiscard]] Fingerprint fingerprint() const {
    return last_fingerprint_ ? *last_fingerprint_
                             : fingerprint_of(config_, open_.experiment, *open_.division);
  }

  /// There is memory for the facts of a result, on all ranks: none is to give up while they are
  /// gathered. Throws NotWritten, on all.
  void agree_on_room() {
    const double bytes = gathering_bytes(std::ssize(open_.division->frame.positions));
    agree(team_, failure_of([&] {
            const Array<char, 1> room({static_cast<i64>(bytes)}, &open_.ledger, "result");
          }));
  }

  /// No iteration is to come: all that the result and a checkpoint do not need gives its memory to
  /// them.
  void keep_only_saved() {
    agree(team_, failure_of([&] { last_fingerprint_ = fingerprint(); }));
    fit().keep_only_saved();
    open_.experiment.patterns.reset();
    give_memory_back();
  }

  /// result.h5. Throws NotWritten, on all ranks.
  void write_result(ResultFacts facts, const std::array<i64, 3>& shape, const std::string& folder,
                    bool overwrite, double memory) {
    std::optional<ResultWriter> writer;
    Ledger::Booking booking;
    const auto lead = [&](auto&& work) {
      agree(team_, team_.leads() ? failure_of(work) : std::string());
    };
    lead([&] {
      booking = open_.ledger.book("result", static_cast<std::size_t>(memory));
      const auto modes = orthogonal_probe();
      log_end(facts, modes);
      facts.probe = converted<Complex<float>, Complex<double>, 3>(modes.view());
      facts.variable_modes = variable_modes();
      writer.emplace(facts, shape, has_absorption(), folder, overwrite);
    });
    write_object(team_, open_.division->sharing.mesh, fit(), {shape, has_absorption(), shares()},
                 writer ? &*writer : nullptr, &open_.ledger);
    lead([&] { writer->finish(); });
  }

  void log_end(const ResultFacts& facts, View<const Complex<double>, 3> modes) const {
    log_shares(modes);
    if (const auto values = fitted(); !values.empty())
      open_.log("fitted: " + describe(values, true));
    if (!facts.gain.empty()) open_.log("fitted: " + describe_gains(facts.gain, facts.gain_error));
    if (open_.config.parts.template of<DetectorOptions>().has(DetectorPart::gain) &&
        fit().numbers().at("detector.gain.held") == 0)
      open_.warn(
          "the run has ended before the gains of the detector's pixels were found, and until then "
          "the probe is not refined: more iterations are needed");
    if (!history_.r_held_out_pixels.empty())
      open_.log(fmt::format("R of the held-out detector pixels: {:.4g}",
                            history_.r_held_out_pixels.back()));
    if (facts.positions_start.empty()) return;
    const ScanModel model = scan_model(facts.positions_start, facts.positions);
    open_.log(model.moved > 0 ? describe(model, facts.units == "A" ? "Å" : facts.units)
                              : "positions: none was moved");
  }

  Progress progress(const IterationReport& report, int iteration) const {
    Progress p;
    p.iteration = iteration;
    p.iterations = config_.solver.iterations;
    p.cost = report.fitted.cost;
    p.r_factor = report.fitted.r_factor();
    if (report.whole && !fit().held_out().empty()) p.r_held_out = report.held_out.r_factor();
    if (report.whole && fit().holds_out_pixels())
      p.r_held_out_pixels = report.held_out_pixels.r_factor();
    p.seconds = seconds_before_ + seconds_since(*first_step_);
    p.seconds_before = history_.seconds.empty() ? 0 : history_.seconds.back();
    p.seconds_left = p.seconds / iteration * (p.iterations - iteration);
    p.stage = report.stage;
    p.geometry = describe(fitted(), false);
    p.passes = report.passes;
    p.standstill = standstill_;
    p.whole = report.whole;
    return p;
  }

  [[nodiscard]] Standstill standstill() const {
    const SolverConfig& asked = config_.solver;
    return standstill_of(history_, fit().all_moves_from(), {asked.until, asked.until_over});
  }
  /// The reason, where it has.
  [[nodiscard]] std::string ended() const {
    return finished() ? reason_of_end(standstill_, static_cast<int>(history_.cost.size())) : "";
  }

  void record(Progress& p) {
    history_.cost.push_back(p.cost);
    history_.r_factor.push_back(p.r_factor);
    history_.seconds.push_back(p.seconds);
    history_.passes.push_back(p.passes);
    if (!fit().held_out().empty()) history_.r_held_out.push_back(p.r_held_out);
    if (fit().holds_out_pixels()) history_.r_held_out_pixels.push_back(p.r_held_out_pixels);
    record_geometry();
    p.standstill = standstill_ = standstill();
    if (callbacks_.progress && team_.leads()) callbacks_.progress(p);
    if (callbacks_.look) {
      const Array<float, 3> phase = mean_of_states(field("phase"), shares());
      const std::vector<Position> at = positions();
      if (team_.leads()) callbacks_.look(p, phase.view(), at);
    }
  }

  /// As it is where the first mode varies, which then is no mixture of others.
  [[nodiscard]] Array<Complex<double>, 3> orthogonal_probe() const {
    auto probe = converted<Complex<double>, Complex<T>, 3>(fit().probe());
    return fit().state().has("mixture") ? std::move(probe) : orthogonal_modes(std::move(probe));
  }
  [[nodiscard]] i64 all_modes() const { return fit().state().field("probe").shape[0]; }
  /// By which the probe varies; empty: by none.
  [[nodiscard]] Array<Complex<float>, 3> variable_modes() const {
    const i64 incoherent = fit().probe().shape[0], more = all_modes() - incoherent;
    if (more == 0) return {};
    const auto all =
        fit().arithmetic().on_host(std::as_const(fit().state().field("probe").waves).view());
    const View<const Complex<T>, 3> behind{all.view[incoherent].data,
                                           {more, all.view.shape[1], all.view.shape[2]}};
    return converted<Complex<float>, Complex<T>, 3>(behind);
  }
  /// The numbers that were fitted of the microscope's geometry and of the detector; nothing where
  /// they were not asked for.
  [[nodiscard]] std::vector<FittedValue> fitted() const {
    const auto& numbers = fit().state().numbers();
    std::vector<FittedValue> all;
    if (!config_.parts.of<GeometryOptions>().refine.empty())
      all = fitted_geometry(geometry_options(config_, open_.experiment, *open_.division), numbers);
    for (FittedValue& value : fitted_detector(config_.parts.of<DetectorOptions>(), numbers))
      all.push_back(std::move(value));
    return all;
  }
  void record_geometry() {
    for (const FittedValue& value : fitted()) {
      auto& all = history_.geometry;
      auto at = std::find_if(all.begin(), all.end(),
                             [&](const FittedSeries& one) { return one.name == value.name; });
      if (at == all.end()) at = all.insert(at, {value.name, value.unit, {}});
      at->values.push_back(value.to);
    }
  }

  /// The fraction of the power in each mode.
  void log_shares(View<const Complex<double>, 3> modes) const {
    if (modes.shape[0] < 2) return;
    std::string percent;
    for (const double fraction : shares_of_power<double>(modes))
      percent += fmt::format(" {:.3g}", 100 * fraction);
    open_.log("probe modes, % of the power:" + percent);
  }

  [[nodiscard]] RankReport report() const {
    RankReport report;
    for (const Tile& tile : fit().tiles()) report.positions += static_cast<double>(tile.own.size());
    report.handed_over = fit().handed_over();
    report.iterations = fit().time();
    report.reading = open_.experiment.seconds_reading;
    report.total = seconds_since(start_);
    return report;
  }

  /// All of a result but object and probe.
  [[nodiscard]] ResultFacts facts(const RankReport& report) const {
    auto ranks = gather_report(team_, report, open_.ledger, open_.gpu_ledger);
    ResultFacts facts = facts_of(open_);
    facts.ranks = std::move(ranks);
    facts.history = history_;
    add_fitted(facts, fitted());
    facts.config = text_;
    facts.ended = ended();
    return facts;
  }

  ReconstructConfig config_;
  const ReconstructCallbacks callbacks_;
  std::string text_;
  const Clock::time_point start_ = Clock::now();
  OpenFit<T> open_;
  Team& team_;
  History history_;
  Standstill standstill_;
  std::optional<Clock::time_point> first_step_;
  double seconds_before_ = 0;                    // of the history's, at the first step
  std::optional<Fingerprint> last_fingerprint_;  // once the patterns are gone
};

std::unique_ptr<Reconstruction::Work> work_of(const CheckedConfig& checked,
                                              const PatternsInMemory* patterns, Team& team,
                                              const ReconstructCallbacks& callbacks,
                                              const std::string& text) {
  const ReconstructConfig& config = checked.config;
  if (config.solver.precision == Precision::float64)
    return std::make_unique<WorkOf<double>>(config, patterns, team, callbacks, text);
  return std::make_unique<WorkOf<float>>(config, patterns, team, callbacks, text);
}

}  // namespace

Reconstruction::Reconstruction(const ReconstructConfig& config, Team& team,
                               const ReconstructCallbacks& callbacks, const std::string& text)
    : Reconstruction(checked(config, {Purpose::Folder::unused}), team, callbacks, text) {}
Reconstruction::Reconstruction(const CheckedConfig& config, Team& team,
                               const ReconstructCallbacks& callbacks, const std::string& text)
    : work_(work_of(config, nullptr, team, callbacks, text)) {}
Reconstruction::Reconstruction(const ReconstructConfig& config, const PatternsInMemory& patterns,
                               Team& team, const ReconstructCallbacks& callbacks,
                               const std::string& text)
    : work_(work_of(checked(config, {Purpose::Folder::unused, &patterns}), &patterns, team,
                    callbacks, text)) {}
Reconstruction::Reconstruction(Reconstruction&&) noexcept = default;
Reconstruction& Reconstruction::operator=(Reconstruction&&) noexcept = default;
Reconstruction::~Reconstruction() = default;

bool Reconstruction::finished() const { return work_->finished(); }
void Reconstruction::set_iterations(int iterations) { work_->set_iterations(iterations); }
Progress Reconstruction::step(const std::function<bool()>& pause) { return work_->step(pause); }
ObjectValues Reconstruction::object() const { return work_->object(); }
std::vector<double> Reconstruction::shares() const { return work_->shares(); }
Array<Complex<float>, 3> Reconstruction::probe() const { return work_->probe(); }
std::vector<Position> Reconstruction::positions() const { return work_->positions(); }
const History& Reconstruction::history() const { return work_->history(); }
std::vector<FieldFacts> Reconstruction::fields() const { return work_->fields(); }
Array<float, 3> Reconstruction::field(const std::string& name) const { return work_->field(name); }
FieldHere Reconstruction::here(const std::string& name) const { return work_->here(name); }
Result Reconstruction::result() const { return work_->result(); }

void Reconstruction::write(const std::string& folder, const OutputChoice& choice) const& {
  work_->check_folder(folder, choice.overwrite);
  work_->write(folder, choice, false);
}
void Reconstruction::write(const std::string& folder, const OutputChoice& choice) && {
  work_->write(folder, choice, true);
}

void Reconstruction::save(const std::string& folder) const {
  const auto writer = checkpoints(folder, false);
  writer->save();
  writer->commit();
  writer->finish();
}
std::unique_ptr<Checkpoints> Reconstruction::checkpoints(const std::string& folder,
                                                         bool while_computing) const {
  return work_->checkpoints(folder, while_computing);
}

}  // namespace ptyle
