#pragma once

// Waves as vectors of real numbers, real and imaginary parts in turn: sums of waves with real
// factors are their linear combinations, Re⟨a, b⟩ is their inner product.

#include <vector>

#include "core/array.hpp"
#include "exchange/team.hpp"

namespace ptyle {

using RealWave = std::vector<double>;  ///< 2W² of a wave (W, W)

template <class T>
RealWave real_wave(View<const Complex<T>, 2> wave);
/// The wave's values become `factor` times those of the vector.
template <class T>
void put_wave(const RealWave& from, double factor, View<Complex<T>, 2> wave);

double inner(const RealWave& a, const RealWave& b);
template <class T>
double inner(const RealWave& a, View<const Complex<T>, 2> b);
template <class T>
void add(double factor, View<const Complex<T>, 2> wave, RealWave& to);
void add(double factor, const RealWave& wave, RealWave& to);

/// Less its parts along orthonormal ones.
void take_out(const std::vector<RealWave>& orthonormal, RealWave& wave);
/// Joins the orthonormal ones, as what it has beside them; not where that is nothing.
void join(std::vector<RealWave>& orthonormal, RealWave wave);

/// Waves of all processes, of which this one has some.
template <class T>
struct SharedWaves {
  std::vector<Array<Complex<T>, 2>> here;
  std::vector<i64> numbers;  ///< of these, among all
  i64 all = 0;
};

/// The first n principal axes of the waves about their mean, of what they have beside `others`,
/// which are orthonormal: by subspace iteration, A ← Σ_p ⟨A, g_p⟩ g_p, from n of the waves. Fewer
/// where the waves have not so many. The waves become what they are about their mean.
template <class T>
std::vector<RealWave> principal_axes(SharedWaves<T>& waves, i64 n,
                                     const std::vector<RealWave>& others, Team& team);

}  // namespace ptyle
