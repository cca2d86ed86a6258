// Are the detector's axes where the scan's are taken to be?
//
// 1. Some frames, spread over the scan, are read as the axes are taken. Those that are at the
//    type's limit in most pixels are none, and count as the others do.
// 2. Their totals hardly differ, and their mean has structure: a disc, or speckles about a centre.
//    Along an axis of the detector that is taken for one of the scan, the totals are a profile
//    through the disc; along one of the scan that is taken for the detector's, the mean is even.
// 3. The standard deviations over the mean are compared, along each axis and along both together.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "io/frames.hpp"

namespace ptyle {
namespace {

constexpr i64 cells = 8;  // along each axis, of frames and within them

/// The standard deviation over the mean; 0 where that is none.
double variation(std::span<const double> values) {
  double sum = 0, squares = 0;
  for (const double v : values) sum += v, squares += v * v;
  const auto n = static_cast<double>(values.size());
  const double mean = sum / n;
  return mean > 0 ? std::sqrt(std::max(0.0, squares / n - mean * mean)) / mean : 0;
}

/// Sums of 8 × 8 frames (slow, fast), and of 8 × 8 cells of their pixels (ky, kx).
struct Sums {
  std::vector<double> frames = std::vector<double>(cells * cells);
  std::vector<double> pixels = std::vector<double>(cells * cells);

  /// Along one of the two axes.
  static std::vector<double> along(const std::vector<double>& both, bool first) {
    std::vector<double> sums(cells);
    for (i64 i = 0; i < cells * cells; ++i) sums[first ? i / cells : i % cells] += both[i];
    return sums;
  }
};

/// The number of sample k of a scan.
i64 place(i64 k, i64 count, const std::array<i64, 2>& shape) {
  const auto of = [](i64 i, i64 n, i64 size) { return (2 * i + 1) * size / (2 * n); };
  return shape[0] == 0 ? of(k, cells * cells, count)
                       : of(k / cells, cells, shape[0]) * shape[1] + of(k % cells, cells, shape[1]);
}

/// Gives frames that are none, with a total below 0, the mean of the others.
void replace_spoilt(std::vector<double>& totals) {
  double sum = 0;
  i64 good = 0;
  for (const double total : totals)
    if (total >= 0) sum += total, ++good;
  for (double& total : totals)
    if (total < 0) total = good > 0 ? sum / static_cast<double>(good) : 0;
}

Sums sample(const Frames& frames) {
  Sums sums;
  const double largest = frames.largest();
  const i64 rows = frames.rows(), cols = frames.cols();
  std::vector<float> frame(static_cast<std::size_t>(rows * cols));
  const auto width = [](i64 cell, i64 size) {  // pixels in a cell
    return static_cast<double>(((cell + 1) * size + cells - 1) / cells -
                               (cell * size + cells - 1) / cells);
  };
  for (i64 k = 0; k < cells * cells; ++k) {
    frames.read(place(k, frames.count(), frames.scan_shape()), 1, frame.data());
    const auto full = largest == 0 ? 0 : std::count_if(frame.begin(), frame.end(), [&](float v) {
      return static_cast<double>(v) >= largest;
    });
    if (2 * full > rows * cols) {
      sums.frames[k] = -1;
      continue;
    }
    for (i64 p = 0; p < rows * cols; ++p) {
      if (!(frame[p] > 0) || !std::isfinite(frame[p])) continue;
      const i64 row = p / cols * cells / rows, col = p % cols * cells / cols;
      sums.pixels[row * cells + col] += double(frame[p]);
      sums.frames[k] += double(frame[p]);
    }
  }
  replace_spoilt(sums.frames);
  for (i64 c = 0; c < cells * cells; ++c)
    sums.pixels[c] /= width(c / cells, rows) * width(c % cells, cols);
  return sums;
}

}  // namespace

std::optional<Frames::Doubt> Frames::doubt() const {
  const auto& shape = info().shape;
  if (axes_said_ || axes_.scan.empty() || !set_->whole() || !set_->quick_to_sample()) return {};
  if (*std::min_element(shape.begin(), shape.end()) < cells) return {};
  const Sums sums = sample(*this);
  std::vector<double> along;  // the dataset's axes
  if (axes_.scan.size() == 1)
    along = {variation(sums.frames)};
  else
    along = {variation(Sums::along(sums.frames, true)), variation(Sums::along(sums.frames, false))};
  const auto scan_axes = static_cast<std::ptrdiff_t>(along.size());
  for (const bool first : {true, false})
    along.push_back(variation(Sums::along(sums.pixels, first)));

  const double together = variation(sums.frames), within = variation(sums.pixels),
               most = *std::max_element(along.begin(), along.begin() + scan_axes),
               least = *std::min_element(along.begin() + scan_axes, along.end());
  const auto differ = [&](double at_least, double times) {
    return (together > at_least && together > times * within) ||
           (most > at_least && most > times * least);
  };
  if (!differ(0.5, 3)) return {};
  // The detector's are the two that vary most.
  std::vector<int> order(along.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return along[a] < along[b]; });
  std::sort(order.begin(), order.end() - 2);
  std::sort(order.end() - 2, order.end());
  const FrameAxes other{{order.begin(), order.end() - 2}, *(order.end() - 2), order.back()};
  if (other == axes_) return {};
  return Doubt{
      fmt::format(
          "the axes of {}, {}, seem to be others: counts vary by {:.0f} % along the scan and "
          "by {:.0f} % across the mean frame; data.axes={} reads it so, data.axes={} as it is",
          name_, h5::to_string(shape), 100 * most, 100 * least, to_string(other), to_string(axes_)),
      differ(0.7, 6)};
}

}  // namespace ptyle
