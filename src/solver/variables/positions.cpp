#include "solver/variables/positions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/bounds.hpp"
#include "core/units.hpp"
#include "core/waves.hpp"
#include "solver/batches.hpp"
#include "solver/parts.hpp"
#include "solver/rules/rule.hpp"
#include "solver/variables/probe_moves.hpp"
#include "solver/variables/sample.hpp"

namespace ptyle {
namespace {

/// Iterations after the multi-resolution schedule before positions move: the probe is to find its
/// astigmatism first, which a sheared scan explains nearly as well.
constexpr int patience = 4;
/// The curvature is taken again after so many iterations, of so many positions.
constexpr int curvature_every = 4;
constexpr i64 curvature_sample = 64;
/// How much longer than Gauss-Newton steps with the object at rest those of the affine model are,
/// times (scan / probe)², their mean squares along an axis: a probe sees of a stretch what changes
/// across it. Where the probe's defocus and astigmatism can follow, all but a rotation changes even
/// less. The largest ones keep the noise of large scans in bounds. Found on films with known
/// positions (bench/film).
constexpr double gain_of_rotation = 1.5, gain_with_probe = 6;
constexpr double most_of_rotation = 15, most_with_probe = 60;
/// Iterations that it is given for this; then its steps shrink by this factor every iteration.
constexpr int finding_for = 20;
constexpr double slowing = 0.85;
/// Factor of the gains each time that the cost of an iteration rises by that much: steps are longer
/// than the object can follow, or N is noise.
constexpr double less_trust = 0.7, rise = 1.003;
/// px that whatever a window may look at is displaced by at most in one stretch of the object.
constexpr double most_stretch = 1;
constexpr i64 cubic_reach = 2;  // px, of the stretched object beyond that
/// A line: narrower than a thousandth of its length (as analysis/scan_model's), or than one px
/// r.m.s. What lies across it is noise, and would displace the object about it.
constexpr double line = 1e-6, narrowest = 1;

/// The least part of W² Σ|∂ψ|² that c has to be for positions to move. A wave that nothing scatters
/// changes with its position by phases alone, and c is 0, or what rounding and counting noise make
/// it: an object fitted to patterns of vacuum has about 10 times the variance of its phase by
/// noise, and what a specimen adds is to be as much at least.
double least_share(double noise) { return 1e-5 + 20 * noise; }

using Numbers = std::array<double*, 4>;
Matrix2 values_of(const Numbers& numbers) {
  return {*numbers[0], *numbers[1], *numbers[2], *numbers[3]};
}
void set(const Numbers& numbers, const Matrix2& values) {
  for (std::size_t i = 0; i < 4; ++i) *numbers[i] = values[i];
}

}  // namespace

template <class T>
void PositionOptions::add_to(Parts<T>& parts) const {
  if (refine == Switch::on)
    parts.variables.push_back(std::make_unique<PositionsVariable<T>>(*this));
}
template void PositionOptions::add_to(Parts<float>&) const;
template void PositionOptions::add_to(Parts<double>&) const;

template <class T>
void PositionsVariable<T>::declare(State<T>& state) {
  shifts_ = &state.declare({"shift", "positions", Kind::records, {1, 0, 2}, true});
  curvature_ = {&state.number("positions.curvature.rows"),
                &state.number("positions.curvature.cols")};
  for (std::size_t i = 0; i < 4; ++i) {
    moment_[i] = &state.number(fmt::format("positions.newton.{}", i));
    stretched_[i] = &state.number(fmt::format("positions.stretched.{}", i), i % 3 == 0 ? 1 : 0);
  }
  stretches_ = &state.number("positions.stretches");
  probe_radius2_ = &state.number("positions.probe_radius2");
  trust_ = &state.number("positions.trust", 1);
  last_cost_ = &state.number("positions.last_cost");
  free_iterations_ = &state.number("positions.free_iterations");
  given_up_ = &state.number("positions.given_up");
}

template <class T>
void PositionsVariable<T>::publish(Workspace<T>& with) {
  with_ = &with;
  limit_ = options_.largest_move / with.options.pixel;
  measure_scan(with);
  here_.clear();
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    here_.emplace_back(shifts_->here[t].shape());
    with.arithmetic->read(shifts_->here[t].data(), here_[t].data(), here_[t].size());
    put(with, t);
  }
}

