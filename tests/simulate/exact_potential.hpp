#pragma once

#include <cmath>
#include <vector>

#include "simulate/potential.hpp"

namespace ptyle {

/// The projected potential as its definition says: Σ over kept frequencies and atoms of
/// h²/(2πme) f(k) exp(−Bk²/4) exp(2πi k·(r − r_atom)) / area, its real part. Cost: pixels × atoms
/// (outer products), and one FFT.
inline Array<double, 2> exact_potential(const SliceGrid& g, Parametrization parametrization,
                                        const std::vector<SpecimenAtom>& atoms,
                                        const std::map<int, double>& B = {}) {
  const double height = double(g.ny) * g.pixel[0], width = double(g.nx) * g.pixel[1];
  const double cut = g.band_limit * 0.5 / std::max(g.pixel[0], g.pixel[1]);
  Array<Complex<double>, 2> sum({g.ny, g.nx});
  for (i64 y = 0; y < g.ny; ++y)
    for (i64 x = 0; x < g.nx; ++x) {
      const double ky = double(frequency_index(y, g.ny)) / height;
      const double kx = double(frequency_index(x, g.nx)) / width;
      const double k = std::hypot(ky, kx);
      if (cut > 0 && k > cut) continue;
      for (const SpecimenAtom& a : atoms)
        sum(y, x) += a.occupancy * scattering_factor(parametrization, a.Z, k) *
                     (B.contains(a.Z) ? debye_waller(B.at(a.Z), k) : 1.0) *
                     std::polar(potential_of_scattering_factor / (height * width),
                                -2 * pi * (ky * a.row + kx * a.col));
    }
  Fft2<double>(g.ny, g.nx, FftRigor::estimate).inverse(sum.data());
  Array<double, 2> potential({g.ny, g.nx});
  for (i64 i = 0; i < sum.size(); ++i) potential.data()[i] = sum.data()[i].real();
  return potential;
}

}  // namespace ptyle
