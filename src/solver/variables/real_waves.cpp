#include "solver/variables/real_waves.hpp"

#include <cmath>
#include <numeric>
#include <utility>

namespace ptyle {

template <class T>
RealWave real_wave(View<const Complex<T>, 2> wave) {
  RealWave all;
  all.reserve(static_cast<std::size_t>(2 * wave.size()));
  for (const Complex<T>& value : wave) {
    all.push_back(static_cast<double>(value.real()));
    all.push_back(static_cast<double>(value.imag()));
  }
  return all;
}

template <class T>
void put_wave(const RealWave& from, double factor, View<Complex<T>, 2> wave) {
  const double* parts = from.data();
  for (Complex<T>& value : wave) {
    value = {static_cast<T>(factor * parts[0]), static_cast<T>(factor * parts[1])};
    parts += 2;
  }
}

double inner(const RealWave& a, const RealWave& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

template <class T>
double inner(const RealWave& a, View<const Complex<T>, 2> b) {
  const double* parts = a.data();
  double sum = 0;
  for (const Complex<T>& value : b) {
    sum +=
        parts[0] * static_cast<double>(value.real()) + parts[1] * static_cast<double>(value.imag());
    parts += 2;
  }
  return sum;
}

template <class T>
void add(double factor, View<const Complex<T>, 2> wave, RealWave& to) {
  double* parts = to.data();
  for (const Complex<T>& value : wave) {
    parts[0] += factor * static_cast<double>(value.real());
    parts[1] += factor * static_cast<double>(value.imag());
    parts += 2;
  }
}

void add(double factor, const RealWave& wave, RealWave& to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * wave[i];
}

void take_out(const std::vector<RealWave>& orthonormal, RealWave& wave) {
  for (int pass = 0; pass < 2; ++pass)  // twice: once leaves rounding behind
    for (const RealWave& one : orthonormal) add(-inner(one, wave), one, wave);
}

void join(std::vector<RealWave>& orthonormal, RealWave wave) {
  constexpr double least = 1e-20;  // squared, of what it was
  const double before = inner(wave, wave);
  take_out(orthonormal, wave);
  const double left = inner(wave, wave);
  if (!(left > least * before)) return;
  for (double& value : wave) value /= std::sqrt(left);
  orthonormal.push_back(std::move(wave));
}

namespace {

/// About their mean, of all processes, and without what they have of `others`.
template <class T>
void centre(SharedWaves<T>& waves, std::size_t size, const std::vector<RealWave>& others,
            Team& team) {
  RealWave mean(size);
  for (const auto& wave : waves.here) add<T>(1 / static_cast<double>(waves.all), wave.view(), mean);
  team.sum(mean);
  for (auto& wave : waves.here) {
    RealWave about = real_wave<T>(std::as_const(wave).view());
    add(-1, mean, about);
    take_out(others, about);
    put_wave<T>(about, 1, wave.view());
  }
}

}  // namespace

template <class T>
std::vector<RealWave> principal_axes(SharedWaves<T>& waves, i64 n,
                                     const std::vector<RealWave>& others, Team& team) {
  constexpr int passes = 8;
  const std::size_t size = others.front().size();
  centre(waves, size, others, team);
  std::vector<RealWave> axes;
  for (int pass = 0; pass <= passes; ++pass) {
    std::vector<RealWave> next;
    for (i64 q = 0; q < n; ++q) {
      RealWave sum(size);
      const i64 first = (q + 1) * waves.all / (n + 1);
      for (std::size_t p = 0; p < waves.here.size(); ++p) {
        const View<const Complex<T>, 2> wave = std::as_const(waves.here[p]).view();
        if (pass == 0 && waves.numbers[p] == first) add<T>(1, wave, sum);
        if (pass > 0 && q < std::ssize(axes))
          add<T>(inner<T>(axes[static_cast<std::size_t>(q)], wave), wave, sum);
      }
      team.sum(sum);
      join(next, std::move(sum));
    }
    axes = std::move(next);
  }
  return axes;
}

template RealWave real_wave(View<const Complex<float>, 2>);
template void put_wave(const RealWave&, double, View<Complex<float>, 2>);
template double inner(const RealWave&, View<const Complex<float>, 2>);
template void add(double, View<const Complex<float>, 2>, RealWave&);
template std::vector<RealWave> principal_axes(SharedWaves<float>&, i64,
                                              const std::vector<RealWave>&, Team&);
template RealWave real_wave(View<const Complex<double>, 2>);
template void put_wave(const RealWave&, double, View<Complex<double>, 2>);
template double inner(const RealWave&, View<const Complex<double>, 2>);
template void add(double, View<const Complex<double>, 2>, RealWave&);
template std::vector<RealWave> principal_axes(SharedWaves<double>&, i64,
                                              const std::vector<RealWave>&, Team&);

}  // namespace ptyle
