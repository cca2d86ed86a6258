#include "prepare/odd_patterns.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <set>

#include "core/quantile.hpp"
#include "prepare/selection.hpp"

namespace ptyle {

std::vector<i64> OddPatterns::all() const {
  std::vector<i64> every;
  for (const auto* kind : {&missing, &full, &empty, &bright, &partial, &repeated})
    every.insert(every.end(), kind->begin(), kind->end());
  std::sort(every.begin(), every.end());
  every.erase(std::unique(every.begin(), every.end()), every.end());
  return every;
}

std::string describe_patterns(const OddPatterns& odd, const std::vector<i64>& numbers) {
  std::vector<std::string> parts;
  const auto add = [&](const std::vector<i64>& patterns, const std::string& what) {
    if (patterns.empty()) return;
    std::vector<i64> of_scan;
    for (const i64 i : patterns) of_scan.push_back(numbers[static_cast<std::size_t>(i)]);
    parts.push_back(fmt::format("{} {} (number{} {})", patterns.size(), what,
                                patterns.size() == 1 ? "" : "s", listed(of_scan)));
  };
  add(odd.missing, "without numbers (NaN)");
  add(odd.full, "with most pixels at the largest value");
  add(odd.empty, "with hardly any counts");
  add(odd.partial, "of which a part is blank");
  add(odd.repeated, "that are the one before once more");
  add(odd.bright, fmt::format("with up to {:.3g} times the counts of the others", odd.times));
  return fmt::format("{}", fmt::join(parts, ", "));
}

namespace {

/// A pattern with this share of its pixels missing is left out, rather than the pixels.
constexpr double missing_share = 0.01;
/// Counts, of which chance makes no pattern the same as another, and no part of one blank.
constexpr double enough = 100;

/// Most of them follow each other in the scan, as what the specimen does to them would.
bool in_a_row(const std::vector<i64>& patterns) {
  if (patterns.size() < 5) return false;
  std::size_t beside = 0;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const bool before = i > 0 && patterns[i - 1] == patterns[i] - 1;
    const bool after = i + 1 < patterns.size() && patterns[i + 1] == patterns[i] + 1;
    if (before || after) ++beside;
  }
  return 10 * beside > 7 * patterns.size();
}

/// The total from which on patterns are too bright: behind the first gap beyond 2.5 medians, and
/// with no more than `most_left_out` of all. Infinite: none are.
double brightest_allowed(const std::vector<double>& sorted, double median) {
  constexpr double far = 2.5, gap = 1.5;
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i] > far * median && sorted[i] > gap * sorted[i - 1] &&
        static_cast<double>(sorted.size() - i) <=
            most_left_out * static_cast<double>(sorted.size()))
      return sorted[i];
  return std::numeric_limits<double>::infinity();
}

/// The total below which patterns are as good as empty: a gap lies above, at a fiftieth of the
/// median or less.
double darkest_allowed(const std::vector<double>& sorted, double median) {
  constexpr double far = 0.02, gap = 2;
  for (std::size_t i = sorted.size(); i-- > 1;)
    if (sorted[i - 1] < far * median && sorted[i] > gap * sorted[i - 1] &&
        static_cast<double>(i) <= most_left_out * static_cast<double>(sorted.size()))
      return sorted[i];
  return 0;
}

}  // namespace

std::vector<i64> patterns_without_numbers(const std::vector<double>& missing, double pixels) {
  std::vector<i64> without;
  for (std::size_t i = 0; i < missing.size(); ++i)
    if (missing[i] > std::max(1.0, missing_share * pixels)) without.push_back(static_cast<i64>(i));
  return without;
}

void judge_totals(const std::vector<double>& totals, OddPatterns& odd) {
  std::vector<bool> out(totals.size(), false);
  for (const auto* kind : {&odd.missing, &odd.full})
    for (const i64 i : *kind) out[static_cast<std::size_t>(i)] = true;
  std::vector<double> sorted;
  for (std::size_t i = 0; i < totals.size(); ++i)
    if (!out[i]) sorted.push_back(totals[i]);
  if (sorted.size() < 8) return;
  std::sort(sorted.begin(), sorted.end());
  odd.median = sorted[sorted.size() / 2];
  // With so few counts an empty pattern is no wonder.
  if (!(odd.median > 20)) return;
  const double bright = brightest_allowed(sorted, odd.median),
               dark = darkest_allowed(sorted, odd.median);
  for (std::size_t i = 0; i < totals.size(); ++i) {
    if (out[i]) continue;
    if (totals[i] < dark || totals[i] == 0) odd.empty.push_back(static_cast<i64>(i));
    if (totals[i] >= bright) odd.bright.push_back(static_cast<i64>(i));
  }
  odd.times = sorted.back() / odd.median;
  // A hole in an absorbing specimen is not much brighter than its surroundings.
  constexpr double most_of_a_hole = 6;
  if (in_a_row(odd.bright) && odd.times < most_of_a_hole) odd.bright.clear();
}

