#include "solver/variables/positions.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "core/grid.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"
#include "solver/batches.hpp"

namespace ptyle {

template <class T>
void PositionsVariable<T>::declare(State<T>& state) {
  shifts_ = &state.declare({"shift", "positions", Kind::records, {1, 0, 2}, true});
  curvature_ = {&state.number("shift_curvature.rows"), &state.number("shift_curvature.cols")};
}

template <class T>
void PositionsVariable<T>::publish(Workspace<T>& with) {
  with_ = &with;
  const auto& all = with.data.positions;
  centre_ = {};
  for (const Position& p : all)
    centre_[0] += p.row / double(all.size()), centre_[1] += p.col / double(all.size());
  here_.clear();
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    here_.emplace_back(shifts_->here[t].shape());
    with.arithmetic->read(shifts_->here[t].data(), here_[t].data(), here_[t].size());
    put(with, t);
  }
}

/// Places of a tile's own positions by their shifts.
template <class T>
void PositionsVariable<T>::put(Workspace<T>& with, std::size_t t) {
  const auto& own = with.tiles[t].own;
  for (std::size_t k = 0; k < own.size(); ++k) {
    const auto i = static_cast<std::size_t>(own[k]);
    const Position& from = with.data.positions[i];
    with.places[i] = place(
        {from.row + double(here_[t](0, i64(k), 0)), from.col + double(here_[t](0, i64(k), 1))},
        setup_.window);
  }
}

template <class T>
void PositionsVariable<T>::begin(Workspace<T>& with, const Batch& batch) {
  const PositionOptions& o = with.options.positions;
  moves_ = o.from > 0 && batch.iteration >= o.from && (!batch.lateral_limit || getenv("PTYLE_EARLY"));
  if (!moves_) return;
  members_.assign(with.tiles.size(), {});
  slopes_.clear();
  slopes_.resize(with.tiles.size());
}

template <class T>
void PositionsVariable<T>::ask(const Batch& batch, std::size_t tile, Wanted& wanted,
                               Gradient<T>& sums) {
  if (!moves_) return;
  members_[tile] = members_of(batch.members, with_->tiles[tile].own);
  slopes_[tile] = Array<double, 2>({static_cast<i64>(members_[tile].size()), 2});
  wanted = wanted.with(Part::shift);
  sums.shift = slopes_[tile].view();
}

template <class T>
void PositionsVariable<T>::start_sum(Workspace<T>& with, const Batch&) {
  if (!moves_) return;
  model_.assign(4, 0);
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (std::size_t k = 0; k < members_[t].size(); ++k) {
      const Position& p = with.data.positions[static_cast<std::size_t>(members_[t][k])];
      const std::array<double, 2> x{p.row - centre_[0], p.col - centre_[1]};
      for (std::size_t i = 0; i < 2; ++i)
        for (std::size_t j = 0; j < 2; ++j) model_[2 * i + j] += slopes_[t](i64(k), i64(i)) * x[j];
    }
  sum_.emplace(with.team.start_sum(std::span<double>(model_)));
}

/// The probe's derivative along a shift: −2πi f / W of its spectrum.
template <class T>
Array<Complex<T>, 3> PositionsVariable<T>::probe_moved(const Workspace<T>& with, bool rows) const {
  const i64 w = setup_.window;
  const auto probe = with.arithmetic->on_host(with.state.field("probe").waves.view());
  Array<Complex<T>, 3> moved({setup_.modes, w, w});
  std::copy(probe.view.begin(), probe.view.end(), moved.begin());
  const Fft2<T> fft(w, w);
  for (i64 m = 0; m < setup_.modes; ++m) {
    Complex<T>* wave = moved.view()[m].data;
    fft.forward(wave);
    for (i64 i = 0; i < w * w; ++i) {
      const double f = double(frequency_index(rows ? i / w : i % w, w));
      wave[i] *= Complex<T>(0, static_cast<T>(-2 * pi * f / double(w) / double(w * w)));
    }
    fft.inverse(wave);
  }
  return moved;
}

