#pragma once

// Arithmetic on a GPU, real (device/cuda) or emulated: each function is a launch or two of a kernel
// of device/kernels. Nothing waits but what tells the host a number.

#include <cmath>
#include <cstring>
#include <limits>

#include "device/arithmetic.hpp"
#include "device/kernels/blur.hpp"
#include "device/kernels/boxes.hpp"
#include "device/kernels/sums.hpp"
#include "device/kernels/voxels.hpp"

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
  void add_to(View<const T, 3> from, View<T, 3> to) override {
    each_value(kernels::AddTo<T>{from.data, to.data}, from.size());
  }
  void tie(View<T, 3> volume, i64 block) override {
    if (block > 1) each_pixel(kernels::Tie<T>{volume.data, pixels_of(volume)}, volume.shape, block);
  }
  void untie(View<T, 3> volume, i64 block) override {
    if (block > 1)
      each_pixel(kernels::Untie<T>{volume.data, pixels_of(volume)}, volume.shape, block);
  }
  void weigh(View<T, 3> volume, const std::vector<double>& rows,
             const std::vector<double>& cols) override {
    each_pixel(kernels::Weigh<T>{volume.data, kept(rows_, rows), kept(cols_, cols),
                                 pixels_of(volume), volume.shape[2]},
               volume.shape);
  }

  double precondition(View<T, 3> gradient, View<const T, 2> lit, const Box& region, const Box& core,
                      i64 block, double window2, const double* floor, bool with_slope) override {
    using Kernel = kernels::Precondition<T>;
    if (region.empty()) return 0;
    const i64 slices = gradient.shape[0], blocks = blocks_for(region.area(), Kernel::threads);
    const i64 layers = (slices + block * Kernel::together - 1) / (block * Kernel::together);
    double* const parts = with_slope ? room_for(blocks * layers + 1) : nullptr;
    gpu_.launch(Kernel{gradient.data, lit.data, region, core, slices, gradient.shape[2],
                       pixels_of(gradient), block, window2, floor, blocks, parts},
                {blocks, layers}, with_slope ? Kernel::threads * sizeof(double) : 0);
    if (!with_slope) return 0;
    double* const total = parts + blocks * layers;
    gpu_.launch(kernels::Total{parts, blocks * layers, total}, {},
                kernels::Total::threads * sizeof(double));
    return told(total);
  }
  void descend(View<T, 3> object, View<const T, 3> gradient, View<const T, 2> lit, double window2,
               const double* floor, double step, double low, double high) override {
    each_pixel(kernels::Descend<T>{object.data, gradient.data, lit.data, window2, floor,
                                   static_cast<T>(step), static_cast<T>(low), static_cast<T>(high),
                                   pixels_of(object)},
               object.shape);
  }
  void move_along(View<const T, 3> from, View<const T, 3> d, double step, double low, double high,
                  View<T, 3> to) override {
    each_value(kernels::MoveAlong<T>{from.data, d.data, to.data, static_cast<T>(step),
                                     static_cast<T>(low), static_cast<T>(high)},
               from.size());
  }
  void move_preconditioned(View<const T, 3> from, View<const T, 3> g, View<const T, 2> lit,
                           double window2, const double* floor, double step, double low,
                           double high, View<T, 3> to) override {
    each_pixel(
        kernels::MovePreconditioned<T>{from.data, g.data, lit.data, to.data, window2, floor, step,
                                       static_cast<T>(low), static_cast<T>(high), pixels_of(from)},
        from.shape);
  }
  void draw_back(View<const T, 3> from, double share, View<T, 3> to) override {
    each_value(kernels::DrawBack<T>{from.data, to.data, static_cast<T>(share)}, from.size());
  }

  void blur_lateral(View<T, 3> volume, const std::vector<double>& weights, i64 every) override {
    using Rows = kernels::BlurAlongRows<T>;
    using Columns = kernels::BlurAlongColumns<T>;
    const i64 pixels = pixels_of(volume), stride = every * pixels, nx = volume.shape[2];
    const i64 planes = (volume.shape[0] + every - 1) / every;
    const i64 reach = static_cast<i64>(weights.size()) - 1;
    if (volume.empty()) return;
    const T* const w = held_weights(weights);
    T* const scratch = blur_room(volume.shape);
    const i64 together = std::max<i64>(1, scratch_.size() / pixels);
    for (i64 p = 0; p < planes; p += together) {
      const Grid grid{blocks_for(pixels, Rows::threads), std::min(together, planes - p)};
      T* const at = volume.data + p * stride;
      gpu_.launch(Rows{at, scratch, w, reach, nx, pixels, stride}, grid);
      gpu_.launch(Columns{scratch, at, w, reach, nx, pixels, stride}, grid);
    }
  }
  void blur_along_z(View<T, 3> volume, const std::vector<double>& weights) override {
    using Along = kernels::BlurAlongZ<T>;
    using Back = kernels::PutBack<T>;
    const i64 pixels = pixels_of(volume), planes = volume.shape[0];
    const i64 reach = static_cast<i64>(weights.size()) - 1;
    if (volume.empty()) return;
    const T* const w = held_weights(weights);
    T* const scratch = blur_room(volume.shape);
    const i64 together = scratch_.size() / planes;
    for (i64 first = 0; first < pixels; first += together) {
      const i64 n = std::min(together, pixels - first);
      const Grid grid{blocks_for(n, Along::threads), planes};
      gpu_.launch(Along{volume.data, scratch, w, reach, first, n, pixels, planes}, grid);
      gpu_.launch(Back{scratch, volume.data, first, n, pixels}, grid);
    }
  }

  void largest(View<const T, 2> plane, const Box& box, double share, double* to) override {
    largest_of(kernels::InBox<T>{plane.data, plane.shape[1], box.rows.begin, box.cols.begin,
                                 box.cols.size()},
               box.area(), share, to);
  }
  double apart(View<const T, 2> a, View<const T, 2> b) override {
    double* const to = room_for(1 + parts_of_largest);
    largest_of(kernels::Apart<T>{a.data, b.data, std::numeric_limits<double>::infinity()}, a.size(),
               1, to);
    return told(to);
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
    using Kernel = kernels::AddInOrder<T>;
    if (pieces.list.empty() || which.empty()) return;
    gpu_.launch(Kernel{travel(planes, which, pieces), pieces.hull, before, buffer},
                {blocks_for(pieces.hull.area(), Kernel::threads), which.size()}, 0,
                Lane::exchanging);
  }

 private:
  static constexpr i64 parts_of_largest = 512;
  static std::size_t bytes_of(i64 values) { return static_cast<std::size_t>(values) * sizeof(T); }
  template <class U>
  static i64 pixels_of(const View<U, 3>& volume) {
    return volume.shape[1] * volume.shape[2];
  }
  template <class Op>
  void each_value(const Op& op, i64 n) {
    const kernels::EachValue<Op> kernel{op, n};
    if (n > 0) gpu_.launch(kernel, kernel.grid());
  }
  template <class Op>
  void each_pixel(const Op& op, const std::array<i64, 3>& shape, i64 part = 16) {
    const kernels::EachPixel<Op> kernel{op, shape[1] * shape[2], shape[0], part};
    if (shape[0] > 0 && kernel.pixels > 0) gpu_.launch(kernel, kernel.grid());
  }
  template <class Of>
  void largest_of(const Of& of, i64 n, double share, double* to) {
    using Kernel = kernels::Largest<Of>;
    using Last = kernels::Largest<kernels::Listed>;
    if (n <= 0) return gpu_.zero(to, sizeof *to);
    const i64 blocks = std::min(parts_of_largest, blocks_for(n, Kernel::threads));
    double* const parts = room_for(1 + parts_of_largest) + 1;
    gpu_.launch(Kernel{of, n, blocks, 1, parts}, {blocks}, Kernel::threads * sizeof(double));
    gpu_.launch(Last{{parts}, blocks, 1, share, to}, {}, Last::threads * sizeof(double));
  }
  double told(const double* there) {
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

  /// A list that seldom changes, kept on the GPU.
  template <class U>
  struct Held {
    std::vector<U> here;
    Array<U, 1> there;
  };
  template <class U>
  const U* kept(Held<U>& held, const std::vector<U>& values) {
    if (held.here == values) return held.there.data();
    held.here = values;
    held.there = this->template array<U, 1>({static_cast<i64>(values.size())}, "sums");
    this->write(values.data(), held.there.data(), held.there.size());
    return held.there.data();
  }
  const T* held_weights(const std::vector<double>& weights) {
    return kept(weights_, std::vector<T>(weights.begin(), weights.end()));
  }

  static kernels::Travel<T> travel(const Planes<T>& planes, Interval which, const Pieces& pieces) {
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
  Held<T> weights_;
  Held<double> rows_, cols_;
};

}  // namespace ptyle