/// The scan's middle and extent, and how far it spreads, by its principal axes.
template <class T>
void PositionsVariable<T>::measure_scan(const Workspace<T>& with) {
  middle_ = {};
  const auto count = static_cast<double>(with.data.positions.size());
  for (const Position& p : with.data.positions) {
    middle_[0] += p.row / count;
    middle_[1] += p.col / count;
  }
  const Bounds scan = bounds_of(with.data.positions);
  const double beyond = static_cast<double>(with.op->setup().window) / 2 + limit_;
  ends_ = {{{scan.low.row - beyond - middle_[0], scan.high.row + beyond - middle_[0]},
            {scan.low.col - beyond - middle_[1], scan.high.col + beyond - middle_[1]}}};
  double rr = 0, rc = 0, cc = 0;  // means
  const auto fitted = static_cast<double>(with.fitted.size());
  for (const i64 i : with.fitted) {
    const auto [row, col] = from_middle(with, i);
    rr += row * row / fitted, rc += row * col / fitted, cc += col * col / fitted;
  }
  axes_ = rotation(std::atan2(2 * rc, rr - cc) / 2);
  const double mean = (rr + cc) / 2, half = std::hypot((rr - cc) / 2, rc);
  spread_ = {mean + half, std::max(0.0, mean - half)};
}

template <class T>
void PositionsVariable<T>::put_place(Workspace<T>& with, std::size_t t, i64 k) {
  const auto i = static_cast<std::size_t>(with.tiles[t].own[static_cast<std::size_t>(k)]);
  const Position& from = with.data.positions[i];
  with.put(static_cast<i64>(i), place({from.row + static_cast<double>(here_[t](0, k, 0)),
                                       from.col + static_cast<double>(here_[t](0, k, 1))},
                                      with.op->setup().window));
}

template <class T>
void PositionsVariable<T>::put(Workspace<T>& with, std::size_t t) {
  for (i64 k = 0; k < here_[t].shape()[1]; ++k) put_place(with, t, k);
  with.arithmetic->write(here_[t].data(), shifts_->here[t].data(), here_[t].size());
}

template <class T>
std::array<double, 2> PositionsVariable<T>::from_middle(const Workspace<T>& with,
                                                        i64 position) const {
  const Position& p = with.data.positions[static_cast<std::size_t>(position)];
  return {p.row - middle_[0], p.col - middle_[1]};
}

template <class T>
void PositionsVariable<T>::begin(Workspace<T>& with, const Batch& batch) {
  const bool due = options_.start > 0 ? batch.iteration >= options_.start && !batch.lateral_limit
                                      : *free_iterations_ >= patience;
  moves_ = due && *given_up_ == 0;
  if (!moves_) return;
  members_.assign(with.tiles.size(), {});
  slopes_.clear();
  slopes_.resize(with.tiles.size());
}

template <class T>
void PositionsVariable<T>::ask(const Batch&, const Members& members, Wanted& wanted,
                               Gradient<T>& sums) {
  if (!moves_) return;
  const auto& list = members.positions;
  members_[members.tile].assign(list.begin(), list.end());
  Array<double, 2>& slopes = slopes_[members.tile];
  slopes = Array<double, 2>({static_cast<i64>(list.size()), 2});
  wanted = wanted.with(Part::shift);
  sums.shift = slopes.view();
}

template <class T>
void PositionsVariable<T>::add_to_moment(const Workspace<T>& with) {
  to_sum_.resize(4, 0);
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (std::size_t k = 0; k < members_[t].size(); ++k) {
      const auto x = from_middle(with, members_[t][k]);
      for (std::size_t i = 0; i < 4; ++i)
        to_sum_[i] -= slopes_[t](static_cast<i64>(k), static_cast<i64>(i / 2)) * x[i % 2] /
                      (2 * *curvature_[i / 2]);
    }
}

/// At the end of an iteration, or of what is done of one: no sum is under way then.
template <class T>
void PositionsVariable<T>::sum_moment(Workspace<T>& with) {
  to_sum_.resize(4, 0);
  with.team.sum(to_sum_);
  for (std::size_t i = 0; i < 4; ++i) *moment_[i] += to_sum_[i];
  to_sum_.assign(4, 0);
}

template <class T>
void PositionsVariable<T>::step(Workspace<T>& with, const Batch& batch) {
  if (!moves_) return;
  const bool first = batch.number == 0;
  if (*curvature_[0] == 0 ||
      (first && (batch.iteration % curvature_every == 0 || !patterns_tell())))
    find_curvature(with, batch);
  if (!patterns_tell()) return;
  if (options_.model != PositionModel::free) {
    add_to_moment(with);
    if (with.stopping) sum_moment(with);
  }
  if (options_.model == PositionModel::affine) return;
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    move_members(with, t);
    if (with.stopping) put(with, t);  // else the end of the iteration does
  }
}

