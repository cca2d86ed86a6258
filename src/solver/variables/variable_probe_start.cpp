#include "solver/variables/variable_probe_start.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/grid.hpp"
#include "device/cpu/fft.hpp"
#include "operator/detector_counts.hpp"
#include "solver/batches.hpp"
#include "solver/variables/mixture.hpp"

namespace ptyle {
namespace {

/// A fraction of the bound of the curvature: what is hardly determined moves little.
constexpr double damping = 1e-2;

/// Polynomials up to the third order, of what is no constant.
std::vector<double> polynomials(double r, double c) {
  const double square = r * r + c * c;
  return {r,
          c,
          square,
          r * r - c * c,
          2 * r * c,
          square * r,
          square * c,
          r * r * r - 3 * r * c * c,
          c * c * c - 3 * c * r * r};
}

}  // namespace

template <class T>
std::vector<RealWave> aberrations_of(View<const Complex<T>, 2> probe,
                                     const std::vector<RealWave>& others) {
  const i64 w = probe.shape[0];
  const Fft2<double> fft(w, w, FftRigor::estimate);
  auto spectrum = converted<Complex<double>, Complex<T>, 2>(probe);
  fft.forward(spectrum.data());
  std::vector<RealWave> all = others;
  const std::size_t count = polynomials(0, 0).size();
  for (std::size_t which = 0; which < count; ++which) {
    auto wave = converted<Complex<double>, Complex<double>, 2>(std::as_const(spectrum).view());
    for (i64 i = 0; i < w * w; ++i) {
      const double r = static_cast<double>(frequency_index(i / w, w)) / static_cast<double>(w),
                   c = static_cast<double>(frequency_index(i % w, w)) / static_cast<double>(w);
      wave.data()[i] *= Complex<double>(0, polynomials(r, c)[which]);
    }
    fft.inverse(wave.data());
    join(all, real_wave<double>(std::as_const(wave).view()));
  }
  all.erase(all.begin(), all.begin() + std::ssize(others));
  return all;
}

template <class T>
VariableProbeStart<T>::VariableProbeStart(Workspace<T>& with, Field<T>& scratch,
                                          std::vector<RealWave> others)
    : with_(with), scratch_(scratch), probe_(with.state.field("probe").waves.shape()) {
  // Its bytes are among those that the start has booked.
  with.arithmetic->read(with.state.field("probe").waves.data(), probe_.data(), probe_.size());
  others_ = std::move(others);
  aberrations_ = aberrations_of<T>(std::as_const(probe_).view()[0], others_);
}

template <class T>
RealWave VariableProbeStart<T>::slope_at(const Placement& at, i64 position) {
  with_.arithmetic->clear(parts_of(scratch_.waves.view()));
  Gradient<T> sums;
  sums.probe = scratch_.waves.view();
  const std::vector<i64> one{position};
  with_.op->gradient({&at, 1}, with_.measured_at(one), {Part::probe}, sums);
  Array<C, 2> here({probe_.shape()[1], probe_.shape()[2]});
  with_.arithmetic->read(scratch_.waves.data(), here.data(), here.size());
  RealWave slope = real_wave<T>(std::as_const(here).view());
  for (double& value : slope) value *= 2;  // df = 2 Re⟨∂f/∂P*, dP⟩
  take_out(others_, slope);
  return slope;
}

template <class T>
Array<double, 2> VariableProbeStart<T>::curvature_at(const Placement& at) {
  const OperatorSetup& setup = with_.op->setup();
  const i64 pixels = setup.window * setup.window, count = std::ssize(aberrations_);
  Array<C, 3> psi({setup.modes, setup.window, setup.window}), change(psi.shape());
  Array<C, 3> direction(probe_.shape());
  with_.op->forward(at, psi);
  Array<double, 2> changes({count, pixels});
  for (i64 j = 0; j < count; ++j) {
    put_wave<T>(aberrations_[static_cast<std::size_t>(j)], 1, direction.view()[0]);
    with_.op->tangent(at, {}, direction, change);
    for (i64 i = 0; i < psi.size(); ++i)
      changes(j, i % pixels) +=
          (Complex<double>(std::conj(psi.data()[i])) * Complex<double>(change.data()[i])).real();
  }
  // The second derivative along i and j is Σ f" (2 a_i) (2 a_j).
  const auto weight = curvature_weights<T>(setup, std::as_const(psi).view(), {}, with_.data.valid);
  Array<double, 2> all({count, count});
  for (i64 i = 0; i < count; ++i)
    for (i64 j = 0; j <= i; ++j) {
      for (i64 k = 0; k < pixels; ++k)
        all(i, j) += 4 * weight[static_cast<std::size_t>(k)] * changes(i, k) * changes(j, k);
      all(j, i) = all(i, j);
    }
  return all;
}

template <class T>
RealWave VariableProbeStart<T>::move_at(std::size_t t, i64 position) {
  const Placement at = with_.places_on(with_.tiles[t], {position}).front();
  RealWave move = slope_at(at, position);
  const double bound = 2 * with_.window2();  // of the second derivative along a wave of length 1
  Array<double, 2> curvature = curvature_at(at);
  std::vector<double> slopes;
  for (std::size_t i = 0; i < aberrations_.size(); ++i) {
    slopes.push_back(inner(aberrations_[i], move));
    add(-slopes.back(), aberrations_[i], move);
    curvature(static_cast<i64>(i), static_cast<i64>(i)) += damping * bound;
  }
  for (double& value : move) value /= -bound;
  const SmallMatrix inverse = inverse_of(curvature);
  for (std::size_t i = 0; i < aberrations_.size(); ++i)
    for (std::size_t j = 0; j < aberrations_.size(); ++j)
      add(-inverse(static_cast<i64>(i), static_cast<i64>(j)) * slopes[j], aberrations_[i], move);
  with_.costs.count(1);
  return move;
}

template <class T>
std::vector<RealWave> VariableProbeStart<T>::axes(i64 n, i64 most) {
  const std::vector<i64> sample = sample_of(with_.fitted, most);
  SharedWaves<T> moves{{}, {}, std::ssize(sample)};
  for (std::size_t t = 0; t < with_.tiles.size(); ++t) {
    with_.op->set_object(with_.object_on(t));
    for (const i64 position : members_of(sample, with_.tiles[t].own)) {
      moves.here.emplace_back(std::array<i64, 2>{probe_.shape()[1], probe_.shape()[2]});
      put_wave<T>(move_at(t, position), 1, moves.here.back().view());
      moves.numbers.push_back(place_in(sample, position));
    }
  }
  with_.arithmetic->clear(parts_of(scratch_.waves.view()));
  return principal_axes(moves, n, others_, with_.team);
}

template std::vector<RealWave> aberrations_of<float>(View<const Complex<float>, 2>,
                                                     const std::vector<RealWave>&);
template std::vector<RealWave> aberrations_of<double>(View<const Complex<double>, 2>,
                                                      const std::vector<RealWave>&);
template class VariableProbeStart<float>;
template class VariableProbeStart<double>;

}  // namespace ptyle
