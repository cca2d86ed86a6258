#include "solver/tile.hpp"

#include <algorithm>
#include <numeric>

#include "core/parallel.hpp"

namespace ptyle {
namespace {

/// Calls work(from, to) for an even part of n values on each thread.
template <class Work>
void in_parts(i64 n, int threads, Work&& work) {
  parallel_for(threads, threads,
               [&](i64 part, int) { work(n * part / threads, n * (part + 1) / threads); });
}

}  // namespace

template <class T>
Accumulators<T>::Accumulators(std::array<i64, 3> shape, bool with_absorption, Ledger* ledger)
    : phase(shape, ledger, "gradient"), illumination({shape[1], shape[2]}, ledger, "gradient") {
  if (with_absorption) absorption = Array<T, 3>(shape, ledger, "gradient");
}

template <class T>
void Accumulators<T>::clear() {
  phase.fill(0);
  absorption.fill(0);
  illumination.fill(0);
}

template <class T>
void Tile<T>::remember() {
  std::copy(phase.begin(), phase.end(), synced_phase.begin());
  std::copy(absorption.begin(), absorption.end(), synced_absorption.begin());
}

template <class T>
void Tile<T>::recall() {
  std::swap(phase, synced_phase);
  std::swap(absorption, synced_absorption);
}

template <class T>
void tie_slices(View<T, 3> volume, i64 block, int threads) {
  if (block <= 1) return;
  const auto [slices, ny, nx] = volume.shape;
  parallel_for(ny, threads, [&, slices = slices, nx = nx](i64 y, int) {
    for (i64 first = 0; first < slices; first += block) {
      const i64 end = std::min(slices, first + block);
      T* const mean = &volume(first, y, 0);
      for (i64 s = first + 1; s < end; ++s)
        for (i64 x = 0; x < nx; ++x) mean[x] += volume(s, y, x);
      for (i64 x = 0; x < nx; ++x) mean[x] /= static_cast<T>(end - first);
    }
  });
}

template <class T>
void untie_slices(View<T, 3> volume, i64 block, int threads) {
  if (block <= 1) return;
  const i64 slices = volume.shape[0];
  parallel_for(slices, threads, [&](i64 s, int) {
    if (s % block == 0) return;
    const View<T, 2> from = volume[s / block * block];
    std::copy(from.begin(), from.end(), volume[s].begin());
  });
}

template <class T>
Stack<T> tied_planes(Accumulators<T>& sums, i64 block, bool illumination) {
  Stack<T> stack;
  const auto add = [&](View<T, 3> volume) {
    if (block <= 1)
      stack.push_back(volume);
    else
      for (i64 s = 0; s < volume.shape[0]; s += block)
        stack.push_back({volume[s].data, {1, volume.shape[1], volume.shape[2]}});
  };
  add(sums.phase);
  if (!sums.absorption.empty()) add(sums.absorption);
  const auto [ny, nx] = sums.illumination.shape();
  if (illumination) stack.push_back({sums.illumination.data(), {1, ny, nx}});
  return stack;
}

template <class T>
double precondition(View<T, 3> gradient, View<const T, 2> illumination, const Tile<T>& tile,
                    const Box& region, i64 block, double window2, double floor, int threads) {
  const i64 slices = gradient.shape[0];
  const i64 left = region.cols.begin - tile.box.cols.begin, n = region.cols.size();
  std::vector<double> slopes(static_cast<std::size_t>(region.rows.size()));  // a row each: the
  parallel_for(region.rows.size(), threads, [&](i64 row, int) {              // same for any threads
    const i64 y = region.rows.begin + row - tile.box.rows.begin;
    const bool in_core = tile.core.rows.contains(region.rows.begin + row);
    std::vector<T> scale(static_cast<std::size_t>(n));
    for (i64 x = 0; x < n; ++x) {
      const double lit = illumination.empty() ? 0 : double(illumination(y, left + x));
      scale[x] = static_cast<T>(1 / (window2 * (lit + floor) + 1e-300));
    }
    for (i64 first = 0; first < slices; first += block) {
      T* const d = &gradient(first, y, left);
      double slope = 0;
      const Interval core = intersection(tile.core.cols, region.cols);
      for (i64 x = 0; x < n; ++x) {
        const T g = d[x];
        d[x] = scale[x] * g;
        if (in_core && core.contains(region.cols.begin + x)) slope += double(g) * double(d[x]);
      }
      slopes[row] += slope * double(std::min(slices, first + block) - first);
    }
  });
  return std::accumulate(slopes.begin(), slopes.end(), 0.0);
}

template <class T>
void move_along(View<const T, 3> from, View<const T, 3> d, double step, double low, double high,
                View<T, 3> to, int threads) {
  const T s = static_cast<T>(step), least = static_cast<T>(low), most = static_cast<T>(high);
  in_parts(from.size(), threads, [&](i64 i, i64 end) {
    for (; i < end; ++i) to.data[i] = std::clamp(from.data[i] - s * d.data[i], least, most);
  });
}

template <class T>
void move_preconditioned(View<const T, 3> from, View<const T, 3> g, View<const T, 2> lit,
                         double window2, double floor, double step, double low, double high,
                         View<T, 3> to, int threads) {
  const auto [slices, ny, nx] = from.shape;
  const T least = static_cast<T>(low), most = static_cast<T>(high);
  parallel_for(slices * ny, threads, [&, ny = ny, nx = nx](i64 row, int) {
    const i64 y = row % ny;
    for (i64 x = 0; x < nx; ++x) {
      const i64 i = row * nx + x;
      const double divisor = window2 * (lit.empty() ? 1 : double(lit(y, x)) + floor);
      to.data[i] = std::clamp(from.data[i] - static_cast<T>(step / (divisor + 1e-300)) * g.data[i],
                              least, most);
    }
  });
}

template <class T>
void draw_back(View<const T, 3> from, double share, View<T, 3> to, int threads) {
  const T s = static_cast<T>(share);
  in_parts(from.size(), threads, [&](i64 i, i64 end) {
    for (; i < end; ++i) to.data[i] = from.data[i] + s * (to.data[i] - from.data[i]);
  });
}

template <class T>
void add_to(View<const T, 3> from, View<T, 3> to, int threads) {
  in_parts(from.size(), threads, [&](i64 i, i64 end) {
    for (; i < end; ++i) to.data[i] += from.data[i];
  });
}

template struct Accumulators<float>;
template struct Tile<float>;
template void tie_slices(View<float, 3>, i64, int);
template void untie_slices(View<float, 3>, i64, int);
template Stack<float> tied_planes(Accumulators<float>&, i64, bool);
template double precondition(View<float, 3>, View<const float, 2>, const Tile<float>&, const Box&,
                             i64, double, double, int);
template void move_along(View<const float, 3>, View<const float, 3>, double, double, double,
                         View<float, 3>, int);
template void move_preconditioned(View<const float, 3>, View<const float, 3>, View<const float, 2>,
                                  double, double, double, double, double, View<float, 3>, int);
template void draw_back(View<const float, 3>, double, View<float, 3>, int);
template void add_to(View<const float, 3>, View<float, 3>, int);
template struct Accumulators<double>;
template struct Tile<double>;
template void tie_slices(View<double, 3>, i64, int);
template void untie_slices(View<double, 3>, i64, int);
template Stack<double> tied_planes(Accumulators<double>&, i64, bool);
template double precondition(View<double, 3>, View<const double, 2>, const Tile<double>&,
                             const Box&, i64, double, double, int);
template void move_along(View<const double, 3>, View<const double, 3>, double, double, double,
                         View<double, 3>, int);
template void move_preconditioned(View<const double, 3>, View<const double, 3>,
                                  View<const double, 2>, double, double, double, double, double,
                                  View<double, 3>, int);
template void draw_back(View<const double, 3>, double, View<double, 3>, int);
template void add_to(View<const double, 3>, View<double, 3>, int);

}  // namespace ptyle
