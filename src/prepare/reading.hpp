#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/ledger.hpp"
#include "prepare/distribution.hpp"
#include "prepare/layout.hpp"
#include "prepare/pattern_store.hpp"
#include "prepare/prepare.hpp"

namespace ptyle {

/// Sums over all patterns, the same on every rank. No figure depends on the order of patterns.
struct PatternSums {
  std::vector<double> counts;     ///< W·W, DC at [0,0]
  std::vector<double> saturated;  ///< raw pixels, > 0: reaches data.saturation; empty: no limit
  double negative = 0;            ///< values below 0
  double noise = 0;               ///< Σ of their squares
  double squares = 0;             ///< Σ of the patterns' totals squared
  double empty = 0;               ///< patterns without any count
  double patterns = 0;            ///< that were counted
  double fractions = 0;           ///< values that are no whole numbers, as the file has them
};

/// Reads frames and makes patterns of them. With a distribution, every call but valid() is made by
/// all ranks.
class PatternReader {
 public:
  /// Reads the patterns `numbers` (ascending) of the file; a pattern's place in it is its number
  /// from then on. Throws UserError for a mask of another shape or without a good pixel.
  PatternReader(const Measurement& m, const std::vector<i64>& numbers,
                const Distribution* distribution);

  /// The bright-field disc's centre on the flipped frame, from the mean of up to 200 frames over
  /// the scan. UserError where it shows none.
  std::array<double, 2> find_centre();

  /// The sums alone: each rank reads an even part of the patterns and keeps none.
  PatternSums sums(const Layout& layout);

  /// Reads what is kept (nothing given: all) into a store. Counts over own patterns into `sums`, if
  /// it is not null, and then over all ranks.
  std::unique_ptr<PatternStore> fill(const Layout& layout, const Kept& kept, Ledger* ledger,
                                     PatternSums* sums);

  /// A store of the right type that holds none.
  [[nodiscard]] std::unique_ptr<PatternStore> none(const Layout& layout) const;

  /// The window's valid pixels, DC at [0,0]: neither padding nor any bad raw pixel in them.
  [[nodiscard]] Array<float, 2> valid(const Layout& layout, const PatternSums& sums) const;

  [[nodiscard]] double seconds() const { return seconds_; }  ///< spent reading, so far
  [[nodiscard]] i64 bytes() const { return bytes_; }         ///< of the file's numbers, so far

 private:
  template <class Raw, class Use>
  void for_each_frame(const std::vector<i64>& places, Use&& use);
  struct Negative {
    double values = 0, squares = 0;
  };
  template <class Raw>
  Negative clean(i64 number, Raw* frame, PatternSums& sums) const;
  template <class Raw>
  void read(const Layout& layout, const std::vector<i64>& places, const std::vector<bool>& counted,
            FillablePatternStore* store, PatternSums* sums);
  void read_all(const Layout& layout, const std::vector<i64>& places,
                const std::vector<bool>& counted, FillablePatternStore* store, PatternSums* sums);
  [[nodiscard]] std::unique_ptr<FillablePatternStore> store_for(const Layout& layout,
                                                                std::vector<i64> held, i64 count,
                                                                Ledger* ledger) const;
  [[nodiscard]] PatternSums no_sums(const Layout& layout) const;
  void total(PatternSums& sums) const;

  const Measurement& m_;
  FrameSource& frames_;
  const std::vector<i64>& numbers_;
  const Distribution* distribution_;
  std::vector<bool> masked_;  // raw pixels
  double seconds_ = 0;
  i64 bytes_ = 0;
};

}  // namespace ptyle
