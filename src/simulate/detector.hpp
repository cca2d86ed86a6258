#pragma once

// A detector makes of the electrons that it is to expect:
//
//   1. blur: a Gaussian, since an electron's signal spreads; what leaves the detector is lost
//   2. background: electrons of every pixel; and the share of them that each pixel counts
//   3. counts: a Poisson deviate of each pixel
//   4. gain · counts + offset + read-out noise
//   5. dead pixels read 0

#include <cstdint>

#include "core/array.hpp"
#include "simulate/plan.hpp"

namespace ptyle {

/// Step 1, in place.
template <class T>
void blur(View<T, 2> frame, double sigma);

/// Step 2, in place.
template <class T>
void expose(const Plan& plan, View<T, 2> frame);

/// Steps 1 to 5, where the file takes float32; in place. Without noise step 3 is left out.
template <class T>
void record(const Plan& plan, std::uint64_t seed, i64 position, View<T, 2> frame);

/// Steps 1 to 5 for integers: rounded where they are not, and at least 0. UserError where a pixel
/// reads more than the plan's type holds. `expected` is changed by steps 1 and 2.
template <class T>
void record(const Plan& plan, std::uint64_t seed, i64 position, View<T, 2> expected,
            View<std::uint32_t, 2> counts);

/// Poisson counts of expected values, drawn from (seed, position). UserError where a count is more
/// than the type holds.
template <class T>
void draw_counts(View<const T, 2> expected, std::uint64_t seed, i64 position, CountType type,
                 View<std::uint32_t, 2> counts);

}  // namespace ptyle
