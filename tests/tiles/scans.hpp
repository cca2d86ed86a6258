#pragma once

// Scans to cut into tiles, as the centres of their windows; and meshes.

#include <cmath>
#include <vector>

#include "core/random.hpp"
#include "tiles/mesh.hpp"

namespace ptyle::test {

/// A whole number from `low` to `high`.
inline i64 whole(Philox& random, i64 low, i64 high) {
  return low + static_cast<i64>(random() % static_cast<std::uint32_t>(high - low + 1));
}

/// A raster of rows × cols positions, `step` px apart.
inline std::vector<Pixel> raster_centres(i64 rows, i64 cols, i64 step) {
  std::vector<Pixel> centres;
  for (i64 r = 0; r < rows; ++r)
    for (i64 c = 0; c < cols; ++c) centres.push_back({r * step, c * step});
  return centres;
}

/// A scan of some kind: a raster, one with jitter, rotated, with rows left out, scattered points,
/// one line, far from the origin.
inline std::vector<Pixel> random_scan(Philox& random) {
  const i64 kind = whole(random, 0, 5);
  const i64 rows = kind == 4 ? 1 : whole(random, 1, 25), cols = whole(random, 1, 25);
  const double step = 0.3 + 20 * random.uniform(), angle = 6.3 * random.uniform();
  const double from_row = 2000 * random.uniform() - 1000, from_col = 2000 * random.uniform() - 1000;
  std::vector<Pixel> centres;
  for (i64 r = 0; r < rows; ++r) {
    if (kind == 3 && r > 0 && random.uniform() < 0.4) continue;  // a row without positions
    for (i64 c = 0; c < cols; ++c) {
      double y = step * double(r), x = step * double(c);
      if (kind == 1) y += step * random.uniform(), x += step * random.uniform();
      if (kind == 5) y = step * 25 * random.uniform(), x = step * 25 * random.uniform();
      if (kind == 2) {
        const double turned = y * std::cos(angle) - x * std::sin(angle);
        x = y * std::sin(angle) + x * std::cos(angle);
        y = turned;
      }
      centres.push_back({std::lround(from_row + y), std::lround(from_col + x)});
    }
  }
  return centres;
}

/// R × C cores of 10 × 10 px.
inline Mesh squares(int rows, int cols, i64 halo) {
  std::vector<i64> row_cuts, col_cuts;
  for (int r = 1; r < rows; ++r) row_cuts.push_back(10 * r);
  for (int c = 1; c < cols; ++c) col_cuts.push_back(10 * c);
  return {{{0, 10 * rows}, {0, 10 * cols}}, row_cuts, col_cuts, Halo::of(halo)};
}

}  // namespace ptyle::test
