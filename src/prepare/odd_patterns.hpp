#pragma once

// Patterns that are no measurement, found by their own figures. Rules and thresholds stand in
// docs/formats.md, under "What is left out".

#include <string>
#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// Figures of all patterns, one each.
struct PatternTotals {
  std::vector<double> counts, signatures;  ///< over valid pixels (CoarsePattern)
  /// Blocks without counts, as bits; two numbers a pattern of half the blocks each.
  std::vector<double> dark_blocks;
};

/// Patterns that stand apart, ascending, by kind.
struct OddPatterns {
  std::vector<i64> missing;      ///< many of their pixels are no numbers
  std::vector<i64> full;         ///< most of their pixels are at the type's or the given limit
  std::vector<i64> empty;        ///< no counts, or hardly any
  std::vector<i64> bright;       ///< far more counts than any other
  std::vector<i64> partial;      ///< nothing where all others have counts
  std::vector<i64> repeated;     ///< the one before once more, to the count
  i64 same = 0;                  ///< repetitions that are kept, as those of a few patterns
  double median = 0, times = 0;  ///< counts of a pattern; of the brightest over it
  [[nodiscard]] std::vector<i64> all() const;
};

/// "2 with hardly any counts (numbers 50, 150), 3 …", of each kind; `numbers`: within the scan.
std::string describe_patterns(const OddPatterns& odd, const std::vector<i64>& numbers);

/// Patterns of which many pixels, of so many, are no numbers (empty: none).
std::vector<i64> patterns_without_numbers(const std::vector<double>& missing, double pixels);

/// Patterns that are empty or too bright by their totals over valid pixels, added to those that are
/// known to be no measurement.
void judge_totals(const std::vector<double>& totals, OddPatterns& odd);

/// Patterns without any counts in a part of the undiffracted beam. `blocks`, `pixels`: counts and
/// valid pixels of each block (CoarsePattern), over all patterns.
std::vector<i64> partial_patterns(const PatternTotals& totals, const std::vector<double>& blocks,
                                  const std::vector<double>& pixels);

/// Patterns that are the one before once more, to the count. Where they are more than may be left
/// out, and all repetitions of a few patterns, as in vacuum without noise, they are only counted
/// (OddPatterns::same). `numbers`: of the patterns within the scan.
void find_repeated(const std::vector<i64>& numbers, const PatternTotals& totals, OddPatterns& odd);

/// Patterns whose R-factor stands far above all others' (−1: not fitted), ascending.
struct Unexplained {
  std::vector<i64> patterns;
  double usual = 0, worst = 0;  ///< R
};
Unexplained unexplained_patterns(const std::vector<double>& r_factors);

}  // namespace ptyle
