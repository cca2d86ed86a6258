#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/ledger.hpp"
#include "prepare/bad_pixels.hpp"
#include "prepare/distribution.hpp"
#include "prepare/layout.hpp"
#include "prepare/odd_patterns.hpp"
#include "prepare/pattern_store.hpp"
#include "prepare/prepare.hpp"
#include "prepare/screening.hpp"
#include "prepare/selection.hpp"

namespace ptyle {

/// Sums over all patterns, the same on every rank. No figure depends on the order of patterns.
struct PatternSums {
  std::vector<double> counts;     ///< W·W, DC at [0,0], of the patterns that are not left out
  std::vector<Position> centres;  ///< of mass, window px from DC; of patterns left out (0, 0)
  double squares = 0;             ///< Σ of their totals squared
  double empty = 0;               ///< of them those without any count
  double patterns = 0;            ///< of them all
  double fractions = 0;           ///< values that are no whole numbers, as the file has them
  PixelSums pixels;               ///< of the raw frames
  Screening screening;
  OddPatterns odd;        ///< patterns that stand apart, left out or not
  Array<float, 2> valid;  ///< W·W, DC at [0,0]: neither padding nor any bad raw pixel in it
};

/// Enough frames, spread over the scan, to tell a pixel's mean and variance.
inline i64 sample_stride(i64 patterns) {
  constexpr i64 enough = 512;
  return (patterns + enough - 1) / enough;
}

/// Counts that are added to a pixel of the window so that the noise of the readout, σ r.m.s., is
/// kept: σ², with which √(y + σ²) has the variance ¼ at any y (D. L. Snyder et al., J. Opt. Soc.
/// Am. A 12, 272 (1995): y + σ² is nearly a Poisson number of mean I + σ²), and at least 3σ, below
/// which hardly any value comes.
double readout_offset(const DataConfig& data);

/// Reads frames and makes patterns of them. With a distribution, every call is made by all ranks.
class PatternReader {
 public:
  /// Reads the patterns of `selection`; a pattern's place in it is its number from then on. Throws
  /// UserError for a mask of another shape or without a good pixel.
  PatternReader(const Measurement& m, const Selection& selection, const Distribution* distribution);

  /// The bright-field disc's centre on the flipped frame, from the mean of up to 200 frames over
  /// the scan. UserError where it shows none.
  std::array<double, 2> find_centre();

  /// The sums alone: each rank reads an even part of the patterns, twice, and keeps none.
  PatternSums sums(const Layout& layout);

  /// Reads what is kept (nothing given: all) into a store. Counts over own patterns into `sums`, if
  /// it is not null, and then over all ranks.
  std::unique_ptr<PatternStore> fill(const Layout& layout, const Kept& kept, Ledger* ledger,
                                     PatternSums* sums);

  /// A store of the right type that holds none.
  [[nodiscard]] std::unique_ptr<PatternStore> none(const Layout& layout) const;

  [[nodiscard]] double seconds() const { return seconds_; }  ///< spent reading, so far
  [[nodiscard]] i64 bytes() const { return bytes_; }         ///< of the file's numbers, so far

 private:
  template <class Raw, class Use>
  void for_each_frame(const std::vector<i64>& places, Use&& use);
  /// Figures to be taken of a frame besides its pattern.
  struct Wanted {
    PixelSums* figures = nullptr;  ///< null: nothing
    bool sampled = false;
    bool again = false;  ///< the figures of frames are known
  };
  template <class Raw>
  void clean(i64 place, Raw* frame, const Wanted& wanted);
  template <class Raw>
  void note(i64 place, std::size_t pixel, Raw& value, const Wanted& wanted, bool spoilt);
  template <class Raw>
  [[nodiscard]] bool overexposed(const Raw* frame) const;
  [[nodiscard]] double full() const;
  [[nodiscard]] double saturation() const;
  /// Patterns on their way from the file: `own` are counted (null: all), `store` keeps them all or
  /// one after the other in its first place, `use` is called for each.
  struct Reading {
    const Layout& layout;
    const std::vector<i64>& places;
    FillablePatternStore& store;
    bool keep = true;
    const std::vector<i64>* own = nullptr;
    std::function<void(i64)> use = {};
  };
  template <class Raw>
  void read(const Reading& reading, PatternSums& sums);
  void read_all(const Reading& reading, PatternSums& sums);
  /// Calls use(place, pattern) for each pattern that this rank counts.
  using Patterns = std::function<void(const std::function<void(i64, const float*)>& use)>;
  [[nodiscard]] PatternSums begin(const Layout& layout);
  [[nodiscard]] PixelSums figures_of(const std::vector<i64>& places);
  void judge(const Layout& layout, const std::vector<i64>& places, const Patterns& own,
             PatternSums& sums);
  void judge_pixels_of(const Layout& layout, const PixelSums& figures, PatternSums& sums) const;
  void look_again(const Layout& layout, const std::vector<i64>& places, PatternSums& sums);
  void sum_up(PixelSums& figures, double& fractions) const;
  /// Figures of each pattern; 0 of those left out.
  struct Totals : PatternTotals {
    std::vector<double> blocks;   ///< (pattern, block) of lines_to_compare()
    std::vector<double> centres;  ///< (row, col) as in PatternSums
  };
  void judge_patterns(const Layout& layout, const Totals& totals, PatternSums& sums) const;
  void find_jumps(const Layout& layout, const Totals& totals, const Patterns& own,
                  PatternSums& sums) const;
  [[nodiscard]] std::array<i64, 2> lines_to_compare() const;
  [[nodiscard]] Totals totals_of(const Patterns& own, PatternSums& sums) const;
  static void count(const Totals& totals, PatternSums& sums);
  [[nodiscard]] RawFrame raw_frame(const Layout& layout) const;
  [[nodiscard]] Array<float, 2> valid(const Layout& layout, const PatternSums& sums) const;
  [[nodiscard]] std::unique_ptr<FillablePatternStore> store_for(const Layout& layout,
                                                                std::vector<i64> held, i64 count,
                                                                Ledger* ledger,
                                                                bool kept = false) const;
  void total(std::vector<double>& values) const;

  const Measurement& m_;
  FrameSource& frames_;
  const Selection& selection_;
  const Distribution* distribution_;
  std::vector<bool> masked_;             // raw pixels
  std::vector<std::uint8_t> looked_at_;  // raw pixels: not masked, and some window pixel's
  std::vector<double> missing_;          // pixels of each pattern that are no numbers
  std::vector<double> overexposed_;      // 1 for a pattern at the limit in most pixels
  double seconds_ = 0;
  i64 bytes_ = 0;
};

}  // namespace ptyle