/// c of a few positions of the mini-batch, spread over it.
template <class T>
void PositionsVariable<T>::find_curvature(Workspace<T>& with, const Batch& batch) {
  const std::vector<i64> sample = sample_of(batch.members, curvature_sample);
  std::vector<double> sums(2, 0.0), powers(2, 0.0);
  for (std::size_t axis = 0; axis < 2; ++axis) {
    Array<Complex<T>, 3> moved = with.waves_on_host("probe");
    View<const Complex<T>, 3> incoherent = std::as_const(moved).view();
    incoherent.shape[0] = with.op->setup().modes_of_a_state();
    if (axis == 0) *probe_radius2_ = mean_square_radius<T>(incoherent);
    differentiate<T>(moved, axis == 0);
    powers[axis] = power_of<T>(incoherent);
    visit_sample(with, sample, [&](const auto& members, const std::vector<Placement>& places) {
      sums[axis] += with.op->curvature(places, {}, std::as_const(moved).view());
      with.costs.count(double(members.size()));
    });
  }
  with.team.sum(sums);
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const double c = sums[axis] / static_cast<double>(sample.size());
    const double least = least_share(options_.noise) * with.window2() * powers[axis];
    *curvature_[axis] = c > least ? c : -least;
  }
}

template <class T>
void PositionsVariable<T>::move_members(Workspace<T>& with, std::size_t t) {
  const auto& own = with.tiles[t].own;
  for (std::size_t k = 0; k < members_[t].size(); ++k) {
    const i64 at = place_in(own, members_[t][k]);
    const auto slope = [&](i64 axis) { return slopes_[t](static_cast<i64>(k), axis); };
    const double step = with.caution * options_.step;
    move(t, at, {-step * slope(0) / (2 * *curvature_[0]), -step * slope(1) / (2 * *curvature_[1])},
         most_alone * limit_);
    put_place(with, t, at);
  }
}

/// A tile's k-th own position, by `most` px at most.
template <class T>
void PositionsVariable<T>::move(std::size_t t, i64 k, std::array<double, 2> by, double most) {
  const double length = std::hypot(by[0], by[1]), part = length > most ? most / length : 1;
  put_within_limit(t, k,
                   {static_cast<double>(here_[t](0, k, 0)) + part * by[0],
                    static_cast<double>(here_[t](0, k, 1)) + part * by[1]});
}

/// Beyond it, the object has no room.
template <class T>
void PositionsVariable<T>::put_within_limit(std::size_t t, i64 k, std::array<double, 2> shift) {
  const double far = std::hypot(shift[0], shift[1]), allowed = far > limit_ ? limit_ / far : 1;
  if (!std::isfinite(far)) return;  // nor is the cost, for which the run will end
  for (std::size_t axis = 0; axis < 2; ++axis)
    here_[t](0, k, static_cast<i64>(axis)) = static_cast<T>(shift[axis] * allowed);
}

template <class T>
void PositionsVariable<T>::end_iteration(Workspace<T>& with, const Batch& batch) {
  stretched_object_ = false;
  if (batch.everything_free) *free_iterations_ += 1;
  if (!moves_) return;
  if (options_.model != PositionModel::free) {
    sum_moment(with);
    stretch(with, batch.refine_probe);
  }
  if (patterns_tell()) *stretches_ += 1;
  keep_mean(with);
  give_up_at_limit(with);
  for (std::size_t t = 0; t < with.tiles.size(); ++t) put(with, t);
}

template <class T>
double PositionsVariable<T>::farthest(const Matrix2& a) const {
  double most = 0;
  for (const double row : ends_[0])
    for (const double col : ends_[1]) {
      const auto d = times(a, Vector2{row, col});
      most = std::max(most, std::hypot(d[0], d[1]));
    }
  return most;
}

