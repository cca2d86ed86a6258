#pragma once

// A wave stays in shared memory through all slices: a block, or a cluster of blocks that share it,
// takes a mode of a position
//
//   forward:  from the probe's spectrum through the slices to Ψ; u of each slice kept if asked for
//   tangent:  the same of dψ, beside the u that a forward pass has kept
//   back:     from the residual to the spectrum of the probe's gradient; the gradient of each slice
//             added to a patch (points.hpp)
//
// A slice is six phases: the two sweeps (operator/cuda/sweeps.hpp), in place. Bytes of memory a
// pixel and slice, in floats: forward 8 of t and 8 of u, back 8 of t, 8 of u and 4 (8) of the
// gradient; P comes out of shared memory or the cache. Spectra stand in natural order along
// columns; along rows kx = a + R b stands at 16 a + b.
//
// Each block of a cluster has W / cluster rows. Before the transform down the columns it fetches as
// many columns from all blocks, and after it sends them back: 12 bytes per pixel and slice between
// multiprocessors where four share a wave.

#include "operator/cuda/butterflies.hpp"
#include "operator/cuda/points.hpp"

namespace ptyle::gpu {

/// The frequency that stands in column q of a spectrum on the fused path.
PTYLE_HOST_DEVICE int fused_column(int q, int window) { return q / 16 + window / 16 * (q % 16); }

constexpr bool has_fused(i64 window) { return has_sweeps(window); }

/// Blocks that share a wave: so many that each part fits into a block's shared memory, in floats.
constexpr int fused_cluster(i64 window) { return window == 256 ? 4 : window == 192 ? 2 : 1; }

/// Numbers (complex) that a block needs: its rows, each with a gap of one so that neighbours of a
/// column lie in different banks; the twiddles of butterflies; the probe's shift at each ky.
constexpr i64 fused_shared(i64 window) {
  return window / fused_cluster(window) * (window + 1) + 2 * window;
}
/// And for its columns of P, where −ky has the same as ky (without tilt): of 0 … W/2.
constexpr i64 fused_propagator(i64 window) {
  return (window / 2 + 1) * (window / fused_cluster(window));
}
/// Blocks that a multiprocessor is to hold at a time.
constexpr int fused_resident(i64 window) { return window < 128 ? 3 : 1; }

// Operations at the frequencies of a column, ky = a + W/16 b, b = 0 … 15; `fetch` gets what is
// needed for it beforehand.

/// x(b) of memory, W apart for each ky.
template <int W, class T>
PTYLE_HOST_DEVICE void fetch_column(const Z<T>* from, int a, Z<T> (&x)[16]) {
  unroll<16>([&](auto b) { x[b()] = from[(a + W / 16 * b()) * W]; });
}

/// × P, from the block's shared memory where it has it.
template <class T, int W, bool conjugate>
struct Propagated {
  const Z<T>*here, *propagator;
  PTYLE_HOST_DEVICE void fetch(int a, Z<T> (&p)[16]) const {
    if (!here) return fetch_column<W>(propagator, a, p);
    constexpr int next = W / fused_cluster(W);
    unroll<8>([&](auto b) { p[b()] = here[(a + W / 16 * b()) * next]; });
    unroll<8>([&](auto b) { p[b() + 8] = here[(W / 2 - W / 16 * b() - a) * next]; });
  }
  PTYLE_HOST_DEVICE Z<T> operator()(int /*ky*/, const Z<T>& x, const Z<T>& p) const {
    return times<conjugate>(x, p.re, p.im);
  }
};
/// The shifted probe's spectrum; null: nothing.
template <class T, int W>
struct FromProbe {
  const Z<T>*spectrum, *down;
  Z<T> across;
  PTYLE_HOST_DEVICE void fetch(int a, Z<T> (&values)[16]) const {
    if (spectrum) return fetch_column<W>(spectrum, a, values);
    unroll<16>([&](auto b) { values[b()] = {T(0), T(0)}; });
  }
  PTYLE_HOST_DEVICE Z<T> operator()(int ky, const Z<T>& /*x*/, const Z<T>& value) const {
    const Z<T> ramp = times<false>(across, down[ky].re, down[ky].im);
    return times<false>(value, ramp.re, ramp.im);
  }
};
/// The spectrum of the probe's gradient, shifted back.
template <class T, int W>
struct ToProbe {
  Z<T>* spectrum;
  const Z<T>* down;
  Z<T> across;
  PTYLE_HOST_DEVICE void fetch(int /*a*/, Z<T> (&/*nothing*/)[16]) const {}
  PTYLE_HOST_DEVICE Z<T> operator()(int ky, const Z<T>& x, const Z<T>& /*nothing*/) const {
    const Z<T> ramp = times<false>(across, down[ky].re, down[ky].im);
    return spectrum[ky * W] = times<true>(x, ramp.re, ramp.im);
  }
};
template <class T, int W>
struct FromDetector {
  const Z<T>* detector;
  PTYLE_HOST_DEVICE void fetch(int a, Z<T> (&values)[16]) const {
    fetch_column<W>(detector, a, values);
  }
  PTYLE_HOST_DEVICE Z<T> operator()(int /*ky*/, const Z<T>& /*x*/, const Z<T>& value) const {
    return value;
  }
};
template <class T, int W>
struct ToDetector {
  Z<T>* detector;
  PTYLE_HOST_DEVICE void fetch(int /*a*/, Z<T> (&/*nothing*/)[16]) const {}
  PTYLE_HOST_DEVICE Z<T> operator()(int ky, const Z<T>& x, const Z<T>& /*nothing*/) const {
    return detector[ky * W] = x;
  }
};

template <class T, int W, RowOp op>
struct FusedPass {
  static constexpr int cluster = fused_cluster(W), threads = W < 128 ? 256 : 512;
  static constexpr int resident = fused_resident(W);
  static constexpr int R = W / 16, rows_here = W / cluster, pitch = W + 1;
  SliceArguments<T> slice;  ///< of slice 0
  i64 next_t;               ///< values from a slice to the next of t and of the object's change
  i64 next_u, next_gradient;
  int slices;
  const Z<T>* propagator;
  bool holds_propagator;  ///< in shared memory (fused_propagator)
  Spectra<T> spectra;     ///< forward and tangent: of the probe; null: nothing
  Z<T>* detector;         ///< forward: Ψ; back: the residual, then the probe's gradient
  const Z<T>* twiddles;

  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    prepare(block);
    pass(block, block.x, block.x, true);
  }

