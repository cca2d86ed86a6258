// Judgement of what was read: steps 4 and 5 of reading.cpp.

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/grid.hpp"
#include "core/pulse.hpp"
#include "core/stop.hpp"
#include "prepare/disc.hpp"
#include "prepare/disc_jumps.hpp"
#include "prepare/reading.hpp"
#include "prepare/sequence.hpp"

namespace ptyle {

/// Sums over all ranks.
void PatternReader::total(std::vector<double>& values) const {
  if (distribution_) distribution_->sum(values);
}

RawFrame PatternReader::raw_frame(const Layout& l) const {
  RawFrame frame{frames_.rows, frames_.cols, looked_at_, {frames_.rows / 2, frames_.cols / 2}};
  if (const std::int64_t beam = l.source.front(); beam >= 0)
    frame.centre = {beam / frames_.cols, beam % frames_.cols};
  return frame;
}

void PatternReader::sum_up(PixelSums& figures, double& fractions) const {
  for (auto* each : figures.summed()) total(*each);
  if (distribution_) distribution_->maximum(figures.peak);
  std::vector<double> numbers{figures.frames, figures.sampled, fractions};
  total(numbers);
  figures.frames = numbers[0], figures.sampled = numbers[1], fractions = numbers[2];
}

/// Faults of pixels by these figures; those that are valid.
void PatternReader::judge_pixels_of(const Layout& l, const PixelSums& figures,
                                    PatternSums& s) const {
  const RawFrame frame = raw_frame(l);
  Screening& found = s.screening;
  found.pixels = judge_pixels(frame, figures, static_cast<double>(s.odd.missing.size()));
  // Pixels without numbers cannot be kept.
  if (!m_.data.find_bad_pixels)
    for (PixelFault& fault : found.pixels)
      if (fault != PixelFault::missing) fault = PixelFault::none;
  for (std::size_t p = 0; p < found.pixels.size(); ++p)
    if (masked_[p]) found.pixels[p] = PixelFault::masked;
  const Clipping clipping = find_clipping(frame, figures, frames_.largest, found.pixels);
  found.clipped = clipping.pixels, found.clipped_at = clipping.level;
  s.valid = valid(l, s);
}

/// Figures of pixels once more, without the patterns that are no measurement, of a sample of the
/// others. Single flashes that it misses are known from all.
void PatternReader::look_again(const Layout& l, const std::vector<i64>& places, PatternSums& s) {
  const auto odd = s.odd.all();
  std::vector<i64> kept, mine;
  for (i64 i = 0; i < static_cast<i64>(selection_.frames.size()); ++i)
    if (!std::binary_search(odd.begin(), odd.end(), i)) kept.push_back(i);
  const auto stride = static_cast<std::size_t>(sample_stride(static_cast<i64>(kept.size())));
  for (std::size_t k = 0; k < kept.size(); k += stride)
    if (std::binary_search(places.begin(), places.end(), kept[k])) mine.push_back(kept[k]);
  PixelSums again = figures_of(mine);
  double none = 0;
  sum_up(again, none);
  again.missing = s.pixels.missing;
  const std::vector<PixelFault> before = s.screening.pixels;
  judge_pixels_of(l, again, s);
  if (stride == 1) return;
  for (std::size_t p = 0; p < before.size(); ++p)
    if (before[p] == PixelFault::flashed && s.screening.pixels[p] == PixelFault::none)
      s.screening.pixels[p] = PixelFault::flashed;
  s.valid = valid(l, s);
}

/// Patterns that are no measurement.
void PatternReader::judge_patterns(const Layout& l, const Totals& totals, PatternSums& s) const {
  judge_totals(totals.counts, s.odd);
  const auto known = s.odd.all();
  CoarsePattern coarse(l.window);
  const auto blocks_of = [&](auto&& row) {
    coarse.begin();
    for (i64 y = 0; y < l.window; ++y) coarse.add_row(y, row(y));
    coarse.finish();
    return std::vector<double>(coarse.blocks().begin(), coarse.blocks().end());
  };
  const std::vector<double> pixels(s.valid.begin(), s.valid.end());
  s.odd.partial =
      partial_patterns(totals, blocks_of([&](i64 y) { return s.counts.data() + y * l.window; }),
                       blocks_of([&](i64 y) { return pixels.data() + y * l.window; }));
  std::erase_if(s.odd.partial,
                [&](i64 i) { return std::binary_search(known.begin(), known.end(), i); });
  if (frames_.is_integer) find_repeated(selection_.positions, totals, s.odd);
}

/// Steps 4 and 5, of the patterns `places` that this rank counts.
void PatternReader::judge(const Layout& l, const std::vector<i64>& places, const Patterns& own,
                          PatternSums& s) {
  sum_up(s.pixels, s.fractions);
  std::vector<double> missing = missing_, full = overexposed_;
  for (auto* figures : {&missing, &full}) total(*figures);
  // Pixels that are missing in nearly every frame are no fault of the frames.
  const auto always = static_cast<double>(
      std::count_if(s.pixels.missing.begin(), s.pixels.missing.end(),
                    [&](double n) { return n > 0 && n >= 0.9 * s.pixels.frames; }));
  if (always < 0.5 * static_cast<double>(frames_.rows * frames_.cols))
    for (double& pixels : missing) pixels = std::max(0.0, pixels - always);
  Screening& found = s.screening;
  found.rows = frames_.rows, found.cols = frames_.cols;
  const auto used = static_cast<double>(std::count(looked_at_.begin(), looked_at_.end(), 1));
  s.odd.missing = patterns_without_numbers(missing, used);
  for (std::size_t i = 0; i < full.size(); ++i)
    if (full[i] != 0) s.odd.full.push_back(static_cast<i64>(i));
  judge_pixels_of(l, s.pixels, s);
  Totals totals = totals_of(own, s);
  judge_patterns(l, totals, s);
  found.left_out = m_.data.outliers == Outliers::keep ? s.odd.missing : s.odd.all();
  // Frames that repeat others say nothing of where lines end.
  if (s.odd.repeated.empty() && s.odd.same == 0)
    found.frames_late = frames_late(totals.blocks, lines_to_compare());
  // With too many of them the measurement is refused.
  const bool some = !s.odd.all().empty() && s.odd.all().size() < selection_.frames.size();
  if (some) look_again(l, places, s);
  if (some || !found.left_out.empty()) totals = totals_of(own, s);
  find_jumps(l, totals, own, s);
  count(totals, s);
}

/// Patterns whose disc lies elsewhere than that of the others.
void PatternReader::find_jumps(const Layout& l, const Totals& totals, const Patterns& own,
                               PatternSums& s) const {
  constexpr double enough = 200;  // counts, for a centre of mass
  constexpr double least = 0.75;  // px
  std::vector<i64> places;
  std::vector<Position> centres;
  for (std::size_t i = 0; i < totals.counts.size(); ++i) {
    if (totals.counts[i] < enough) continue;  // left out, among others
    places.push_back(static_cast<i64>(i));
    centres.push_back({totals.centres[2 * i], totals.centres[2 * i + 1]});
  }
  std::vector<i64> group;
  for (const i64 k : smaller_group(centres)) group.push_back(places[static_cast<std::size_t>(k)]);
  if (group.empty()) return;
  const std::size_t size = static_cast<std::size_t>(l.window * l.window);
  std::vector<double> sum(size, 0), rest = s.counts;
  own([&](i64 place, const float* pattern) {
    if (!std::binary_search(group.begin(), group.end(), place)) return;
    for (std::size_t k = 0; k < size; ++k)
      if (s.valid.data()[k] != 0) sum[k] += static_cast<double>(pattern[k]);
  });
  total(sum);
  for (std::size_t k = 0; k < size; ++k) rest[k] -= sum[k];
  const auto valid = centred<float>(s.valid.view());
  const auto middle = [&](const std::vector<double>& of) {
    return centred<double>(View<const double, 2>{of.data(), {l.window, l.window}});
  };
  const auto mean = middle(sum), mean_of_rest = middle(rest);
  const auto here = fit_disc(mean.view(), valid.view()),
             others = fit_disc(mean_of_rest.view(), valid.view());
  if (!here || !others) return;
  const Position by{here->row - others->row, here->col - others->col};
  if (std::hypot(by.row, by.col) < std::max(least, 2 * std::max(here->spread, others->spread)) ||
      !is_moved(mean.view(), mean_of_rest.view(), by, valid.view()))
    return;
  s.screening.jumped = std::move(group);
  s.screening.jump = by;
}

/// The first lines of the scan, where it is a raster that runs one way and is there as a whole.
std::array<i64, 2> PatternReader::lines_to_compare() const {
  constexpr i64 most = 16384;  // patterns
  const auto& [slow, fast] = selection_.lines;
  const bool whole = static_cast<i64>(selection_.positions.size()) == slow * fast;
  if (!whole || fast == 0 || fast > most || m_.scan.snake) return {};
  return {std::min(slow, most / fast), fast};
}

/// Each pattern's total over valid pixels and what else tells it from others, on all ranks; the
/// sums of the patterns not left out too.
PatternReader::Totals PatternReader::totals_of(const Patterns& own, PatternSums& s) const {
  const i64 w = s.valid.shape()[0];
  const auto [slow, fast] = lines_to_compare();
  constexpr i64 each = CoarsePattern::groups * CoarsePattern::groups;
  Totals t;
  t.counts.assign(selection_.frames.size(), 0);
  t.signatures.assign(selection_.frames.size(), 0);
  t.dark_blocks.assign(2 * selection_.frames.size(), 0);
  t.centres.assign(2 * selection_.frames.size(), 0);
  t.blocks.assign(static_cast<std::size_t>(slow * fast * each), 0);
  s.counts.assign(static_cast<std::size_t>(w * w), 0);
  const auto& out = s.screening.left_out;
  CoarsePattern coarse(w);
  std::vector<double> row(static_cast<std::size_t>(w));
  const double offset = readout_offset(m_.data);
  own([&](i64 place, const float* pattern) {
    if (std::binary_search(out.begin(), out.end(), place)) return;
    coarse.begin();
    for (i64 y = 0; y < w; ++y) {
      const float *const from = pattern + y * w, *const valid = s.valid.data() + y * w;
      double *const sum = s.counts.data() + y * w, *const good = row.data();
      for (i64 x = 0; x < w; ++x) {
        const double v = valid[x] != 0 ? static_cast<double>(from[x]) - offset : 0;
        good[x] = v;
        sum[x] += v;
      }
      coarse.add_row(y, good);
    }
    coarse.finish();
    beat();
    stop_point();
    t.counts[static_cast<std::size_t>(place)] = coarse.total();
    t.signatures[static_cast<std::size_t>(place)] = coarse.signature();
    const auto dark = coarse.dark();
    std::copy(dark.begin(), dark.end(), t.dark_blocks.begin() + 2 * place);
    const Position centre = coarse.centre();
    t.centres[static_cast<std::size_t>(2 * place)] = centre.row;
    t.centres[static_cast<std::size_t>(2 * place + 1)] = centre.col;
    if (place < slow * fast)
      std::copy(coarse.blocks().begin(), coarse.blocks().end(), t.blocks.begin() + place * each);
  });
  for (auto* figures : {&s.counts, &t.counts, &t.signatures, &t.dark_blocks, &t.blocks, &t.centres})
    total(*figures);
  return t;
}

/// Takes figures of the patterns that are not left out from their totals.
void PatternReader::count(const Totals& totals, PatternSums& s) {
  const auto& out = s.screening.left_out;
  for (std::size_t i = 0; i < totals.counts.size(); ++i) {
    s.centres.push_back({totals.centres[2 * i], totals.centres[2 * i + 1]});
    if (std::binary_search(out.begin(), out.end(), static_cast<i64>(i))) continue;
    ++s.patterns;
    s.squares += totals.counts[i] * totals.counts[i];
    if (!(totals.counts[i] > 0)) ++s.empty;
  }
}

Array<float, 2> PatternReader::valid(const Layout& l, const PatternSums& s) const {
  Array<float, 2> valid({l.window, l.window});
  const i64 b2 = l.bin * l.bin;
  const auto bad = [&](i64 p) {
    return masked_[p] || s.screening.bad(p) || s.pixels.at_saturation[p] > 0;
  };
  for (i64 i = 0; i < valid.size(); ++i) {
    bool good = !l.padded[i];
    for (i64 j = 0; j < b2 && good; ++j) good = !bad(l.source[i * b2 + j]);
    valid.data()[i] = good ? 1.0F : 0.0F;
  }
  return valid;
}

}  // namespace ptyle
