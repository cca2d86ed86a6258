#include "solver/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/units.hpp"
#include "solver/blur.hpp"
#include "solver/groups.hpp"

namespace ptyle {
namespace {

using Clock = std::chrono::steady_clock;

/// Σ over modes of |ψ|², its largest value.
template <class T>
double largest_intensity(View<const Complex<T>, 3> probe) {
  const i64 n = probe.shape[1] * probe.shape[2];
  double largest = 0;
  for (i64 i = 0; i < n; ++i) {
    double sum = 0;
    for (i64 m = 0; m < probe.shape[0]; ++m)
      sum += static_cast<double>(std::norm(probe.data[m * n + i]));
    largest = std::max(largest, sum);
  }
  return largest;
}

/// Pixels [W/2, W/2] of the windows.
std::vector<Pixel> centres(const std::vector<Placement>& places, i64 window) {
  std::vector<Pixel> all;
  for (const Placement& p : places) all.push_back({p.row + window / 2, p.col + window / 2});
  return all;
}

/// exp(−(k/k_c)²) is a Gaussian of σ = 1/(√2 π k_c) in real space.
double low_pass_of(const FitOptions& options) {
  const double k_c = options.continuation.k_c();
  return k_c > 0 ? 1 / (std::sqrt(2.0) * pi * k_c * options.pixel) : 0;
}

/// What looks at lateral neighbours finds them in the halo.
void check_reach(const FitOptions& options, Halo halo) {
  const i64 has = std::min(halo.before, halo.after);
  const auto check = [&](double sigma, const char* what) {
    if (reach_of_blur(sigma) > has)
      throw UserError(
          fmt::format("ranks.halo is {} px, but {} reaches {} px from a voxel: a halo "
                      "of at least that is needed",
                      has, what, reach_of_blur(sigma)));
  };
  check(options.blur, "object.blur");
  check(low_pass_of(options), "the first stage of coarse to fine (solver.continuation)");
}

/// Planes that are exchanged together at most: gradients and the illumination.
i64 planes_of(const OperatorSetup& setup) { return setup.slices * (setup.absorption ? 2 : 1) + 1; }

}  // namespace

void check_options(const FitOptions& options, const Sharing& sharing) {
  const bool literal = options.update == Update::literal;
  const bool local = literal || options.local_positions > 0;
  if (literal && options.step <= 0)
    throw UserError("ranks.update: 'literal' needs a solver.step, as its step is not estimated");
  if (!sum_kind(sharing.scheme) && (local || options.exchange_behind))
    throw UserError(
        "ranks.exchange: steps between exchanges (ranks.update: literal, ranks.local_positions, "
        "ranks.exchange_behind) belong to exchanges of gradients, not of voxels");
  if (local && options.exchange_behind)
    throw UserError(
        "ranks.exchange_behind: its exchange belongs to steps once a group, not to ranks.update: "
        "literal or ranks.local_positions");
  if (sharing.mesh.ranks() > 1) check_reach(options, sharing.mesh.halo());
}

template <class T>
Fit<T>::Fit(std::unique_ptr<Operator<T>> op, FitData<T> data, FitOptions options, Team& team,
            const Sharing& sharing, std::vector<TileStart<T>> start, Array<Complex<T>, 3> probe,
            Ledger* ledger, std::unique_ptr<Arithmetic<T>> arithmetic)
    : team_(team),
      op_(std::move(op)),
      data_(std::move(data)),
      options_(std::move(options)),
      arithmetic_(arithmetic ? std::move(arithmetic)
                             : make_cpu_arithmetic<T>(options_.threads, ledger)),
      halos_(team, sharing, planes_of(op_->setup()), *arithmetic_, ledger),
      largest_probe_(largest_intensity<T>(probe)) {
  check_options(options_, sharing);
  const auto shape = probe.shape();
  probe_ = arithmetic_->brought(std::move(probe), "probe");
  probe_gradient_ = arithmetic_->template array<Complex<T>, 3>(shape, "gradient");
  const bool others = team_.size() > static_cast<int>(team_.here().size());
  if (others && arithmetic_->memory())
    travelling_gradient_ = Array<Complex<T>, 3>(shape, ledger, "gradient", arithmetic_->pinned());
  if (shape[0] > 1) waves_ = Array<Complex<T>, 3>(shape, ledger, "probe");
  const i64 window = op_->setup().window, count = static_cast<i64>(data_.positions.size());
  places_.reserve(data_.positions.size());
  fitted_.reserve(data_.positions.size());
  for (const Position& at : data_.positions) places_.push_back(place(at, window));
  if (ledger)
    positions_booking_ = ledger->book("positions", data_.positions.size() * bytes_a_position);
  held_out_ = held_out_positions(count, options_.hold_out, options_.seed);
  for (i64 i = 0; i < count; ++i)
    if (!std::binary_search(held_out_.begin(), held_out_.end(), i)) fitted_.push_back(i);
  if (options_.update == Update::literal) {
    options_.local_positions = std::max<i64>(1, options_.local_positions);
    options_.preconditioner = false;
  }
  if (team_.size() == 1) options_.exchange_behind = false;  // nothing travels
  make_tiles(sharing, std::move(start));
  floor_ = arithmetic_->template array<double, 1>(
      {std::max<i64>(1, static_cast<i64>(tiles_.size()))}, "sums");
  op_->set_probe(probe_);
  apply_detector_limit();
}

template <class T>
void Fit<T>::make_tiles(const Sharing& sharing, std::vector<TileStart<T>> start) {
  const bool steps_between = options_.local_positions > 0 || options_.exchange_behind;
  const auto shares =
      share_positions(sharing.mesh, centres(places_, op_->setup().window), options_.extra);
  for (std::size_t t = 0; t < start.size(); ++t) {
    const int rank = team_.here().at(t);
    Tile<T> tile;
    tile.core = sharing.mesh.core(rank);
    tile.box = sharing.mesh.extended(rank);
    tile.own = shares.at(static_cast<std::size_t>(rank)).own;
    tile.extra = shares.at(static_cast<std::size_t>(rank)).extra;
    tile.phase = arithmetic_->brought(std::move(start[t].phase), "object");
    tile.absorption = arithmetic_->brought(std::move(start[t].absorption), "object");
    const auto shape = tile.phase.shape();
    const bool absorbing = !tile.absorption.empty();
    tile.sums = Accumulators<T>(shape, absorbing, *arithmetic_);
    if (steps_between) {
      const auto synced = [&] {
        return arithmetic_->template array<T, 3>(shape, "object, synchronised");
      };
      tile.synced_phase = synced();
      if (absorbing) tile.synced_absorption = synced();
      tile.other = Accumulators<T>(shape, absorbing, *arithmetic_);
      tile.lit = arithmetic_->template array<T, 2>({shape[1], shape[2]}, "gradient");
    }
    tiles_.push_back(std::move(tile));
  }
}

template <class T>
double Fit<T>::low_pass_sigma() const {
  return low_pass_of(options_);
}

template <class T>
IterationReport Fit<T>::iterate(const std::function<bool()>& stop) {
  const auto start = Clock::now();
  const TeamCosts before = team_.costs();
  stop_ = stop;
  if (group_ == 0) {
    ++iteration_;
    fitted_so_far_ = {};
  }
  IterationReport report;
  report.stage = options_.continuation.describe();
  // A probe that is refined while the object is still coarse takes up what belongs to the object.
  const bool refine = options_.probe_from > 0 && iteration_ >= options_.probe_from &&
                      options_.continuation.k_c() == 0;
  const auto groups =
      make_groups(data_.positions, fitted_, options_.groups, options_.seed, iteration_);
  begin_costs(groups.size());
  while (group_ < groups.size() && report.whole) {
    const std::size_t g = group_++;
    const bool estimate =
        options_.step == 0 && (g % estimate_every == 0 || (new_stage_ && g < estimate_at_first));
    if (options_.exchange_behind && !estimate && options_.continuation.finished()) {
      take_late_step(groups[g], refine);
    } else {
      finish_late();
      take_step(groups[g], refine, estimate);
    }
    report.whole = !stopping_;
    if (stopping_ || group_ == groups.size()) finish_late();
    if (options_.verify && !late_) verify(report);
  }
  tell_costs();
  report.whole = group_ == groups.size();  // stopped after the last group: whole all the same
  stop_ = {};
  report.fitted = fitted_so_far_;
  if (report.whole) {
    if (refine && !groups.empty()) balance_modes(groups.front());
    finish_iteration(report);
  }
  const TeamCosts after = team_.costs();
  seconds_computing_ += std::chrono::duration<double>(Clock::now() - start).count() -
                        (after.waiting - before.waiting) -
                        (after.communicating - before.communicating);
  return report;
}

template <class T>
void Fit<T>::finish_iteration(IterationReport& report) {
  new_stage_ = false;
  group_ = 0;
  for (Tile<T>& tile : tiles_)
    for (const View<T, 3>& volume : tile.volumes()) {
      if (options_.blur > 0) arithmetic_->blur_lateral(volume, gaussian_weights(options_.blur), 1);
      if (options_.blur_z > 0 && volume.shape[0] > 1)
        arithmetic_->blur_along_z(volume, gaussian_weights(options_.blur_z));
    }
  if (options_.blur > 0 && halos_.sums()) halos_.fill(objects());

  if (!held_out_.empty()) {
    std::vector<double> sums(3, 0.0);
    for (Tile<T>& tile : tiles_) {
      const auto members = members_of(held_out_, tile.own);
      op_->set_object(tile.object());
      const Misfit misfit = op_->misfit(places_on(tile, members), measured_at(members));
      sums[0] += misfit.cost;
      sums[1] += misfit.r_numerator;
      sums[2] += misfit.r_denominator;
    }
    team_.sum(sums);
    report.held_out = {sums[0], sums[1], sums[2]};
  }
  report.step = step_in_use();
  new_stage_ = options_.continuation.advance(report.fitted.r_factor());
  if (new_stage_) apply_detector_limit();
  adapt_steps(report.fitted, report);
}

template <class T>
void Fit<T>::verify(IterationReport& report) {
  report.spread = std::max(report.spread, halos_.spread(objects()));
  const bool promised = halos_.sums() && options_.update == Update::consistent;
  if (promised && report.spread != 0)
    throw std::runtime_error(
        fmt::format("after group {} of iteration {} two copies of a voxel differ by {:.3g} rad, "
                    "but the exchange leaves them equal",
                    group_, iteration_, report.spread));
}

/// While the lateral low-pass holds, detector pixels that it cannot explain stay out of the cost.
template <class T>
void Fit<T>::apply_detector_limit() {
  const double k_c = options_.continuation.k_c();
  if (k_c == 0) return op_->set_weights({}, data_.valid);
  const i64 window = op_->setup().window;
  Array<T, 2> weight({window, window});
  for (i64 y = 0; y < window; ++y)
    for (i64 x = 0; x < window; ++x) {
      const double k = data_.dk * std::hypot(double(frequency_index(y, window)),
                                             double(frequency_index(x, window)));
      weight(y, x) = k < k_c + options_.aperture_k ? T(1) : T(0);
    }
  op_->set_weights(weight.view(), data_.valid);
}

template <class T>
void Fit<T>::adapt_steps(const Misfit& misfit, IterationReport& report) {
  // Groups change from one iteration to the next, so a small rise means nothing.
  constexpr double rise = 1.2;
  // A cost that stands still with everything free is the noise of the groups, each of which the
  // step fits for itself: smaller steps of the object average over more of them. A probe that is
  // still wrong also lets it stand, and goes on as before.
  constexpr double standstill = 0.995, smaller = 0.7, smallest = 0.05;
  if (previous_cost_ >= 0 && !(misfit.cost <= rise * previous_cost_)) {
    report.diverging = true;
    caution_ *= 0.5;
  } else if (previous_cost_ >= 0 && options_.continuation.finished() &&
             misfit.cost > standstill * previous_cost_) {
    averaging_ = std::max(smallest, smaller * averaging_);
  }
  previous_cost_ = new_stage_ ? -1 : misfit.cost;
}

template <class T>
View<const Complex<T>, 3> Fit<T>::probe() const {
  probe_here_ = arithmetic_->on_host(std::as_const(probe_).view());
  return probe_here_.view;
}

template <class T>
std::map<std::string, double> Fit<T>::state() const {
  std::map<std::string, double> all = options_.continuation.state();
  all["iteration"] = iteration_;
  all["group"] = static_cast<double>(group_);
  all["cost"] = fitted_so_far_.cost;
  all["r_numerator"] = fitted_so_far_.r_numerator;
  all["r_denominator"] = fitted_so_far_.r_denominator;
  all["new_stage"] = new_stage_ ? 1 : 0;
  all["estimated_step"] = estimated_step_;
  all["caution"] = caution_;
  all["averaging"] = averaging_;
  all["previous_cost"] = previous_cost_;
  all["largest_probe"] = largest_probe_;
  return all;
}

template <class T>
void Fit<T>::restore(const std::map<std::string, double>& state) {
  options_.continuation.restore(state);
  iteration_ = static_cast<int>(state.at("iteration"));
  group_ = static_cast<std::size_t>(state.at("group"));
  fitted_so_far_ = {state.at("cost"), state.at("r_numerator"), state.at("r_denominator")};
  new_stage_ = state.at("new_stage") != 0;
  estimated_step_ = state.at("estimated_step");
  caution_ = state.at("caution");
  averaging_ = state.at("averaging");
  previous_cost_ = state.at("previous_cost");
  largest_probe_ = state.at("largest_probe");
  apply_detector_limit();
}

template class Fit<float>;
template class Fit<double>;

}  // namespace ptyle
