#include "solver/batches.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "core/bounds.hpp"
#include "core/random.hpp"

namespace ptyle {
namespace {

// Streams of the counter-based generator that belong to this file.
constexpr std::uint32_t hold_out_stream = 0xFFFF0001;

/// Interleaves the bits of a cell's row and column (Morton order): neighbours in the list are
/// neighbours on the specimen.
std::uint64_t morton(std::uint32_t row, std::uint32_t col) {
  std::uint64_t code = 0;
  for (int bit = 0; bit < 32; ++bit)
    code |= (std::uint64_t{(row >> bit) & 1} << (2 * bit + 1)) |
            (std::uint64_t{(col >> bit) & 1} << (2 * bit));
  return code;
}

std::vector<i64> along_the_specimen(std::span<const Position> positions,
                                    std::span<const i64> members) {
  Bounds bounds;
  for (const i64 i : members) bounds.include(positions[i]);
  const double side = std::max({bounds.rows(), bounds.cols(), 1e-300});
  // about a cell a position: on a raster exactly
  const double cells = (std::ceil(std::sqrt(double(members.size()))) - 1) / side;
  std::vector<std::pair<std::uint64_t, i64>> keyed;
  for (const i64 i : members)
    keyed.emplace_back(
        morton(std::uint32_t(std::lround((positions[i].row - bounds.low.row) * cells)),
               std::uint32_t(std::lround((positions[i].col - bounds.low.col) * cells))),
        i);
  std::sort(keyed.begin(), keyed.end());
  std::vector<i64> order;
  for (const auto& [key, i] : keyed) order.push_back(i);
  return order;
}

}  // namespace

std::vector<std::vector<i64>> make_batches(std::span<const Position> positions,
                                           std::span<const i64> members, i64 n, std::uint64_t seed,
                                           int iteration) {
  const auto order = along_the_specimen(positions, members);
  const i64 count = static_cast<i64>(order.size());
  n = std::clamp<i64>(n, 1, std::max<i64>(count, 1));
  std::vector<std::vector<i64>> batches(static_cast<std::size_t>(n));
  std::vector<i64> deal(static_cast<std::size_t>(n));
  for (i64 run = 0; run * n < count;
       ++run) {  // one run of neighbours is dealt out to all mini-batches
    std::iota(deal.begin(), deal.end(), 0);
    Philox random(seed, static_cast<std::uint32_t>(iteration), static_cast<std::uint64_t>(run));
    for (i64 i = n - 1; i > 0; --i)
      std::swap(deal[i], deal[static_cast<i64>(random.uniform() * double(i + 1))]);
    for (i64 i = 0; i < n && run * n + i < count; ++i)
      batches[deal[i]].push_back(order[run * n + i]);
  }
  std::erase_if(batches, [](const auto& batch) { return batch.empty(); });
  for (auto& batch : batches) std::sort(batch.begin(), batch.end());
  return batches;
}

std::vector<i64> sample_of(const std::vector<i64>& batch, i64 most) {
  const auto count = static_cast<i64>(batch.size()), step = (count + most - 1) / most;
  std::vector<i64> sample;
  for (i64 i = 0; i < count; i += step) sample.push_back(batch[static_cast<std::size_t>(i)]);
  return sample;
}

i64 default_batches(i64 positions, double counts, Thickness thickness) {
  const bool deep = thickness == Thickness::very_thick;
  const i64 most = std::clamp<i64>(positions / (deep ? 4 : 10), 1, deep ? 40 : 20);
  const i64 least = std::min<i64>(thickness == Thickness::thin ? 1 : 4, most);
  return static_cast<i64>(std::clamp(counts / 4, double(least), double(most)));
}

std::vector<i64> held_out_positions(i64 count, double share, std::uint64_t seed) {
  std::vector<std::pair<double, i64>> drawn;
  for (i64 i = 0; i < count; ++i)
    drawn.emplace_back(Philox(seed, hold_out_stream, static_cast<std::uint64_t>(i)).uniform(), i);
  std::sort(drawn.begin(), drawn.end());
  const auto wanted = static_cast<i64>(std::lround(share * double(count)));
  const auto n =
      static_cast<std::size_t>(share > 0 && count > 1 ? std::clamp<i64>(wanted, 1, count - 1) : 0);
  std::vector<i64> held;
  for (std::size_t i = 0; i < n; ++i) held.push_back(drawn[i].second);
  std::sort(held.begin(), held.end());
  return held;
}

std::uint32_t one_pixel_in(double fraction) {
  return static_cast<std::uint32_t>(std::lround(std::clamp(1 / fraction, 2.0, 1e9)));
}

std::vector<i64> sample_for_pixels(std::span<const Position> positions,
                                   std::span<const i64> members, std::uint64_t seed) {
  const auto count = static_cast<i64>(members.size());
  const i64 most = std::clamp<i64>(count / 20, 16, 256);
  // As a mini-batch of an iteration that no fit has: theirs count from 1.
  const auto samples = make_batches(positions, members, (count + most - 1) / most, seed, 0);
  return samples.empty() ? std::vector<i64>{} : samples.front();
}

std::vector<i64> members_of(const std::vector<i64>& batch, const std::vector<i64>& positions) {
  std::vector<i64> members;
  std::set_intersection(batch.begin(), batch.end(), positions.begin(), positions.end(),
                        std::back_inserter(members));
  return members;
}

}  // namespace ptyle