  /// Data that stay in shared memory from pass to pass.
  template <class Block>
  PTYLE_HOST_DEVICE void prepare(Block& block) const {
    const Shared here(block);
    block.threads([&](int t) {
      for (int i = t; i < W; i += threads) here.twiddles[i] = twiddles[i];
      if (!holds_propagator) return;
      for (int i = t; i < fused_propagator(W); i += threads)
        here.propagator[i] = propagator[i / rows_here * W + here.rank * rows_here + i % rows_here];
    });
  }

  /// The whole gradient of a wave; it is added to the patches of number `patch`, which are `fresh`
  /// or not.
  template <class Block>
  PTYLE_HOST_DEVICE void pass(Block& block, i64 wave, i64 patch, bool fresh) const {
    constexpr bool back = op == RowOp::back;
    const Shared here(block);
    const Place<T> at = slice.places[wave / slice.modes];
    const auto across = [&](int q) { return ramp(fused_column(q, W), at.shift_col, W); };
    block.threads([&](int t) {
      for (int i = t; i < W; i += threads) here.down[i] = ramp(i, at.shift_row, W);
      expect_u(here, wave, 0, t);
    });
    Z<T>* const end = detector + wave * W * W;
    if constexpr (back) {
      columns<false, true>(block, here, [&](int q) { return FromDetector<T, W>{end + q}; });
    } else {
      const Z<T>* from = spectra.first ? spectra.of(wave, W * W) : nullptr;
      columns<false, true>(block, here, [&](int q) {
        return FromProbe<T, W>{from ? from + q : nullptr, here.down, across(q)};
      });
    }
    for (int step = 0; step < slices; ++step) {
      const SliceArguments<T> of = arguments(back ? slices - 1 - step : step);
      rows(block, here, Point<op, T>(of, W, wave, patch, fresh),
           [&](int t) { expect_u(here, wave, step + 1, t); });
      if (step + 1 == slices) break;
      columns<true, true>(block, here, [&](int q) {
        return Propagated<T, W, back>{
            holds_propagator ? here.propagator + (q - here.rank * rows_here) : nullptr,
            propagator + q};
      });
    }
    if constexpr (back)
      columns<true, false>(block, here, [&](int q) {
        return ToProbe<T, W>{end + q, here.down, across(q)};
      });
    else
      columns<true, false>(block, here, [&](int q) { return ToDetector<T, W>{end + q}; });
  }

 private:
  struct Shared {
    template <class Block>
    PTYLE_HOST_DEVICE explicit Shared(Block& block)
        : wave(reinterpret_cast<Z<T>*>(block.shared())),
          twiddles(wave + rows_here * pitch),
          down(twiddles + W),
          propagator(down + W),
          rank(block.rank()) {}
    Z<T>* wave;      ///< rows of the wave, or columns of it
    Z<T>* twiddles;  ///< (butterflies.hpp)
    Z<T>* down;      ///< the probe's shift at each ky
    Z<T>* propagator;
    int rank;  ///< of the block in its cluster: its rows, or columns, begin at rank · rows_here
  };

