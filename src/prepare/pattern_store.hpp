#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/ledger.hpp"
#include "core/scratch.hpp"
#include "prepare/experiment.hpp"

namespace ptyle {

/// A store that is filled pattern by pattern, DC at [0,0].
class FillablePatternStore : public PatternStore {
 public:
  /// Integers that the type was made to hold, or floats for a float store.
  virtual void put(i64 i, std::span<const std::int64_t> pattern) = 0;
  virtual void put(i64 i, std::span<const float> pattern) = 0;
};

/// Room for patterns that come later is added so many at a time.
constexpr i64 patterns_a_block = 16;

/// Room for the patterns `held` (ascending) of `count`, window² integers up to `largest` each, in
/// the narrowest of uint8, uint16 and uint32 that holds them; in float32 where none does or
/// `largest` is 0. Accounted as "patterns". `background` (counts per pixel of the window) is
/// subtracted when a pattern is loaded; what falls below 0 is 0. Room for patterns that come later
/// is added once no place of one that has gone is left, and is kept. With `disk` they lie there,
/// and what of them is in memory at a time is accounted.
std::unique_ptr<FillablePatternStore> make_pattern_store(std::vector<i64> held, i64 count,
                                                         i64 window, double largest,
                                                         double background, Ledger* ledger,
                                                         std::shared_ptr<Scratch> disk = nullptr);
/// Bytes of a pattern in it.
std::size_t bytes_a_pattern(i64 window, double largest);

}  // namespace ptyle
