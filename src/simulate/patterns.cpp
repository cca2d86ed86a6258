#include "simulate/patterns.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/units.hpp"

namespace ptyle {
namespace {

Placement placement(const Plan& plan, i64 i) {
  const Position& p = plan.positions[static_cast<std::size_t>(i)];
  return place({p.row / plan.pixel, p.col / plan.pixel}, plan.window);
}

/// Which bins a frequency goes to, and with which weight.
struct BinWeights {
  i64 first = 0, second = 0;
  double first_weight = 1;
};

std::vector<BinWeights> bin_weights(i64 n, i64 bins) {
  const i64 b = n / bins;
  const auto bin = [&](i64 q) { return to_centred(((q % bins) + bins) % bins, bins); };
  std::vector<BinWeights> all(static_cast<std::size_t>(n));
  for (i64 i = 0; i < n; ++i) {
    const i64 f = frequency_index(i, n);
    const i64 q = static_cast<i64>(std::floor(double(f + b / 2) / double(b)));  // q·b − b/2 ≤ f
    const bool on_edge = b % 2 == 0 && f == q * b - b / 2;
    all[static_cast<std::size_t>(i)] = {bin(q), bin(q - 1), on_edge ? 0.5 : 1.0};
  }
  return all;
}

}  // namespace

std::vector<Cell> make_cells(const Plan& plan, double bytes, bool double_precision) {
  const double voxel = double_precision ? 4 + 8 + 16 : 4 + 8;  // phase, (copy), transmission
  const double side = std::sqrt(bytes / (voxel * static_cast<double>(plan.slices)));
  const i64 step =
      std::max(static_cast<i64>(side) - plan.window, std::max<i64>(plan.window / 8, 1));
  std::map<std::pair<i64, i64>, Cell> cells;
  for (i64 i = 0; i < static_cast<i64>(plan.positions.size()); ++i) {
    const Placement at = placement(plan, i);
    const auto [place, made] = cells.try_emplace({at.row / step, at.col / step});
    Cell& cell = place->second;
    if (made) cell = {at.row, at.col, plan.window, plan.window, {}};
    const i64 row_end = std::max(cell.row + cell.ny, at.row + plan.window);
    const i64 col_end = std::max(cell.col + cell.nx, at.col + plan.window);
    cell.row = std::min(cell.row, at.row), cell.col = std::min(cell.col, at.col);
    cell.ny = row_end - cell.row, cell.nx = col_end - cell.col;
    cell.positions.push_back(i);
  }
  // All of one size, so that the operator's transmission is allocated once.
  i64 ny = 0, nx = 0;
  for (const auto& [key, cell] : cells) ny = std::max(ny, cell.ny), nx = std::max(nx, cell.nx);
  std::vector<Cell> all;
  for (auto& [key, cell] : cells) {
    cell.row = std::min(cell.row, plan.ny - ny), cell.col = std::min(cell.col, plan.nx - nx);
    cell.ny = ny, cell.nx = nx;
    all.push_back(std::move(cell));
  }
  return all;
}

template <class T>
void add_binned(View<const T, 2> intensity, View<T, 2> sum) {
  const auto rows = bin_weights(intensity.shape[0], sum.shape[0]);
  const auto cols = bin_weights(intensity.shape[1], sum.shape[1]);
  for (i64 y = 0; y < intensity.shape[0]; ++y) {
    const BinWeights& r = rows[static_cast<std::size_t>(y)];
    for (i64 x = 0; x < intensity.shape[1]; ++x) {
      const BinWeights& c = cols[static_cast<std::size_t>(x)];
      const T value = intensity(y, x);
      const auto rw = static_cast<T>(r.first_weight), cw = static_cast<T>(c.first_weight);
      sum(r.first, c.first) += rw * cw * value;
      if (cw < 1) sum(r.first, c.second) += rw * (1 - cw) * value;
      if (rw < 1) sum(r.second, c.first) += (1 - rw) * cw * value;
      if (rw < 1 && cw < 1) sum(r.second, c.second) += (1 - rw) * (1 - cw) * value;
    }
  }
}

template <class T>
PatternMaker<T>::PatternMaker(const Plan& plan)
    : plan_(plan), fft_(plan.window, plan.window, FftRigor::estimate) {
  OperatorSetup setup = plan.operator_setup();
  if (plan.defocus_changes.empty()) {
    operator_ = make_cpu_operator<T>(setup, plan.threads);
    operator_->set_probe(converted<Complex<T>, Complex<float>, 3>(plan.probe.view()).view());
    return;
  }
  drift_.emplace(plan.defocus_changes, plan.semi_angle, plan.wavelength, plan.pixel);
  const auto basis = drift_->basis(plan.probe.view());
  setup.basis = basis.shape()[0];
  operator_ = make_cpu_operator<T>(setup, plan.threads);
  operator_->set_probe(converted<Complex<T>, Complex<double>, 3>(basis.view()).view());
}

template <class T>
void PatternMaker<T>::set_object(View<const float, 3> phase, i64 row, i64 col) {
  row_ = row, col_ = col;
  if constexpr (std::is_same_v<T, float>) {
    operator_->set_object({phase, {}});
  } else {
    const Array<T, 3> copy = converted<T, float, 3>(phase);
    operator_->set_object({copy.view(), {}});
  }
}

template <class T>
void PatternMaker<T>::add(i64 i, View<T, 2> sum) const {
  const i64 modes = plan_.probe.shape()[0], w = plan_.window;
  Array<Complex<T>, 3> wave({modes, w, w});
  Placement at = placement(plan_, i);
  at.row -= row_, at.col -= col_;
  std::vector<Complex<double>> mixture;
  if (drift_) {
    mixture = drift_->coefficients(plan_.defocus_changes[static_cast<std::size_t>(i)], modes);
    at.coefficients = mixture.data();
  }
  operator_->forward(at, wave);
  if (!plan_.descan.empty()) {
    const Position by = plan_.descan[static_cast<std::size_t>(i)];
    const auto bin = static_cast<double>(w / plan_.detector);
    for (i64 m = 0; m < modes; ++m) shift(wave.data() + m * w * w, {bin * by.row, bin * by.col});
  }
  Array<T, 2> intensity({w, w});
  for (i64 m = 0; m < modes; ++m) {
    const Complex<T>* psi = wave.data() + m * w * w;
    for (i64 k = 0; k < w * w; ++k)
      intensity.data()[k] += psi[k].real() * psi[k].real() + psi[k].imag() * psi[k].imag();
  }
  if (!plan_.currents.empty()) {
    const auto current = static_cast<T>(plan_.currents[static_cast<std::size_t>(i)]);
    for (T& value : intensity) value *= current;
  }
  add_binned<T>(intensity.view(), sum);
}

// ψ(r) ← ψ(r) exp(2πi s·(r − c)/W), c the window's middle, which the probe is centred on.
template <class T>
void PatternMaker<T>::shift(Complex<T>* wave, Position by) const {
  const i64 w = plan_.window;
  const auto ramp = [w](double s) {
    std::vector<Complex<double>> all;
    for (i64 i = 0; i < w; ++i)
      all.push_back(std::polar(1.0, 2 * pi * s * double(i - w / 2) / double(w)));
    return all;
  };
  const auto rows = ramp(by.row), cols = ramp(by.col);
  const double scale = 1 / static_cast<double>(w * w);
  fft_.inverse(wave);
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x)
      wave[y * w + x] *=
          Complex<T>(scale * rows[static_cast<std::size_t>(y)] * cols[static_cast<std::size_t>(x)]);
  fft_.forward(wave);
}

template class PatternMaker<float>;
template class PatternMaker<double>;
template void add_binned(View<const float, 2>, View<float, 2>);
template void add_binned(View<const double, 2>, View<double, 2>);

}  // namespace ptyle
