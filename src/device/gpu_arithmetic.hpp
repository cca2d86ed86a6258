#pragma once

// Arithmetic on a GPU, real (device/cuda) or emulated: each function is a launch or two of a kernel
// of device/kernels. Nothing waits but what tells the host a number.

#include <algorithm>
#include <cstring>

#include "device/arithmetic.hpp"
#include "device/kernels/boxes.hpp"
#include "device/kernels/run.hpp"
#include "device/kernels/sums.hpp"
#include "device/ops/blur.hpp"

namespace ptyle {

/// Memory of the host that a GPU reads and writes by itself.
template <class Gpu>
class PinnedMemory final : public Memory {
 public:
  explicit PinnedMemory(Gpu& gpu) : gpu_(gpu) {}
  void* allocate(std::size_t bytes) override {
    void* const at = gpu_.allocate_pinned(bytes);
    std::memset(at, 0, bytes);
    return at;
  }
  void release(void* at) noexcept override { gpu_.release_pinned(at); }
  void copy(void* to, const void* from, std::size_t bytes) override { gpu_.copy(to, from, bytes); }

 private:
  Gpu& gpu_;
};

template <class T, class Gpu>
class GpuArithmetic final : public Arithmetic<T> {
 public:
  /// The GPU must outlive it and its arrays; `ledger` books the GPU's memory.
  GpuArithmetic(Gpu& gpu, Ledger* ledger) : Arithmetic<T>(&gpu, ledger), gpu_(gpu), pinned_(gpu) {}

  [[nodiscard]] Memory* pinned() const override { return &pinned_; }

  void clear(View<T, 3> volume) override {
    if (!volume.empty()) gpu_.zero(volume.data, bytes_of(volume.size()));
  }
  void copy(View<const T, 3> from, View<T, 3> to) override {
    if (!from.empty()) gpu_.copy_later(to.data, from.data, bytes_of(from.size()));
  }
  void run(const Operation<T>& op) override {
    std::visit([&](const auto& one) { run_on(gpu_, one); }, op);
  }
  void largest(const Measure<T>& of, double share, double* to) override {
    double* const parts = room_for(1 + parts_of_largest) + 1;
    std::visit([&](const auto& one) { largest_on(gpu_, one, share, parts, to); }, of);
  }

  double sum(const Summed<T>& op, const Box& core) override {
    return std::visit(
        [&](const auto& one) {
          if (one.where.planes == 0 || one.where.region.empty()) return 0.0;
          double* const parts = room_for(parts_of_sum(one));
          sum_on(gpu_, one, core, parts);
          return reported(parts);
        },
        op);
  }
  double largest(const Measure<T>& of) override {
    double* const to = room_for(1 + parts_of_largest);
    largest(of, 1, to);
    return reported(to);
  }

  void blur_lateral(View<T, 3> volume, const std::vector<double>& weights, i64 every) override {
    if (volume.empty()) return;
    const auto [slices, ny, nx] = volume.shape;
    const i64 pixels = ny * nx, stride = every * pixels, planes = (slices + every - 1) / every;
    const i64 reach = static_cast<i64>(weights.size()) - 1;
    const T* const w = held_weights(weights);
    T* const scratch = blur_room(volume.shape);
    const i64 together = std::max<i64>(1, scratch_.size() / pixels);
    for (i64 p = 0; p < planes; p += together) {
      const i64 n = std::min(together, planes - p);
      T* const at = volume.data + p * stride;
      sum_rows(BlurAlongRows<T>{{at, stride, scratch, pixels}, w, reach, nx}, n, whole(ny, nx));
      sum_rows(BlurAlongColumns<T>{{scratch, pixels, at, stride}, w, reach, ny, nx}, n,
               whole(ny, nx));
    }
  }
  void blur_along_z(View<T, 3> volume, const std::vector<double>& weights) override {
    using Back = kernels::PutBack<T>;
    if (volume.empty()) return;
    const i64 pixels = volume.shape[1] * volume.shape[2], planes = volume.shape[0];
    const i64 reach = static_cast<i64>(weights.size()) - 1;
    const T* const w = held_weights(weights);
    T* const scratch = blur_room(volume.shape);
    const i64 together = scratch_.size() / planes;
    for (i64 first = 0; first < pixels; first += together) {
      const i64 n = std::min(together, pixels - first);
      sum_rows(BlurAlongZ<T>{{volume.data + first, pixels, scratch, n}, w, reach, planes, n},
               planes, whole(1, n));
      gpu_.launch(Back{scratch, volume.data, first, n, pixels},
                  {blocks_for(n, Back::threads), planes});
    }
  }

