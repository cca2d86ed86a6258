// 1. Frames are read in runs, as whole chunks of the file where it has chunks, each while the one
//    before goes through the steps below.
// 2. A frame is cleaned: values that are masked, negative, saturated or no numbers become 0;
//    figures of every raw pixel are taken meanwhile, over ranks too. Where the readout's noise is
//    given, negative values stay.
// 3. It goes through the layout and into the store, in which the background is taken off, and the
//    offset of the readout's noise is added.
// 4. Bad pixels are found by those figures; patterns that are no measurement by their totals over
//    the pixels that are left. If some are left out, figures of pixels are taken once more without
//    them, of a sample of the frames.
// 5. Counts of the other patterns are summed.
//
// A pixel that is bad in one pattern is bad in all. That is known only at the end, so what it held
// in the others stays in the store, where nothing looks at it.

#include "prepare/reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <iterator>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <type_traits>

#include "core/error.hpp"
#include "core/grid.hpp"
#include "core/parallel.hpp"
#include "core/pulse.hpp"
#include "core/stop.hpp"
#include "prepare/disc.hpp"
#include "prepare/sequence.hpp"

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

/// Beyond it a float is taken for none.
constexpr double largest_number = 3e38;

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

/// Does its integer type hold values below 0? Its largest value then has an odd number of bits.
bool is_signed(const FrameSource& frames) {
  return frames.is_integer && std::ilogb(frames.largest + 1) % 2 == 1;
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

double readout_offset(const DataConfig& data) {
  const double sigma = data.readout_noise * data.bin;
  return std::max(sigma * sigma, 3 * sigma);
}

PatternReader::PatternReader(const Measurement& m, const Selection& selection,
                             const Distribution* distribution)
    : m_(m),
      frames_(*m.frames),
      selection_(selection),
      distribution_(distribution),
      masked_(masked_pixels(m)) {}

/// Calls use(k, frame) for each of the patterns `places`, the k-th of them; meanwhile the next run
/// is read. One thread at a time reads, as HDF5 demands.
template <class Raw, class Use>
void PatternReader::for_each_frame(const std::vector<i64>& places, Use&& use) {
  const i64 size = frames_.rows * frames_.cols;
  std::vector<i64> numbers;
  for (const i64 place : places) numbers.push_back(selection_.frames[place]);
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
    wait_with_pulse(coming);
    seconds_ += coming.get();
    bytes_ += runs[r].length * size * frames_.bytes_a_value;
    if (r + 1 < runs.size()) coming = on_a_thread([&, next = r + 1] { return read(next); });
    Raw* const buffer = buffers[r % 2].data();
    for (i64 k = runs[r].begin; k < runs[r].end; ++k) {
      use(k, buffer + (numbers[k] - runs[r].first) * size);
      beat();
      stop_point();
    }
  }
}

/// The integer type's largest value as it is read: of 64 bits, the largest signed one.
double PatternReader::full() const {
  return frames_.largest > 0 ? std::min(frames_.largest, std::ldexp(1.0, 63))
                             : std::numeric_limits<double>::infinity();
}

double PatternReader::saturation() const {
  return m_.data.saturation > 0 ? m_.data.saturation : std::numeric_limits<double>::infinity();
}

/// Are more than half of the pixels at the limit? A few are asked first.
template <class Raw>
bool PatternReader::overexposed(const Raw* frame) const {
  const double most = std::min(full(), saturation());
  if (!std::isfinite(most) || m_.data.outliers == Outliers::keep) return false;
  const std::size_t size = looked_at_.size();
  const auto above = [&](std::size_t stride, std::size_t share) {
    std::size_t all = 0, high = 0;
    for (std::size_t p = 0; p < size; p += stride) {
      if (looked_at_[p] == 0) continue;
      ++all;
      if (static_cast<double>(frame[p]) >= most) ++high;
    }
    return share * high > all || all == 0;
  };
  return above(size / 61 + 1, 4) && above(1, 2);
}