std::vector<i64> partial_patterns(const PatternTotals& totals, const std::vector<double>& blocks,
                                  const std::vector<double>& pixels) {
  // Blocks of the undiffracted beam have most counts a pixel; elsewhere the specimen decides.
  constexpr double of_brightest = 0.25, part = 0.1;
  double brightest = 0, all = 0, beam = 0;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    if (pixels[b] > 0) brightest = std::max(brightest, blocks[b] / pixels[b]);
    all += blocks[b];
  }
  std::vector<double> bright(blocks.size(), 0);
  for (std::size_t b = 0; b < blocks.size(); ++b)
    if (pixels[b] > 0 && blocks[b] > of_brightest * brightest * pixels[b])
      beam += bright[b] = blocks[b];
  std::vector<i64> found;
  const std::size_t half = blocks.size() / 2;
  for (std::size_t i = 0; i < totals.counts.size(); ++i) {
    double lost = 0;
    for (std::size_t b = 0; b < blocks.size(); ++b)
      if ((static_cast<std::uint64_t>(totals.dark_blocks[2 * i + b / half]) >> b % half & 1) != 0)
        lost += bright[b];
    if (lost > part * beam && lost / all * totals.counts[i] > enough)
      found.push_back(static_cast<i64>(i));
  }
  return found;
}

void find_repeated(const std::vector<i64>& numbers, const PatternTotals& totals, OddPatterns& odd) {
  std::vector<i64> repeated;
  std::set<double> different;
  for (std::size_t i = 1; i < numbers.size(); ++i)
    if (numbers[i] == numbers[i - 1] + 1 && totals.counts[i] > enough &&
        totals.counts[i] == totals.counts[i - 1] &&
        totals.signatures[i] == totals.signatures[i - 1]) {
      repeated.push_back(static_cast<i64>(i));
      different.insert(totals.signatures[i]);
    }
  const auto count = static_cast<double>(repeated.size());
  const bool few = count <= most_left_out * static_cast<double>(numbers.size());
  if (few || static_cast<double>(different.size()) > std::max(2.0, 0.05 * count))
    odd.repeated = std::move(repeated);
  else
    odd.same = static_cast<i64>(repeated.size());
}

Unexplained unexplained_patterns(const std::vector<double>& r_factors) {
  // Several times the usual one, far beyond what it varies by from place to place, and behind a
  // gap: where the specimen makes the difference, there is none.
  constexpr double times = 4, deviations = 12, gap = 1.6;
  Unexplained found;
  std::vector<double> fitted;
  std::copy_if(r_factors.begin(), r_factors.end(), std::back_inserter(fitted),
               [](double r) { return r >= 0; });
  if (fitted.size() < 16) return found;
  found.usual = quantile(fitted, 0.5);
  std::vector<double> apart;
  for (const double r : fitted) apart.push_back(std::abs(r - found.usual));
  const double deviation = 1.48 * quantile(apart, 0.5);  // of a normal distribution
  double most = std::max(times * found.usual, found.usual + deviations * deviation);
  std::sort(fitted.begin(), fitted.end());
  const auto beyond = std::upper_bound(fitted.begin(), fitted.end(), most);
  if (beyond == fitted.end() || beyond == fitted.begin()) return found;
  auto first = beyond;
  while (first != fitted.end() && *first < gap * *(first - 1)) ++first;
  if (first == fitted.end()) return found;
  most = *(first - 1);
  for (std::size_t i = 0; i < r_factors.size(); ++i) {
    if (r_factors[i] <= most) continue;
    found.patterns.push_back(static_cast<i64>(i));
    found.worst = std::max(found.worst, r_factors[i]);
  }
  return found;
}

}  // namespace ptyle
