#pragma once

// Probe modes that each position mixes anew, a its coefficients (M, K), on spectra as a backend
// lays them out. S_q are the spectra of the K modes that are mixed, G_m what Steps::end_back makes
// of one position's χ.
//
//   mix:              Σ_q a_mq S_q                 what `begin` starts from
//   add_mixed_back:   sum_q += Σ_m conj(a_mq) G_m  into the probe's gradient
//   add_overlaps:     ∂f/∂a_mq* += Σ_k conj(S_q) G_m

#include "core/array.hpp"

namespace ptyle::cpu {

/// How spectra lie: a mode after the other of `plane` T's, in turn so many real and as many
/// imaginary parts as there are `lanes`. What lies between blocks of a plane is zero.
struct SpectraLayout {
  i64 plane = 0, lanes = 1;
};

using Coefficients = View<const Complex<double>, 2>;  ///< (M, K), of a position

template <class T>
void mix(const SpectraLayout& layout, const Coefficients& a, const T* spectra, T* mixed);
template <class T>
void add_mixed_back(const SpectraLayout& layout, const Coefficients& a, const T* g, T* sum);
template <class T>
void add_overlaps(const SpectraLayout& layout, const T* spectra, const T* g,
                  View<Complex<double>, 2> to);

}  // namespace ptyle::cpu