/// Makes a raw frame fit to be summed, and takes the figures of its pixels.
template <class Raw>
void PatternReader::clean(i64 place, Raw* frame, const Wanted& wanted) {
  const std::size_t size = looked_at_.size();
  if (std::find(looked_at_.begin(), looked_at_.end(), 0) != looked_at_.end())
    for (std::size_t p = 0; p < size; ++p)
      if (looked_at_[p] == 0) frame[p] = 0;
  PixelSums* const figures = wanted.figures;
  // Such a frame says nothing of its pixels, but for those that are always at the limit.
  const bool spoilt = figures != nullptr && overexposed(frame);
  if (spoilt) overexposed_[static_cast<std::size_t>(place)] = 1;
  if (figures) figures->frames += 1;
  if (wanted.sampled && !spoilt) {
    figures->sampled += 1;
    for (std::size_t p = 0; p < size; ++p) {
      const auto v = static_cast<double>(frame[p]);
      if (!(std::abs(v) <= largest_number)) continue;
      figures->sum[p] += v;
      figures->squares[p] += v * v;
    }
  }
  // Nearly all are counted as they are, and hardly ever is one a pixel's largest so far.
  const double least_noted = std::min({full(), saturation(), largest_number});
  double* const peak = figures && !spoilt ? figures->peak.data() : nullptr;
  for (std::size_t p = 0; p < size; ++p) {
    const auto v = static_cast<double>(frame[p]);
    if (!(v >= 0 && v < least_noted)) {
      note(place, p, frame[p], wanted, spoilt);
      continue;
    }
    if (peak && v > peak[p]) peak[p] = v;
  }
}

/// A value that is not counted as it is: no number, negative, or at a limit.
template <class Raw>
void PatternReader::note(i64 place, std::size_t p, Raw& value, const Wanted& wanted, bool spoilt) {
  PixelSums* const figures = wanted.figures;
  const auto v = static_cast<double>(value);
  if (!(std::abs(v) <= largest_number)) {
    value = 0;
    if (!figures) return;
    ++figures->missing[p];
    if (!wanted.again) ++missing_[static_cast<std::size_t>(place)];
    return;
  }
  const bool saturated = v >= saturation();
  if ((v < 0 && m_.data.readout_noise == 0) || saturated ||
      (v >= full() && frames_.bytes_a_value == 8))
    value = 0;  // 64-bit gaps would overflow the sum of a bin
  if (!figures) return;
  if (v < 0) {
    ++figures->negative[p];
    figures->noise[p] += v * v;
  }
  if (v >= full()) ++figures->full[p];
  if (saturated && !spoilt) ++figures->at_saturation[p];
  if (!saturated && !spoilt) figures->peak[p] = std::max(figures->peak[p], v);
}

/// Steps 1 to 3.
template <class Raw>
void PatternReader::read(const Reading& r, PatternSums& sums) {
  std::vector<Raw> pattern(static_cast<std::size_t>(r.layout.window * r.layout.window));
  const i64 stride = sample_stride(static_cast<i64>(selection_.frames.size()));
  for_each_frame<Raw>(r.places, [&](i64 k, Raw* frame) {
    const i64 place = r.places[k];
    const bool counted = !r.own || std::binary_search(r.own->begin(), r.own->end(), place);
    clean(place, frame, {counted ? &sums.pixels : nullptr, counted && place % stride == 0});
    gather(r.layout, frame, pattern);
    if constexpr (std::is_floating_point_v<Raw>)
      if (counted)
        sums.fractions += static_cast<double>(std::count_if(
            pattern.begin(), pattern.end(), [](Raw v) { return v != std::floor(v); }));
    r.store.put(r.keep ? place : 0, std::span<const Raw>(pattern));
    if (r.use) r.use(place);
  });
}

void PatternReader::read_all(const Reading& reading, PatternSums& sums) {
  if (frames_.is_integer)
    read<std::int64_t>(reading, sums);
  else
    read<float>(reading, sums);
}

/// Figures of pixels in these frames alone, of which nothing else is taken.
PixelSums PatternReader::figures_of(const std::vector<i64>& places) {
  PixelSums figures(frames_.rows * frames_.cols);
  const auto look = [&]<class Raw>(Raw /*type*/) {
    for_each_frame<Raw>(places, [&](i64 k, Raw* frame) {
      clean(places[static_cast<std::size_t>(k)], frame, {&figures, true, true});
    });
  };
  if (frames_.is_integer)
    look(std::int64_t{});
  else
    look(float{});
  return figures;
}

PatternSums PatternReader::begin(const Layout& l) {
  const auto size = static_cast<std::size_t>(frames_.rows * frames_.cols);
  looked_at_.assign(size, 0);
  for (const std::int64_t from : l.source)
    if (from >= 0 && !masked_[static_cast<std::size_t>(from)])
      looked_at_[static_cast<std::size_t>(from)] = 1;
  missing_.assign(frames_.is_integer ? 0 : selection_.frames.size(), 0);
  overexposed_.assign(selection_.frames.size(), 0);
  PatternSums sums;
  sums.pixels = PixelSums(static_cast<i64>(size));
  return sums;
}