  /// Backwards: the waves kept of the slice of step `step`, of which each thread takes some lines.
  PTYLE_HOST_DEVICE void expect_u(const Shared& here, i64 wave, int step, int t) const {
    if constexpr (op == RowOp::back) {
      constexpr int line = 128 / sizeof(Z<T>), lines = rows_here * W / line;
      if (!slice.u || step >= slices) return;
      const Z<T>* const u =
          slice.u + wave * slice.next + (slices - 1 - step) * next_u + here.rank * rows_here * W;
      for (int i = t; i < lines; i += threads) expect(u + i * line);
    }
  }

  PTYLE_HOST_DEVICE SliceArguments<T> arguments(int s) const {
    SliceArguments<T> of = slice;
    const auto move = [s](auto*& values, i64 next) {
      if (values) values += s * next;
    };
    move(of.t, next_t);
    move(of.kept, next_u);
    if constexpr (op != RowOp::transmit) move(of.u, next_u);
    if constexpr (op == RowOp::back) {
      move(of.phase, next_gradient);
      move(of.absorption, next_gradient);
      of.begins = s == slices - 1;
    }
    if constexpr (op == RowOp::tangent) {
      move(of.d_phase, next_t);
      move(of.d_absorption, next_t);
    }
    return of;
  }

  /// The part that a thread has of the columns that it fetches or sends.
  struct Held {
    static constexpr int lines = 16 * rows_here / threads;
    Z<T> x[lines][R];
    /// f(every number).
    template <class F>
    PTYLE_HOST_DEVICE void each(F&& f) const {
      unroll<lines>(
          [&](auto n) { unroll<R>([&](auto i) { f(x[n()][i()].re), f(x[n()][i()].im); }); });
    }
  };
  /// f(number, column of the block's, j, column of the wave) for each of them.
  template <class F>
  PTYLE_HOST_DEVICE static void each_line(const Shared& here, int t, F&& f) {
    unroll<Held::lines>([&](auto n) {
      const int c = t % 32 + 32 * n();
      f(n, c, t / 32, here.rank * rows_here + c);
    });
  }

  /// Row j + 16 i of the wave lies in block `owner`: in a column of it, at `slot` of its rows.
  template <int i>
  static constexpr int owner = 16 * i / rows_here;
  template <int i>
  PTYLE_HOST_DEVICE static int slot(int j, int column) {
    return (j + 16 * i - owner<i> * rows_here) * pitch + column;
  }

  // Columns of the wave: a block's own stand where its rows stood. Threads of a warp take
  // neighbours, so that all of them have the same j.
  static constexpr int down_pitch = cluster == 1 ? pitch : rows_here;
  static constexpr int warps = threads / 32;

  /// FFT down the columns, what happens at each frequency, inverse FFT; each if asked for.
  template <bool forward, bool inverse, class Block, class Middle>
  PTYLE_HOST_DEVICE static void columns(Block& block, const Shared& here, Middle&& middle) {
    if constexpr (forward && cluster == 1) outer_columns<false>(block, here);
    if constexpr (forward && cluster > 1) fetch_columns(block, here);
    inner_columns<forward, inverse>(block, here, middle);
    if constexpr (inverse && cluster == 1) outer_columns<true>(block, here);
    if constexpr (inverse && cluster > 1) send_columns(block, here);
  }

  /// The outer transforms of a block that has the whole wave.
  template <bool inverse, class Block>
  PTYLE_HOST_DEVICE static void outer_columns(Block& block, const Shared& here) {
    block.threads([&](int t) {
      for (int j = t / 32; j < 16; j += warps) {
        const Twiddles<R, T> twiddle(here.twiddles, j);
        for (int c = t % 32; c < W; c += 32) {
          Z<T>* const line = here.wave + j * pitch + c;
          Z<T> x[R];
          unroll<R>([&](auto i) { x[i()] = line[16 * pitch * i()]; });
          if constexpr (inverse)
            outer_inverse<R>(x, twiddle);
          else
            outer_forward<R>(x, twiddle);
          unroll<R>([&](auto k) { line[16 * pitch * k()] = x[k()]; });
        }
      }
    });
  }

