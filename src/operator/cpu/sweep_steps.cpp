// The steps as two sweeps a slice, each a trip through the wave that does all that can be done to a
// block of it while it lies in the L1 cache:
//
//   column sweep, a block of columns:  FFT down the columns → × P → inverse FFT down the columns
//   row sweep, a row:                  inverse FFT along it   → × t (u kept, gradient) → FFT along
//
// Between the sweeps a wave is a spectrum along its rows and real along its columns. The first and
// the last FFT of a pattern are halves of a column sweep.

#include <algorithm>
#include <cmath>

#include "core/units.hpp"
#include "operator/cpu/descan.hpp"
#include "operator/cpu/gradient_rows.hpp"
#include "operator/cpu/steps.hpp"
#include "operator/cpu/sweeps/comparison.hpp"
#include "operator/cpu/sweeps/layout.hpp"

namespace ptyle::cpu {
namespace {

template <class T>
class SweepSteps final : public Steps<T>, private SweepLayout<T> {
  using C = Complex<T>;
  using Layout = SweepLayout<T>;
  using Layout::detector_pixel, Layout::each_in_row, Layout::each_pixel, Layout::g_,
      Layout::imaginary, Layout::keep_row, Layout::lanes_, Layout::mode, Layout::plane_,
      Layout::put_back, Layout::put_in_order, Layout::real, Layout::row_of, Layout::tables_,
      Layout::w_;

 public:
  SweepSteps(const OperatorSetup& setup, const Kernels<T>& kernels, Ledger* ledger)
      : Layout(setup.window, kernels.lanes),
        setup_(without_propagator(setup)),
        kernels_(kernels),
        propagator_({setup.slices > 1 ? plane_ : 0}, ledger, "propagator"),
        comparison_(setup_, kernels, ledger) {}

  void set_weights(View<const T, 2> weight, View<const T, 2> valid) override {
    comparison_.set_weights(weight, valid,
                            [&](i64 c, i64 y, i64 lane) { return detector_pixel(c, y, lane); });
  }

  void set_background(double background) override { setup_.background = background; }
  void set_propagator(std::span<const std::complex<double>> propagator) override {
    const double scale = 1.0 / static_cast<double>(w_ * w_);  // of the inverse FFT that follows
    beyond_limit_.assign(static_cast<std::size_t>(g_.vectors), true);
    for (i64 c = 0; c < g_.vectors; ++c)
      for (i64 y = 0; y < w_; ++y)
        for (i64 l = 0; l < lanes_; ++l) {
          const auto p = propagator[static_cast<std::size_t>(detector_pixel(c, y, l))];
          real(propagator_.data(), c, y, l) = static_cast<T>(p.real() * scale);
          imaginary(propagator_.data(), c, y, l) = static_cast<T>(p.imag() * scale);
          if (p != 0.0) beyond_limit_[static_cast<std::size_t>(c)] = false;
        }
  }

  SpectraLayout layout() const override { return {plane_, lanes_}; }

  void spectrum(View<const C, 3> probe, T* to) const override {
    const T scale = T(1) / static_cast<T>(w_ * w_);
    for (i64 m = 0; m < probe.shape[0]; ++m) {
      each_pixel(mode(to, m), [&](i64 y, i64 x, T& re, T& im) {
        re = scale * probe(m, y, x).real();
        im = scale * probe(m, y, x).imag();
      });
      for (i64 y = 0; y < w_; ++y) kernels_.row_forward(g_, row_of(mode(to, m), y));
      for (i64 c = 0; c < g_.vectors; ++c) kernels_.columns_forward(g_, mode(to, m), c);
    }
  }

  void add_probe_gradient(T* sum, View<C, 3> to) const override {
    const T scale = T(1) / static_cast<T>(w_ * w_);
    for (i64 m = 0; m < to.shape[0]; ++m) {
      for (i64 c = 0; c < g_.vectors; ++c) kernels_.columns_inverse(g_, mode(sum, m), c);
      for (i64 y = 0; y < w_; ++y) kernels_.row_inverse(g_, row_of(mode(sum, m), y));
      each_pixel(mode(sum, m),
                 [&](i64 y, i64 x, T& re, T& im) { to(m, y, x) += scale * C(re, im); });
    }
  }