/// N in the scan's own axes, times the gains, back in rows and columns. With s_j the scan's spread
/// along axis j, N has four parts that sums over the scan keep apart, whatever its shape: N_00 and
/// N_11; the rotation that fits best; and a shear, the rest of N_01 and N_10,
///
///     rotation = (s_1 N_01 − s_0 N_10) / (s_0 + s_1)
///     rest_01 = (N_01 + N_10) s_0 / (s_0 + s_1)      rest_10 = (N_01 + N_10) s_1 / (s_0 + s_1)
///
/// A gain's (scan / probe)² is of the mean squares by which its part displaces positions and probe.
/// So the noise of what the shorter axis tells does not reach the ends of the longer one.
template <class T>
Matrix2 PositionsVariable<T>::with_gains(const Matrix2& moment, bool probe_follows,
                                         bool thin) const {
  const auto [s0, s1] = spread_;
  const double all = s0 + s1, probe = *probe_radius2_ / 2;
  const auto gain = [&](double spread, double factor, double most) {
    return std::clamp(probe > 0 ? factor * spread / probe : 1, 1.0, most);
  };
  // A thin object does not tell scale, asymmetry and shear from the probe's defocus and
  // astigmatism: there the model rotates alone.
  const auto gain_of_others = [&](double spread) {
    if (!probe_follows) return gain(spread, gain_of_rotation, most_of_rotation);
    return thin ? 0.0 : gain(spread, gain_with_probe, most_with_probe);
  };
  Matrix2 n = times(transposed(axes_), times(moment, axes_));
  n = {n[0] / s0, n[1] / s1, n[2] / s0, n[3] / s1};
  const double turned =
      gain(all / 2, gain_of_rotation, most_of_rotation) * (s1 * n[1] - s0 * n[2]) / all;
  const double sheared = gain_of_others(s0 * s1 * all / (s0 * s0 + s1 * s1)) * (n[1] + n[2]) / all;
  const Matrix2 by{gain_of_others(s0) * n[0], s0 * sheared + turned, s1 * sheared - turned,
                   gain_of_others(s1) * n[3]};
  return times(axes_, times(by, transposed(axes_)));
}

/// The model's step, limited.
template <class T>
Matrix2 PositionsVariable<T>::next_stretch(const Workspace<T>& with, bool probe_follows) {
  const double late = std::max(0.0, *stretches_ - finding_for);
  const double cost = with.costs.so_far().cost;
  if (*last_cost_ > 0 && cost > rise * *last_cost_) *trust_ *= less_trust;
  *last_cost_ = cost;
  const double part = with.caution * *trust_ * std::pow(slowing, late);
  const Matrix2 n = times(part / static_cast<double>(with.fitted.size()), values_of(moment_));
  const Matrix2 by = with_gains(n, probe_follows, with.op->setup().slices == 1);
  return times(std::min(1.0, most_stretch / std::max(most_stretch, farthest(by))), by);
}

/// By the moment of the iteration, which begins anew.
template <class T>
void PositionsVariable<T>::stretch(Workspace<T>& with, bool probe_follows) {
  const bool is_line = !(spread_[1] > std::max(narrowest, line * spread_[0]));
  const bool finite = std::all_of(moment_.begin(), moment_.end(),
                                  [](const double* number) { return std::isfinite(*number); });
  if (is_line || !patterns_tell() || !finite) return set(moment_, {});
  const Matrix2 by = next_stretch(with, probe_follows);
  set(moment_, {});
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const auto& own = with.tiles[t].own;
    for (std::size_t k = 0; k < own.size(); ++k)
      move(t, static_cast<i64>(k), times(by, from_middle(with, own[k])), most_stretch);
  }
  stretch_object(with, by);
  set(stretched_, times({1 + by[0], by[1], by[2], 1 + by[3]}, values_of(stretched_)));
}

/// The object on all tiles, by A about the scan's middle: in the place of the gradient, which
/// nobody needs at the end of an iteration; and back within the object's limits, which cubic
/// convolution overshoots.
template <class T>
void PositionsVariable<T>::stretch_object(Workspace<T>& with, const Matrix2& by) {
  stretched_object_ = true;
  for (std::size_t t = 0; t < with.tiles.size(); ++t) stretch_tile(with, t, by);
  if (with.team.size() == 1) return;
  std::vector<Stack<T>> stacks(with.tiles.size());
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (const char* name : {"phase", "absorption"})
      if (with.state.has(name)) stacks[t].push_back(with.state.field(name).on(t));
  with.halos.fill(stacks);
}

