#include "solver/variables/descan.hpp"

#include <algorithm>
#include <cmath>

#include "solver/variables/bends.hpp"

namespace ptyle {
namespace {

/// Iterations in which an object appears, before patterns move against it.
constexpr int object_first = 1;
/// Finite differences of waves, px: a wave W/8 wide turns by 2π · 0.1 / 16 at its rim.
constexpr double difference = 0.1;
/// The longest move of a mini-batch, px at the edge of the scan.
constexpr double longest = 0.25;
/// The largest displacement, as a part of the window.
constexpr double largest = 0.25;
/// An iteration that has moved by less, px at the edge of the scan, has found it.
constexpr double found = 0.02;
/// Steps have half their length after so many iterations, as they follow the noise of mini-batches.
constexpr double halved_after = 8;

/// Times the edge it is the length of a plane, of a turn √2 times the displacement there.
double size_of(const Matrix2& m) {
  return std::sqrt(m[0] * m[0] + m[1] * m[1] + m[2] * m[2] + m[3] * m[3]);
}

}  // namespace

template <class T>
void DescanVariable<T>::declare(State<T>& state) {
  for (std::size_t k = 0; k < 4; ++k) {
    plane_[k] = &state.number("geometry." + std::string(descan_names[k]), options_.descan[k]);
    curvature_[k] = &state.number("geometry.curvature." + std::string(descan_names[k]));
    began_[k] = &state.number("geometry.began." + std::string(descan_names[k]));
  }
  moved_for_ = &state.number("geometry.moved_for.descan");
}

template <class T>
Matrix2 DescanVariable<T>::plane() const {
  return {*plane_[0], *plane_[1], *plane_[2], *plane_[3]};
}

template <class T>
void DescanVariable<T>::measure_scan(std::span<const Position> positions) {
  const auto count = double(positions.size());
  for (const Position& at : positions) {
    middle_.row += at.row / count;
    middle_.col += at.col / count;
  }
  for (const Position& at : positions) {
    const Vector2 q = from_middle(at);
    edge_ = std::max(edge_, distance(at, middle_));
    for (std::size_t k = 0; k < 4; ++k) spread_[k] += q[k / 2] * q[k % 2] / count;
  }
}

template <class T>
void DescanVariable<T>::publish(Workspace<T>& with) {
  if (edge_ < 0) measure_scan(with.data.positions);
  pixel_ = with.options.pixel;
  with.displace_patterns(times(with.options.pixel, plane()), middle_);
}

template <class T>
void DescanVariable<T>::begin(Workspace<T>&, const Batch& batch) {
  due_ = batch.iteration >= options_.start + object_first && batch.everything_free;
  asked_.clear();
  if (batch.number > 0) return;
  for (std::size_t k = 0; k < 4; ++k) *began_[k] = *plane_[k];
  *moved_for_ += due_ ? 1 : 0;
}

template <class T>
void DescanVariable<T>::ask(const Batch&, const Members& members, Wanted& wanted,
                            Gradient<T>& sums) {
  if (!due_) return;
  asked_.push_back({{members.positions.begin(), members.positions.end()},
                    Array<double, 2>({std::ssize(members.positions), 2})});
  asked_.back().slopes.fill(0);
  wanted = wanted.with(Part::descan);
  sums.descan = asked_.back().slopes.view();
}

template <class T>
void DescanVariable<T>::step(Workspace<T>& with, const Batch& batch) {
  if (!due_) return;
  std::vector<double> sums(4, 0.0);  // G, px per px of the object
  for (const Asked& one : asked_)
    for (std::size_t k = 0; k < one.positions.size(); ++k) {
      const Vector2 q =
          from_middle(with.data.positions[static_cast<std::size_t>(one.positions[k])]);
      for (std::size_t a = 0; a < 2; ++a)
        for (std::size_t b = 0; b < 2; ++b)
          sums[2 * a + b] += one.slopes(static_cast<i64>(k), static_cast<i64>(a)) * q[b];
    }
  with.team.sum(sums);
  const bool known =
      std::any_of(curvature_.begin(), curvature_.end(), [](const double* c) { return *c != 0; });
  if (batch.number == 0 && (!known || int(*moved_for_) % bends_every == 0))
    find_curvature(with, batch);
  const auto c = [&](std::size_t k) { return *curvature_[k]; };
  // Of the displacement R q by R = [0, 1; −1, 0]: Σ g·Rq, and the mean of Rq·C Rq.
  const double slope = sums[1] - sums[2];
  const double bend = c(0) * spread_[3] - (c(1) + c(2)) * spread_[1] + c(3) * spread_[0];
  if (!(bend > 0)) return;
  const double step = -0.5 * with.caution * options_.step / (1 + *moved_for_ / halved_after) /
                      double(batch.members.size());
  turn(with, step * slope / bend);
}

template <class T>
void DescanVariable<T>::find_curvature(Workspace<T>& with, const Batch& batch) {
  const std::vector<double> bends = mean_bends<T>(
      with, batch, 2, difference, [&](Placement at, std::size_t axis, View<Complex<T>, 3> waves) {
        if (axis == 0) at.descan_row += difference;
        if (axis == 1) at.descan_col += difference;
        with.op->forward(at, waves);
      });
  for (std::size_t k = 0; k < 4; ++k) *curvature_[k] = bends[k];
}

template <class T>
void DescanVariable<T>::turn(Workspace<T>& with, double by) {
  const double longest_turn = longest / (std::sqrt(2.0) * edge_);
  if (!(edge_ > 0) || !std::isfinite(by)) return;
  by = std::clamp(by, -longest_turn, longest_turn);
  Matrix2 to = times(with.options.pixel, plane());
  to[1] += by, to[2] -= by;
  const double most = largest * double(with.op->setup().window), length = size_of(to) * edge_;
  to = times(std::min(1.0, most / std::max(length, 1e-300)), to);
  for (std::size_t k = 0; k < 4; ++k) *plane_[k] = to[k] / with.options.pixel;
  publish(with);  // by the numbers, as a resumed fit will
}

template <class T>
bool DescanVariable<T>::still_finding() const {
  Matrix2 moved = plane();  // to and fro of mini-batches' own is none
  for (std::size_t k = 0; k < 4; ++k) moved[k] -= *began_[k];
  return due_ && size_of(moved) * edge_ * pixel_ > found;
}

template <class T>
OtherBytes DescanVariable<T>::other_bytes(const OperatorSetup& setup, i64 /*positions*/,
                                          bool /*device*/) const {
  return {.moment = mean_bends_bytes<T>(setup, 2)};
}

template class DescanVariable<float>;
template class DescanVariable<double>;

}  // namespace ptyle
