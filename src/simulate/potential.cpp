#include "simulate/potential.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ptyle {
namespace {

// The Kaiser-Bessel kernel, 12 grid points wide. On a grid 1.5 times finer than the kept
// frequencies need, its aliases are below exp(−β) ≈ 1e-11 of the signal at k = 0 and below 1e-9 at
// the edge.
constexpr int width = 12;
const double beta = pi * width * (1 - 1 / (2 * 1.5));

double kernel(double t) {  // t in grid points, |t| < width/2
  const double u = 2 * t / width;
  return u * u < 1 ? std::cyl_bessel_i(0.0, beta * std::sqrt(1 - u * u)) : 0;
}

// Its Fourier transform at `x` cycles a grid point.
double kernel_transform(double x) {
  const double q = beta * beta - std::pow(pi * width * x, 2), root = std::sqrt(std::abs(q));
  if (root < 1e-8) return width;
  return width * (q > 0 ? std::sinh(root) : std::sin(root)) / root;
}

/// The kernel over the grid points around a place: first index (may be negative), width values.
struct Footprint {
  i64 first;
  std::array<double, width> weight;
};

Footprint footprint(double at) {
  Footprint f{static_cast<i64>(std::ceil(at - width / 2.0)), {}};
  for (int i = 0; i < width; ++i) f.weight[i] = kernel(double(f.first + i) - at);
  return f;
}

i64 wrapped(i64 i, i64 n) { return ((i % n) + n) % n; }

}  // namespace

i64 slice_of(double z, double slice_thickness) {
  return static_cast<i64>(std::floor((z + 1e-6) / slice_thickness));
}

std::vector<std::vector<SpecimenAtom>> sliced(const std::vector<SpecimenAtom>& atoms,
                                              double slice_thickness, i64 slices) {
  std::vector<std::vector<SpecimenAtom>> all(static_cast<std::size_t>(slices));
  for (const SpecimenAtom& atom : atoms) {
    const i64 s = slice_of(atom.z, slice_thickness);
    if (s >= 0 && s < slices) all[static_cast<std::size_t>(s)].push_back(atom);
  }
  return all;
}

Projector::Axis Projector::make_axis(i64 size, double pixel, double cut) {
  Axis axis;
  axis.size = size;
  axis.period = static_cast<double>(size) * pixel;
  const i64 kept = cut > 0 ? std::min(static_cast<i64>(cut * axis.period), size / 2) : size / 2;
  axis.fine = quick_fft_size(std::max<i64>((3 * (2 * kept + 1) + 1) / 2, 2 * width));
  axis.deconvolve.resize(static_cast<std::size_t>(size / 2 + 1));
  for (i64 f = 0; f <= kept; ++f)
    axis.deconvolve[static_cast<std::size_t>(f)] =
        1 / kernel_transform(double(f) / double(axis.fine));
  return axis;
}

Projector::Projector(const SliceGrid& grid, Parametrization parametrization,
                     const std::vector<int>& elements, const std::map<int, double>& B)
    : grid_(grid),
      cut_(grid.band_limit * 0.5 / std::max(grid.pixel[0], grid.pixel[1])),
      rows_(make_axis(grid.ny, grid.pixel[0], cut_)),
      cols_(make_axis(grid.nx, grid.pixel[1], cut_)),
      fine_fft_(rows_.fine, cols_.fine, FftRigor::estimate),
      fft_(grid.ny, grid.nx, FftRigor::estimate) {
  // ∫ V exp(−2πi k·r) d²r = h²/(2πme) f(k); a Fourier sum over pixels has 1/area before it.
  const double scale = potential_of_scattering_factor / (rows_.period * cols_.period);
  for (const int Z : elements) {
    Array<double, 2> factor({grid.ny / 2 + 1, grid.nx / 2 + 1});
    const auto found = B.find(Z);
    const double b = found == B.end() ? 0 : found->second;
    for (i64 y = 0; y < factor.shape()[0]; ++y)
      for (i64 x = 0; x < factor.shape()[1]; ++x) {
        const double k = std::hypot(double(y) / rows_.period, double(x) / cols_.period);
        if (cut_ > 0 && k > cut_) continue;
        factor(y, x) = scale * scattering_factor(parametrization, Z, k) * debye_waller(b, k) *
                       rows_.deconvolve[static_cast<std::size_t>(y)] *
                       cols_.deconvolve[static_cast<std::size_t>(x)];
      }
    factor_.emplace(Z, std::move(factor));
  }
}

