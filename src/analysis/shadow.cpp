#include "analysis/shadow.hpp"

#include <cmath>

#include "analysis/neighbours.hpp"
#include "core/units.hpp"

namespace ptyle {
namespace {

/// The inverse of flips, of a vector.
Position undone(const Flips& t, Position v) {
  if (t.transpose) std::swap(v.row, v.col);
  if (t.flip_rows) v.row = -v.row;
  if (t.flip_cols) v.col = -v.col;
  return v;
}

/// Pattern minus mean inside the disc, DC at [W/2, W/2]; 0 outside.
std::vector<double> texture(const LoadPattern& load, i64 i, View<const double, 2> mean,
                            const BrightFieldDisc& disc) {
  const i64 w = mean.shape[0];
  std::vector<float> pattern(static_cast<std::size_t>(w * w));
  load(i, pattern.data());
  std::vector<double> t(pattern.size(), 0.0);
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x)
      if (std::hypot(static_cast<double>(y) - disc.row, static_cast<double>(x) - disc.col) <
          0.9 * disc.radius)  // inside the rim, whose contrast does not move
        t[y * w + x] = pattern[to_corner(y, w) * w + to_corner(x, w)] - mean(y, x);
  return t;
}

/// Σ a(k) b(k + s), s rounded to whole pixels.
double correlation(const std::vector<double>& a, const std::vector<double>& b, i64 w, Position s) {
  const i64 dy = std::llround(s.row), dx = std::llround(s.col);
  double sum = 0;
  for (i64 y = std::max<i64>(0, -dy); y < std::min(w, w - dy); ++y)
    for (i64 x = std::max<i64>(0, -dx); x < std::min(w, w - dx); ++x)
      sum += a[y * w + x] * b[(y + dy) * w + x + dx];
  return sum;
}

}  // namespace

double shadow_sign(i64 count, const LoadPattern& load, View<const double, 2> mean,
                   const BrightFieldDisc& disc, const std::vector<Position>& positions,
                   const Flips& flips, double rotation, double px_per_length) {
  const double step = neighbour_distance(positions, 1), scale = std::abs(px_per_length);
  // Neighbours whose shadows lie 2 px apart or more, but well within the disc.
  const double reach = std::max(1.1 * step, 3 / scale);
  if (!(step > 0) || !std::isfinite(scale) || scale * reach > 0.5 * disc.radius) return 0;
  const Cells cells(positions, reach);
  const double c = std::cos(rotation * degree), s = std::sin(rotation * degree);
  constexpr i64 pairs = 200;
  const i64 stride = std::max<i64>(1, count / pairs), w = mean.shape[0];
  double n = 0, sum = 0, squares = 0;
  for (i64 i = 0; i < count; i += stride) {
    i64 other = -1;
    cells.around(positions[i], [&](i64 j) {
      const double apart = distance(positions[j], positions[i]) * scale;
      if (other < 0 && apart >= 2) other = j;
    });
    if (other < 0) continue;
    const double row = positions[other].row - positions[i].row,
                 col = positions[other].col - positions[i].col;
    const Position shift =
        undone(flips, {px_per_length * (c * row - s * col), px_per_length * (s * row + c * col)});
    const auto a = texture(load, i, mean, disc), b = texture(load, other, mean, disc);
    const double along = correlation(a, b, w, shift),
                 against = correlation(a, b, w, {-shift.row, -shift.col});
    n += 1;
    sum += along - against;
    squares += (along - against) * (along - against);
  }
  if (n < 10 || squares == 0) return 0;
  const double average = sum / n, variance = squares / n - average * average;
  return variance > 0 ? average / std::sqrt(variance / n) : 0;
}

}  // namespace ptyle
