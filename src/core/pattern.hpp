#pragma once

#include <functional>
#include <utility>

#include "core/array.hpp"
#include "core/pixel_choice.hpp"

namespace ptyle {

enum class PatternType { uint8, uint16, uint32, float32 };

constexpr std::size_t bytes_of(PatternType type) {
  return type == PatternType::uint8 ? 1 : type == PatternType::uint16 ? 2 : 4;
}

/// A measured pattern as it is held: W·W numbers, DC at [0,0]. Its intensity is what is left of
/// them less `background`, or 0; of pixels that `choice` has not, −1.
struct RawPattern {
  const void* data = nullptr;
  PatternType type = PatternType::float32;
  double background = 0;
  i64 number = -1;  ///< its own among all patterns, by which it may be kept on a device
  PixelChoice choice = {};
};

/// The source of the patterns of a batch of positions; both are called from several threads at
/// once. An intensity below 0 says that the pixel is not measured in this pattern: it adds nothing
/// to cost, R-factor and gradient.
template <class T>
struct Measured {
  /// Writes the k-th position's intensity (W·W values, DC at [0,0]) to `to`.
  std::function<void(i64 k, T* to)> load;
  /// The same as it is held, for a device to keep; it stays where it is until Operator::forget. May
  /// be empty.
  std::function<RawPattern(i64 k)> raw;

  Measured(std::function<void(i64, T*)> load_, std::function<RawPattern(i64)> raw_ = {})
      : load(std::move(load_)), raw(std::move(raw_)) {}
  template <class Load>
  requires std::is_invocable_v<Load, i64, T*> Measured(Load load_) : load(std::move(load_)) {}
};

}  // namespace ptyle
