#include "device/arithmetic.hpp"

#include <memory>

#include "device/cpu/run.hpp"
#include "device/ops/blur.hpp"

namespace ptyle {
namespace {

/// Calls row(values on the plane, values in the buffer, n) for each row of a piece.
template <class A, class B, class Row>
void for_rows(const Box& box, A* plane, i64 cols, B* buffer, Row&& row) {
  const i64 n = box.cols.size();
  for (i64 y = box.rows.begin; y < box.rows.end; ++y, buffer += n)
    row(plane + y * cols + box.cols.begin, buffer, n);
}

template <class T>
class CpuArithmetic final : public Arithmetic<T> {
 public:
  CpuArithmetic(int threads, Ledger* ledger) : Arithmetic<T>(nullptr, ledger), host_{threads} {}

  void run(const Operation<T>& op) override {
    std::visit([&](const auto& one) { run_on(host_, one); }, op);
  }
  void clear(View<T, 3> volume) override {
    std::fill_n(volume.data, volume.data ? volume.size() : 0, T(0));
  }
  void copy(View<const T, 3> from, View<T, 3> to) override {
    const i64 n = from.size(), parts = host_.threads;
    parallel_for(parts, host_.threads, [&](i64 part, int) {
      std::copy(from.data + n * part / parts, from.data + n * (part + 1) / parts,
                to.data + n * part / parts);
    });
  }
  void largest(const Measure<T>& of, double share, double* to) override {
    *to = share * largest(of);
  }

  double sum(const Summed<T>& op, const Box& core) override {
    return std::visit([&](const auto& one) { return sum_on(host_, one, core); }, op);
  }
  double largest(const Measure<T>& of) override {
    return std::visit([&](const auto& one) { return largest_on(host_, one); }, of);
  }

  /// A plane at a time, there and back.
  void blur_lateral(View<T, 3> volume, const std::vector<double>& weights, i64 every) override {
    const auto [slices, ny, nx] = volume.shape;
    const T* const w = held_weights(weights);
    const i64 reach = static_cast<i64>(weights.size()) - 1, pixels = ny * nx;
    parallel_for((slices + every - 1) / every, host_.threads, [&, ny = ny, nx = nx](i64 b, int) {
      const auto scratch = room_for(pixels);
      T* const plane = volume.data + b * every * pixels;
      const BlurAlongRows<T> along_rows{{plane, 0, scratch.get(), 0}, w, reach, nx};
      const BlurAlongColumns<T> along_columns{{scratch.get(), 0, plane, 0}, w, reach, ny, nx};
      for (i64 y = 0; y < ny; ++y) sum_row(along_rows, 0, y, {0, nx}, along_rows.to(0, y));
      for (i64 y = 0; y < ny; ++y) sum_row(along_columns, 0, y, {0, nx}, along_columns.to(0, y));
    });
  }
  /// A row of all planes at a time, there and back.
  void blur_along_z(View<T, 3> volume, const std::vector<double>& weights) override {
    const auto [nz, ny, nx] = volume.shape;
    const T* const w = held_weights(weights);
    const i64 reach = static_cast<i64>(weights.size()) - 1, pixels = ny * nx;
    parallel_for(ny, host_.threads, [&, nz = nz, nx = nx](i64 y, int) {
      const auto scratch = room_for(nz * nx);
      T* const row = volume.data + y * nx;
      const BlurAlongZ<T> along_z{{row, pixels, scratch.get(), nx}, w, reach, nz, nx};
      for (i64 z = 0; z < nz; ++z) sum_row(along_z, z, 0, {0, nx}, along_z.to(z, 0));
      for (i64 z = 0; z < nz; ++z) std::copy_n(scratch.get() + z * nx, nx, row + z * pixels);
    });
  }

  void pack(const Planes<T>& planes, Interval which, const Pieces& pieces, T* buffer) override {
    parallel_for(which.size(), host_.threads, [&](i64 i, int) {
      const T* const from = planes.list[static_cast<std::size_t>(which.begin + i)];
      for (const Piece& piece : pieces.list)
        for_rows(piece.box, from, planes.cols, buffer + piece.of_plane(i, which.size()),
                 [](const T* row, T* to, i64 n) { std::copy_n(row, n, to); });
    });
  }
  void put(const Planes<T>& planes, Interval which, const Pieces& pieces,
           const T* buffer) override {
    parallel_for(which.size(), host_.threads, [&](i64 i, int) {
      T* const to = planes.list[static_cast<std::size_t>(which.begin + i)];
      for (const Piece& piece : pieces.list)
        for_rows(piece.box, to, planes.cols, buffer + piece.of_plane(i, which.size()),
                 [](T* row, const T* from, i64 n) { std::copy_n(from, n, row); });
    });
  }
  /// Parts that come before a row's own values are summed first, so that the rest can be added.
  void add(const Planes<T>& planes, Interval which, const Pieces& pieces, i64 before,
           const T* buffer) override {
    const Box& hull = pieces.hull;
    const Travel<T> travel{planes.list.data() + which.begin, planes.cols, pieces.list.data(),
                           static_cast<i64>(pieces.list.size()), which.size()};
    const AddInOrder<T> op(travel, hull, before, buffer);
    parallel_for(which.size(), host_.threads, [&](i64 plane, int) {
      const i64 n = hull.cols.size();
      const auto first = room_for(n);
      for (i64 y = hull.rows.begin; y < hull.rows.end; ++y) {
        const auto add_term = [&](i64 k, T* to) {
          const Term<T> term = op.term(plane, y, k);
          add_terms(std::span(&term, 1), hull.cols, to);
        };
        T* const own = op.to(plane, y) + hull.cols.begin;
        std::fill_n(first.get(), n, T(0));
        for (i64 k = 0; k < op.own; ++k) add_term(k, first.get());
        for (i64 x = 0; x < n; ++x) own[x] += first[x];
        for (i64 k = op.own + 1; k < op.terms(); ++k) add_term(k, own);
      }
    });
  }

 private:
  const T* held_weights(const std::vector<double>& weights) {
    return this->held(weights_, std::vector<T>(weights.begin(), weights.end()));
  }
  /// For values that are written before they are read.
  static std::unique_ptr<T[]> room_for(i64 values) {
    return std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(values));
  }

  Host host_;
  Table<T> weights_;
};

}  // namespace

template <class T>
std::unique_ptr<Arithmetic<T>> make_cpu_arithmetic(int threads, Ledger* ledger) {
  return std::make_unique<CpuArithmetic<T>>(threads, ledger);
}
template std::unique_ptr<Arithmetic<float>> make_cpu_arithmetic(int, Ledger*);
template std::unique_ptr<Arithmetic<double>> make_cpu_arithmetic(int, Ledger*);

}  // namespace ptyle