template <class T>
void PositionsVariable<T>::find_curvature(Workspace<T>& with, const Batch& batch) {
  constexpr i64 few = 64;
  const std::vector<i64> sample = sample_of(batch.members, few);
  std::vector<double> sums(2, 0.0);
  const auto &phase = with.state.field("phase"),
             *absorption = setup_.absorption ? &with.state.field("absorption") : nullptr;
  const Array<Complex<T>, 3> moved[] = {probe_moved(with, true), probe_moved(with, false)};
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const auto members = members_of(sample, with.tiles[t].own);
    if (members.empty()) continue;
    with.op->set_object({phase.on(t), absorption ? absorption->on(t) : View<const T, 3>{}});
    const auto places = with.places_on(with.tiles[t], members);
    for (std::size_t axis = 0; axis < 2; ++axis)
      sums[axis] += with.op->curvature(places, {}, moved[axis]);
  }
  with.team.sum(sums);
  for (std::size_t axis = 0; axis < 2; ++axis)
    *curvature_[axis] = sums[axis] / double(sample.size());
}

template <class T>
void PositionsVariable<T>::move(const Workspace<T>& with, std::size_t tile, i64 k,
                                std::array<double, 2> by, double most) {
  const double length = std::hypot(by[0], by[1]), factor = length > most ? most / length : 1;
  std::array<double, 2> to{};
  for (std::size_t axis = 0; axis < 2; ++axis)
    to[axis] = double(here_[tile](0, k, i64(axis))) + factor * by[axis];
  const double far = std::hypot(to[0], to[1]), limit = with.options.positions.largest_move;
  for (std::size_t axis = 0; axis < 2; ++axis)
    here_[tile](0, k, i64(axis)) = static_cast<T>(to[axis] * (far > limit ? limit / far : 1));
}

template <class T>
void PositionsVariable<T>::step(Workspace<T>& with, const Batch& batch) {
  if (!sum_) return;
  sum_->finish();
  sum_.reset();
  const PositionOptions& o = with.options.positions;
  if (batch.number == 0 && ((batch.iteration - o.from) % 4 == 0 || *curvature_[0] == 0))
    find_curvature(with, batch);
  if (*curvature_[0] == 0) return;
  const double most = 0.25 * o.largest_move;
  // Σ x xᵀ of the mini-batch
  std::array<double, 3> xx{};
  for (const i64 i : batch.members) {
    const Position& p = with.data.positions[static_cast<std::size_t>(i)];
    const double r = p.row - centre_[0], c = p.col - centre_[1];
    xx[0] += r * r, xx[1] += r * c, xx[2] += c * c;
  }
  const double det = xx[0] * xx[2] - xx[1] * xx[1];
  if (det > 1e-9 * xx[0] * xx[2])
    for (std::size_t i = 0; i < 2; ++i) {
      const double s = -1 / (2 * *curvature_[i]) / det / double(with.options.batches);
      newton_[2 * i] += s * (xx[2] * model_[2 * i] - xx[1] * model_[2 * i + 1]);
      newton_[2 * i + 1] += s * (xx[0] * model_[2 * i + 1] - xx[1] * model_[2 * i]);
    }
  const bool free = o.step > 0 && batch.iteration >= o.from + o.affine_for;
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const auto& own = with.tiles[t].own;
    if (free)
      for (std::size_t k = 0; k < members_[t].size(); ++k) {
        const auto at = std::lower_bound(own.begin(), own.end(), members_[t][k]) - own.begin();
        move(with, t, at,
             {-o.step * slopes_[t](i64(k), 0) / (2 * *curvature_[0]),
              -o.step * slopes_[t](i64(k), 1) / (2 * *curvature_[1])},
             most);
      }
    put(with, t);
    with.arithmetic->write(here_[t].data(), shifts_->here[t].data(), here_[t].size());
  }
}