  // Along rows of the wave pairs (re, im) for each row; along columns L re and L im for each block.
  // Then those of the descan, pairs for each row and for each column of the window.
  void prepare(const Placement& at, ThreadBuffers<T>& buffers) const override {
    T* ramp = buffers.ramp.data();
    const auto factor = [&](i64 k, double shift) {
      return std::polar(1.0, -2 * pi * double(frequency_index(k, w_)) / double(w_) * shift);
    };
    for (i64 y = 0; y < w_; ++y) {
      const auto f = factor(tables_.row_frequency[static_cast<std::size_t>(y)], at.shift_row);
      ramp[2 * y] = static_cast<T>(f.real());
      ramp[2 * y + 1] = static_cast<T>(f.imag());
    }
    for (i64 x = 0; x < w_; ++x) {
      const auto f = factor(tables_.column_frequency[static_cast<std::size_t>(x)], at.shift_col);
      T* to = ramp + 2 * w_ + x / lanes_ * 2 * lanes_ + x % lanes_;
      to[0] = static_cast<T>(f.real());
      to[lanes_] = static_cast<T>(f.imag());
    }
    if (setup_.descan) put_descan_factors(at, w_, descan(buffers));
  }

  void begin(const T* spectrum, ThreadBuffers<T>& buffers, T* wave) const override {
    for (i64 m = 0; m < setup_.modes; ++m)
      for (i64 c = 0; c < g_.vectors; ++c)
        kernels_.columns_begin(g_, mode(spectrum, m), buffers.ramp.data(), mode(wave, m), c);
  }
  void end_back(T* chi, ThreadBuffers<T>& buffers, T* sum) const override {
    for (i64 m = 0; m < setup_.modes; ++m)
      for (i64 c = 0; c < g_.vectors; ++c)
        kernels_.columns_end(g_, mode(chi, m), buffers.ramp.data(), mode(sum, m), c);
  }

  std::array<double, 2> shift_gradient(const T* spectrum, const T* g) const override {
    std::array<double, 2> sum{};
    for (i64 m = 0; m < setup_.modes; ++m)
      for (i64 c = 0; c < g_.vectors; ++c) {
        std::array<double, most_lanes> down{}, all{};
        for (i64 y = 0; y < w_; ++y) {
          const auto f = static_cast<double>(
              frequency_index(tables_.row_frequency[static_cast<std::size_t>(y)], w_));
          const T *re = &real(mode(g, m), c, y, 0), *im = &imaginary(mode(g, m), c, y, 0);
          const T *s_re = &real(mode(spectrum, m), c, y, 0),
                  *s_im = &imaginary(mode(spectrum, m), c, y, 0);
#pragma omp simd
          for (i64 l = 0; l < lanes_; ++l) {
            const auto value = static_cast<double>(re[l] * s_im[l] - im[l] * s_re[l]);
            down[static_cast<std::size_t>(l)] += f * value;
            all[static_cast<std::size_t>(l)] += value;
          }
        }
        for (i64 l = 0; l < lanes_; ++l) {
          const i64 f = tables_.column_frequency[static_cast<std::size_t>(c * lanes_ + l)];
          sum[0] += down[static_cast<std::size_t>(l)];
          sum[1] += static_cast<double>(frequency_index(f, w_)) * all[static_cast<std::size_t>(l)];
        }
      }
    return sum;
  }

  void transmit(const Slice<T>& slice, ThreadBuffers<T>& buffers, T* wave, T* u) const override {
    RowWork<T> work;
    work.past_cache = buffers.past_cache;
    for (i64 y = 0; y < w_; ++y) {
      set_transmission(slice, y, buffers, work);
      for (i64 m = slice.first_mode; m < slice.end_mode; ++m) {
        work.u = u ? mode(u, m) + y * 2 * w_ : nullptr;
        kernels_.row_sweep(g_, row_of(mode(wave, m), y), work);
      }
    }
  }

