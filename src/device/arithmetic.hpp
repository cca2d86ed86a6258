#pragma once

// Operations of a fit on its arrays, voxel by voxel, where they live: in the host's memory
// (cpu/arithmetic) or on a GPU (gpu_arithmetic). Volumes are (plane, row, col); boxes count from an
// array's own first pixel. Sums and maxima are formed in double and in a fixed order, so that they
// are the same from run to run. A pointwise operation is one struct of device/ops, which both run:
// arithmetic.run(AddTo<T>(from, to)).

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/array.hpp"
#include "core/box.hpp"
#include "core/ledger.hpp"
#include "core/memory.hpp"
#include "device/ops/list.hpp"
#include "device/ops/travel.hpp"

namespace ptyle {

/// Pieces, also where the arrays live.
struct Pieces {
  std::vector<Piece> list;
  Box hull;        ///< holds all of them
  i64 pixels = 0;  ///< of all together, a plane
  Array<Piece, 1> there;
};

/// Planes of `cols` values a row that are exchanged together, wherever each lies; also where the
/// arrays live.
template <class T>
struct Planes {
  std::vector<T*> list;
  i64 cols = 0;
  Array<T*, 1> there;
};

/// Numbers that seldom change, also where the arrays live.
template <class U>
struct Table {
  std::vector<U> list;
  Array<U, 1> there;
};

/// An array for the host to read: itself, or a copy.
template <class T, int N>
struct OnHost {
  Array<T, N> copy;
  View<const T, N> view;
};

template <class T>
class Arithmetic {
 public:
  /// `memory`: where its arrays live, if not in the host's; `ledger` books them.
  Arithmetic(Memory* memory, Ledger* ledger) : memory_(memory), ledger_(ledger) {}
  Arithmetic(const Arithmetic&) = delete;
  Arithmetic& operator=(const Arithmetic&) = delete;
  virtual ~Arithmetic() = default;

  // Arrays, and the way to the host and back

  [[nodiscard]] Memory* memory() const { return memory_; }
  /// Memory of the host that copies go to and from at the full rate.
  [[nodiscard]] virtual Memory* pinned() const { return nullptr; }
  template <class U, int N>
  [[nodiscard]] Array<U, N> array(std::array<i64, N> shape, std::string_view name) const {
    return Array<U, N>(shape, ledger_, name, memory_);
  }
  /// To and from the host; done when it returns.
  template <class U>
  void read(const U* there, U* here, i64 n) const {
    move(here, there, n);
  }
  template <class U>
  void write(const U* here, U* there, i64 n) const {
    move(there, here, n);
  }
  /// An array of the host, brought here.
  template <class U, int N>
  [[nodiscard]] Array<U, N> brought(Array<U, N> from, std::string_view name) const {
    if (!memory_ || from.empty()) return from;
    auto to = array<U, N>(from.shape(), name);
    write(from.data(), to.data(), from.size());
    return to;
  }
  template <class U, int N>
  [[nodiscard]] OnHost<U, N> on_host(View<const U, N> from) const {
    if (!memory_ || from.empty()) return {{}, from};
    OnHost<U, N> here{Array<U, N>(from.shape), {}};
    read(from.data, here.copy.data(), from.size());
    here.view = here.copy.view();
    return here;
  }

  // Operations; a GPU does them in order, and nobody waits for it

  virtual void run(const Operation<T>& op) = 0;
  virtual void clear(View<T, 3> volume) = 0;
  virtual void copy(View<const T, 3> from, View<T, 3> to) = 0;
  /// Multiplied by rows[y]·cols[x].
  void weigh(View<T, 3> volume, const std::vector<double>& rows, const std::vector<double>& cols) {
    run(Weigh<T>(volume, held(rows_, rows), held(cols_, cols)));
  }
  /// *to = `share` times the largest that a measure finds, or 0; `to` lies where the arrays do.
  virtual void largest(const Measure<T>& of, double share, double* to) = 0;

  // Results reported to the host, which waits for them

  /// Runs it, too: the sum over pixels of `core` and all planes, each as the first of its block.
  virtual double sum(const Summed<T>& op, const Box& core) = 0;
  virtual double largest(const Measure<T>& of) = 0;

  // Blurs by weights of distances 0, 1, … to both sides, in place

  /// Blurs planes 0, every, 2·every, …, along rows and columns; reads zero outside.
  virtual void blur_lateral(View<T, 3> volume, const std::vector<double>& weights, i64 every) = 0;
  /// Along z; the end planes are repeated outside.
  virtual void blur_along_z(View<T, 3> volume, const std::vector<double>& weights) = 0;