Projector::Scratch::Scratch(const Projector& p)
    : spread({p.rows_.fine, p.cols_.fine}), sum({p.grid_.ny, p.grid_.nx}) {}

void Projector::spread(std::span<const SpecimenAtom> atoms, int Z, bool imaginary,
                       View<Complex<double>, 2> to) const {
  for (const SpecimenAtom& atom : atoms) {
    if (atom.Z != Z) continue;
    const Footprint row = footprint(atom.row / rows_.period * double(rows_.fine));
    const Footprint col = footprint(atom.col / cols_.period * double(cols_.fine));
    for (int i = 0; i < width; ++i) {
      Complex<double>* line = to.data + wrapped(row.first + i, rows_.fine) * cols_.fine;
      const double w = atom.occupancy * row.weight[i];
      for (int j = 0; j < width; ++j) {
        const double value = w * col.weight[j];
        line[wrapped(col.first + j, cols_.fine)] +=
            imaginary ? Complex<double>(0, value) : Complex<double>(value, 0);
      }
    }
  }
}

// sum(k) += factor(|k|) · spread(k). The frequency −n/2 of an even n stands for n/2 too: the mean
// of both keeps a real slice real.
void Projector::add_element(int Z, Scratch& scratch) const {
  const Array<double, 2>& factor = factor_.at(Z);
  const auto fine_index = [](i64 f, i64 n) { return f < 0 ? f + n : f; };
  for (i64 y = 0; y < grid_.ny; ++y) {
    const i64 fy = frequency_index(y, grid_.ny);
    for (i64 x = 0; x < grid_.nx; ++x) {
      const i64 fx = frequency_index(x, grid_.nx);
      const double f = factor(std::abs(fy), std::abs(fx));
      if (f == 0) continue;
      const auto at = [&](i64 ky, i64 kx) {
        return scratch.spread(fine_index(ky, rows_.fine), fine_index(kx, cols_.fine));
      };
      Complex<double> value = at(fy, fx);
      const bool y_twice = 2 * fy == -grid_.ny, x_twice = 2 * fx == -grid_.nx;
      if (y_twice || x_twice) value = (value + at(y_twice ? -fy : fy, x_twice ? -fx : fx)) / 2.0;
      scratch.sum(y, x) += f * value;
    }
  }
}

void Projector::project(std::span<const SpecimenAtom> first, std::span<const SpecimenAtom> second,
                        View<double, 2> to_first, View<double, 2> to_second,
                        Scratch& scratch) const {
  scratch.sum.fill(0);
  const auto has = [](std::span<const SpecimenAtom> atoms, int Z) {
    return std::any_of(atoms.begin(), atoms.end(), [Z](const SpecimenAtom& a) { return a.Z == Z; });
  };
  for (const auto& atoms : {first, second})
    for (const SpecimenAtom& atom : atoms)
      if (!factor_.contains(atom.Z))
        throw std::invalid_argument("an atom of an element that the projector was not made for");
  for (const auto& [Z, factor] : factor_) {
    if (!has(first, Z) && !has(second, Z)) continue;
    scratch.spread.fill(0);
    spread(first, Z, false, scratch.spread);
    spread(second, Z, true, scratch.spread);
    fine_fft_.forward(scratch.spread.data());
    add_element(Z, scratch);
  }
  fft_.inverse(scratch.sum.data());
  for (i64 i = 0; i < to_first.size(); ++i) to_first.data[i] = scratch.sum.data()[i].real();
  if (!to_second.empty())
    for (i64 i = 0; i < to_second.size(); ++i) to_second.data[i] = scratch.sum.data()[i].imag();
}

}  // namespace ptyle
