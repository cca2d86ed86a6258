#pragma once

// Projected potentials of slices, by gridding:
//
//   1. each atom is spread onto a grid with a Kaiser-Bessel kernel, an element and a slice at a
//      time
//   2. FFT; divided by the kernel's transform, what remains is Σ exp(−2πi k·r) to 1e-9 for every
//      frequency that is kept (Jackson et al., IEEE Trans. Med. Imaging 10 (1991) 473)
//   3. times h²/(2πme) f(k) exp(−Bk²/4), cut at the band limit, summed over elements
//   4. inverse FFT
//
// Two slices go through one complex transform, as its real and imaginary part.

#include <map>
#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "device/cpu/fft.hpp"
#include "physics/scattering.hpp"
#include "simulate/specimen.hpp"

namespace ptyle {

/// The grid of a slice: periodic, ny × nx pixels of pixel[0] × pixel[1] Å (row, col).
struct SliceGrid {
  i64 ny = 0, nx = 0;
  std::array<double, 2> pixel{};
  /// Frequencies above this fraction of the (coarser) Nyquist frequency are left out; 0: none.
  double band_limit = 0;
};

/// Slice of an atom: s where s·dz ≤ z < (s+1)·dz (with 1e-6 Å of tolerance).
i64 slice_of(double z, double slice_thickness);
/// The atoms of each of `slices` slices; those behind the last are left out.
std::vector<std::vector<SpecimenAtom>> sliced(const std::vector<SpecimenAtom>& atoms,
                                              double slice_thickness, i64 slices);

/// Projects atoms, each with its whole potential (infinite projection), onto the grid.
class Projector {
 public:
  /// `B`: Debye-Waller factor of each element, Å² (none: 0). `elements`: those that will come.
  Projector(const SliceGrid& grid, Parametrization parametrization,
            const std::vector<int>& elements, const std::map<int, double>& B = {});

  /// Buffers of one thread.
  class Scratch {
   public:
    explicit Scratch(const Projector& p);

   private:
    friend class Projector;
    Array<Complex<double>, 2> spread, sum;
  };

  /// The projected potentials, V Å, of two slices (the second may be empty in both). Atoms' places
  /// are in Å from the centre of pixel [0, 0]. Thread-safe, each thread with its own scratch.
  void project(std::span<const SpecimenAtom> first, std::span<const SpecimenAtom> second,
               View<double, 2> to_first, View<double, 2> to_second, Scratch& scratch) const;

  [[nodiscard]] const SliceGrid& grid() const { return grid_; }

 private:
  /// One axis: the kept frequencies and what they are divided by.
  struct Axis {
    i64 size = 0, fine = 0;          ///< pixels of the slice and of the spreading grid
    double period = 0;               ///< Å
    std::vector<double> deconvolve;  ///< by frequency 0 … size/2
  };
  static Axis make_axis(i64 size, double pixel, double cut);
  void spread(std::span<const SpecimenAtom> atoms, int Z, bool imaginary,
              View<Complex<double>, 2> to) const;
  void add_element(int Z, Scratch& scratch) const;

  SliceGrid grid_;
  double cut_;  ///< 1/Å; 0: none
  Axis rows_, cols_;
  std::map<int, Array<double, 2>> factor_;  ///< of a quarter: frequencies 0 … n/2 in both axes
  Fft2<double> fine_fft_, fft_;
};

}  // namespace ptyle
