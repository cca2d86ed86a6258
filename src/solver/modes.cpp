#include "solver/modes.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace ptyle {

ModePowers::ModePowers(i64 modes, Loss loss, double epsilon, double background)
    : modes_(modes),
      loss_(loss),
      epsilon_(epsilon),
      dark_(epsilon + background),
      sums_(static_cast<std::size_t>(modes * (modes + 1))) {}

template <class T>
void ModePowers::add(View<const Complex<T>, 3> waves, const T* measured, View<const T, 2> valid) {
  constexpr i64 most = 256;  // pixels at a time, so that they stay in the cache
  const i64 pixels = waves.shape[1] * waves.shape[2];
  std::vector<double> powers(static_cast<std::size_t>(modes_ * most));
  std::array<double, most> model, slope, weight;
  for (i64 first = 0; first < pixels; first += most) {
    const i64 n = std::min(most, pixels - first);
    const auto q = [&](i64 m) { return powers.data() + m * most; };
    model.fill(dark_);
    std::fill(powers.begin(), powers.end(), 0.0);
    for (i64 m = 0; m < waves.shape[0]; ++m)
      for (i64 i = 0; i < n; ++i) {
        const double power = std::norm(Complex<double>(waves.data[m * pixels + first + i]));
        q(m % modes_)[i] += power;
        model[i] += power;
      }
    with_loss(loss_, [&](auto loss) {
      for (i64 i = 0; i < n; ++i) {
        const bool counts = model[i] > 0 && measured[first + i] >= 0 &&
                            (valid.empty() || valid.data[first + i] != 0);
        slope[i] = counts ? loss.factor(model[i], double(measured[first + i]), epsilon_) : 0;
        weight[i] = counts ? loss.curvature(1.0, model[i]) : 0;
      }
    });
    for (i64 m = 0; m < modes_; ++m) {
      for (i64 i = 0; i < n; ++i) sums_[static_cast<std::size_t>(m)] += slope[i] * q(m)[i];
      for (i64 l = 0; l <= m; ++l) {
        double sum = 0;
        for (i64 i = 0; i < n; ++i) sum += weight[i] * q(m)[i] * q(l)[i];
        curvature(m, l) += sum;
      }
    }
  }
}

std::vector<double> ModePowers::factors() const {
  // One b after the other to the lowest f that its limits allow. What modes of nearly one shape
  // share among each other matters little, and is left where it converges slowly.
  constexpr int passes = 200;
  constexpr double least = -0.5, greatest = 1;
  const auto n = static_cast<std::size_t>(modes_);
  const auto c = [&](std::size_t m, std::size_t l) {
    return sums_[n + std::max(m, l) * n + std::min(m, l)];
  };
  std::vector<double> b(n);
  for (int pass = 0; pass < passes; ++pass)
    for (std::size_t m = 0; m < n; ++m) {
      double slope = sums_[m];
      for (std::size_t l = 0; l < n; ++l) slope += c(m, l) * b[l];
      if (c(m, m) > 0) b[m] = std::clamp(b[m] - slope / c(m, m), least, greatest);
    }
  for (double& value : b) value += 1;
  return b;
}

template void ModePowers::add<float>(View<const Complex<float>, 3>, const float*,
                                     View<const float, 2>);
template void ModePowers::add<double>(View<const Complex<double>, 3>, const double*,
                                      View<const double, 2>);

}  // namespace ptyle
