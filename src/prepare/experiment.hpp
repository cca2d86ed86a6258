#pragma once

// A measurement made ready: patterns on the window, calibrated; positions on the object.

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "core/ledger.hpp"
#include "core/matrix2.hpp"
#include "core/pattern.hpp"
#include "prepare/config.hpp"
#include "prepare/screening.hpp"

namespace ptyle {

/// Patterns by global position number, W×W, after flips, crop, bin and pad. They are held in the
/// narrowest type that keeps every count of the file (uint8, 16, 32 or float) and converted one at
/// a time, as the operator asks for them. Of several ranks each holds only what it keeps.
class PatternStore {
 public:
  virtual ~PatternStore() = default;
  [[nodiscard]] virtual i64 count() const = 0;  ///< of the experiment, held here or not
  [[nodiscard]] virtual std::span<const i64> held() const = 0;  ///< numbers, ascending
  [[nodiscard]] virtual i64 window() const = 0;
  /// Position i's intensity, counts, W·W, DC at [0,0]. std::logic_error if it is not held.
  virtual void load(i64 i, float* to) const = 0;
  virtual void load(i64 i, double* to) const = 0;
  /// The same as it is held.
  [[nodiscard]] virtual RawPattern raw(i64 i) const = 0;
  /// These are asked for next: those that lie on a disk are read meanwhile. All are held.
  virtual void will_load(std::span<const i64> /*numbers*/) const {}
  /// Patterns change hands: room for one that comes, of bytes_a_pattern() bytes as `raw` has them,
  /// held from now on (std::logic_error if it is already; UserError if there is no memory); and one
  /// that has gone is held no longer. Others stay where they are. Nothing else may be called
  /// meanwhile.
  virtual void* take(i64 i) = 0;
  virtual void drop(i64 i) = 0;
  [[nodiscard]] virtual std::string type() const = 0;  ///< "uint8", …, of the numbers held
  /// Bytes of memory accounted for each pattern that is held.
  [[nodiscard]] virtual std::size_t bytes_a_pattern() const = 0;
};

struct Calibration {
  double wavelength = 0;  ///< Å; 0 in pixel units
  double pixel = 1;       ///< real-space pixel, Å; 1 in pixel units
  double dk = 0;          ///< detector pixel, 1/Å
  /// Neither an energy nor a calibration was given: lengths are in pixels, not in Å.
  [[nodiscard]] bool in_pixels() const { return wavelength == 0 && pixel == 1; }
};

/// The bright-field disc of a pattern; window pixels, pixel [0,0]'s centre is 0.
struct Disc {
  double row = 0, col = 0, radius = 0;
  double level = 0;   ///< counts a pixel inside
  double spread = 0;  ///< r.m.s. distance of the rim from the circle, px; small = a clear disc
};

struct Experiment {
  std::unique_ptr<PatternStore> patterns;
  OpticsConfig optics;  ///< as given, completed by what the file says
  Calibration calibration;
  std::vector<i64> numbers;         ///< of the patterns within the scan
  std::vector<i64> frames;          ///< the same among the frames of the data
  std::vector<i64> skipped;         ///< by data.skip, or as their positions are no places
  std::vector<i64> left_out;        ///< numbers within the scan without a pattern here, but for
                                    ///< those that data.positions does not choose
  std::vector<Position> positions;  ///< Å (px in pixel units), as the file or the scan gives them
  bool by_step = false;             ///< they are a raster that scan.rotation turns
  Array<float, 2> valid;            ///< W·W, 0 or 1, DC at [0,0]
  Array<double, 2> mean_pattern;    ///< W·W, DC at [W/2, W/2]; 0 where not valid
  std::vector<Position> centres;  ///< of mass of the patterns over valid pixels, px from DC; (0, 0)
                                  ///< of those left out; empty where only a plan is made
  Matrix2 descan{};               ///< of the plane through them, px/Å: rows by (row, col) of the
                                  ///< position, then columns; once they are no longer there
  Screening screening;            ///< pixels that are not valid, patterns that are not fitted
  double mean_counts = 0;         ///< Σ of the mean pattern over valid pixels
  double spread_of_counts = 0;    ///< r.m.s. of the patterns' totals about their mean, over it
  bool integer_counts = false;    ///< all values are integers, as counts are
  double offset = 0;              ///< counts that `patterns` have in every pixel beside those read,
                                  ///< for the readout's noise; not in the figures here
  std::optional<Disc> disc;       ///< fitted to the mean pattern, where it shows a clear one
  std::optional<double> band_limit;  ///< that the file was simulated with
  /// DC minus [W/2, W/2], (row, col) px; 0 where only a plan is made.
  std::array<double, 2> residual_shift{};
  std::vector<std::string> notes;  ///< what was assumed or found, a line each, for the log
  std::vector<std::string> warnings;
  /// Warnings, where it is only looked at, for which a reconstruction is refused.
  std::vector<std::string> refusals;
  i64 bytes_a_frame = 0;       ///< of a pattern, whole and as the file's type holds it
  double seconds_reading = 0;  ///< of this rank, in the file's reading calls
  i64 bytes_read = 0;          ///< by this rank, of patterns as the file's type holds them
};

}  // namespace ptyle
