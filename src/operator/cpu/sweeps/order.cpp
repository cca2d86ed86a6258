#include "operator/cpu/sweeps/order.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/units.hpp"

namespace ptyle::cpu {
namespace {

/// Radices of an FFT of n vectors, the longest stride first.
std::vector<int> radices(i64 n) {
  if (n <= 16) return {static_cast<int>(n)};
  if (n == 32) return {4, 8};
  const int last = n % 16 == 0 && n != 32 * 16 ? 16 : 8;
  auto all = radices(n / last);
  all.push_back(last);
  return all;
}

/// Those of a row of n vectors: the last is a tile's; a row that registers hold is one pass.
template <class T>
std::vector<int> row_radices(i64 n, i64 lanes) {
  if (row_fits_registers<T>(n, lanes)) return {static_cast<int>(n)};
  auto all = radices(n / tile_of(n));
  all.push_back(tile_of(n));
  return all;
}

/// The value that stands in a lane after the FFT inside the vectors of a tile.
struct Stand {
  i64 vector, frequency;  ///< of the tile's vectors, and of the lanes' frequencies
};

/// The order of each vector and lane of a tile, as forward_inside (rows.hpp) moves them.
std::vector<Stand> order_of_tile(int tile, int lanes) {
  std::vector<Stand> at;
  for (int v = 0; v < tile; ++v) at.insert(at.end(), static_cast<std::size_t>(lanes), {v, 0});
  for (int span = lanes, weight = 1; span > 1;) {
    const int digits = std::min(tile, span), d = span / digits;
    auto next = at;
    for (int v = 0; v < tile; ++v)
      for (int l = 0; l < lanes; ++l) {
        const int of_vector = v % digits, of_lane = l / d % digits;
        const int from_v = v - of_vector + of_lane, from_l = l + (of_vector - of_lane) * d;
        auto& to = next[static_cast<std::size_t>(v * lanes + l)];
        to = at[static_cast<std::size_t>(from_v * lanes + from_l)];
        to.frequency += of_vector * weight;
      }
    at = next;
    span = d, weight *= digits;
  }
  return at;
}

/// The frequency that stands at position p after forward passes: its digits, reversed.
template <class T>
i64 frequency_at(const Passes<T>& passes, i64 p) {
  i64 span = passes.n, weight = 1, k = 0;
  for (int i = 0; i < passes.count; ++i) {
    span /= passes.radix[i];
    k += weight * (p / span % passes.radix[i]);
    weight *= passes.radix[i];
  }
  return k;
}

}  // namespace

bool has_sweeps(i64 window) {
  for (const i64 w : {64, 96, 128, 192, 256, 384, 512})
    if (w == window) return true;
  return false;
}

// A block is its rows of vectors, and one row more as a gap.
i64 sweep_wave_size(i64 window, int lanes) { return (window / lanes) * (window + 1) * 2 * lanes; }

template <class T>
Tables<T>::Tables(i64 window, int lanes) {
  Geometry<T>& g = geometry;
  g.window = window;
  g.vectors = window / lanes;
  g.block = (window + 1) * 2 * lanes;
  if (!row_fits_registers<T>(g.vectors, lanes) && tile_of(g.vectors) != 4)
    throw std::logic_error("no sweep knows rows of so many vectors");
  make_passes(g.column, radices(window), column_twiddles_);
  make_passes(g.row, row_radices<T>(g.vectors, lanes), row_twiddles_);

  for (i64 y = 0; y < window; ++y) row_frequency.push_back(frequency_at(g.column, y));
  // x = L v + lane, k = k₁ + (W/L) k₂: exp(−2πi x k / W) is the FFT over v, to k₁, times
  // exp(−2πi lane k₁ / W), and the FFT over lanes, to k₂.
  lane_twiddles_ = Array<T, 1>({2 * window});
  for (i64 v = 0; v < g.vectors; ++v)
    for (i64 lane = 0; lane < lanes; ++lane) {
      const double angle = -2 * pi * double(lane * frequency_at(g.row, v)) / double(window);
      lane_twiddles_(v * 2 * lanes + lane) = static_cast<T>(std::cos(angle));
      lane_twiddles_(v * 2 * lanes + lanes + lane) = static_cast<T>(std::sin(angle));
    }
  g.lanes = lane_twiddles_.data();
  const std::vector<Stand> tile = order_of_tile(tile_of(g.vectors), lanes);
  for (i64 v = 0; v < g.vectors; v += tile_of(g.vectors))
    for (const Stand& s : tile)
      column_frequency.push_back(frequency_at(g.row, v + s.vector) + g.vectors * s.frequency);
}

template <class T>
void Tables<T>::make_passes(Passes<T>& passes, const std::vector<int>& radices,
                            std::vector<Array<T, 1>>& twiddles) {
  for (const int r : radices) passes.n *= r;
  i64 span = passes.n;
  for (const int r : radices) {
    const i64 sub = span / r;
    auto& w = twiddles.emplace_back(std::array<i64, 1>{2 * (r - 1) * sub});
    for (i64 j = 0; j < sub; ++j)
      for (i64 k = 1; k < r; ++k) {
        const double angle = -2 * pi * double(j * k) / double(span);
        w((j * (r - 1) + k - 1) * 2) = static_cast<T>(std::cos(angle));
        w((j * (r - 1) + k - 1) * 2 + 1) = static_cast<T>(std::sin(angle));
      }
    passes.radix[passes.count] = r;
    passes.twiddle[passes.count++] = w.data();
    span = sub;
  }
}

template class Tables<float>;
template class Tables<double>;

}  // namespace ptyle::cpu
