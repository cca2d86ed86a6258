// 1. Frames are read in runs, as whole chunks of the file where it has chunks, each while the one
//    before goes through the steps below.
// 2. A frame is cleaned: masked, negative and saturated values become 0; NaN is refused.
// 3. It goes through the layout and into the store, in which the background is taken off.
// 4. Counts are summed on the way; with several ranks each counts its own, and the sums are summed.
//
// A pixel that is saturated in one pattern is bad in all. That is known only at the end, so what it
// held in the others stays in the store, where nothing looks at it.

#include "prepare/reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <type_traits>

#include "core/error.hpp"
#include "core/grid.hpp"
#include "core/parallel.hpp"
#include "prepare/disc.hpp"

namespace ptyle {
namespace {

/// One pattern out of one raw frame.
template <class Raw>
void gather(const Layout& l, const Raw* frame, std::vector<Raw>& pattern) {
  const i64 n = l.window * l.window, b2 = l.bin * l.bin;
  for (i64 i = 0; i < n; ++i) {
    Raw sum = 0;
    for (i64 j = 0; j < b2; ++j) {
      const i64 from = l.source[i * b2 + j];
      if (from >= 0) sum += frame[from];
    }
    pattern[i] = sum;
  }
}

std::vector<bool> masked_pixels(const Measurement& m) {
  const FrameSource& f = *m.frames;
  std::vector<bool> masked(static_cast<std::size_t>(f.rows * f.cols), false);
  if (!m.mask) return masked;
  if (m.mask->shape != std::vector<i64>{f.rows, f.cols})
    throw UserError(fmt::format("mask {} has the shape {}, the frames of {} are {} x {}",
                                m.mask->name, fmt::join(m.mask->shape, " x "), f.name, f.rows,
                                f.cols));
  std::transform(m.mask->bad.begin(), m.mask->bad.end(), masked.begin(),
                 [](std::uint8_t bad) { return bad != 0; });
  if (std::find(masked.begin(), masked.end(), false) == masked.end())
    throw UserError(fmt::format("mask {} leaves no pixel: nonzero means bad", m.mask->name));
  return masked;
}

/// All that is kept, ascending.
std::vector<i64> merged(const Kept& kept, i64 count) {
  std::vector<i64> all;
  std::merge(kept.own.begin(), kept.own.end(), kept.extra.begin(), kept.extra.end(),
             std::back_inserter(all));
  const bool ascending =
      std::adjacent_find(all.begin(), all.end(), std::greater_equal<>()) == all.end();
  if (!ascending || (!all.empty() && (all.front() < 0 || all.back() >= count)))
    throw std::logic_error("Distribution::mine: not in order, twice, or no pattern of that number");
  return all;
}

/// Frames that are read together: `length` of them from `first` on, for patterns [begin, end).
struct Run {
  i64 first, length, begin, end;
};

/// The runs that hold the frames of these numbers (ascending): of up to `fit` frames, or a chunk of
/// the file if that is more, as it is unpacked whole in any case; for that reason the few frames of
/// a chunk that are not wanted are read too.
std::vector<Run> runs_of(const std::vector<i64>& numbers, i64 fit, i64 chunk) {
  const i64 longest = std::max<i64>(1, fit / chunk) * chunk, n = static_cast<i64>(numbers.size());
  std::vector<Run> runs;
  for (i64 k = 0; k < n;) {
    const i64 first = numbers[k], room = longest - first % chunk;  // ends with a chunk
    i64 next = k + 1;
    while (next < n && numbers[next] - first < room &&
           (numbers[next] == numbers[next - 1] + 1 ||
            numbers[next] / chunk == numbers[next - 1] / chunk))
      ++next;
    runs.push_back({first, numbers[next - 1] - first + 1, k, next});
    k = next;
  }
  return runs;
}

}  // namespace

PatternReader::PatternReader(const Measurement& m, const std::vector<i64>& numbers,
                             const Distribution* distribution)
    : m_(m),
      frames_(*m.frames),
      numbers_(numbers),
      distribution_(distribution),
      masked_(masked_pixels(m)) {}

/// Calls use(k, frame) for each of the patterns `places`, the k-th of them; meanwhile the next run
/// is read. One thread at a time reads, as HDF5 demands.
template <class Raw, class Use>
void PatternReader::for_each_frame(const std::vector<i64>& places, Use&& use) {
  const i64 size = frames_.rows * frames_.cols;
  std::vector<i64> numbers;
  for (const i64 place : places) numbers.push_back(numbers_[place]);
  const auto runs = runs_of(numbers, (i64{16} << 20) / (size * static_cast<i64>(sizeof(Raw))),
                            frames_.preferred_run());
  std::vector<Raw> buffers[2];
  const auto read = [&](std::size_t r) {
    auto& buffer = buffers[r % 2];
    buffer.resize(static_cast<std::size_t>(runs[r].length * size));
    const auto start = std::chrono::steady_clock::now();
    frames_.read(runs[r].first, runs[r].length, buffer.data());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::future<double> coming;  // which waits for its thread if something is thrown here
  if (!runs.empty()) coming = on_a_thread([&] { return read(0); });
  for (std::size_t r = 0; r < runs.size(); ++r) {
    seconds_ += coming.get();
    bytes_ += runs[r].length * size * frames_.bytes_a_value;
    if (r + 1 < runs.size()) coming = on_a_thread([&, next = r + 1] { return read(next); });
    Raw* const buffer = buffers[r % 2].data();
    for (i64 k = runs[r].begin; k < runs[r].end; ++k)
      use(k, buffer + (numbers[k] - runs[r].first) * size);
  }
}

/// Makes a raw frame fit to be summed.
template <class Raw>
PatternReader::Negative PatternReader::clean(i64 number, Raw* frame, PatternSums& sums) const {
  const i64 size = frames_.rows * frames_.cols;
  const double saturation = m_.data.saturation;
  Negative negative;
  const auto refuse = [&](const char* what, i64 p) {
    throw UserError(
        fmt::format("pattern {} of {} is {} at pixel ({}, {}): mask that pixel with data.mask, or "
                    "leave that pattern out with data.positions",
                    number, frames_.name, what, p / frames_.cols, p % frames_.cols));
  };
  for (i64 p = 0; p < size; ++p) {
    Raw& v = frame[p];
    if (masked_[p]) {
      v = 0;
    } else if (!(v >= 0)) {
      if constexpr (std::is_floating_point_v<Raw>)
        if (std::isnan(v)) refuse("not a number (NaN)", p);
      ++negative.values;
      negative.squares += static_cast<double>(v) * static_cast<double>(v);
      v = 0;
    } else if (saturation > 0 && static_cast<double>(v) >= saturation) {
      sums.saturated[p] = 1;
      v = 0;
    } else if (std::is_floating_point_v<Raw> && static_cast<double>(v) > 3e38) {
      refuse("infinite", p);
    }
  }
  return negative;
}

/// Steps 1 to 4. Without `store`, each pattern is made and dropped.
template <class Raw>
void PatternReader::read(const Layout& l, const std::vector<i64>& places,
                         const std::vector<bool>& counted, FillablePatternStore* store,
                         PatternSums* sums) {
  std::vector<Raw> pattern(static_cast<std::size_t>(l.window * l.window));
  std::vector<double> loaded(pattern.size());
  PatternSums unused = sums ? PatternSums{} : no_sums(l);
  PatternSums& s = sums ? *sums : unused;
  const auto one = store ? nullptr : store_for(l, {0}, 1, nullptr);
  FillablePatternStore& to = store ? *store : *one;
  for_each_frame<Raw>(places, [&](i64 k, Raw* frame) {
    const Negative negative = clean(numbers_[places[k]], frame, s);
    const i64 at = store ? places[k] : 0;
    gather(l, frame, pattern);
    to.put(at, std::span<const Raw>(pattern));
    if (!counted[k]) return;
    to.load(at, loaded.data());
    double counts = 0;
    for (std::size_t i = 0; i < loaded.size(); ++i) {
      s.counts[i] += loaded[i];
      counts += loaded[i];
    }
    if (!(counts > 0)) ++s.empty;
    s.squares += counts * counts;
    if constexpr (std::is_floating_point_v<Raw>)
      s.fractions += static_cast<double>(
          std::count_if(pattern.begin(), pattern.end(), [](Raw v) { return v != std::floor(v); }));
    s.negative += negative.values;
    s.noise += negative.squares;
    ++s.patterns;
  });
}

void PatternReader::read_all(const Layout& l, const std::vector<i64>& places,
                             const std::vector<bool>& counted, FillablePatternStore* store,
                             PatternSums* sums) {
  if (frames_.is_integer)
    read<std::int64_t>(l, places, counted, store, sums);
  else
    read<float>(l, places, counted, store, sums);
}

PatternSums PatternReader::no_sums(const Layout& l) const {
  PatternSums s;
  s.counts.assign(static_cast<std::size_t>(l.window * l.window), 0);
  if (m_.data.saturation > 0) s.saturated.assign(masked_.size(), 0);
  return s;
}

/// Sums over all ranks.
void PatternReader::total(PatternSums& s) const {
  if (!distribution_) return;
  std::vector<double> all{s.negative, s.empty, s.patterns, s.fractions, s.noise, s.squares};
  all.insert(all.end(), s.counts.begin(), s.counts.end());
  all.insert(all.end(), s.saturated.begin(), s.saturated.end());
  distribution_->sum(all);
  s.negative = all[0], s.empty = all[1], s.patterns = all[2], s.fractions = all[3];
  s.noise = all[4], s.squares = all[5];
  const auto counts = all.begin() + 6,
             saturated = counts + static_cast<std::ptrdiff_t>(s.counts.size());
  std::copy(counts, saturated, s.counts.begin());
  std::copy(saturated, all.end(), s.saturated.begin());
}

PatternSums PatternReader::sums(const Layout& layout) {
  const i64 n = static_cast<i64>(numbers_.size());
  const i64 rank = distribution_ ? distribution_->rank : 0,
            ranks = distribution_ ? distribution_->ranks : 1;
  std::vector<i64> places(static_cast<std::size_t>((rank + 1) * n / ranks - rank * n / ranks));
  std::iota(places.begin(), places.end(), rank * n / ranks);
  PatternSums s = no_sums(layout);
  read_all(layout, places, std::vector<bool>(places.size(), true), nullptr, &s);
  total(s);
  return s;
}

std::unique_ptr<PatternStore> PatternReader::fill(const Layout& layout, const Kept& kept,
                                                  Ledger* ledger, PatternSums* sums) {
  const i64 n = static_cast<i64>(numbers_.size());
  const std::vector<i64> places = merged(kept, n);
  std::vector<bool> counted(places.size());
  std::transform(places.begin(), places.end(), counted.begin(),
                 [&](i64 i) { return std::binary_search(kept.own.begin(), kept.own.end(), i); });
  auto store = store_for(layout, places, n, ledger);
  if (sums) *sums = no_sums(layout);
  read_all(layout, places, counted, store.get(), sums);
  if (sums) {
    total(*sums);
    if (sums->patterns != static_cast<double>(n))
      throw std::logic_error(
          fmt::format("Distribution::mine: {:.0f} patterns are the ranks' own, there are {}",
                      sums->patterns, n));
  }
  return store;
}

std::unique_ptr<FillablePatternStore> PatternReader::store_for(const Layout& l,
                                                               std::vector<i64> held, i64 count,
                                                               Ledger* ledger) const {
  const auto b2 = static_cast<double>(l.bin * l.bin);
  return make_pattern_store(std::move(held), count, l.window,
                            frames_.is_integer ? frames_.largest * b2 : 0, m_.data.background * b2,
                            ledger);
}

std::unique_ptr<PatternStore> PatternReader::none(const Layout& layout) const {
  return store_for(layout, {}, static_cast<i64>(numbers_.size()), nullptr);
}

Array<float, 2> PatternReader::valid(const Layout& l, const PatternSums& s) const {
  Array<float, 2> valid({l.window, l.window});
  const i64 b2 = l.bin * l.bin;
  const auto bad = [&](i64 p) {
    return masked_[p] || (!s.saturated.empty() && s.saturated[p] > 0);
  };
  for (i64 i = 0; i < valid.size(); ++i) {
    bool good = !l.padded[i];
    for (i64 j = 0; j < b2 && good; ++j) good = !bad(l.source[i * b2 + j]);
    valid.data()[i] = good ? 1.0F : 0.0F;
  }
  return valid;
}

std::array<double, 2> PatternReader::find_centre() {
  Measurement whole = m_;  // flipped, but not shifted, cropped, binned or without background
  whole.data.crop = 0;
  whole.data.bin = 1;
  whole.data.window = static_cast<int>(std::max(frames_.rows, frames_.cols));
  whole.data.background = 0;
  const Layout l = lay_out(frames_, whole.data, {});
  const i64 n = static_cast<i64>(numbers_.size()), stride = (n + 199) / 200;
  std::vector<i64> some;
  for (i64 i = 0; i < n; i += stride) some.push_back(numbers_[i]);
  PatternReader reader(whole, some, distribution_);
  const PatternSums s = reader.sums(l);
  seconds_ += reader.seconds_;
  bytes_ += reader.bytes_;
  const View<const double, 2> mean{s.counts.data(), {l.window, l.window}};
  const auto disc =
      fit_disc(centred<double>(mean).view(), centred<float>(reader.valid(l, s).view()).view());
  if (!disc)
    throw UserError(fmt::format(
        "data.find_centre finds no bright-field disc in the mean of {}, give data.centre",
        frames_.name));
  // From the square window back to the flipped frame, whose pixel [N/2] is the window's [W/2].
  const i64 rows = m_.data.transpose ? frames_.cols : frames_.rows,
            cols = m_.data.transpose ? frames_.rows : frames_.cols;
  return {disc->row - static_cast<double>(l.window / 2 - rows / 2),
          disc->col - static_cast<double>(l.window / 2 - cols / 2)};
}

}  // namespace ptyle