  // Exchanges: of planes `which`, in this order one after the other in a buffer. On a device they
  // go on by themselves, in order, beside all the rest.

  /// Work that exchanges ask for from now on comes after all that the rest has asked for, …
  virtual void begin_exchange() {}
  /// … or the other way round.
  virtual void end_exchange() {}
  /// Is all done that exchanges have asked for? `wait`: until it is.
  [[nodiscard]] virtual bool exchanged(bool /*wait*/) const { return true; }
  /// Between a buffer and pinned memory of the host, in order with the following.
  virtual void copy_message(const T* from, T* to, i64 n) { std::copy_n(from, n, to); }

  [[nodiscard]] Pieces pieces(std::vector<Piece> list) const;
  /// Tells the table of these planes.
  void hold(Planes<T>& planes, std::vector<T*> list, i64 cols) const;
  virtual void pack(const Planes<T>& planes, Interval which, const Pieces& pieces, T* buffer) = 0;
  /// Values that arrived take the place of those that were there; pieces do not overlap.
  virtual void put(const Planes<T>& planes, Interval which, const Pieces& pieces,
                   const T* buffer) = 0;
  /// Each value of the hull becomes  (((0 + a_0) + a_1) + …) + own + a_before + …:  the pieces in
  /// their order, its own after the first `before` of them.
  virtual void add(const Planes<T>& planes, Interval which, const Pieces& pieces, i64 before,
                   const T* buffer) = 0;

 protected:
  /// Tells the table these numbers; where they lie.
  template <class U>
  const U* held(Table<U>& table, std::vector<U> list) const {
    const bool same = table.list == list;
    if (!same) table.list = std::move(list);
    if (!memory_) return table.list.data();
    if (same) return table.there.data();
    table.there = array<U, 1>({static_cast<i64>(table.list.size())}, "sums");
    write(table.list.data(), table.there.data(), table.there.size());
    return table.there.data();
  }

 private:
  template <class U>
  void move(U* to, const U* from, i64 n) const {
    if (memory_)
      memory_->copy(to, from, static_cast<std::size_t>(n) * sizeof(U));
    else
      std::copy_n(from, n, to);
  }
  Memory* memory_;
  Ledger* ledger_;
  Table<double> rows_, cols_;
};

template <class T>
Pieces Arithmetic<T>::pieces(std::vector<Piece> list) const {
  Pieces pieces;
  pieces.list = std::move(list);
  for (const Piece& piece : pieces.list) {
    pieces.hull = hull(pieces.hull, piece.box);
    pieces.pixels += piece.box.area();
  }
  if (!memory_ || pieces.list.empty()) return pieces;
  pieces.there = array<Piece, 1>({static_cast<i64>(pieces.list.size())}, "exchange buffers");
  write(pieces.list.data(), pieces.there.data(), pieces.there.size());
  return pieces;
}

template <class T>
void Arithmetic<T>::hold(Planes<T>& planes, std::vector<T*> list, i64 cols) const {
  planes.cols = cols;
  if (planes.list == list) return;
  planes.list = std::move(list);
  if (!memory_) return;
  const i64 n = static_cast<i64>(planes.list.size());
  if (planes.there.size() < n) planes.there = array<T*, 1>({n}, "exchange buffers");
  write(planes.list.data(), planes.there.data(), n);
}

/// A plane as a volume of one.
template <class T>
View<T, 3> as_volume(View<T, 2> plane) {
  return {plane.data, {1, plane.shape[0], plane.shape[1]}};
}
/// Real and imaginary parts as they lie in memory.
template <class T>
View<T, 3> parts_of(View<Complex<T>, 3> values) {
  return {reinterpret_cast<T*>(values.data),
          {values.shape[0], values.shape[1], 2 * values.shape[2]}};
}
template <class T>
View<const T, 3> parts_of(View<const Complex<T>, 3> values) {
  return {reinterpret_cast<const T*>(values.data),
          {values.shape[0], values.shape[1], 2 * values.shape[2]}};
}

/// Values of the scratch that blurs of a volume need on a GPU.
inline i64 blur_values(const std::array<i64, 3>& shape) {
  constexpr i64 enough = i64{1} << 24;
  const i64 plane = shape[1] * shape[2];
  return std::max({plane, shape[0], std::min(shape[0] * plane, enough)});
}

/// In the host's memory, on so many threads; bit by bit the same for any number of them.
template <class T>
std::unique_ptr<Arithmetic<T>> make_cpu_arithmetic(int threads, Ledger* ledger = nullptr);

}  // namespace ptyle
