#pragma once

// A regulariser changes the object after each iteration, by what is known of it beside the data.

#include <span>
#include <string>

#include "device/arithmetic.hpp"

namespace ptyle {

template <class T>
class Regulariser {
 public:
  virtual ~Regulariser() = default;
  /// The key that asks for it, as its user knows it.
  [[nodiscard]] virtual std::string key() const = 0;
  /// How far from a voxel it looks laterally, px: halos must be as wide.
  [[nodiscard]] virtual i64 reach() const = 0;
  /// In place, on a tile's phase and, where it is fitted, absorption, halo and all: the halo's
  /// values are another tile's to say.
  virtual void apply(std::span<const View<T, 3>> volumes, Arithmetic<T>& arithmetic) const = 0;
};

}  // namespace ptyle
