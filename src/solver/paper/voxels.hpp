#pragma once

// The exchange of voxels instead of gradients (the paper's Sec. II-C, and what public codes do):
// each rank fits its own tile, with positions of its neighbours beside its own, and copies of
// voxels are made to agree afterwards: after every mini-batch or, as the paper describes it, once
// at the end of an iteration. Cheaper to think of, but with seams.

#include "solver/course.hpp"

namespace ptyle {

template <class T>
class VoxelExchange final : public Course<T> {
 public:
  using Course<T>::Course;
  [[nodiscard]] bool under_way() const override { return behind_; }
  /// At the end of an iteration, and where one stops.
  void finish() override {
    if (behind_) exchange();
  }

 private:
  void after_step() override {
    if (this->with_.options.exchange_at_end)
      behind_ = true;
    else
      exchange();
  }
  void exchange() {
    this->with_.halos.exchange_voxels(this->movers_.object.stacks());
    behind_ = false;
  }

  bool behind_ = false;  // copies have moved since the last exchange
};

}  // namespace ptyle
