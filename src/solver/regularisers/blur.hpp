#pragma once

#include "solver/regularisers/regulariser.hpp"

namespace ptyle {

/// A lateral Gaussian blur of every slice.
template <class T>
class Blur final : public Regulariser<T> {
 public:
  explicit Blur(double sigma) : sigma_(sigma) {}  ///< px
  [[nodiscard]] std::string key() const override { return "object.blur"; }
  [[nodiscard]] i64 reach() const override;
  void apply(View<T, 3> volume, Arithmetic<T>& arithmetic) const override;

 private:
  double sigma_;
};

/// The same along z, from slice to slice.
template <class T>
class BlurAlongZ final : public Regulariser<T> {
 public:
  explicit BlurAlongZ(double sigma) : sigma_(sigma) {}  ///< slices
  [[nodiscard]] std::string key() const override { return "object.blur_z"; }
  [[nodiscard]] i64 reach() const override { return 0; }
  void apply(View<T, 3> volume, Arithmetic<T>& arithmetic) const override;

 private:
  double sigma_;
};

}  // namespace ptyle