PatternSums PatternReader::sums(const Layout& layout) {
  const i64 n = static_cast<i64>(selection_.frames.size());
  const i64 rank = distribution_ ? distribution_->rank : 0,
            ranks = distribution_ ? distribution_->ranks : 1;
  std::vector<i64> places(static_cast<std::size_t>((rank + 1) * n / ranks - rank * n / ranks));
  std::iota(places.begin(), places.end(), rank * n / ranks);
  PatternSums s = begin(layout);
  const auto one = store_for(layout, {0}, 1, nullptr);
  read_all({layout, places, *one, false}, s);
  std::vector<float> pattern(static_cast<std::size_t>(layout.window * layout.window));
  const Patterns own = [&](const auto& use) {
    PatternSums again;  // of none: figures are known
    const std::vector<i64> none;
    read_all({layout, places, *one, false, &none,
              [&](i64 place) {
                one->load(0, pattern.data());
                use(place, pattern.data());
              }},
             again);
  };
  judge(layout, places, own, s);
  return s;
}

std::unique_ptr<PatternStore> PatternReader::fill(const Layout& layout, const Kept& kept,
                                                  Ledger* ledger, PatternSums* sums) {
  const i64 n = static_cast<i64>(selection_.frames.size());
  const std::vector<i64> places = merged(kept, n);
  auto store = store_for(layout, places, n, ledger, true);
  PatternSums figures = begin(layout);
  read_all({layout, places, *store, true, &kept.own}, figures);
  if (!sums) return store;
  std::vector<float> pattern(static_cast<std::size_t>(layout.window * layout.window));
  const Patterns own = [&](const auto& use) {
    for (const i64 place : kept.own) {
      store->load(place, pattern.data());
      use(place, pattern.data());
    }
  };
  judge(layout, kept.own, own, figures);
  if (figures.pixels.frames != static_cast<double>(n))
    throw std::logic_error(
        fmt::format("Distribution::mine: {:.0f} patterns are the ranks' own, there are {}",
                    figures.pixels.frames, n));
  *sums = std::move(figures);
  return store;
}

std::unique_ptr<FillablePatternStore> PatternReader::store_for(const Layout& l,
                                                               std::vector<i64> held, i64 count,
                                                               Ledger* ledger, bool kept) const {
  const auto b2 = static_cast<double>(l.bin * l.bin);
  const bool below_0 = m_.data.readout_noise > 0 && is_signed(frames_);
  const double largest = frames_.is_integer && !below_0 ? frames_.largest * b2 : 0;
  std::shared_ptr<Scratch> disk;
  if (kept && distribution_ && distribution_->scratch)
    disk = distribution_->scratch(static_cast<double>(held.size()) *
                                  static_cast<double>(bytes_a_pattern(l.window, largest)));
  return make_pattern_store(std::move(held), count, l.window, largest,
                            m_.data.background * b2 - readout_offset(m_.data), ledger,
                            std::move(disk));
}

std::unique_ptr<PatternStore> PatternReader::none(const Layout& layout) const {
  return store_for(layout, {}, static_cast<i64>(selection_.frames.size()), nullptr);
}

std::array<double, 2> PatternReader::find_centre() {
  Measurement whole = m_;  // flipped, but not shifted, cropped, binned or without background
  whole.data.crop = 0;
  whole.data.bin = 1;
  whole.data.window = static_cast<int>(std::max(frames_.rows, frames_.cols));
  whole.data.background = whole.data.readout_noise = 0;
  const Layout l = lay_out(frames_, whole.data, {});
  const i64 n = static_cast<i64>(selection_.frames.size()), stride = (n + 199) / 200;
  Selection some;
  for (i64 i = 0; i < n; i += stride) some.frames.push_back(selection_.frames[i]);
  PatternReader reader(whole, some, distribution_);
  const PatternSums s = reader.sums(l);
  seconds_ += reader.seconds_;
  bytes_ += reader.bytes_;
  const View<const double, 2> mean{s.counts.data(), {l.window, l.window}};
  const auto disc = fit_disc(centred<double>(mean).view(), centred<float>(s.valid.view()).view());
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