  void transmit_back(const Slice<T>& slice, ThreadBuffers<T>& buffers, T* chi, const T* u, T* wave,
                     const SliceGradient<T>& gradient) const override {
    RowWork<T> work;
    work.scale = gradient.scale;
    T* sums = buffers.scratch.data() + 2 * w_;  // of this row, over all modes
    for (i64 y = 0; y < w_; ++y) {
      set_transmission(slice, y, buffers, work);
      if (!gradient.illumination.empty()) work.illumination = &gradient.illumination(y, 0);
      const bool direct = slice.end_mode - slice.first_mode == 1 && lies_inside(gradient, y, w_);
      work.phase = sums_of(gradient.phase, gradient.at, y, direct ? 0 : w_, sums);
      work.absorption = sums_of(gradient.absorption, gradient.at, y, direct ? 0 : w_, sums + w_);
      work.next_sum = direct ? gradient.phase.shape[1] : 0;
      if (!direct) {
        fetch_row(gradient.phase, gradient.at, y, w_);
        fetch_row(gradient.absorption, gradient.at, y, w_);
      }
      for (i64 m = slice.first_mode; m < slice.end_mode; ++m) {
        work.u_back =
            u ? mode(u, m) + y * 2 * w_ : wave_back(slice, buffers, mode(wave, m), y, work);
        kernels_.row_sweep_back(g_, row_of(mode(chi, m), y), work);
      }
      if (direct) continue;
      add_row(gradient.phase, gradient.at, y, T(1), work.phase, w_);
      add_row(gradient.absorption, gradient.at, y, T(1), work.absorption, w_);
    }
  }

  void transmit_tangent(const Slice<T>& slice, ThreadBuffers<T>& buffers, T* wave, T* d_wave,
                        const ObjectView<T>& d_object, T* u) const override {
    RowWork<T> work;
    for (i64 y = 0; y < w_; ++y) {
      set_transmission(slice, y, buffers, work);
      for (i64 m = slice.first_mode; m < slice.end_mode; ++m) {
        T *psi = mode(wave, m), *d_psi = mode(d_wave, m);
        kernels_.row_inverse(g_, row_of(psi, y));
        kernels_.row_inverse(g_, row_of(d_psi, y));
        tangent_row(slice, y, work, psi, d_psi, d_object);
        if (u) keep_row(psi, y, mode(u, m) + y * 2 * w_);
        kernels_.row_forward(g_, row_of(psi, y));
        kernels_.row_forward(g_, row_of(d_psi, y));
      }
    }
  }

  void propagate(ThreadBuffers<T>&, T* wave) const override { column_sweeps(wave, false); }
  void propagate_back(ThreadBuffers<T>&, T* wave) const override { column_sweeps(wave, true); }

  // Waves between the steps are spectra along their rows: FFTs along columns complete them. Those
  // that propagate_back has made are divided by W.
  void add_to_propagator_gradient(const T* chi, const T* u, bool kept, T* aside,
                                  T* to) const override {
    T *const back = aside, *const through = aside + plane_;
    const T scale = kept ? T(1) : static_cast<T>(w_);
    for (i64 m = 0; m < setup_.modes; ++m) {
      std::copy_n(mode(chi, m), plane_, back);
      if (kept)
        for (i64 y = 0; y < w_; ++y) take_row(mode(u, m) + y * 2 * w_, y, through);
      else
        std::copy_n(mode(u, m), plane_, through);
      for (i64 c = 0; c < g_.vectors; ++c) {
        kernels_.columns_forward(g_, back, c);
        kernels_.columns_forward(g_, through, c);
        for (i64 y = 0; y < w_; ++y)
          for (i64 l = 0; l < lanes_; ++l) {
            const T re = real(back, c, y, l), im = imaginary(back, c, y, l);
            const T u_re = scale * real(through, c, y, l),
                    u_im = scale * imaginary(through, c, y, l);
            real(to, c, y, l) += re * u_re + im * u_im;
            imaginary(to, c, y, l) += im * u_re - re * u_im;
          }
      }
    }
  }
  void add_propagator_gradient(const T* sum, View<Complex<double>, 2> to) const override {
    const double scale = 1 / static_cast<double>(w_ * w_);
    for (i64 c = 0; c < g_.vectors; ++c)
      for (i64 y = 0; y < w_; ++y)
        for (i64 l = 0; l < lanes_; ++l)
          to.data[detector_pixel(c, y, l)] +=
              scale * Complex<double>(real(sum, c, y, l), imaginary(sum, c, y, l));
  }

