#pragma once

// Kernels that look at every value once: those of cuFFT's path, the detector, the sums over
// positions, and the object's transmission.

#include <bit>

#include "operator/cuda/fused.hpp"
#include "operator/cuda/points.hpp"

namespace ptyle::gpu {

/// t = exp(iφ − μ). Moves 4 (8 with μ) bytes in and 8 out a voxel, in floats.
template <class T>
struct Transmit {
  static constexpr int threads = 256;
  const T *phase, *absorption;  ///< μ may be null
  Z<T>* t;
  i64 n;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int thread) {
      const i64 i = i64(block.x) * threads + thread;
      if (i >= n) return;
      const T amplitude = absorption ? std::exp(-absorption[i]) : T(1);
      t[i] = {amplitude * std::cos(phase[i]), amplitude * std::sin(phase[i])};
    });
  }
};

/// ψ = ramp · spectrum, in natural order: what the inverse transform makes ψ_0 of.
template <class T>
struct Begin {
  static constexpr int threads = 256;
  Z<T>* waves;
  Spectra<T> spectra;
  const Place<T>* places;
  int modes, window;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const int n = window * window, k = block.x * threads + t;
      if (k >= n) return;
      const i64 wave = block.y;
      const Z<T> r = ramp(places[wave / modes], k / window, k % window, window);
      waves[wave * n + k] = times<false>(spectra.of(wave, n)[k], r.re, r.im);
    });
  }
};

/// ψ ← P ψ, or conj(P) ψ; P has the 1/W² of the inverse transform.
template <class T, bool conjugate>
struct Propagate {
  static constexpr int threads = 256;
  Z<T>* waves;
  const Z<T>* propagator;
  int n;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const int k = block.x * threads + t;
      if (k >= n) return;
      Z<T>& x = waves[static_cast<i64>(block.y) * n + k];
      x = times<conjugate>(x, propagator[k].re, propagator[k].im);
    });
  }
};

/// χ's spectrum ← conj(ramp) · spectrum.
template <class T>
struct End {
  static constexpr int threads = 256;
  Z<T>* spectra;
  const Place<T>* places;
  int modes, window;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const int n = window * window, k = block.x * threads + t;
      if (k >= n) return;
      const i64 wave = block.y;
      const Z<T> r = ramp(places[wave / modes], k / window, k % window, window);
      Z<T>& x = spectra[wave * n + k];
      x = times<true>(x, r.re, r.im);
    });
  }
};

/// The operation of a slice, in real space, on `each` waves of every position from the `first` on.
template <class T, RowOp op>
struct SlicePoints {
  static constexpr int threads = 256;
  Z<T>* waves;
  SliceArguments<T> slice;
  int window, first, each;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const int number = static_cast<int>(block.y);
    const i64 wave = number / each * slice.modes + first + number % each;
    const int n = window * window;
    const Point<op, T> point(slice, window, wave);
    block.threads([&](int t) {
      const int i = block.x * threads + t;
      if (i >= n) return;
      const int y = i / window, x = i % window;
      Z<T>* const at = waves + wave * n + i;
      Z<T> value[1] = {*at};
      point.template apply<1, 1>(y, x, point.template fetch<1, 1>(y, x), value);
      *at = value[0];
    });
  }
};

/// Frequencies along rows of spectra: natural, or as the fused path has them (`fused`). From
/// natural order or back to it, with a factor.
template <class T>
struct Reorder {
  static constexpr int threads = 256;
  const Z<T>* from;
  Z<T>* to;
  int window;
  bool fused, back;
  T scale;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const int n = window * window, i = block.x * threads + t;
      if (i >= n) return;
      const int q = i % window, natural = i - q + (fused ? fused_column(q, window) : q);
      const i64 wave = block.y;
      const Z<T> value = from[wave * n + (back ? i : natural)];
      to[wave * n + (back ? natural : i)] = {scale * value.re, scale * value.im};
    });
  }
};