template <class T>
void PositionsVariable<T>::stretch_tile(Workspace<T>& with, std::size_t t,
                                        const Matrix2& by) const {
  const Box& box = with.tiles[t].box;
  const Displacement displacement{by,
                                  {middle_[0] - static_cast<double>(box.rows.begin),
                                   middle_[1] - static_cast<double>(box.cols.begin)}};
  for (const std::string name : {"phase", "absorption"}) {
    if (!with.state.has(name)) continue;
    Field<T>&values = with.state.field(name), &spare = with.state.field("gradient." + name);
    const auto [low, high] = limits_of(with.options, {&with.state.field("phase"), nullptr}, values);
    with.arithmetic->run(
        Warp<T>(std::as_const(values).on(t), displacement, spare.on(t), {low, high}));
    with.blank(t, spare.on(t));
    std::swap(values.here[t], spare.here[t]);
  }
}

/// The object from where I + A has taken it, in stretches of most_stretch at most: of what is left,
/// I + B, each takes p B, and leaves the C of (I + p B)(I + C) = I + B.
template <class T>
void PositionsVariable<T>::stretch_back(Workspace<T>& with) {
  Matrix2 left = values_of(stretched_);
  left[0] -= 1, left[3] -= 1;
  for (double part = 0; part < 1;) {
    part = std::min(1.0, most_stretch / std::max(most_stretch, farthest(left)));
    const Matrix2 by = times(part, left);
    stretch_object(with, times(-1, by));
    left = times(inverse({1 + by[0], by[1], by[2], 1 + by[3]}), times(1 - part, left));
  }
}

/// By the limit in whole pixels, that of the room in halos or less.
template <class T>
i64 PositionsVariable<T>::hand_over_margin() const {
  return ptyle::hand_over_margin(static_cast<i64>(limit_));
}

template <class T>
i64 PositionsVariable<T>::reach() const {
  return cubic_reach + static_cast<i64>(most_stretch);
}

/// Several slices take up what the model lacks by defocus and depth, which is slow to give way.
template <class T>
bool PositionsVariable<T>::still_finding() const {
  return moves_ && patterns_tell() && *given_up_ == 0 && *stretches_ < finding_for &&
         with_->op->setup().slices > 1;
}

/// Positions that are fitted are meant; those held out have not moved by themselves.
template <class T>
void PositionsVariable<T>::keep_mean(Workspace<T>& with) {
  std::vector<double> mean(2, 0.0);
  const auto count = static_cast<double>(with.fitted.size());
  std::vector<std::vector<i64>> fitted(with.tiles.size());  // numbers among a tile's own
  for (std::size_t t = 0; t < here_.size(); ++t) {
    const auto& own = with.tiles[t].own;
    for (const i64 position : members_of(with.fitted, own))
      fitted[t].push_back(place_in(own, position));
    for (const i64 k : fitted[t])
      for (std::size_t axis = 0; axis < 2; ++axis)
        mean[axis] += static_cast<double>(here_[t](0, k, static_cast<i64>(axis))) / count;
  }
  with.team.sum(mean);
  for (std::size_t t = 0; t < here_.size(); ++t)
    for (const i64 k : fitted[t])
      put_within_limit(t, k,
                       {static_cast<double>(here_[t](0, k, 0)) - mean[0],
                        static_cast<double>(here_[t](0, k, 1)) - mean[1]});
}

template <class T>
void PositionsVariable<T>::give_up_at_limit(Workspace<T>& with) {
  constexpr double many = 0.1, close = 0.95;
  std::vector<double> at_limit{0};
  for (const auto& shifts : here_)
    for (i64 k = 0; k < shifts.shape()[1]; ++k)
      at_limit[0] += std::hypot(shifts(0, k, 0), shifts(0, k, 1)) > close * limit_ ? 1 : 0;
  with.team.sum(at_limit);
  const double part = at_limit[0] / static_cast<double>(with.data.positions.size());
  if (part <= many) return;
  *given_up_ = 1;
  for (auto& shifts : here_) shifts.fill(0);
  stretch_back(with);
  with.warnings.push_back(fmt::format(
      "{:.0f} % of the positions moved by positions.largest_move, {:.3g}: they go back to where "
      "the scan has them and stay there. Where the scan is that far off, raise it; else something "
      "else does not fit: orientation, defocus, calibration",
      100 * part, options_.largest_move));
}

/// The probe's derivatives, one after the other.
template <class T>
OtherBytes PositionsVariable<T>::other_bytes(const OperatorSetup& setup, i64 positions,
                                             bool /*device*/) const {
  return {.kept = {{"positions", bytes_of_moved(static_cast<std::size_t>(positions))}},
          .moment = wave_bytes<T>(setup, setup.probe_modes()),
          .along_probe = true};
}

template class PositionsVariable<float>;
template class PositionsVariable<double>;

}  // namespace ptyle
