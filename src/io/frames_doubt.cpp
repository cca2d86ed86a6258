// Are the detector's axes first, where the scan's are taken to be?
//
// 1. Some frames, spread over the scan, are read as the axes are taken.
// 2. Their totals hardly differ, and their mean has structure: a disc, or speckles about a centre.
//    A frame that is in truth a scan's image, of one detector pixel each, has the total of that
//    pixel, inside the disc or outside; and the mean of such images is even.
// 3. The standard deviations of both over their means are compared.

#include <fmt/format.h>

#include <cmath>
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

/// Numbers of frames spread over a scan.
std::vector<i64> spread(i64 count, const std::array<i64, 2>& shape) {
  std::vector<i64> numbers;
  const auto place = [](i64 k, i64 n, i64 size) { return (2 * k + 1) * size / (2 * n); };
  if (shape[0] == 0)
    for (i64 k = 0; k < cells * cells; ++k) numbers.push_back(place(k, cells * cells, count));
  else
    for (i64 k = 0; k < cells * cells; ++k)
      numbers.push_back(place(k / cells, cells, shape[0]) * shape[1] +
                        place(k % cells, cells, shape[1]));
  return numbers;
}

}  // namespace

std::optional<Frames::Doubt> Frames::doubt() const {
  const std::size_t scan_axes = axes_.scan.size();
  const auto& shape = info().shape;
  if (axes_said_ || scan_axes == 0 || !set_->quick_to_sample()) return {};
  for (const i64 size : shape)
    if (size < cells) return {};
  std::vector<double> totals;
  // Cells of the mean frame; of three axes only the last may be the frames'.
  std::vector<double> mean(static_cast<std::size_t>(scan_axes == 2 ? cells * cells : cells));
  std::vector<float> frame(static_cast<std::size_t>(rows_ * cols_));
  for (const i64 i : spread(count_, scan_shape_)) {
    read(i, 1, frame.data());
    double total = 0;
    for (i64 p = 0; p < rows_ * cols_; ++p) {
      const double v = frame[p] > 0 && std::isfinite(frame[p]) ? double(frame[p]) : 0;
      const i64 row = p / cols_ * cells / rows_, col = p % cols_ * cells / cols_;
      mean[scan_axes == 2 ? row * cells + col : col] += v;
      total += v;
    }
    totals.push_back(total);
  }
  for (std::size_t c = 0; c < mean.size(); ++c) {  // per pixel, as cells differ in size
    const auto n = static_cast<i64>(c);
    const auto size = [](i64 k, i64 all) {
      return static_cast<double>(((k + 1) * all + cells - 1) / cells -
                                 (k * all + cells - 1) / cells);
    };
    mean[c] /= size(n % cells, cols_) * (scan_axes == 2 ? size(n / cells, rows_) : 1);
  }
  const double between = variation(totals), within = variation(mean);
  if (between < 0.5 || between < 3 * within) return {};
  const bool sure = between > 0.7 && between > 6 * within;
  const char* other = scan_axes == 2 ? "[ky, kx, y, x]" : "[ky, kx, n]";
  return Doubt{
      fmt::format("the detector's axes seem to come first in {} of {}: totals vary by {:.0f} "
                  "% from frame to frame, and the mean frame by {:.0f} % across; data.axes="
                  "{} reads it so, data.axes={} as it is",
                  name_, h5::to_string(shape), 100 * between, 100 * within, other,
                  to_string(axes_)),
      sure};
}

}  // namespace ptyle