  void displace(ThreadBuffers<T>& buffers, T* wave) const override {
    const auto *row = descan(buffers), *col = row + w_;
    for (i64 m = 0; m < setup_.modes; ++m)
      for (i64 y = 0; y < w_; ++y)
        in_real_space(mode(wave, m), y,
                      [&](i64 x, C& value) { value = mul(mul(row[y], col[x]), value); });
  }

  std::array<double, 2> displace_back(ThreadBuffers<T>& buffers, T* chi, const T* u, T* wave,
                                      bool wanted) const override {
    const auto *row = descan(buffers), *col = row + w_;
    auto* const u_row = reinterpret_cast<C*>(buffers.scratch.data());
    DescanSums sums(w_);
    for (i64 m = 0; m < setup_.modes; ++m)
      for (i64 y = 0; y < w_; ++y) {
        if (wanted) take_u(u, wave, m, y, u_row);
        in_real_space(mode(chi, m), y, [&](i64 x, C& value) {
          value = conj_mul(mul(row[y], col[x]), value);
          if (wanted) sums.add(y, x, value, u_row[x]);
        });
      }
    return sums.sums();
  }

  void exit(ThreadBuffers<T>&, T* wave, View<C, 3> to) const override {
    for (i64 m = 0; m < setup_.modes; ++m)
      for (i64 c = 0; c < g_.vectors; ++c) {
        kernels_.columns_forward(g_, mode(wave, m), c);
        for (i64 y = 0; y < w_; ++y)
          for (i64 l = 0; l < lanes_; ++l)
            to[m].data[detector_pixel(c, y, l)] = {real(mode(wave, m), c, y, l),
                                                   imaginary(mode(wave, m), c, y, l)};
      }
  }

  void enter_back(ThreadBuffers<T>&, View<const C, 3> d, T* chi) const override {
    for (i64 m = 0; m < setup_.modes; ++m)
      for (i64 c = 0; c < g_.vectors; ++c) {
        for (i64 y = 0; y < w_; ++y)
          for (i64 l = 0; l < lanes_; ++l) {
            const C v = d[m].data[detector_pixel(c, y, l)];
            real(mode(chi, m), c, y, l) = v.real();
            imaginary(mode(chi, m), c, y, l) = v.imag();
          }
        kernels_.columns_inverse(g_, mode(chi, m), c);
      }
  }

  // Modes of a block of columns stay in the cache until their intensities are summed.
  Misfit detect(ThreadBuffers<T>& buffers, T* wave, bool residual) const override {
    const i64 pixels = w_ * lanes_;
    T *intensity = buffers.scratch.data(), *measured = intensity + pixels;
    put_in_order(buffers.measured.data(), measured);
    Misfit sum;
    for (i64 c = 0; c < g_.vectors; ++c) {
      std::fill_n(intensity, pixels, static_cast<T>(setup_.background));
      for (i64 m = 0; m < setup_.modes; ++m) {
        kernels_.columns_forward(g_, mode(wave, m), c);
        kernels_.add_intensity(g_, mode(wave, m) + c * g_.block, intensity);
      }
      sum += comparison_.compare(c, intensity, measured + c * pixels, residual);
      if (!residual) continue;
      for (i64 m = 0; m < setup_.modes; ++m) {
        kernels_.scale_pixels(g_, mode(wave, m) + c * g_.block, intensity);
        kernels_.columns_inverse(g_, mode(wave, m), c);
      }
    }
    return sum;
  }

  double bend(ThreadBuffers<T>& buffers, T* wave, T* d_wave, bool residual) const override {
    double total = 0;
    T *intensity = buffers.scratch.data(), *change = intensity + lanes_;
    for (i64 c = 0; c < g_.vectors; ++c) {
      for (i64 m = 0; m < setup_.modes; ++m) {
        kernels_.columns_forward(g_, mode(wave, m), c);
        kernels_.columns_forward(g_, mode(d_wave, m), c);
      }
      for (i64 y = 0; y < w_; ++y) {
        std::fill_n(intensity, lanes_, static_cast<T>(setup_.background));
        std::fill_n(change, lanes_, T(0));
        for (i64 m = 0; m < setup_.modes; ++m) {
          const T *re = &real(mode(wave, m), c, y, 0), *im = &imaginary(mode(wave, m), c, y, 0);
          const T *d_re = &real(mode(d_wave, m), c, y, 0),
                  *d_im = &imaginary(mode(d_wave, m), c, y, 0);
#pragma omp simd
          for (i64 l = 0; l < lanes_; ++l) {
            intensity[l] += re[l] * re[l] + im[l] * im[l];
            change[l] += re[l] * d_re[l] + im[l] * d_im[l];
          }
        }
        comparison_.bend(c, y, intensity, change, total);
        for (i64 m = 0; residual && m < setup_.modes; ++m)
          for (i64 l = 0; l < lanes_; ++l) {
            real(mode(d_wave, m), c, y, l) = change[l] * real(mode(wave, m), c, y, l);
            imaginary(mode(d_wave, m), c, y, l) = change[l] * imaginary(mode(wave, m), c, y, l);
          }
      }
      for (i64 m = 0; residual && m < setup_.modes; ++m)
        kernels_.columns_inverse(g_, mode(d_wave, m), c);
    }
    return total;
  }