/// Misfit of I = Σ_m |Ψ_m|², and Ψ becomes the residual if asked for. Moves 8 (16) bytes a pixel
/// and mode, in floats. A block's sums go to `sums`.
template <class T, int block_threads = 256>
struct Detect {
  static constexpr int threads = block_threads, a_thread = 4;
  static constexpr int pixels = a_thread * threads;  ///< of a block
  static constexpr std::size_t shared = 3 * threads * sizeof(double);
  Z<T>* detector;
  const PatternOnGpu* patterns;
  const T *weight, *valid;
  Sums<3>* sums;
  int modes, window;
  bool fused, residual;
  Loss loss;
  T eps, background;
  static int chunks(int window) { return (window * window + pixels - 1) / pixels; }

  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    chunk(block, block.y, block.x);
  }

  template <class Block>
  PTYLE_HOST_DEVICE void chunk(Block& block, i64 position, int c) const {
    const int n = window * window, all_chunks = (n + pixels - 1) / pixels;
    Z<T>* const psi = detector + position * modes * n;
    sum_over_block<3, threads>(
        block,
        [&](int t) {
          // Modes one after the other, each of several pixels, so that as many loads are under way.
          const auto each = [&](auto&& f) {
            unroll<a_thread>([&](auto k) {
              const int i = c * pixels + t + threads * k();
              if (i < n) f(k(), i);
            });
          };
          T model[a_thread], y[a_thread];
          unroll<a_thread>([&](auto k) { model[k()] = background; });
          each([&](int k, int i) {
            const int q = i % window;
            y[k] = intensity<T>(patterns[position], i - q + (fused ? fused_column(q, window) : q));
          });
          for (int m = 0; m < modes; ++m)
            each([&](int k, int i) { model[k] += square(psi[m * n + i]); });
          Sums<3> all;
          T factor[a_thread];
          each([&](int k, int i) {
            const Sums<3> one = misfit_of(loss, model[k], y[k], weight[i], valid[i], eps);
            for (int j = 0; j < 3; ++j) all.value[j] += one.value[j];
            factor[k] = residual_of(loss, model[k], y[k], weight[i], eps);
          });
          for (int m = 0; residual && m < modes; ++m) {
            Z<T> x[a_thread];
            each([&](int k, int i) { x[k] = psi[m * n + i]; });
            each([&](int k, int i) {
              psi[m * n + i] = {factor[k] * x[k].re, factor[k] * x[k].im};
            });
          }
          return all;
        },
        [&](const Sums<3>& all) { sums[position * all_chunks + c] = all; });
  }
};

/// Σ_k 2 f" a², a = Re Σ_m conj(Ψ_m) dΨ_m, f" the loss's by I; Ψ becomes 2 f" a Ψ if asked for.
template <class T>
struct Bend {
  static constexpr int threads = 256, pixels = 4 * threads;
  static constexpr std::size_t shared = threads * sizeof(double);
  Z<T>* detector;
  const Z<T>* change;
  const T* weight;
  Sums<1>* sums;
  int modes, window;
  bool residual;
  Loss loss;
  double eps;
  T background;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const int n = window * window, chunks = (n + pixels - 1) / pixels;
    const i64 position = block.y, first = position * modes * n;
    sum_over_block<1, threads>(
        block,
        [&](int t) {
          Sums<1> all;
          for (int i = block.x * pixels + t; i < n && i < (block.x + 1) * pixels; i += threads) {
            T model = background, moved = 0;
            for (int m = 0; m < modes; ++m) {
              const Z<T> a = detector[first + i64(m) * n + i], b = change[first + i64(m) * n + i];
              model += square(a);
              moved += a.re * b.re + a.im * b.im;
            }
            const double bent = static_cast<double>(weight[i]) * static_cast<double>(moved);
            const auto along = [&](double by) {
              return with_loss(loss, [&](auto l) {
                return 2 * l.curvature(bent * by, static_cast<double>(model) + eps);
              });
            };
            all.value[0] += along(static_cast<double>(moved));
            if (!residual) continue;
            const T factor = static_cast<T>(along(1));
            for (int m = 0; m < modes; ++m) {
              Z<T>& a = detector[first + i64(m) * n + i];
              a = {factor * a.re, factor * a.im};
            }
          }
          return all;
        },
        [&](const Sums<1>& all) { sums[position * chunks + block.x] = all; });
  }
};

/// to += the sum of n sums, by one block.
template <int N>
struct Total {
  static constexpr int threads = 256;
  static constexpr std::size_t shared = N * threads * sizeof(double);
  const Sums<N>* from;
  i64 n;
  Sums<N>* to;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    sum_over_block<N, threads>(
        block,
        [&](int t) {
          Sums<N> all;
          for (i64 i = t; i < n; i += threads)
            for (int k = 0; k < N; ++k) all.value[k] += from[i].value[k];
          return all;
        },
        [&](const Sums<N>& all) {
          for (int k = 0; k < N; ++k) to->value[k] += all.value[k];
        });
  }
};