  /// The block's columns out of all blocks' rows, by the outer forward transforms.
  template <class Block>
  PTYLE_HOST_DEVICE static void fetch_columns(Block& block, const Shared& here) {
    static_assert(warps == 16);
    block.meet();  // all rows are done
    block.template hand_over<Held>(
        [&](int t, Held& held) {
          each_line(here, t, [&](auto n, int, int j, int column) {
            unroll<R>([&](auto i) {
              held.x[n()][i()] = block.remote(here.wave, owner<i()>)[slot<i()>(j, column)];
            });
          });
        },
        [&](int t, Held& held) {
          const Twiddles<R, T> twiddle(here.twiddles, t / 32);
          outer_forward<R>(held.x[0], twiddle);
        },
        [&](int t, Held& held) {
          const Twiddles<R, T> twiddle(here.twiddles, t / 32);
          each_line(here, t, [&](auto n, int c, int j, int) {
            if constexpr (n() > 0) outer_forward<R>(held.x[n()], twiddle);
            unroll<R>(
                [&](auto k) { here.wave[(16 * k() + j) * down_pitch + c] = held.x[n()][k()]; });
          });
        });
    block.threads([](int) {});
  }

  /// The inner transforms, with the middle between them.
  template <bool forward, bool inverse, class Block, class Middle>
  PTYLE_HOST_DEVICE static void inner_columns(Block& block, const Shared& here, Middle& middle) {
    block.threads([&](int t) {
      for (int item = t; item < R * rows_here; item += threads) {
        const int c = item % rows_here, a = item / rows_here;
        const auto at = middle(here.rank * rows_here + c);
        Z<T>* const line = here.wave + 16 * a * down_pitch + c;
        Z<T> beside[16], x[16];
        at.fetch(a, beside);
        if constexpr (forward) {
          unroll<16>([&](auto b) { x[b()] = line[down_pitch * b()]; });
          fft<16, false>(x);
        }
        unroll<16>([&](auto b) { x[b()] = at(a + R * b(), x[b()], beside[b()]); });
        if constexpr (inverse) {
          fft<16, true>(x);
          unroll<16>([&](auto b) { line[down_pitch * b()] = x[b()]; });
        }
      }
    });
  }

  /// Back into all blocks' rows, by the outer inverse transforms.
  template <class Block>
  PTYLE_HOST_DEVICE static void send_columns(Block& block, const Shared& here) {
    static_assert(warps == 16);
    block.template hand_over<Held>(
        [&](int t, Held& held) {
          each_line(here, t, [&](auto n, int c, int j, int) {
            unroll<R>(
                [&](auto k) { held.x[n()][k()] = here.wave[(16 * k() + j) * down_pitch + c]; });
          });
        },
        [&](int t, Held& held) {
          const Twiddles<R, T> twiddle(here.twiddles, t / 32);
          outer_inverse<R>(held.x[0], twiddle);
        },
        [&](int t, Held& held) {
          const Twiddles<R, T> twiddle(here.twiddles, t / 32);
          each_line(here, t, [&](auto n, int, int j, int column) {
            if constexpr (n() > 0) outer_inverse<R>(held.x[n()], twiddle);
            unroll<R>([&](auto i) {
              block.send(here.wave, owner<i()>, slot<i()>(j, column), held.x[n()][i()]);
            });
          });
        });
    block.received(rows_here * W * static_cast<int>(sizeof(Z<T>)));  // all rows are there
  }

  /// Inverse FFT along rows, what the slice does, FFT; before the last `also(t)` of each thread.
  template <class Block, class Also>
  PTYLE_HOST_DEVICE static void rows(Block& block, const Shared& here, const Point<op, T>& point,
                                     Also&& also) {
    inner<true>(block, here, [](int) {});
    block.threads([&](int t) {
      const int j = t % 16, top = here.rank * rows_here;
      const Twiddles<R, T> twiddle(here.twiddles, j);
      for (int y = t / 16; y < rows_here; y += threads / 16) {
        const auto beside = point.template fetch<R, 16>(top + y, j);
        Z<T>* const line = here.wave + y * pitch + j;
        Z<T> x[R];
        unroll<R>([&](auto k) { x[k()] = line[16 * k()]; });
        outer_inverse<R>(x, twiddle);
        point.template apply<R, 16>(top + y, j, beside, x);
        outer_forward<R>(x, twiddle);
        unroll<R>([&](auto k) { line[16 * k()] = x[k()]; });
      }
    });
    inner<false>(block, here, also);
  }

  template <bool inverse, class Block, class Also>
  PTYLE_HOST_DEVICE static void inner(Block& block, const Shared& here, Also&& also) {
    block.threads([&](int t) {
      also(t);
      for (int item = t; item < R * rows_here; item += threads) {
        Z<T>* const line = here.wave + item % rows_here * pitch + 16 * (item / rows_here);
        Z<T> x[16];
        unroll<16>([&](auto b) { x[b()] = line[b()]; });
        fft<16, inverse>(x);
        unroll<16>([&](auto b) { line[b()] = x[b()]; });
      }
    });
  }
};

}  // namespace ptyle::gpu
