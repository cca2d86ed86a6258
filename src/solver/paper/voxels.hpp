#pragma once

// The exchange of voxels instead of gradients (the paper's Sec. II-C, and what public codes do):
// each rank fits its own tile, with positions of its neighbours beside its own, and copies of
// voxels are made to agree afterwards. Cheaper to think of, but with seams.

#include "solver/course.hpp"

namespace ptyle {

template <class T>
class VoxelExchange final : public Course<T> {
 public:
  using Course<T>::Course;

 private:
  void after_step() override { this->with_.halos.exchange_voxels(this->movers_.object.stacks()); }
};

}  // namespace ptyle