/// Patches of a batch (points.hpp), W·W values each: for every wave that of Σ_s |u|², then the
/// phase's and the absorption's, a slice after the other.
template <class T>
struct Patches {
  const T* first;
  i64 next;  ///< values from a wave's to the next wave's
  int each;  ///< waves of a position that have some, of `modes`
  int modes, window;
  const Place<T>* places;
};

/// The gradient of a batch, voxel by voxel: every voxel looks at the windows that cover it, in the
/// order of positions, so that nothing contends and the sum is always the same. A layer is one
/// patch of every wave; a block takes `layers` of them.
///
///   1. a block of pixels finds the windows that it touches: a bit each
///   2. every pixel adds up those, of all of the block's layers side by side, so that as many loads
///      are under way
///
/// Moves 4 bytes a pixel of each patch (in floats), and reads and writes the sums where a window
/// lies.
template <class T, int layers>
struct Gather {
  static constexpr int width = 32, height = 8, threads = width * height;
  static constexpr int resident = 4;
  PTYLE_HOST_DEVICE static std::size_t shared(int positions) {
    return static_cast<std::size_t>((positions + 31) / 32) * sizeof(std::uint32_t);
  }
  Patches<T> patches;
  int positions, first_layer, end_layer;
  int slices;                            ///< of which there are patches
  T *phase, *absorption, *illumination;  ///< of the first of them; null: not wanted
  int ny, nx, top, left;                 ///< the object, and where the first block lies on it
  T scale, share;                        ///< share: 1 / slices of all states
  [[nodiscard]] Grid blocks(int rows, int cols) const {
    return {blocks_for(cols, width), blocks_for(rows, height),
            blocks_for(end_layer - first_layer, layers)};
  }

  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const int first_row = top + block.y * height, first_col = left + block.x * width;
    block.threads([&](int t) {
      // Bytes here, words below: the lowest byte of a word comes first.
      static_assert(std::endian::native == std::endian::little);
      auto* const bits = reinterpret_cast<unsigned char*>(block.shared());
      for (int i = t; i < static_cast<int>(shared(positions)); i += threads)
        bits[i] = touching(8 * i, first_row, first_col);
    });
    block.threads([&](int t) {
      const int row = first_row + t / width, col = first_col + t % width;
      if (col < nx && row < ny)
        pixel(reinterpret_cast<const std::uint32_t*>(block.shared()),
              first_layer + layers * block.z, row, col);
    });
  }

 private:
  /// Which of eight windows touch the block of pixels.
  PTYLE_HOST_DEVICE unsigned char touching(int first, int row, int col) const {
    unsigned bits = 0;
    unroll<8>([&](auto k) {
      if (first + k() >= positions) return;
      const Place<T>& at = patches.places[first + k()];
      const bool touches = at.row < row + height && at.row + patches.window > row &&
                           at.col < col + width && at.col + patches.window > col;
      bits |= unsigned{touches} << k();
    });
    return static_cast<unsigned char>(bits);
  }

  PTYLE_HOST_DEVICE void pixel(const std::uint32_t* touching, int layer, int row, int col) const {
    const int window = patches.window, n = window * window;
    const int last = (end_layer - layer < layers ? end_layer - layer : layers) - 1;
    int at[layers];  // the last one again where there are fewer
    T sum[layers];
    unroll<layers>([&](auto l) { at[l()] = (l() < last ? l() : last) * n, sum[l()] = 0; });
    bool any = false;
    for (int word = 0; 32 * word < positions; ++word)
      for (std::uint32_t bits = touching[word]; bits != 0; bits &= bits - 1) {
        const int p = 32 * word + lowest_bit(bits);
        const int y = row - patches.places[p].row, x = col - patches.places[p].col;
        if (y < 0 || y >= window || x < 0 || x >= window) continue;
        any = true;
        const T* from = patches.first + static_cast<i64>(p) * patches.modes * patches.next +
                        static_cast<i64>(layer) * n + y * window + x;
        for (int m = 0; m < patches.each; ++m, from += patches.next)
          unroll<layers>([&](auto l) { sum[l()] += from[at[l()]]; });
      }
    if (!any) return;
    T before[layers] = {};
    const auto each = [&](auto&& f) {
      unroll<layers>([&](auto l) {
        T* const to = l() <= last ? layer_of(layer + l()) : nullptr;
        if (to) f(l(), to + static_cast<i64>(row) * nx + col);
      });
    };
    each([&](int l, const T* to) { before[l] = *to; });
    each([&](int l, T* to) {
      const int number = layer + l;
      const T factor = number == 0 ? share : number <= slices ? scale : -scale;
      *to = before[l] + factor * sum[l];
    });
  }
  /// The array that a layer is added to; null: not wanted.
  PTYLE_HOST_DEVICE T* layer_of(int layer) const {
    if (layer == 0) return illumination;
    T* const first = layer <= slices ? phase : absorption;
    return first ? first + static_cast<i64>((layer - 1) % slices) * ny * nx : nullptr;
  }
};

