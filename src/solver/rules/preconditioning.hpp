#pragma once

// The matrix by which a gradient becomes a direction: an estimate of the inverse of the cost's
// second derivatives.

#include "solver/rules/rule.hpp"

namespace ptyle {

template <class T>
class Preconditioning {
 public:
  virtual ~Preconditioning() = default;
  /// Its fields and numbers.
  virtual void declare(State<T>& /*state*/) {}
  /// Once in every mini-batch, when its sums are there, before the first `apply`.
  virtual void prepare(const Trial<T>& trial) = 0;
  /// In place d = M(g), M symmetric and not negative: of volumes on the tiles' boxes, of which
  /// cores have g and get d, first planes of the stage's blocks alone. What is in halos counts for
  /// nothing, before and afterwards; an M that looks at neighbours fills them.
  virtual void apply(const Trial<T>& trial, const Volumes<T>& volumes) = 0;
  /// How far from a voxel it looks, px.
  [[nodiscard]] virtual i64 reach() const { return 0; }
  /// Bytes accounted as "transfer" beside its fields, on a rank with this core.
  [[nodiscard]] virtual double other_bytes(const OperatorSetup& /*setup*/, const Box& /*core*/,
                                           int /*threads*/) const {
    return 0;
  }
};

}  // namespace ptyle
