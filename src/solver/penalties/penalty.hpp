#pragma once

// A penalty is a term of the cost that depends on the object alone: what is known of it beside the
// data. Its terms belong to voxels. A tile has those of its core, so that gradients and costs are
// summed over the ranks as those of positions are, and a mini-batch has its share of all.

#include <memory>
#include <string>
#include <vector>

#include "device/arithmetic.hpp"
#include "solver/variables/object.hpp"

namespace ptyle {

template <class T>
class Penalty {
 public:
  virtual ~Penalty() = default;
  /// The key that asks for it, as its user knows it.
  [[nodiscard]] virtual std::string key() const = 0;
  /// How far from a voxel its terms reach laterally, px: halos must be as wide.
  [[nodiscard]] virtual i64 reach() const = 0;
  /// gradient += share · ∂P/∂V, of the terms of the part. Phase and absorption alike.
  virtual void add_gradient(View<const T, 3> volume, const PenaltyPart& part, double share,
                            View<T, 3> gradient, Arithmetic<T>& arithmetic) const = 0;
  /// Half the second derivative by one voxel, about: steps are made shorter by it.
  [[nodiscard]] virtual double steepness() const = 0;
  /// P, of the terms of the part.
  [[nodiscard]] virtual double cost(View<const T, 3> volume, const PenaltyPart& part,
                                    Arithmetic<T>& arithmetic) const = 0;
  /// ½ d²P/dα² of V + α·direction at α = 0, of the terms of the part.
  [[nodiscard]] virtual double curvature(View<const T, 3> volume, View<const T, 3> direction,
                                         const PenaltyPart& part,
                                         Arithmetic<T>& arithmetic) const = 0;
  /// product += share · ∂²P/∂V² · direction, of the terms of the part.
  virtual void add_product(View<const T, 3> volume, View<const T, 3> direction,
                           const PenaltyPart& part, double share, View<T, 3> product,
                           Arithmetic<T>& arithmetic) const = 0;
};

template <class T>
using Penalties = std::vector<std::unique_ptr<Penalty<T>>>;

/// A mini-batch's share of the penalties' gradients, added to the object's on this tile.
template <class T>
void add_gradients(const Penalties<T>& penalties, Workspace<T>& with,
                   const ObjectVariable<T>& object, std::size_t tile, double share);
/// Their cost with these volumes in place of the object, of this process's tiles.
template <class T>
double cost_of(const Penalties<T>& penalties, Workspace<T>& with, const Volumes<T>& volumes);
/// Half their second derivative along a direction, of this process's tiles.
template <class T>
double curvature_of(const Penalties<T>& penalties, Workspace<T>& with, const Volumes<T>& volumes,
                    const Volumes<T>& direction);
/// A mini-batch's share of their second derivatives times a direction, added to a product on this
/// tile.
template <class T>
void add_products(const Penalties<T>& penalties, Workspace<T>& with, const Volumes<T>& volumes,
                  const Volumes<T>& direction, std::size_t tile, double share,
                  const Volumes<T>& product);

}  // namespace ptyle
