#include "operator/cpu/mixing.hpp"

#include <array>
#include <stdexcept>
#include <vector>

namespace ptyle::cpu {
namespace {

/// Calls f with the number of lanes as a constant, so that a chunk stays in registers.
template <class F>
void with_lanes(i64 lanes, F&& f) {
  switch (lanes) {
    case 1:
      return f(std::integral_constant<i64, 1>{});
    case 2:
      return f(std::integral_constant<i64, 2>{});
    case 4:
      return f(std::integral_constant<i64, 4>{});
    case 8:
      return f(std::integral_constant<i64, 8>{});
    case 16:
      return f(std::integral_constant<i64, 16>{});
    default:
      throw std::logic_error("no spectra have so many lanes");
  }
}

/// A chunk of L real and L imaginary parts.
template <class T, i64 L>
struct Chunk {
  std::array<T, L> re{}, im{};
  /// += factor · from
  void add(const Complex<T>& factor, const T* from) {
    const T c = factor.real(), s = factor.imag();
#pragma omp simd
    for (i64 l = 0; l < L; ++l) {
      re[l] += c * from[l] - s * from[L + l];
      im[l] += c * from[L + l] + s * from[l];
    }
  }
};

/// Row i: what line i of the result is made of. Most coefficients are 0, as few modes vary over the
/// scan, and are left out.
template <class T>
struct Factor {
  i64 line;  ///< of `from`
  Complex<T> by;
};
template <class T>
using Factors = std::vector<std::vector<Factor<T>>>;

template <class T>
Factors<T> factors_of(i64 rows, i64 lines, const auto& coefficient) {
  Factors<T> factors(static_cast<std::size_t>(rows));
  for (i64 i = 0; i < rows; ++i)
    for (i64 j = 0; j < lines; ++j)
      if (const Complex<double> c = coefficient(i, j); c != 0.0)
        factors[static_cast<std::size_t>(i)].push_back({j, Complex<T>(c)});
  return factors;
}

/// Line i of the result ← (or +=) Σ_j factors[i][j].by · line factors[i][j].line of `from`.
template <bool add, class T>
void combine(const SpectraLayout& layout, const Factors<T>& factors, const T* from, T* to) {
  with_lanes(layout.lanes, [&]<i64 L>(std::integral_constant<i64, L>) {
    for (std::size_t i = 0; i < factors.size(); ++i, to += layout.plane) {
      if (add && factors[i].empty()) continue;
      for (i64 k = 0; k < layout.plane; k += 2 * L) {
        Chunk<T, L> sum;
        for (const Factor<T>& factor : factors[i])
          sum.add(factor.by, from + factor.line * layout.plane + k);
        for (i64 l = 0; l < L; ++l) {
          to[k + l] = add ? to[k + l] + sum.re[l] : sum.re[l];
          to[k + L + l] = add ? to[k + L + l] + sum.im[l] : sum.im[l];
        }
      }
    }
  });
}

/// Σ_k conj(s_k) g_k; products in T, sums in double.
template <i64 L, class T>
Complex<double> overlap(i64 plane, const T* s, const T* g) {
  std::array<double, L> re{}, im{};
  for (i64 k = 0; k < plane; k += 2 * L, s += 2 * L, g += 2 * L) {
#pragma omp simd
    for (i64 l = 0; l < L; ++l) {
      re[l] += static_cast<double>(s[l] * g[l] + s[L + l] * g[L + l]);
      im[l] += static_cast<double>(s[l] * g[L + l] - s[L + l] * g[l]);
    }
  }
  Complex<double> sum = 0;
  for (i64 l = 0; l < L; ++l) sum += Complex<double>(re[l], im[l]);
  return sum;
}

}  // namespace

template <class T>
void mix(const SpectraLayout& layout, const Coefficients& a, const T* spectra, T* mixed) {
  const auto factors = factors_of<T>(a.shape[0], a.shape[1], [&](i64 m, i64 q) { return a(m, q); });
  combine<false>(layout, factors, spectra, mixed);
}

template <class T>
void add_mixed_back(const SpectraLayout& layout, const Coefficients& a, const T* g, T* sum) {
  const auto factors =
      factors_of<T>(a.shape[1], a.shape[0], [&](i64 q, i64 m) { return std::conj(a(m, q)); });
  combine<true>(layout, factors, g, sum);
}

template <class T>
void add_overlaps(const SpectraLayout& layout, const T* spectra, const T* g,
                  View<Complex<double>, 2> to) {
  with_lanes(layout.lanes, [&]<i64 L>(std::integral_constant<i64, L>) {
    for (i64 m = 0; m < to.shape[0]; ++m)
      for (i64 q = 0; q < to.shape[1]; ++q)
        to(m, q) += overlap<L>(layout.plane, spectra + q * layout.plane, g + m * layout.plane);
  });
}

template void mix(const SpectraLayout&, const Coefficients&, const float*, float*);
template void mix(const SpectraLayout&, const Coefficients&, const double*, double*);
template void add_mixed_back(const SpectraLayout&, const Coefficients&, const float*, float*);
template void add_mixed_back(const SpectraLayout&, const Coefficients&, const double*, double*);
template void add_overlaps(const SpectraLayout&, const float*, const float*,
                           View<Complex<double>, 2>);
template void add_overlaps(const SpectraLayout&, const double*, const double*,
                           View<Complex<double>, 2>);

}  // namespace ptyle::cpu
