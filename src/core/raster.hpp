#pragma once

#include <array>
#include <cmath>
#include <vector>

#include "core/grid.hpp"
#include "core/units.hpp"

namespace ptyle {

struct Raster {
  std::array<i64, 2> shape{};    ///< lines, and positions in each (slow, fast)
  std::array<double, 2> step{};  ///< between them (slow, fast), Å
  double rotation = 0;           ///< θ, degrees
  bool snake = false;            ///< every second line runs backwards
};

/// Do n positions fill these lines, the last of which may be shorter, where a scan ended early?
constexpr bool fills(i64 n, const std::array<i64, 2>& shape) {
  return n <= shape[0] * shape[1] && n > (shape[0] - 1) * shape[1];
}

/// Å: position = R(θ)(slow, fast)·step, R = [[cos θ, −sin θ], [sin θ, cos θ]] on (row, col), line
/// by line, the first at (0, 0).
inline std::vector<Position> positions_of(const Raster& raster) {
  const double c = std::cos(raster.rotation * degree), s = std::sin(raster.rotation * degree);
  std::vector<Position> positions;
  positions.reserve(static_cast<std::size_t>(raster.shape[0] * raster.shape[1]));
  for (i64 i = 0; i < raster.shape[0]; ++i)
    for (i64 j = 0; j < raster.shape[1]; ++j) {
      const i64 along = raster.snake && i % 2 == 1 ? raster.shape[1] - 1 - j : j;
      const double slow = static_cast<double>(i) * raster.step[0],
                   fast = static_cast<double>(along) * raster.step[1];
      positions.push_back({c * slow - s * fast, s * slow + c * fast});
    }
  return positions;
}

}  // namespace ptyle