 private:
  /// Its factors, of rows and of columns, behind the ramp of the shift.
  C* descan(ThreadBuffers<T>& buffers) const {
    return reinterpret_cast<C*>(buffers.ramp.data() + 4 * w_);
  }
  /// Row y of a wave that is a spectrum along it: f(x, value) for every pixel, and back; values
  /// are those of the unnormalised inverse FFT.
  template <class F>
  void in_real_space(T* wave, i64 y, F&& f) const {
    const T scale = T(1) / static_cast<T>(w_);
    kernels_.row_inverse(g_, row_of(wave, y));
    each_in_row(wave, y, [&](i64 x, T& re, T& im) {
      C value(re, im);
      f(x, value);
      re = scale * value.real(), im = scale * value.imag();
    });
    kernels_.row_forward(g_, row_of(wave, y));
  }
  /// Row y of the last slice's u as it was kept; where it was not (null), of the wave beside.
  void take_u(const T* u, T* wave, i64 m, i64 y, C* to) const {
    if (!u) {
      const T scale = T(1) / static_cast<T>(w_);
      in_real_space(mode(wave, m), y, [&](i64 x, C& value) { to[x] = scale * value; });
      return;
    }
    const T* const row = mode(u, m) + y * 2 * w_;
    for (i64 x = 0; x < w_; ++x) {
      const T* const at = row + x / lanes_ * 2 * lanes_ + x % lanes_;
      to[x] = C(at[0], at[lanes_]);
    }
  }

  /// ψ ← IFFT_y(P FFT_y(ψ)); what lies beyond the band limit is nothing, and not computed.
  void column_sweeps(T* wave, bool conjugate) const {
    for (i64 c = 0; c < g_.vectors; ++c)
      for (i64 m = 0; m < setup_.modes; ++m) {
        if (beyond_limit_[static_cast<std::size_t>(c)])
          std::fill_n(mode(wave, m) + c * g_.block, g_.block, T(0));
        else
          kernels_.column_sweep(g_, mode(wave, m), propagator_.data(), conjugate, c);
      }
  }

  void set_transmission(const Slice<T>& slice, i64 y, ThreadBuffers<T>& buffers,
                        RowWork<T>& work) const {
    const auto row = slice.transmission.row(slice.plane, slice.at, y, w_, buffers.scratch.data());
    work.t_re = row.re;
    work.t_im = row.im;
    work.next_row = row.next;
  }

  /// u of row y from a wave that goes back too, which becomes conj(t) u.
  const T* wave_back(const Slice<T>& slice, ThreadBuffers<T>& buffers, T* wave, i64 y,
                     const RowWork<T>& work) const {
    T* u = buffers.scratch.data() + 4 * w_;
    // The last slice's wave comes straight from its FFT along rows, with no P that carries 1/W.
    const T scale = slice.last ? T(1) / static_cast<T>(w_) : T(1);
    kernels_.row_inverse(g_, row_of(wave, y));
    for (i64 v = 0; v < g_.vectors; ++v) {
      T *psi = &real(wave, v, y, 0), *to = u + v * 2 * lanes_;
      const T *t_re = work.t_re + v * lanes_, *t_im = work.t_im + v * lanes_;
      for (i64 l = 0; l < lanes_; ++l) {
        const T re = scale * psi[l], im = scale * psi[lanes_ + l];
        to[l] = re, to[lanes_ + l] = im;
        psi[l] = t_re[l] * re + t_im[l] * im;
        psi[lanes_ + l] = t_re[l] * im - t_im[l] * re;
      }
    }
    kernels_.row_forward(g_, row_of(wave, y));
    return u;
  }

