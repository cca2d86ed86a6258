#pragma once

// Figures of detector pixels over the frames of a scan, and the questions that the search for bad
// pixels asks of them.

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// Figures of every pixel of the raw frames, over all of them or a sample; sums over ranks.
struct PixelSums {
  PixelSums() = default;
  explicit PixelSums(i64 pixels);
  double frames = 0, sampled = 0;
  std::vector<double> sum, squares;   ///< of the values in sampled frames
  std::vector<double> full;           ///< frames in which it has the integer type's largest value
  std::vector<double> missing;        ///< … no finite number
  std::vector<double> negative;       ///< … a value below 0
  std::vector<double> noise;          ///< squares of those
  std::vector<double> at_saturation;  ///< frames in which it reaches data.saturation
  std::vector<double> peak;           ///< largest value in any frame
  /// All but `peak`, for a sum over ranks.
  [[nodiscard]] std::vector<std::vector<double>*> summed();
};

/// The raw frames, as the judgement needs them.
struct RawFrame {
  i64 rows = 0, cols = 0;
  std::vector<std::uint8_t> looked_at;  ///< 0: masked, or no pixel of a pattern comes from it
  std::array<i64, 2> centre{};          ///< of the undiffracted beam
};

/// Fewer frames tell nothing of a pixel's variance.
constexpr double least_frames = 16;

/// The pixels under judgement; `frame` and `sums` must outlive it.
class DetectorPixels {
 public:
  DetectorPixels(const RawFrame& frame, const PixelSums& sums) : f_(frame), s_(sums) {
    find_scale();
  }

  /// Numbers a count, at least 1: what varies least varies as counts do, by their mean times this.
  [[nodiscard]] double gain() const { return gain_; }
  /// Total beyond what a pixel without any count has.
  [[nodiscard]] double counts(i64 y, i64 x) const {
    return (total(y, x) - least_ * s_.sampled) / gain_;
  }

  [[nodiscard]] i64 rows() const { return f_.rows; }
  [[nodiscard]] i64 cols() const { return f_.cols; }
  [[nodiscard]] const std::array<i64, 2>& centre() const { return f_.centre; }
  [[nodiscard]] bool inside(i64 y, i64 x) const {
    return y >= 0 && y < f_.rows && x >= 0 && x < f_.cols;
  }
  [[nodiscard]] std::size_t at(i64 y, i64 x) const {
    return static_cast<std::size_t>(y * f_.cols + x);
  }
  [[nodiscard]] bool looked_at(i64 y, i64 x) const {
    return inside(y, x) && f_.looked_at[at(y, x)] != 0;
  }
  /// Counts in all sampled frames.
  [[nodiscard]] double total(i64 y, i64 x) const { return s_.sum[at(y, x)]; }
  [[nodiscard]] double peak(i64 y, i64 x) const { return s_.peak[at(y, x)]; }
  [[nodiscard]] double sampled() const { return s_.sampled; }
  /// Variance over mean; 1 where counts are all that varies.
  [[nodiscard]] double fano(i64 y, i64 x) const;
  /// The same number in all sampled frames: Σv² n = (Σv)², to the rounding of n sums.
  [[nodiscard]] bool constant(i64 y, i64 x) const;
  /// Nothing in any frame, be that a 0 or what the detector adds to it or takes from it.
  [[nodiscard]] bool empty(i64 y, i64 x) const;
  [[nodiscard]] bool near_centre(i64 y, i64 x) const {
    constexpr i64 beam = 3;  // px that an undiffracted beam may take
    return std::abs(y - f_.centre[0]) <= beam && std::abs(x - f_.centre[1]) <= beam;
  }
  /// Places of the good pixels within `reach`, the pixel itself aside.
  [[nodiscard]] std::vector<std::array<i64, 2>> near(i64 y, i64 x, i64 reach) const;
  /// Their totals.
  [[nodiscard]] std::vector<double> around(i64 y, i64 x, i64 reach) const;
  /// Is the undiffracted beam hardly more than a pixel wide? Its diffraction spots are as small.
  [[nodiscard]] bool small_spots() const;

 private:
  void find_scale();
  const RawFrame& f_;
  const PixelSums& s_;
  double gain_ = 1, least_ = 0;  // least_: the smallest mean of a pixel that never varies
};

using PixelGroup = std::vector<std::array<i64, 2>>;

/// Pixels that are flagged and touch each other, where there are no more than `most`
/// together.
std::vector<PixelGroup> groups_of(const DetectorPixels& pixels, std::vector<bool> flagged,
                                  i64 most);

/// The smallest box that holds a group: first and last row, first and last column.
struct PixelBox {
  explicit PixelBox(const PixelGroup& group);
  [[nodiscard]] i64 rows() const { return bottom - top + 1; }
  [[nodiscard]] i64 cols() const { return right - left + 1; }
  i64 top, bottom, left, right;
};

/// Places of all pixels about a group, or of the good ones, in its box and one pixel beyond.
PixelGroup rim_of(const DetectorPixels& pixels, PixelGroup group, bool good);

/// A bright-field disc that is cut off everywhere: round, about the beam's place.
bool is_disc(const PixelGroup& group, const std::array<i64, 2>& centre);

}  // namespace ptyle