/// illumination += share · lit of every wave's patch, at once.
template <class T>
struct AddIllumination {
  static constexpr int threads = 256;
  Patches<T> patches;
  T* illumination;
  int ny, nx;
  T share;  ///< 1 / slices of all states
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const int position = block.y / patches.each, window = patches.window;
    const Place<T> at = patches.places[position];
    const T* const lit =
        patches.first +
        (static_cast<i64>(position) * patches.modes + block.y % patches.each) * patches.next;
    block.threads([&](int t) {
      const int i = block.x * threads + t;
      if (i >= window * window) return;
      const int row = at.row + i / window, col = at.col + i % window;
      if (row < 0 || row >= ny || col < 0 || col >= nx) return;
      add_at_once(illumination + static_cast<i64>(row) * nx + col, share * lit[i]);
    });
  }
};

/// sum[m] = Σ_p spectra[p, m], in the order of positions; on top of what is there where `add` says
/// so. From the order of the path (`fused`, as Reorder) to the natural one. Moves 8 bytes a value,
/// in floats.
template <class T>
struct SumSpectra {
  static constexpr int threads = 256;
  const Z<T>* spectra;
  Z<T>* sum;
  i64 n;  ///< M·W·W
  int positions, window;
  bool fused, add;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i >= n) return;
      const int q = static_cast<int>(i % window);
      Z<T>& to = sum[i - q + (fused ? fused_column(q, window) : q)];
      Z<T> all = add ? to : Z<T>{};
      for (int p = 0; p < positions; ++p) all = all + spectra[p * n + i];
      to = all;
    });
  }
};

/// ∂f/∂shift of each position, a block a position: factor · Σ_m Σ_k f_k Im(conj(G) S), G the
/// spectra of the probe's gradient, S that of the probe, both in the order of the path. Moves 8
/// bytes a value, in floats; S comes out of the cache, unless each position has its own.
template <class T>
struct ShiftGradient {
  static constexpr int threads = 256;
  static constexpr std::size_t shared = 2 * threads * sizeof(double);
  const Z<T>* spectra;
  Spectra<T> probe;
  Sums<2>* shifts;
  int modes, window;
  bool fused;
  double factor;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const i64 n = static_cast<i64>(modes) * window * window, position = block.x;
    const Z<T>* const start = probe.of(position * modes, window * window);
    const auto frequency = [&](int i) { return i < (window + 1) / 2 ? i : i - window; };
    sum_over_block<2, threads>(
        block,
        [&](int t) {
          Sums<2> all;
          for (i64 i = t; i < n; i += threads) {
            const Z<T> g = spectra[position * n + i], s = start[i];
            const auto value = static_cast<double>(g.re * s.im - g.im * s.re);
            const int q = static_cast<int>(i % window), row = static_cast<int>(i / window % window);
            all.value[0] += frequency(row) * value;
            all.value[1] += frequency(fused ? fused_column(q, window) : q) * value;
          }
          return all;
        },
        [&](const Sums<2>& all) {
          shifts[position].value[0] = factor * all.value[0];
          shifts[position].value[1] = factor * all.value[1];
        });
  }
};

/// to += scale · from
template <class T>
struct AddScaled {
  static constexpr int threads = 256;
  const Z<T>* from;
  Z<T>* to;
  i64 n;
  T scale;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i < n) to[i] = {to[i].re + scale * from[i].re, to[i].im + scale * from[i].im};
    });
  }
};

}  // namespace ptyle::gpu
