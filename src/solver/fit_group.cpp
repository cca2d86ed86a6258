// What a fit does with one group of positions (the steps at the top of fit.hpp).

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "solver/blur.hpp"
#include "solver/fit.hpp"
#include "solver/groups.hpp"
#include "solver/modes.hpp"

namespace ptyle {
namespace {

constexpr double no_limit = std::numeric_limits<double>::infinity();

/// Real and imaginary parts as they lie in memory.
template <class T>
std::span<T> numbers_of(Array<Complex<T>, 3>& values) {
  const View<T, 3> parts = parts_of(values.view());
  return {parts.data, static_cast<std::size_t>(parts.size())};
}

}  // namespace

template <class T>
std::vector<Placement> Fit<T>::places_on(const Tile<T>& tile,
                                         const std::vector<i64>& members) const {
  std::vector<Placement> places;
  for (const i64 i : members) {
    places.push_back(places_[static_cast<std::size_t>(i)]);
    places.back().row -= tile.box.rows.begin;
    places.back().col -= tile.box.cols.begin;
  }
  return places;
}

template <class T>
std::vector<Stack<T>> Fit<T>::objects() {
  std::vector<Stack<T>> all;
  for (Tile<T>& tile : tiles_) all.push_back(tile.volumes());
  return all;
}

template <class T>
std::vector<Stack<T>> Fit<T>::gradients(bool illumination) {
  std::vector<Stack<T>> all;
  for (Tile<T>& tile : tiles_)
    all.push_back(tied_planes(tile.sums, options_.continuation.block(), illumination));
  return all;
}

// 1. Gradients

template <class T>
Measured<T> Fit<T>::measured_at(std::span<const i64> members) const {
  const auto at = [members](i64 k) { return members[static_cast<std::size_t>(k)]; };
  Measured<T> measured([this, at](i64 k, T* to) { data_.load(at(k), to); });
  if (data_.raw) measured.raw = [this, at](i64 k) { return data_.raw(at(k)); };
  return measured;
}

/// `own`: not a neighbour's positions.
template <class T>
void Fit<T>::gradient_at(Tile<T>& tile, std::span<const i64> members, bool own, bool probe,
                         Accumulators<T>& sums) {
  const std::vector<i64> list(members.begin(), members.end());
  const View<double, 1> misfit{
      misfits_.data() + 3 * (2 * static_cast<i64>(group_ - 1) + (own ? 0 : 1)), {3}};
  op_->gradient(places_on(tile, list), measured_at(members),
                Wanted{Part::object, Part::illumination}.with(Part::probe, probe),
                {sums.phase, sums.absorption, sums.illumination, probe_gradient_, misfit});
}

/// The gradients of a group into the tiles' sums, with a step of the rank's own after each few
/// positions where the fit has such; `behind` is an exchange to be helped along meanwhile.
template <class T>
void Fit<T>::accumulate(const std::vector<i64>& group, bool refine_probe, Running* behind) {
  arithmetic_->clear(parts_of(probe_gradient_.view()));
  const bool local = steps_locally();
  for (Tile<T>& tile : tiles_) {
    tile.sums.clear(*arithmetic_);
    op_->set_object(tile.object());
    const auto own = members_of(group, tile.own), extra = members_of(group, tile.extra);
    const std::size_t few = local    ? static_cast<std::size_t>(options_.local_positions)
                            : behind ? a_few_of(own.size())
                                     : std::max<std::size_t>(1, own.size());
    for (std::size_t first = 0; first < own.size(); first += few) {
      const auto some = std::span(own).subspan(first, std::min(few, own.size() - first));
      if (local) tile.other.clear(*arithmetic_);
      gradient_at(tile, some, true, refine_probe, local ? tile.other : tile.sums);
      if (local) step_locally(tile);
      if (behind) behind->progress();
    }
    if (!extra.empty()) gradient_at(tile, extra, false, false, tile.sums);
  }
}

/// Positions after which an exchange is helped along: on a device so many that it stays busy.
template <class T>
std::size_t Fit<T>::a_few_of(std::size_t positions) const {
  const auto few = static_cast<std::size_t>(2 * options_.threads);
  return arithmetic_->memory() ? std::max(few, (positions + 7) / 8) : few;
}

template <class T>
bool Fit<T>::steps_locally() const {
  return options_.local_positions > 0 && options_.continuation.finished();
}

/// A rank's own gradient, just computed, to the sums and at once to its object.
template <class T>
void Fit<T>::step_locally(Tile<T>& tile) {
  arithmetic_->add_to(tile.other.phase.view(), tile.sums.phase);
  if (!tile.absorption.empty())
    arithmetic_->add_to(tile.other.absorption.view(), tile.sums.absorption);
  arithmetic_->add_to(as_volume(tile.other.illumination.view()),
                      as_volume(tile.sums.illumination.view()));
  move_by_own(tile, tile.other, tile.object());
  op_->set_object(tile.object());
}

/// V = from − step·M(own), M made of the illumination of the last exchange; before the first, there
/// is no step.
template <class T>
void Fit<T>::move_by_own(Tile<T>& tile, const Accumulators<T>& own, const ObjectView<T>& from) {
  const bool lit = options_.preconditioner;
  if (lit && !lit_known_) return;
  const auto move = [&](View<const T, 3> old, View<const T, 3> g, View<T, 3> to, bool absorbing) {
    const auto [low, high] = limits(absorbing);
    arithmetic_->move_preconditioned(old, g, lit ? tile.lit.view() : View<T, 2>{},
                                     window2() * (lit ? 1 : largest_probe_), floor_.data(),
                                     step_in_use(), low, high, to);
  };
  move(from.phase, own.phase.view(), tile.phase, false);
  if (!tile.absorption.empty()) move(from.absorption, own.absorption.view(), tile.absorption, true);
}

/// The wish to stop, of any rank.
template <class T>
void Fit<T>::agree_to_stop() {
  std::vector<double> wishes{stop_ && stop_() ? 1.0 : 0.0};
  team_.sum(wishes);
  stopping_ = wishes[0] > 0;
}

/// Each of so many groups, of which group_ is the next, has a place of its own for its costs.
template <class T>
void Fit<T>::begin_costs(std::size_t groups) {
  const auto places = static_cast<i64>(6 * groups);
  if (misfits_.size() != places)
    misfits_ = arithmetic_->template array<double, 1>({places}, "sums");
  const std::vector<double> none(6 * groups);
  arithmetic_->write(none.data(), misfits_.data(), places);
  told_ = group_;
}

/// Costs of the groups since it was last asked, summed over the ranks, to the iteration's. Returns
/// that of the last one with what neighbours' positions cost. Waits for a device.
template <class T>
double Fit<T>::tell_costs() {
  std::vector<double> sums(6 * (group_ - told_));
  arithmetic_->read(misfits_.data() + 6 * told_, sums.data(), static_cast<i64>(sums.size()));
  team_.sum(sums);
  double last = 0;
  for (std::size_t i = 0; i < sums.size(); i += 6) {
    fitted_so_far_ += {sums[i], sums[i + 1], sums[i + 2]};
    last = sums[i] + sums[i + 3];
  }
  told_ = group_;
  return last;
}

// 2. and 3. Sums and directions

/// ε times the largest illumination of all ranks' cores. Other ranks hear of it through the host;
/// where there are none, nobody waits.
template <class T>
void Fit<T>::find_floor() {
  if (!options_.preconditioner) return arithmetic_->write(&largest_probe_, floor_.data(), 1);
  for (std::size_t t = 0; t < tiles_.size(); ++t)
    arithmetic_->largest(std::as_const(tiles_[t].sums.illumination).view(),
                         tiles_[t].on_arrays(tiles_[t].core), options_.damping, floor_.data() + t);
  if (team_.size() == 1) return;
  std::vector<double> largest(static_cast<std::size_t>(floor_.size()));
  arithmetic_->read(floor_.data(), largest.data(), floor_.size());
  std::vector<double> floor{*std::max_element(largest.begin(), largest.end())};
  team_.maximum(floor);
  arithmetic_->write(floor.data(), floor_.data(), 1);
}

/// The illumination that gradients are divided by; empty without a preconditioner.
template <class T>
View<const T, 2> Fit<T>::divisor(const Tile<T>& tile) const {
  return options_.preconditioner ? tile.sums.illumination.view() : View<const T, 2>{};
}

/// In place: d = M(g), g the sums, tied and low-passed as the continuation's stage asks, on all
/// copies. Returns Σ g·d where it is asked for: the slope along d, but for the low-pass, which
/// counts twice in it, so that a step made of it errs to the small side.
template <class T>
double Fit<T>::make_directions(bool with_slope) {
  const i64 block = std::max<i64>(1, options_.continuation.block());
  const double sigma = low_pass_sigma();
  find_floor();
  const bool summed = halos_.sums() && team_.size() > 1;
  // Neighbours that the low-pass looks at lie in the halo; what it makes of the halo itself is not
  // right, so that only cores have the direction at first, as where only cores have the sum.
  const bool on_cores = summed && (halos_.on_cores_only() || sigma > 0);
  if (sigma > 0 && halos_.on_cores_only()) halos_.fill(gradients(false), reach_of_blur(sigma));
  std::vector<double> slope{0};
  for (Tile<T>& tile : tiles_) {
    const Box core = tile.on_arrays(tile.core);
    for (const View<T, 3>& volume : tile.sums.volumes()) {
      if (sigma > 0) arithmetic_->blur_lateral(volume, gaussian_weights(sigma), block);
      slope[0] += arithmetic_->precondition(volume, divisor(tile),
                                            on_cores ? core : tile.on_arrays(tile.box), core, block,
                                            window2(), floor_.data(), with_slope);
    }
  }
  // Steps between exchanges divide by the illumination on copies too.
  const bool lit_on_copies = options_.local_positions > 0 || options_.exchange_behind;
  if (on_cores) halos_.fill(gradients(lit_on_copies && halos_.on_cores_only()));
  for (Tile<T>& tile : tiles_)
    for (const View<T, 3>& volume : tile.sums.volumes()) arithmetic_->untie(volume, block);
  if (with_slope) team_.sum(slope);
  return slope[0];
}

// 4. Steps of the object

template <class T>
void Fit<T>::take_step(const std::vector<i64>& group, bool refine_probe, bool estimate) {
  const bool local = steps_locally();
  for (Tile<T>& tile : tiles_)
    if (local) tile.remember(*arithmetic_);
  accumulate(group, refine_probe, nullptr);
  std::optional<Running> probe_sum = start_probe_sum(refine_probe);
  agree_to_stop();
  const double cost = estimate ? tell_costs() : 0;
  const i64 block = options_.continuation.block();
  for (Tile<T>& tile : tiles_)
    for (const View<T, 3>& volume : tile.sums.volumes()) arithmetic_->tie(volume, block);
  if (halos_.sums() && team_.size() > 1) halos_.start_sum(gradients(true)).finish();
  // Copies agree on what they remember, not on what ranks have made of it meanwhile.
  for (Tile<T>& tile : tiles_)
    if (local && options_.update == Update::consistent) tile.recall();
  // Where the direction is needed nowhere else, it need not be stored.
  const bool on_cores = halos_.sums() && halos_.on_cores_only();
  if (!estimate && !on_cores && low_pass_sigma() == 0 && block <= 1) {
    descend(step_in_use());
    keep_illumination();
  } else {
    const double slope = make_directions(estimate);
    keep_illumination();
    const double step = object_step(group, slope, estimate);
    if (estimate)
      try_step(group, cost, slope, step);
    else
      move_objects(step);
  }
  if (!halos_.sums()) halos_.exchange_voxels(objects());
  finish_probe_sum(probe_sum, static_cast<i64>(group.size()));
}

/// For steps between exchanges; the floor stays until the next.
template <class T>
void Fit<T>::keep_illumination() {
  if (tiles_.empty() || tiles_.front().lit.empty()) return;
  for (Tile<T>& tile : tiles_)
    arithmetic_->copy(as_volume(std::as_const(tile.sums.illumination).view()),
                      as_volume(tile.lit.view()));
  lit_known_ = true;
}

template <class T>
double Fit<T>::step_in_use() const {
  return object_caution() * (options_.step > 0 ? options_.step : estimated_step_);
}

/// The step along −d that a parabola of the Gauss-Newton curvature says, as a running mean over
/// groups: f(V − αd) ≈ f − α ⟨g, d⟩ + α² curvature.
template <class T>
double Fit<T>::object_step(const std::vector<i64>& group, double slope, bool estimate) {
  if (!estimate) return step_in_use();
  const auto size = static_cast<i64>(group.size());
  const std::vector<i64> sample = size < large_group ? group : sample_of(group, (size + 1) / 2);
  std::vector<double> curvature{0};
  for (Tile<T>& tile : tiles_) {
    op_->set_object(tile.object());
    for (const auto* positions : {&tile.own, &tile.extra})
      curvature[0] +=
          op_->curvature(places_on(tile, members_of(sample, *positions)), tile.sums.view(), {});
  }
  team_.sum(curvature);
  if (curvature[0] > 0) {
    const double share = double(sample.size()) / double(group.size());
    const double best = share * slope / (2 * curvature[0]);
    estimated_step_ = estimated_step_ == 0 ? best : 0.7 * estimated_step_ + 0.3 * best;
  }
  return step_in_use();
}

template <class T>
std::array<double, 2> Fit<T>::limits(bool absorption) const {
  if (!absorption) return {options_.phase_min, options_.phase_max};
  // Where phases may not be negative, nothing amplifies either.
  return {options_.phase_min >= 0 ? 0.0 : -1e30, 1e30};
}

/// V ← V − step·d within the limits; or, with `into_direction`, into the place of d.
template <class T>
void Fit<T>::move_objects(double step, bool into_direction) {
  for (Tile<T>& tile : tiles_) {
    const auto move = [&](Array<T, 3>& object, Array<T, 3>& d, bool absorbing) {
      const auto [low, high] = limits(absorbing);
      arithmetic_->move_along(object.view(), d.view(), step, low, high,
                              into_direction ? d : object);
    };
    move(tile.phase, tile.sums.phase, false);
    if (!tile.absorption.empty()) move(tile.absorption, tile.sums.absorption, true);
  }
}

/// V ← V − step·M(g) in one go, g the sums on all copies, which stay as they are.
template <class T>
void Fit<T>::descend(double step) {
  find_floor();
  for (Tile<T>& tile : tiles_) {
    const auto move = [&](Array<T, 3>& object, const Array<T, 3>& g, bool absorbing) {
      const auto [low, high] = limits(absorbing);
      arithmetic_->descend(object, g.view(), divisor(tile), window2(), floor_.data(), step, low,
                           high);
    };
    move(tile.phase, tile.sums.phase, false);
    if (!tile.absorption.empty()) move(tile.absorption, tile.sums.absorption, true);
  }
}

/// The estimate trusts the curvature of a perfect fit; far from one, where a detector pixel has
/// next to no model counts above all, the cost may rise all the same. So the step is tried on its
/// group, and while it does not lower the cost there, the parabola through what it did is followed
/// instead. The object that is tried takes the place of the direction: a shorter step is a point
/// between it and the object of before.
template <class T>
void Fit<T>::try_step(const std::vector<i64>& group, double cost, double slope, double step) {
  constexpr int most_tries = 8;
  move_objects(step, true);
  for (int tries = 0; tries < most_tries && step > 0; ++tries) {
    std::vector<double> tried{0};
    for (Tile<T>& tile : tiles_) {
      op_->set_object(tile.sums.view());
      for (const auto* positions : {&tile.own, &tile.extra}) {
        const auto members = members_of(group, *positions);
        tried[0] += op_->misfit(places_on(tile, members), measured_at(members)).cost;
      }
    }
    team_.sum(tried);
    if (tried[0] <= cost) break;
    const double parabola = slope * step / (2 * (tried[0] - cost + slope * step));
    const double share = parabola > 0.1 ? std::min(parabola, 0.5) : 0.1;  // NaN: a tenth
    step *= share;
    estimated_step_ = step / object_caution();
    for (Tile<T>& tile : tiles_) {
      arithmetic_->draw_back(tile.phase.view(), share, tile.sums.phase);
      if (!tile.absorption.empty())
        arithmetic_->draw_back(tile.absorption.view(), share, tile.sums.absorption);
    }
  }
  for (Tile<T>& tile : tiles_) {
    std::swap(tile.phase, tile.sums.phase);
    std::swap(tile.absorption, tile.sums.absorption);
  }
}

// 5. The probe

/// Every step of the way to the detector is unitary but for absorption, so Fᴴ F = W² for each
/// pattern and the Gauss-Newton step is the mean gradient over W².
template <class T>
void Fit<T>::update_probe(i64 positions) {
  const View<T, 3> probe = parts_of(probe_.view());
  arithmetic_->move_along(probe, parts_of(probe_gradient_.view()),
                          caution_ * options_.probe_step / (window2() * double(positions)),
                          -no_limit, no_limit, probe);
  op_->set_probe(probe_);
}

/// Once an iteration: the powers of the probe's modes to the best of a few of this group's
/// patterns.
template <class T>
void Fit<T>::balance_modes(const std::vector<i64>& group) {
  constexpr i64 few = 8;
  if (waves_.empty()) return;
  const std::vector<i64> sample = sample_of(group, few);
  ModePowers powers(probe_.shape()[0], op_->setup().loss, op_->setup().epsilon);
  Array<T, 2> pattern({op_->setup().window, op_->setup().window});
  for (Tile<T>& tile : tiles_) {
    const auto members = members_of(sample, tile.own);
    if (members.empty()) continue;
    op_->set_object(tile.object());
    const auto places = places_on(tile, members);
    for (std::size_t i = 0; i < members.size(); ++i) {
      op_->forward(places[i], waves_);
      data_.load(members[i], pattern.data());
      powers.add<T>(waves_.view(), pattern.data(), data_.valid);
    }
  }
  team_.sum(powers.sums());
  const std::vector<double> factors = powers.factors();
  for (i64 m = 0; m < probe_.shape()[0]; ++m) {
    const View<T, 2> parts = parts_of(probe_.view())[m];
    const View<T, 3> mode = as_volume(parts);
    arithmetic_->move_along(mode, mode, 1 - std::sqrt(factors[static_cast<std::size_t>(m)]),
                            -no_limit, no_limit, mode);
  }
  op_->set_probe(probe_);
}

/// The gradient's sum over the ranks travels while the object is moved; from a device through the
/// host's memory, where there are others to sum with.
template <class T>
std::optional<Running> Fit<T>::start_probe_sum(bool refine_probe) {
  if (!refine_probe) return {};
  const bool here = !travelling_gradient_.empty();
  if (here)
    arithmetic_->read(probe_gradient_.data(), travelling_gradient_.data(), probe_gradient_.size());
  return team_.start_sum(numbers_of(here ? travelling_gradient_ : probe_gradient_));
}

template <class T>
void Fit<T>::finish_probe_sum(std::optional<Running>& sum, i64 positions) {
  if (!sum) return;
  sum->finish();
  if (!travelling_gradient_.empty())
    arithmetic_->write(travelling_gradient_.data(), probe_gradient_.data(), probe_gradient_.size());
  update_probe(positions);
}

// An exchange that runs behind the next group. With A the sum that was started after the last
// group and g the gradient of this one's own positions:
//
//   g computed at V  →  A arrives: V_sync ← V_sync − step·M(A)  →  V = V_sync − step·M(g),
//   and the sum of g starts

template <class T>
void Fit<T>::take_late_step(const std::vector<i64>& group, bool refine_probe) {
  accumulate(group, refine_probe, late_ ? &*late_ : nullptr);
  std::optional<Running> probe_sum = start_probe_sum(refine_probe);
  agree_to_stop();
  finish_late();
  for (Tile<T>& tile : tiles_) {
    tile.remember(*arithmetic_);
    move_by_own(tile, tile.sums, {tile.synced_phase.view(), tile.synced_absorption.view()});
  }
  late_.emplace(halos_.start_sum(gradients(true)));
  for (Tile<T>& tile : tiles_) std::swap(tile.sums, tile.other);
  finish_probe_sum(probe_sum, static_cast<i64>(group.size()));
}

/// What travelled behind has arrived: every copy of the object is the same afterwards.
template <class T>
void Fit<T>::finish_late() {
  if (!late_) return;
  late_->finish();
  late_.reset();
  for (Tile<T>& tile : tiles_) {
    tile.recall();
    std::swap(tile.sums, tile.other);
  }
  make_directions(false);
  keep_illumination();
  move_objects(step_in_use());
  for (Tile<T>& tile : tiles_) std::swap(tile.sums, tile.other);
}

template class Fit<float>;
template class Fit<double>;

}  // namespace ptyle
