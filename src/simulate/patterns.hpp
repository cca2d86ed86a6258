#pragma once

// From a part of the object to expected patterns.

#include <memory>
#include <optional>
#include <vector>

#include "device/cpu/fft.hpp"
#include "operator/operator.hpp"
#include "simulate/defocus_drift.hpp"
#include "simulate/plan.hpp"

namespace ptyle {

/// Positions that are simulated from one part of the object: a square of windows' corners. The
/// cells depend on the plan alone, not on which positions are asked for, so pieces equal the whole
/// bitwise.
struct Cell {
  i64 row = 0, col = 0, ny = 0, nx = 0;  ///< part of the object that their windows reach, px
  std::vector<i64> positions;            ///< ascending
};

/// Cells whose part of the object, with its transmission, takes about `bytes` (or little more than
/// a window, where that alone takes as much).
std::vector<Cell> make_cells(const Plan& plan, double bytes, bool double_precision);

/// Detector pixels summed b × b, DC centred on the bin [n/2b]: for even b the outermost samples
/// are shared half and half with the neighbours, so that the bin is symmetric. Counts are kept.
/// `intensity` is W × W with DC at [0, 0]; adds to `sum`, (W/b) × (W/b), DC centred.
template <class T>
void add_binned(View<const T, 2> intensity, View<T, 2> sum);

/// The multislice of a plan, by the operator that reconstructions use.
template <class T>
class PatternMaker {
 public:
  explicit PatternMaker(const Plan& plan);
  /// The phases (z, y, x) of the part of the object whose pixel [0, 0] is (row, col) of the whole.
  void set_object(View<const float, 3> phase, i64 row, i64 col);
  /// Adds the expected pattern of position i, DC centred, detector × detector. Thread-safe.
  void add(i64 i, View<T, 2> sum) const;

 private:
  /// Takes a far field (W × W, DC at [0, 0]) by (row, col) px, exactly: the exit wave is tilted.
  void shift(Complex<T>* wave, Position by) const;

  const Plan& plan_;
  std::optional<DefocusDrift> drift_;
  std::unique_ptr<Operator<T>> operator_;
  Fft2<T> fft_;
  i64 row_ = 0, col_ = 0;
};

}  // namespace ptyle
