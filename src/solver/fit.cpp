#include "solver/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "core/error.hpp"
#include "operator/detector_counts.hpp"
#include "solver/batches.hpp"
#include "solver/paper/courses.hpp"

namespace ptyle {
namespace {

using Clock = std::chrono::steady_clock;

/// Slices that are held for a variable are free after so many iterations without the lateral limit
/// at last; before, once all others have moved beside it in at least so many and it is found.
constexpr int longest_held = 16, together = 3;

}  // namespace

template <class T>
Fit<T>::Fit(std::unique_ptr<Operator<T>> op, FitData<T> data, FitOptions options, Team& team,
            const Sharing& sharing, std::vector<TileStart<T>> start, Array<Complex<T>, 3> probe,
            Ledger* ledger, std::unique_ptr<Arithmetic<T>> arithmetic)
    : with_(std::make_unique<Workspace<T>>(std::move(op), std::move(data),
                                           settled(std::move(options), team.size() == 1), team,
                                           sharing, ledger, std::move(arithmetic))),
      variables_(std::make_unique<std::vector<std::unique_ptr<Variable<T>>>>()) {
  check_options(with_->options, sharing, with_->op->setup().slices);
  Parts<T> parts = asked_parts<T>(with_->options);
  rule_ = std::move(parts.rule);
  regularisers_ = std::move(parts.regularisers);
  penalties_ = std::make_unique<Penalties<T>>(std::move(parts.penalties));
  const OperatorSetup& setup = with_->op->setup();
  auto own_probe = std::make_unique<ProbeVariable<T>>(setup);
  probe_ = own_probe.get();
  variables_->push_back(std::move(own_probe));
  for (auto& variable : parts.variables) variables_->push_back(std::move(variable));
  declare();
  probe_->begin_with(*with_, std::move(probe), ledger);
  object_->begin_with(std::move(start), *with_->arithmetic);
  for (std::size_t t = 0; t < with_->tiles.size(); ++t)
    for (const View<T, 3>& volume : object_->values.on(t)) with_->blank(t, volume);
  with_->state.allocate(*with_->arithmetic);
  for (const auto& variable : *variables_) variable->publish(*with_);
  const bool move = any_variable([](const auto& one) { return one.hand_over_margin() >= 0; });
  if (move && team.size() > 1) hand_over_ = std::make_unique<HandOver<T>>(*with_, sharing.mesh);
  apply_detector_limit();
}

template <class T>
void Fit<T>::declare() {
  State<T>& state = with_->state;
  iteration_ = &state.number("iteration");
  batch_ = &state.number("group");
  misfits_are_out_ = &state.number(misfits_are_out);
  new_stage_ = &state.number("new_stage", 1);
  previous_cost_ = &state.number("previous_cost", -1);
  passes_ = &state.number("passes");
  all_moves_from_ = &state.number("all_moves_from", 1);
  slices_held_ = &state.number("slices_held");
  held_for_ = &state.number("slices_held.iterations");
  all_with_for_ = &state.number("slices_held.all_move");
  object_ = std::make_unique<ObjectVariable<T>>(state, with_->op->setup());
  for (const auto& variable : *variables_) variable->declare(state);
  if (rule_) {
    rule_->declare(state);
    course_ =
        std::make_unique<Course<T>>(*with_, Movers<T>{*object_, *variables_, *rule_, *penalties_});
    return;
  }
  auto descent = std::make_unique<Descent<T>>(with_->options.parts.template of<RuleOptions>());
  descent->declare(state);
  const Movers<T> movers{*object_, *variables_, *descent, *penalties_};
  course_ = make_paper_course(*with_, movers, *descent);
  if (!course_) course_ = std::make_unique<Course<T>>(*with_, movers);
  rule_ = std::move(descent);
}

template <class T>
IterationReport Fit<T>::iterate(const std::function<bool()>& stop) {
  if (!course_) throw std::logic_error("Fit: only what is saved was kept, nothing can be iterated");
  const auto start = Clock::now();
  const TeamCosts before = with_->team.costs();
  const FitOptions& options = with_->options;
  with_->stop = stop;
  if (*batch_ == 0) {
    ++*iteration_;
    with_->costs.forget();
  }
  IterationReport report;
  report.stage = options.continuation.describe();
  const int iteration = static_cast<int>(*iteration_);
  // A probe that is refined while the object is still coarse takes up what belongs to the object.
  const bool limited = options.continuation.holds_probe();
  const bool refine = options.probe_from > 0 && iteration >= options.probe_from && !limited &&
                      !any_variable([](const auto& one) { return one.needs_held_probe(); });
  const auto batches = make_batches(with_->data.positions, with_->fitted, options.batches,
                                    options.seed, iteration, options.groups());
  Batch all_alike;
  all_alike.iteration = iteration;
  all_alike.lateral_limit = limited;
  all_alike.everything_free =
      options.continuation.nearly_finished() || (*slices_held_ != 0 && !limited);
  all_alike.refine_probe = refine;
  with_->costs.begin(batches.size(), static_cast<std::size_t>(*batch_));
  while (*batch_ < double(batches.size()) && report.whole) {
    const auto g = static_cast<std::size_t>(*batch_);
    *batch_ += 1;
    const bool estimate = rule_->estimates() &&
                          (g % estimate_every == 0 || (*new_stage_ != 0 && g < estimate_at_first));
    Batch batch = all_alike;
    batch.number = g;
    batch.members = batches[g];
    batch.estimate = estimate;
    if (g + 1 < batches.size()) with_->will_load(batches[g + 1]);
    course_->take(batch);
    report.whole = !with_->stopping;
    if (with_->stopping || *batch_ == double(batches.size())) course_->finish();
    if (options.verify && !course_->under_way()) verify(report);
  }
  with_->costs.report(static_cast<std::size_t>(*batch_));
  report.whole =
      *batch_ == double(batches.size());  // stopped after the last one: whole all the same
  with_->stop = {};
  report.fitted = with_->costs.so_far();
  if (report.whole) {
    if (!batches.empty()) {
      all_alike.members = batches.front();
      end_iteration(all_alike);
    }
    finish_iteration(report);
  }
  add_time(std::chrono::duration<double>(Clock::now() - start).count(), before);
  return report;
}

template <class T>
void Fit<T>::end_iteration(const Batch& batch) {
  for (const auto& variable : *variables_) {
    variable->end_iteration(*with_, batch);
    if (variable->moved_object()) rule_->object_moved();
    hand_over(*variable);
  }
  with_->costs.report(static_cast<std::size_t>(*batch_));  // what these have computed
}

template <class T>
void Fit<T>::add_time(double seconds, const TeamCosts& before) {
  const TeamCosts after = with_->team.costs();
  const double waiting = after.waiting - before.waiting,
               communicating = after.communicating - before.communicating;
  time_.gradients = course_->seconds_of_gradients();
  time_.waiting += waiting;
  time_.communicating += communicating;
  time_.computing += seconds - waiting - communicating;
}

template <class T>
void Fit<T>::end() {
  Batch whole;
  whole.members = with_->fitted;
  rule_->end({*with_, *object_, whole, *penalties_, 1});
}

/// Before anybody looks at a window: it may lie outside its tile.
template <class T>
void Fit<T>::hand_over(const Variable<T>& mover) {
  const i64 margin = mover.hand_over_margin();
  if (!hand_over_ || margin < 0 || !hand_over_->run(margin)) return;
  for (const auto& variable : *variables_) variable->publish(*with_);
}

template <class T>
void Fit<T>::finish_iteration(IterationReport& report) {
  *new_stage_ = 0;
  *batch_ = 0;
  i64 reach = 0;
  keep_vacuum<T>(*with_, object_->values);
  for (const auto& one : regularisers_) {
    reach = std::max(reach, one->reach());
    for (std::size_t t = 0; t < with_->tiles.size(); ++t)
      for (i64 state = 0; state < object_->values.states(); ++state) {
        const std::vector<View<T, 3>> volumes = object_->values.of_state(t, state);
        one->apply(volumes, *with_->arithmetic);
        for (const View<T, 3>& volume : volumes) with_->blank(t, volume);
      }
  }
  if (reach > 0 && with_->halos.sums()) with_->halos.fill(object_->stacks());

  if (!with_->held_out.empty()) report.held_out = misfit_of(with_->held_out, PixelSet::all);
  if (holds_out_pixels())
    report.held_out_pixels = misfit_of(with_->pixel_sample, PixelSet::held_out);
  report.warnings = std::exchange(with_->warnings, {});
  *passes_ += with_->costs.computed() / double(std::max<std::size_t>(1, with_->fitted.size()));
  report.passes = *passes_;
  look_what_moves();
  report.step = rule_->step_in_use(*with_);
  if (rule_->took_back()) return;  // the iteration's cost is of an object that was given up
  *slices_held_ = holds_slices() ? 1 : 0;
  *new_stage_ =
      with_->options.continuation.advance(report.fitted.r_factor(), *slices_held_ != 0) ? 1 : 0;
  if (*new_stage_ != 0) apply_detector_limit();
  adapt_steps(report);
}

template <class T>
void Fit<T>::look_what_moves() {
  const bool finding = any_variable([](const auto& one) { return one.still_finding(); });
  if (!all_move() || !with_->options.continuation.finished() || finding)
    *all_moves_from_ = *iteration_ + 1;
}

/// Did every part that is to move do so in this iteration?
template <class T>
bool Fit<T>::all_move() const {
  return with_->options.probe_from <= *iteration_ &&
         !any_variable([](const auto& one) { return one.yet_to_move(); });
}

/// Until what would be lost in free slices is found beside everything else, as far as that may be:
/// a probe that is still wrong has thickness and tilt take up what is its own.
template <class T>
bool Fit<T>::holds_slices() {
  const Continuation& schedule = with_->options.continuation;
  if (schedule.block() <= 1 ||
      !any_variable([](const auto& one) { return one.needs_binned_slices(); }))
    return false;
  if (schedule.holds_probe()) return true;
  *held_for_ += 1;
  *all_with_for_ += all_move() ? 1 : 0;
  const bool finding = any_variable(
      [](const auto& one) { return one.needs_binned_slices() && one.still_finding(); });
  return *held_for_ < longest_held && (finding || *all_with_for_ < together);
}

/// The misfit of these pixels, on positions of all ranks, which learn it.
template <class T>
Misfit Fit<T>::misfit_of(const std::vector<i64>& positions, PixelSet pixels) {
  std::vector<double> sums(3, 0.0);
  for (std::size_t t = 0; t < with_->tiles.size(); ++t) {
    const Tile& tile = with_->tiles[t];
    const auto members = members_of(positions, tile.own);
    object_->publish(*with_, t);
    const Misfit misfit =
        with_->op->misfit(with_->places_on(tile, members), with_->measured_at(members, pixels));
    sums[0] += misfit.cost;
    sums[1] += misfit.r_numerator;
    sums[2] += misfit.r_denominator;
  }
  with_->team.sum(sums);
  return {sums[0], sums[1], sums[2]};
}

template <class T>
std::vector<double> Fit<T>::r_factors() {
  std::vector<double> all(with_->data.positions.size(), 0);
  std::vector<i64> judged;
  std::merge(with_->fitted.begin(), with_->fitted.end(), with_->held_out.begin(),
             with_->held_out.end(), std::back_inserter(judged));
  for (std::size_t t = 0; t < with_->tiles.size(); ++t) {
    const Tile& tile = with_->tiles[t];
    const auto members = members_of(judged, tile.own);
    std::vector<Misfit> each(members.size());
    object_->publish(*with_, t);
    with_->op->misfits(with_->places_on(tile, members), with_->measured_at(members), each);
    for (std::size_t k = 0; k < members.size(); ++k)
      all[static_cast<std::size_t>(members[k])] = each[k].r_factor();
  }
  with_->team.sum(all);
  std::vector<double> factors(all.size(), -1);
  for (const i64 i : judged)
    factors[static_cast<std::size_t>(i)] = all[static_cast<std::size_t>(i)];
  return factors;
}

template <class T>
Array<float, 4> Fit<T>::patterns(const std::vector<i64>& numbers) {
  const OperatorSetup& setup = with_->op->setup();
  const i64 window = setup.window, pixels = window * window;
  Array<float, 4> all({std::ssize(numbers), 2, window, window});
  Array<Complex<T>, 3> wave({setup.modes, window, window}, with_->ledger, "probe");
  std::vector<T> measured(static_cast<std::size_t>(pixels));
  for (i64 n = 0; n < std::ssize(numbers); ++n) {  // one at a time, as sums are of doubles
    const i64 number = numbers[static_cast<std::size_t>(n)];
    std::vector<double> both(static_cast<std::size_t>(2 * pixels), 0);
    for (std::size_t t = 0; t < with_->tiles.size(); ++t) {
      const auto members = members_of({number}, with_->tiles[t].own);
      if (members.empty()) continue;
      object_->publish(*with_, t);
      with_->op->forward(with_->places_on(with_->tiles[t], members).front(), wave);
      with_->measured_at({&number, 1}, PixelSet::all).load(0, measured.data());
      std::copy(measured.begin(), measured.end(), both.begin());
      detector_counts(std::as_const(wave).view(), setup.background, both.data() + pixels);
    }
    with_->team.sum(both);
    std::transform(both.begin(), both.end(), &all(n, 0, 0, 0),
                   [](double v) { return static_cast<float>(v); });
  }
  return all;
}

template <class T>
void Fit<T>::leave_out(const std::vector<i64>& patterns) {
  with_->leave_out(patterns);
}

template <class T>
void Fit<T>::verify(IterationReport& report) {
  report.spread = std::max(report.spread, with_->halos.spread(object_->stacks()));
  const bool promised = with_->halos.sums() && with_->options.update == Update::consistent;
  if (promised && report.spread != 0)
    throw std::runtime_error(fmt::format(
        "after mini-batch {} of iteration {} two copies of a voxel differ by {:.3g} rad, "
        "but the exchange leaves them equal",
        *batch_, *iteration_, report.spread));
}

template <class T>
void Fit<T>::apply_detector_limit() {
  with_->op->set_weights(with_->detector_weight().view(), with_->data.valid);
}

template <class T>
void Fit<T>::adapt_steps(IterationReport& report) {
  // Mini-batches change from one iteration to the next, so a small rise means nothing.
  constexpr double rise = 1.2;
  // A cost that stands still with everything free is the noise of the mini-batches. A probe that is
  // still wrong also lets it stand, and goes on as before.
  constexpr double standstill = 0.995;
  const double cost = report.fitted.cost;
  const bool still_finding = any_variable([](const auto& one) { return one.still_finding(); });
  if (*previous_cost_ >= 0 && !(cost <= rise * *previous_cost_)) {
    report.diverging = true;
    with_->caution *= 0.5;
  } else if (*previous_cost_ >= 0 && with_->options.continuation.finished() &&
             cost > standstill * *previous_cost_ && !still_finding) {
    rule_->settle();
  }
  *previous_cost_ = *new_stage_ != 0 ? -1 : cost;
}

template class Fit<float>;
template class Fit<double>;

}  // namespace ptyle
