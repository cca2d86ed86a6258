#include "device/arithmetic.hpp"

#include <cmath>
#include <numeric>

#include "core/parallel.hpp"

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
  CpuArithmetic(int threads, Ledger* ledger) : Arithmetic<T>(nullptr, ledger), threads_(threads) {}

  void clear(View<T, 3> volume) override {
    std::fill_n(volume.data, volume.data ? volume.size() : 0, T(0));
  }
  void copy(View<const T, 3> from, View<T, 3> to) override {
    in_parts(from.size(),
             [&](i64 i, i64 end) { std::copy(from.data + i, from.data + end, to.data + i); });
  }
  void add_to(View<const T, 3> from, View<T, 3> to) override {
    in_parts(from.size(), [&](i64 i, i64 end) {
      for (; i < end; ++i) to.data[i] += from.data[i];
    });
  }

  void tie(View<T, 3> volume, i64 block) override {
    if (block <= 1) return;
    const auto [slices, ny, nx] = volume.shape;
    parallel_for(ny, threads_, [&, slices = slices, nx = nx](i64 y, int) {
      for (i64 first = 0; first < slices; first += block) {
        const i64 end = std::min(slices, first + block);
        T* const mean = &volume(first, y, 0);
        for (i64 s = first + 1; s < end; ++s)
          for (i64 x = 0; x < nx; ++x) mean[x] += volume(s, y, x);
        for (i64 x = 0; x < nx; ++x) mean[x] /= static_cast<T>(end - first);
      }
    });
  }
  void untie(View<T, 3> volume, i64 block) override {
    if (block <= 1) return;
    const i64 slices = volume.shape[0];
    parallel_for(slices, threads_, [&](i64 s, int) {
      if (s % block == 0) return;
      const View<T, 2> from = volume[s / block * block];
      std::copy(from.begin(), from.end(), volume[s].begin());
    });
  }
  void weigh(View<T, 3> volume, const std::vector<double>& rows,
             const std::vector<double>& cols) override {
    parallel_for(volume.shape[0] * volume.shape[1], threads_, [&](i64 row, int) {
      T* const values = volume.data + row * volume.shape[2];
      const double share = rows[static_cast<std::size_t>(row % volume.shape[1])];
      for (i64 x = 0; x < volume.shape[2]; ++x)
        values[x] *= static_cast<T>(share * cols[static_cast<std::size_t>(x)]);
    });
  }

  double precondition(View<T, 3> gradient, View<const T, 2> lit, const Box& region, const Box& core,
                      i64 block, double window2, const double* floor, bool with_slope) override {
    const i64 slices = gradient.shape[0], left = region.cols.begin, n = region.cols.size();
    const Interval inner = intersection(core.cols, region.cols);
    // A row's sum each: the same for any number of threads.
    std::vector<double> slopes(static_cast<std::size_t>(region.rows.size()));
    parallel_for(region.rows.size(), threads_, [&](i64 row, int) {
      const i64 y = region.rows.begin + row;
      const bool counts = with_slope && core.rows.contains(y);
      std::vector<T> scale(static_cast<std::size_t>(n));
      for (i64 x = 0; x < n; ++x) scale[x] = scale_at(lit, y, left + x, window2, *floor);
      for (i64 first = 0; first < slices; first += block) {
        T* const d = &gradient(first, y, left);
        double slope = 0;
        for (i64 x = 0; x < n; ++x) {
          const T g = d[x];
          d[x] = scale[x] * g;
          if (counts && inner.contains(left + x)) slope += double(g) * double(d[x]);
        }
        slopes[row] += slope * double(std::min(slices, first + block) - first);
      }
    });
    return std::accumulate(slopes.begin(), slopes.end(), 0.0);
  }
  void descend(View<T, 3> object, View<const T, 3> gradient, View<const T, 2> lit, double window2,
               const double* floor, double step, double low, double high) override {
    const auto [slices, ny, nx] = object.shape;
    const T s = static_cast<T>(step), least = static_cast<T>(low), most = static_cast<T>(high);
    parallel_for(ny, threads_, [&, slices = slices, nx = nx](i64 y, int) {
      std::vector<T> scale(static_cast<std::size_t>(nx));
      for (i64 x = 0; x < nx; ++x) scale[x] = scale_at(lit, y, x, window2, *floor);
      for (i64 z = 0; z < slices; ++z) {
        T* const v = &object(z, y, i64{0});
        const T* const g = &gradient(z, y, i64{0});
        for (i64 x = 0; x < nx; ++x) v[x] = std::clamp(v[x] - s * (scale[x] * g[x]), least, most);
      }
    });
  }
  void move_along(View<const T, 3> from, View<const T, 3> d, double step, double low, double high,
                  View<T, 3> to) override {
    const T s = static_cast<T>(step), least = static_cast<T>(low), most = static_cast<T>(high);
    in_parts(from.size(), [&](i64 i, i64 end) {
      for (; i < end; ++i) to.data[i] = std::clamp(from.data[i] - s * d.data[i], least, most);
    });
  }
  void move_preconditioned(View<const T, 3> from, View<const T, 3> g, View<const T, 2> lit,
                           double window2, const double* floor, double step, double low,
                           double high, View<T, 3> to) override {
    const auto [slices, ny, nx] = from.shape;
    const T least = static_cast<T>(low), most = static_cast<T>(high);
    parallel_for(slices * ny, threads_, [&, ny = ny, nx = nx](i64 row, int) {
      const i64 y = row % ny;
      for (i64 x = 0; x < nx; ++x) {
        const i64 i = row * nx + x;
        const double divisor = window2 * (lit.empty() ? 1 : double(lit(y, x)) + *floor);
        to.data[i] = std::clamp(
            from.data[i] - static_cast<T>(step / (divisor + 1e-300)) * g.data[i], least, most);
      }
    });
  }
  void draw_back(View<const T, 3> from, double share, View<T, 3> to) override {
    const T s = static_cast<T>(share);
    in_parts(from.size(), [&](i64 i, i64 end) {
      for (; i < end; ++i) to.data[i] = from.data[i] + s * (to.data[i] - from.data[i]);
    });
  }

  void blur_lateral(View<T, 3> volume, const std::vector<double>& weights, i64 every) override {
    parallel_for((volume.shape[0] + every - 1) / every, threads_,
                 [&](i64 b, int) { blur_plane(volume[b * every], weights); });
  }
  void blur_along_z(View<T, 3> volume, const std::vector<double>& weights) override {
    const i64 reach = static_cast<i64>(weights.size()) - 1;
    const auto [nz, ny, nx] = volume.shape;
    parallel_for(ny, threads_, [&, nz = nz, ny = ny, nx = nx](i64 y, int) {
      Array<T, 2> blurred({nz, nx});
      for (i64 z = 0; z < nz; ++z)
        for (i64 d = -reach; d <= reach; ++d) {
          const T w = static_cast<T>(weights[static_cast<std::size_t>(std::abs(d))]);
          const T* from = volume.data + (std::clamp<i64>(z + d, 0, nz - 1) * ny + y) * nx;
          T* to = blurred.data() + z * nx;
          for (i64 x = 0; x < nx; ++x) to[x] += w * from[x];
        }
      for (i64 z = 0; z < nz; ++z)
        std::copy_n(blurred.data() + z * nx, nx, volume.data + (z * ny + y) * nx);
    });
  }

  void largest(View<const T, 2> plane, const Box& box, double share, double* to) override {
    double most = 0;
    for (i64 y = box.rows.begin; y < box.rows.end; ++y) {
      const T* const row = &plane(y, i64{0});
      if (!box.cols.empty())
        most = std::max<double>(most, *std::max_element(row + box.cols.begin, row + box.cols.end));
    }
    *to = share * most;
  }
  double apart(View<const T, 2> a, View<const T, 2> b) override {
    double most = 0;
    for (i64 i = 0; i < a.size(); ++i) {
      const double apart =
          std::abs(static_cast<double>(a.data[i]) - static_cast<double>(b.data[i]));
      // Also where one of the two is no number.
      if (!(apart <= most)) most = std::isnan(apart) ? INFINITY : apart;
    }
    return most;
  }

  void pack(const Planes<T>& planes, Interval which, const Pieces& pieces, T* buffer) override {
    parallel_for(which.size(), threads_, [&](i64 i, int) {
      const T* const from = planes.list[static_cast<std::size_t>(which.begin + i)];
      for (const Piece& piece : pieces.list)
        for_rows(piece.box, from, planes.cols, part(piece, buffer, which, i),
                 [](const T* row, T* to, i64 n) { std::copy_n(row, n, to); });
    });
  }
  void put(const Planes<T>& planes, Interval which, const Pieces& pieces,
           const T* buffer) override {
    parallel_for(which.size(), threads_, [&](i64 i, int) {
      T* const to = planes.list[static_cast<std::size_t>(which.begin + i)];
      for (const Piece& piece : pieces.list)
        for_rows(piece.box, to, planes.cols, part(piece, buffer, which, i),
                 [](T* row, const T* from, i64 n) { std::copy_n(from, n, row); });
    });
  }
  /// Row by row of the hull; what comes before a row's own values is summed in `sum` first.
  void add(const Planes<T>& planes, Interval which, const Pieces& pieces, i64 before,
           const T* buffer) override {
    const Box& hull = pieces.hull;
    parallel_for(which.size(), threads_, [&](i64 i, int) {
      T* const plane = planes.list[static_cast<std::size_t>(which.begin + i)];
      std::vector<T> sum(static_cast<std::size_t>(hull.cols.size()));
      for (i64 y = hull.rows.begin; y < hull.rows.end; ++y) {
        const auto add_row = [&](i64 k, T* row, i64 first) {
          const Piece& piece = pieces.list[static_cast<std::size_t>(k)];
          if (!piece.box.rows.contains(y)) return;
          const i64 n = piece.box.cols.size();
          const T* const from = part(piece, buffer, which, i) + (y - piece.box.rows.begin) * n;
          T* const to = row + piece.box.cols.begin - first;
          for (i64 x = 0; x < n; ++x) to[x] += from[x];
        };
        T* const own = plane + y * planes.cols;
        std::fill(sum.begin(), sum.end(), T(0));
        for (i64 k = 0; k < before; ++k) add_row(k, sum.data(), hull.cols.begin);
        for (i64 x = 0; x < hull.cols.size(); ++x) own[hull.cols.begin + x] += sum[x];
        for (i64 k = before; k < static_cast<i64>(pieces.list.size()); ++k) add_row(k, own, 0);
      }
    });
  }

 private:
  /// Calls work(from, to) for an even part of n values on each thread.
  template <class Work>
  void in_parts(i64 n, Work&& work) const {
    parallel_for(threads_, threads_,
                 [&](i64 part, int) { work(n * part / threads_, n * (part + 1) / threads_); });
  }
  static T scale_at(View<const T, 2> lit, i64 y, i64 x, double window2, double floor) {
    return static_cast<T>(1 / (window2 * ((lit.empty() ? 0 : double(lit(y, x))) + floor) + 1e-300));
  }
  /// Where the i-th of `which` planes of a piece begins.
  template <class U>
  static U* part(const Piece& piece, U* buffer, Interval which, i64 i) {
    return buffer + piece.from + which.size() * piece.offset + i * piece.box.area();
  }
  static void blur_plane(View<T, 2> slice, const std::vector<double>& weights) {
    const i64 reach = static_cast<i64>(weights.size()) - 1;
    const auto weight = [&](i64 d) {
      return static_cast<T>(weights[static_cast<std::size_t>(std::abs(d))]);
    };
    const auto [ny, nx] = slice.shape;
    // Along x, from a row with `reach` zeros on both sides; then along y, a row at a time.
    Array<T, 2> rows({ny, nx});
    std::vector<T> padded(static_cast<std::size_t>(nx + 2 * reach));
    for (i64 y = 0; y < ny; ++y) {
      std::copy_n(slice.data + y * nx, nx, padded.begin() + reach);
      T* to = rows.data() + y * nx;
      for (i64 d = -reach; d <= reach; ++d) {
        const T w = weight(d);
        const T* from = padded.data() + reach + d;
        for (i64 x = 0; x < nx; ++x) to[x] += w * from[x];
      }
    }
    for (i64 y = 0; y < ny; ++y) {
      T* to = slice.data + y * nx;
      std::fill(to, to + nx, T(0));
      for (i64 d = std::max(-reach, -y); d <= std::min(reach, ny - 1 - y); ++d) {
        const T w = weight(d);
        const T* from = rows.data() + (y + d) * nx;
        for (i64 x = 0; x < nx; ++x) to[x] += w * from[x];
      }
    }
  }

  int threads_;
};

}  // namespace

template <class T>
std::unique_ptr<Arithmetic<T>> make_cpu_arithmetic(int threads, Ledger* ledger) {
  return std::make_unique<CpuArithmetic<T>>(threads, ledger);
}
template std::unique_ptr<Arithmetic<float>> make_cpu_arithmetic(int, Ledger*);
template std::unique_ptr<Arithmetic<double>> make_cpu_arithmetic(int, Ledger*);

}  // namespace ptyle
