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
constexpr std::uint32_t order_stream = 0xFFFF0004;

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

void shuffle(std::span<i64> list, Philox random) {
  for (std::size_t i = list.size(); i-- > 1;)
    std::swap(list[i], list[static_cast<std::size_t>(random.uniform() * double(i + 1))]);
}

/// Deals the positions of an iteration, group after group, to n mini-batches.
class Dealer {
 public:
  Dealer(i64 n, std::uint64_t seed, int iteration)
      : n_(n),
        seed_(seed),
        iteration_(static_cast<std::uint32_t>(iteration)),
        batches_(static_cast<std::size_t>(n)),
        deal_(static_cast<std::size_t>(n)) {}

  /// The positions of a group along the specimen.
  void take(int group, std::span<i64> along) {
    i64 run = 0;  // of neighbours, one for each mini-batch
    for (; i64(along.size()) >= n_; ++run, along = along.subspan(deal_.size())) {
      draw(deal_, group, run);
      for (std::size_t i = 0; i < deal_.size(); ++i) batch(deal_[i]).push_back(along[i]);
    }
    // The rest goes round from group to group, so that mini-batches stay equal.
    if (turns_.empty()) {
      turns_ = deal_;
      draw(turns_, group, run);
    } else {
      shuffle(along, random(group, run));
    }
    for (const i64 position : along) {
      batch(turns_[next_]).push_back(position);
      next_ = (next_ + 1) % turns_.size();
    }
  }

  [[nodiscard]] std::vector<std::vector<i64>> take_batches() { return std::move(batches_); }

 private:
  [[nodiscard]] Philox random(int group, i64 run) const {
    return {seed_, iteration_, (std::uint64_t(group) << 32) | std::uint64_t(run)};
  }
  void draw(std::vector<i64>& deal, int group, i64 run) const {
    std::iota(deal.begin(), deal.end(), 0);
    shuffle(deal, random(group, run));
  }
  std::vector<i64>& batch(i64 number) { return batches_[static_cast<std::size_t>(number)]; }

  i64 n_;
  std::uint64_t seed_;
  std::uint32_t iteration_;
  std::vector<std::vector<i64>> batches_;
  std::vector<i64> deal_, turns_;
  std::size_t next_ = 0;  // of turns_
};

}  // namespace

std::vector<std::vector<i64>> make_batches(std::span<const Position> positions,
                                           std::span<const i64> members, i64 n, std::uint64_t seed,
                                           int iteration, std::span<const int> group_of) {
  auto order = along_the_specimen(positions, members);
  const auto group = [&](i64 i) {
    return group_of.empty() ? 0 : group_of[static_cast<std::size_t>(i)];
  };
  std::stable_sort(order.begin(), order.end(), [&](i64 a, i64 b) { return group(a) < group(b); });
  Dealer dealer(std::clamp<i64>(n, 1, std::max<i64>(static_cast<i64>(order.size()), 1)), seed,
                iteration);
  for (auto begin = order.begin(); begin != order.end();) {
    const int number = group(*begin);
    const auto end =
        std::find_if(begin, order.end(), [&](i64 position) { return group(position) != number; });
    dealer.take(number, {begin, end});
    begin = end;
  }
  auto batches = dealer.take_batches();
  std::erase_if(batches, [](const auto& batch) { return batch.empty(); });
  for (auto& batch : batches) std::sort(batch.begin(), batch.end());
  return batches;
}

std::vector<i64> group_sizes(std::span<const int> group_of, i64 positions, int of) {
  if (group_of.empty()) return {positions};
  std::vector<i64> sizes(static_cast<std::size_t>(of), 0);
  for (const int group : group_of) ++sizes[static_cast<std::size_t>(group)];
  return sizes;
}

double share_of_groups(std::span<const i64> sizes, i64 n) {
  std::vector<i64> busiest(static_cast<std::size_t>(n), 0);
  i64 all = 0, least = 0, next = 0;
  for (const i64 size : sizes) {
    for (i64 k = 0; k < size % n; ++k, next = (next + 1) % n) {
      i64& most = busiest[static_cast<std::size_t>(next)];
      most = std::max(most, size / n + 1);
    }
    least = std::max(least, size / n);
    all += size;
  }
  i64 sum = 0;
  for (const i64 most : busiest) sum += std::max(most, least);
  return sum > 0 ? double(all) / (double(sizes.size()) * double(sum)) : 1;
}

i64 batches_of_groups(std::span<const i64> sizes, i64 most) {
  if (sizes.size() < 2) return most;
  const i64 m = std::ranges::max(sizes);
  const i64 few = std::clamp<i64>(m, 1, 4);
  const i64 largest = std::min(std::max(m / 4, few), most), smallest = std::min(few, largest);
  const double enough = std::min(0.9, 0.95 * share_of_groups(sizes, 1));
  i64 best = largest;
  double best_share = 0;
  for (i64 n = largest; n >= smallest; --n) {
    const double share = share_of_groups(sizes, n);
    if (share >= enough) return n;
    if (share > best_share) best = n, best_share = share;
  }
  return best;
}

Load load_of(std::span<const std::vector<i64>> batches, std::span<const PositionShare> shares) {
  std::vector<i64> batch_of;  // by position
  for (std::size_t b = 0; b < batches.size(); ++b)
    for (const i64 i : batches[b]) {
      if (i >= i64(batch_of.size())) batch_of.resize(static_cast<std::size_t>(i) + 1, -1);
      batch_of[static_cast<std::size_t>(i)] = static_cast<i64>(b);
    }
  std::vector<i64> busiest(batches.size(), 0);
  Load load;
  load.ranks = static_cast<int>(shares.size());
  for (const PositionShare& share : shares) {
    std::vector<i64> here(batches.size(), 0);
    for (const auto* list : {&share.own, &share.extra})
      for (const i64 i : *list)
        if (i < i64(batch_of.size()) && batch_of[static_cast<std::size_t>(i)] >= 0)
          ++here[static_cast<std::size_t>(batch_of[static_cast<std::size_t>(i)])];
    for (std::size_t b = 0; b < here.size(); ++b) {
      busiest[b] = std::max(busiest[b], here[b]);
      load.all += here[b];
    }
  }
  load.busiest = std::accumulate(busiest.begin(), busiest.end(), i64{0});
  return load;
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

std::vector<i64> in_random_order(std::vector<i64> members, std::uint64_t seed, int iteration) {
  shuffle(members, {seed, order_stream, static_cast<std::uint64_t>(iteration)});
  return members;
}

std::vector<i64> members_of(const std::vector<i64>& batch, const std::vector<i64>& positions) {
  std::vector<i64> members;
  std::set_intersection(batch.begin(), batch.end(), positions.begin(), positions.end(),
                        std::back_inserter(members));
  return members;
}

}  // namespace ptyle