/// The affine model's step of an iteration; the object is stretched with the scan.
template <class T>
void PositionsVariable<T>::bend_scan(Workspace<T>& with) {
  const PositionOptions& o = with.options.positions;
  static std::array<double, 4> last_step{}, last_newton{};
  static double gain = getenv("PTYLE_GAIN") ? atof(getenv("PTYLE_GAIN")) : 5;
  static const double most_gain = getenv("PTYLE_MOST") ? atof(getenv("PTYLE_MOST")) : 30;
  double dd = 0, dy = 0;
  for (int i = 0; i < 4; ++i) dd += last_step[i] * last_step[i], dy += last_step[i] * (last_newton[i] - newton_[i]);
  if (dd > 0) {
    const double ratio = dy / dd;
    gain = ratio > 0 ? std::clamp(o.affine / ratio, gain / 2, 2 * gain) : 1.5 * gain;
    gain = std::clamp(gain, 0.5, most_gain);
  }
  std::array<double, 4> a{};
  for (int i = 0; i < 4; ++i) a[i] = gain * newton_[i];
  printf("  newton %9.5f %9.5f %9.5f %9.5f gain %.2f\n", newton_[0], newton_[1], newton_[2], newton_[3], gain);
  last_newton = newton_, last_step = a;
  newton_ = {};
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const Tile& tile = with.tiles[t];
    for (std::size_t k = 0; k < tile.own.size(); ++k) {
      const Position& p = with.data.positions[static_cast<std::size_t>(tile.own[k])];
      const double r = p.row - centre_[0], c = p.col - centre_[1];
      move(with, t, i64(k), {a[0] * r + a[1] * c, a[2] * r + a[3] * c}, 0.5 * o.largest_move);
    }
    for (const char* name : {"phase", "absorption"}) {
      if (!with.state.has(name)) continue;
      Field<T>*values = nullptr, *spare = nullptr;
      for (Field<T>& f : with.state.fields()) {
        if (f.name == name) values = &f;
        if (f.name == std::string("gradient.") + name) spare = &f;
      }
      const Displacement by{a, {centre_[0] - double(tile.box.rows.begin), centre_[1] - double(tile.box.cols.begin)}};
      with.arithmetic->run(Warp<T>(std::as_const(*values).on(t), by, spare->on(t)));
      std::swap(values->here[t], spare->here[t]);
    }
  }
}

template <class T>
void PositionsVariable<T>::end_iteration(Workspace<T>& with, const Batch&) {
  if (!moves_) return;
  {  // debug
    double xx[3]{}, a[4]{};
    for (std::size_t t = 0; t < here_.size(); ++t)
      for (i64 k = 0; k < here_[t].shape()[1]; ++k) {
        const Position& p = with.data.positions[std::size_t(with.tiles[t].own[std::size_t(k)])];
        const double x[2] = {p.row - centre_[0], p.col - centre_[1]};
        xx[0] += x[0] * x[0], xx[1] += x[0] * x[1], xx[2] += x[1] * x[1];
        for (int i = 0; i < 2; ++i)
          for (int j = 0; j < 2; ++j) a[2 * i + j] += double(here_[t](0, k, i)) * x[j];
      }
    const double d = xx[0] * xx[2] - xx[1] * xx[1];
    printf("  model ");
    for (int i = 0; i < 2; ++i)
      printf("%8.5f %8.5f ", (xx[2] * a[2 * i] - xx[1] * a[2 * i + 1]) / d, (xx[0] * a[2 * i + 1] - xx[1] * a[2 * i]) / d);
    printf(" curvature %.4g %.4g\n", *curvature_[0], *curvature_[1]);
  }
  bend_scan(with);
  std::vector<double> mean(2, 0.0);
  for (const auto& shifts : here_)
    for (i64 k = 0; k < shifts.shape()[1]; ++k)
      for (i64 axis = 0; axis < 2; ++axis)
        mean[std::size_t(axis)] += double(shifts(0, k, axis)) / double(with.data.positions.size());
  with.team.sum(mean);
  for (std::size_t t = 0; t < here_.size(); ++t) {
    for (i64 k = 0; k < here_[t].shape()[1]; ++k)
      for (i64 axis = 0; axis < 2; ++axis)
        here_[t](0, k, axis) -= static_cast<T>(mean[std::size_t(axis)]);
    put(with, t);
    with.arithmetic->write(here_[t].data(), shifts_->here[t].data(), here_[t].size());
  }
}

template class PositionsVariable<float>;
template class PositionsVariable<double>;

}  // namespace ptyle
