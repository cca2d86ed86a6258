#include "prepare/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/grid.hpp"
#include "core/keys.hpp"

namespace ptyle {
namespace {

/// One axis of the flipped frame.
struct Axis {
  i64 size = 0;  ///< N of the flipped frame
  bool flip = false;
  bool corner = false;

  /// Raw index of the flipped frame's index i.
  [[nodiscard]] i64 raw(i64 i) const {
    if (!corner) return flip ? size - 1 - i : i;
    const i64 k = i - size / 2;  // frequency; a flip is k → −k, and the raw frame is periodic
    return ((flip ? -k : k) % size + size) % size;
  }
};

/// Places of the bins along an axis of the flipped frame.
struct Bins {
  i64 begin = 0, end = 0;  ///< the crop box: pixels outside are padding
  i64 first = 0;           ///< pixel that bin 0 of the window begins at (may be outside the box)
  double residual = 0;     ///< centre minus the middle of bin [W/2], in bins
};

Bins lay_bins(i64 size, const std::optional<double>& centre, i64 crop, i64 bin, i64 window) {
  Bins b;
  b.end = size;
  const double middle = centre.value_or(static_cast<double>(size / 2));
  if (crop > 0) {
    b.begin = std::llround(middle) - crop / 2;
    b.end = b.begin + crop;
  }
  // Bins of the box alone: n of them from `start`, whose bin [n/2] should hold the centre.
  const i64 n = (b.end - b.begin) / bin;
  const double half = static_cast<double>(bin - 1) / 2;  // middle of a bin from its first pixel
  i64 start = static_cast<i64>(std::floor(middle - static_cast<double>(n / 2 * bin) - half + 0.5));
  if (!centre) {
    start = std::clamp(start, b.begin, b.end - n * bin);
  } else if (crop > 0) {
    b.begin = start;  // the box follows the bins, so that it keeps n whole ones
    b.end = start + n * bin;
  }
  b.first = start + (n / 2 - window / 2) * bin;
  b.residual = (middle - (static_cast<double>(b.first + window / 2 * bin) + half)) /
               static_cast<double>(bin);
  b.begin = std::max<i64>(b.begin, 0);
  b.end = std::min(b.end, size);
  return b;
}

void check(const FrameSource& f, const DataConfig& c) {
  const i64 shorter = std::min(f.rows, f.cols), longer = std::max(f.rows, f.cols);
  check_limits(c);
  if (c.crop > longer)
    throw UserError(fmt::format("data.crop of {} px does not fit the frames of {} x {} px of {}",
                                c.crop, f.rows, f.cols, f.name));
  const i64 side = c.crop > 0 ? std::min<i64>(c.crop, shorter) : shorter;
  if (c.bin > side)
    throw UserError(fmt::format("data.bin of {} leaves nothing of frames of {} x {} px of {}",
                                c.bin, side, side, f.name));
  if (c.dc == DcPlace::corner && (c.centre || c.find_centre))
    throw UserError(
        "data.centre and data.find_centre need data.dc: centre; at the corner, DC is at [0, 0]");
}

}  // namespace

Layout lay_out(const FrameSource& frames, const DataConfig& config,
               std::optional<std::array<double, 2>> centre) {
  check(frames, config);
  const bool corner = config.dc == DcPlace::corner;
  // Axes of the flipped frame: after the transpose, its rows run along the raw frame's columns.
  Axis row{frames.rows, config.flip_rows, corner}, col{frames.cols, config.flip_cols, corner};
  if (config.transpose) std::swap(row, col);

  Layout l;
  l.bin = config.bin;
  const i64 b = l.bin, sides[2] = {row.size, col.size};
  l.extent = (config.crop > 0 ? config.crop : std::max(row.size, col.size)) / b;
  const i64 w = l.window = config.window > 0 ? config.window : l.extent;
  std::array<Bins, 2> bins;
  for (int d = 0; d < 2; ++d) {
    const auto middle = centre ? std::optional((*centre)[d]) : std::nullopt;
    if (middle && !(*middle >= 0 && *middle <= static_cast<double>(sides[d] - 1)))
      throw UserError(
          fmt::format("data.centre ({}, {}) lies outside the flipped frame of {} x {} px",
                      (*centre)[0], (*centre)[1], sides[0], sides[1]));
    bins[d] = lay_bins(sides[d], middle, config.crop, b, w);
    l.residual[d] = bins[d].residual;
  }

  l.source.assign(static_cast<std::size_t>(w * w * b * b), -1);
  l.padded.assign(static_cast<std::size_t>(w * w), false);
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x) {
      const i64 out = to_corner(y, w) * w + to_corner(x, w);
      for (i64 dy = 0; dy < b; ++dy)
        for (i64 dx = 0; dx < b; ++dx) {
          const i64 r = bins[0].first + y * b + dy, c = bins[1].first + x * b + dx;
          if (r < bins[0].begin || r >= bins[0].end || c < bins[1].begin || c >= bins[1].end) {
            l.padded[out] = true;
            continue;
          }
          const i64 i = row.raw(r), j = col.raw(c);
          l.source[(out * b + dy) * b + dx] =
              config.transpose ? j * frames.cols + i : i * frames.cols + j;
        }
    }
  return l;
}

}  // namespace ptyle