  /// A kept row of u as its spectrum along the row.
  void take_row(const T* u, i64 y, T* wave) const {
    put_back(u, y, wave);
    kernels_.row_forward(g_, row_of(wave, y));
  }

  /// Row y: dψ ← t dψ + (i dφ − dμ) u beside u = t ψ.
  void tangent_row(const Slice<T>& slice, i64 y, const RowWork<T>& work, T* wave, T* d_wave,
                   const ObjectView<T>& d_object) const {
    const auto& shape = d_object.phase.shape;
    const Inside in(slice.at, w_, shape[1], shape[2]);
    const bool inside = !d_object.phase.empty() && y >= in.y0 && y < in.y1;
    const bool absorbs = setup_.absorption && !d_object.absorption.empty();
    const i64 first = (slice.plane * shape[1] + slice.at.row + y) * shape[2] + slice.at.col;
    for (i64 v = 0; v < g_.vectors; ++v) {
      T *re = &real(wave, v, y, 0), *im = &imaginary(wave, v, y, 0);
      T *d_re = &real(d_wave, v, y, 0), *d_im = &imaginary(d_wave, v, y, 0);
      const i64 x = v * lanes_;
      const T *t_re = work.t_re + x, *t_im = work.t_im + x;
#pragma omp simd
      for (i64 l = 0; l < lanes_; ++l) {
        const T u_re = t_re[l] * re[l] - t_im[l] * im[l], u_im = t_re[l] * im[l] + t_im[l] * re[l];
        const T du_re = t_re[l] * d_re[l] - t_im[l] * d_im[l],
                du_im = t_re[l] * d_im[l] + t_im[l] * d_re[l];
        re[l] = u_re, im[l] = u_im;
        d_re[l] = du_re, d_im[l] = du_im;
      }
      if (!inside) continue;
      const i64 from = std::max<i64>(in.x0 - x, 0), to = std::min(in.x1 - x, lanes_);
      const T* d_phi = d_object.phase.data + first + x;
#pragma omp simd
      for (i64 l = from; l < to; ++l) d_re[l] -= d_phi[l] * im[l], d_im[l] += d_phi[l] * re[l];
      if (!absorbs) continue;
      const T* d_mu = d_object.absorption.data + first + x;
      for (i64 l = from; l < to; ++l) d_re[l] -= d_mu[l] * re[l], d_im[l] -= d_mu[l] * im[l];
    }
  }

  static constexpr std::size_t most_lanes = 16;
  OperatorSetup setup_;
  const Kernels<T>& kernels_;
  Array<T, 1> propagator_;  // as a wave, with the 1/W² of the inverse FFT
  SweepComparison<T> comparison_;
  std::vector<bool> beyond_limit_;  // a block of columns where P = 0
};

}  // namespace

template <class T>
BufferSizes sweep_sizes(const OperatorSetup& setup, const Kernels<T>& kernels) {
  const i64 w = setup.window, lanes = kernels.lanes, plane = sweep_wave_size(w, kernels.lanes);
  return {.wave = setup.modes * plane,
          .probe = setup.probe_modes() * plane,
          .scratch = w * (w + lanes),  // a pattern and a block's intensities; or t, gradients and u
          .ramp = (setup.descan ? 8 : 4) * w,
          .propagator = setup.slices > 1 ? plane : 0,
          .detector = 2 * w * w};
}

template <class T>
std::unique_ptr<Steps<T>> make_sweep_steps(const OperatorSetup& setup, const Kernels<T>& kernels,
                                           Ledger* ledger) {
  return std::make_unique<SweepSteps<T>>(setup, kernels, ledger);
}

template BufferSizes sweep_sizes(const OperatorSetup&, const Kernels<float>&);
template BufferSizes sweep_sizes(const OperatorSetup&, const Kernels<double>&);
template std::unique_ptr<Steps<float>> make_sweep_steps(const OperatorSetup&, const Kernels<float>&,
                                                        Ledger*);
template std::unique_ptr<Steps<double>> make_sweep_steps(const OperatorSetup&,
                                                         const Kernels<double>&, Ledger*);

}  // namespace ptyle::cpu