  void begin_exchange() override { gpu_.follow(Lane::exchanging, Lane::computing); }
  void end_exchange() override { gpu_.follow(Lane::computing, Lane::exchanging); }
  [[nodiscard]] bool exchanged(bool wait) const override {
    if (wait) gpu_.wait(Lane::exchanging);
    return wait || gpu_.idle(Lane::exchanging);
  }
  void copy_message(const T* from, T* to, i64 n) override {
    gpu_.copy_later(to, from, bytes_of(n), Lane::exchanging);
  }
  void pack(const Planes<T>& planes, Interval which, const Pieces& pieces, T* buffer) override {
    carry<false>(planes, which, pieces, buffer);
  }
  void put(const Planes<T>& planes, Interval which, const Pieces& pieces,
           const T* buffer) override {
    carry<true>(planes, which, pieces, const_cast<T*>(buffer));
  }
  void add(const Planes<T>& planes, Interval which, const Pieces& pieces, i64 before,
           const T* buffer) override {
    if (pieces.list.empty() || which.empty()) return;
    sum_rows(AddInOrder<T>(travel(planes, which, pieces), pieces.hull, before, buffer),
             which.size(), pieces.hull, Lane::exchanging);
  }

 private:
  static std::size_t bytes_of(i64 values) { return static_cast<std::size_t>(values) * sizeof(T); }
  static Box whole(i64 rows, i64 cols) { return {{0, rows}, {0, cols}}; }
  template <class Op>
  void sum_rows(const Op& op, i64 planes, const Box& box, Lane lane = Lane::computing) {
    using Kernel = kernels::SumRows<Op>;
    gpu_.launch(Kernel{op, box}, {blocks_for(box.area(), Kernel::threads), planes}, 0, lane);
  }
  double reported(const double* there) {
    double value = 0;
    this->read(there, &value, 1);
    return value;
  }
  double* room_for(i64 parts) {
    if (parts_.size() < parts) parts_ = this->template array<double, 1>({parts}, "sums");
    return parts_.data();
  }
  T* blur_room(const std::array<i64, 3>& shape) {
    const i64 values = blur_values(shape);
    if (scratch_.size() < values) {
      scratch_ = {};
      scratch_ = this->template array<T, 1>({values}, "blur");
    }
    return scratch_.data();
  }

  const T* held_weights(const std::vector<double>& weights) {
    return this->held(weights_, std::vector<T>(weights.begin(), weights.end()));
  }

  static Travel<T> travel(const Planes<T>& planes, Interval which, const Pieces& pieces) {
    return {planes.there.data() + which.begin, planes.cols, pieces.there.data(),
            pieces.there.size(), which.size()};
  }
  template <bool put>
  void carry(const Planes<T>& planes, Interval which, const Pieces& pieces, T* buffer) {
    using Kernel = kernels::Carry<T, put>;
    i64 largest = 0;
    for (const Piece& piece : pieces.list) largest = std::max(largest, piece.box.area());
    if (largest == 0 || which.empty()) return;
    gpu_.launch(Kernel{travel(planes, which, pieces), buffer},
                {blocks_for(largest, Kernel::threads), which.size(), pieces.there.size()}, 0,
                Lane::exchanging);
  }

  Gpu& gpu_;
  mutable PinnedMemory<Gpu> pinned_;
  Array<double, 1> parts_;
  Array<T, 1> scratch_;
  Table<T> weights_;
};

}  // namespace ptyle
