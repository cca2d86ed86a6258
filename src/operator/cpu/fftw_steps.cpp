// The steps on the library of FFTs (FFTW, ducc0), for any window: waves are W·W complex values in
// natural order, mode after mode, in real space between the steps.

#include <algorithm>
#include <cmath>

#include "core/units.hpp"
#include "device/cpu/fft.hpp"
#include "operator/cpu/descan.hpp"
#include "operator/cpu/steps.hpp"

namespace ptyle::cpu {
namespace {

template <class T>
class FftwSteps final : public Steps<T> {
  using C = Complex<T>;
  using Row = typename Transmission<T>::Row;

 public:
  FftwSteps(const OperatorSetup& setup, Ledger* ledger)
      : setup_(without_propagator(setup)),
        w_(setup.window),
        n_(w_ * w_),
        fft_(w_, w_),
        propagator_({fftw_sizes(setup).propagator / 2}, ledger, "propagator"),
        weight_({w_, w_}, ledger, "detector"),
        valid_({w_, w_}, ledger, "detector") {
    weight_.fill(1);
    valid_.fill(1);
  }

  void set_weights(View<const T, 2> weight, View<const T, 2> valid) override {
    if (valid.empty())
      valid_.fill(1);
    else
      std::copy(valid.begin(), valid.end(), valid_.begin());
    if (weight.empty())
      weight_.fill(1);
    else
      std::copy(weight.begin(), weight.end(), weight_.begin());
    for (i64 i = 0; i < n_; ++i) weight_.data()[i] *= valid_.data()[i];
  }

  void set_background(double background) override { setup_.background = background; }
  void set_propagator(std::span<const std::complex<double>> propagator) override {
    const double scale = 1.0 / static_cast<double>(n_);  // of the inverse FFT that follows
    for (i64 i = 0; i < n_; ++i) propagator_(i) = C(propagator[i] * scale);
  }

  SpectraLayout layout() const override { return {2 * n_, 1}; }

  void spectrum(View<const C, 3> probe, T* to) const override {
    std::copy(probe.begin(), probe.end(), mode(to, 0));
    for (i64 m = 0; m < probe.shape[0]; ++m) fft_.forward(mode(to, m));
    for (i64 i = 0; i < probe.size(); ++i) mode(to, 0)[i] /= static_cast<T>(n_);
  }

  void prepare(const Placement& at, ThreadBuffers<T>& buffers) const override {
    auto *row = reinterpret_cast<C*>(buffers.ramp.data()), *col = row + w_;
    for (i64 i = 0; i < w_; ++i) {
      const double f = -2 * pi * double(frequency_index(i, w_)) / double(w_);
      row[i] = C(std::polar(1.0, f * at.shift_row));
      col[i] = C(std::polar(1.0, f * at.shift_col));
    }
    if (setup_.descan) put_descan_factors(at, w_, descan(buffers));
  }

  void begin(const T* spectrum, ThreadBuffers<T>& buffers, T* wave) const override {
    const auto *row = reinterpret_cast<const C*>(buffers.ramp.data()), *col = row + w_;
    for (i64 m = 0; m < setup_.modes; ++m) {
      const C* from = mode(spectrum, m);
      C* to = mode(wave, m);
      for (i64 y = 0; y < w_; ++y)
        for (i64 x = 0; x < w_; ++x) to[y * w_ + x] = mul(mul(row[y], col[x]), from[y * w_ + x]);
      fft_.inverse(to);
    }
  }

  void end_back(T* chi, ThreadBuffers<T>& buffers, T* sum) const override {
    const auto *row = reinterpret_cast<const C*>(buffers.ramp.data()), *col = row + w_;
    for (i64 m = 0; m < setup_.modes; ++m) {
      C *from = mode(chi, m), *to = mode(sum, m);
      fft_.forward(from);
      for (i64 y = 0; y < w_; ++y)
        for (i64 x = 0; x < w_; ++x)
          to[y * w_ + x] += conj_mul(mul(row[y], col[x]), from[y * w_ + x]);
    }
  }

  void add_probe_gradient(T* sum, View<C, 3> to) const override {
    const T scale = T(1) / static_cast<T>(n_);
    for (i64 m = 0; m < to.shape[0]; ++m) {
      C *g = mode(sum, m), *out = to[m].data;
      fft_.inverse(g);
      for (i64 i = 0; i < n_; ++i) out[i] += g[i] * scale;
    }
  }

  std::array<double, 2> shift_gradient(const T* spectrum, const T* g) const override {
    std::array<double, 2> sum{};
    for (i64 m = 0; m < setup_.modes; ++m) {
      const C *of = mode(g, m), *probe = mode(spectrum, m);
      for (i64 y = 0; y < w_; ++y)
        for (i64 x = 0; x < w_; ++x, ++of, ++probe) {
          const auto value =
              static_cast<double>(of->real() * probe->imag() - of->imag() * probe->real());
          sum[0] += static_cast<double>(frequency_index(y, w_)) * value;
          sum[1] += static_cast<double>(frequency_index(x, w_)) * value;
        }
    }
    return sum;
  }

  void transmit(const Slice<T>& slice, ThreadBuffers<T>& buffers, T* wave, T* u) const override {
    for (i64 y = 0; y < w_; ++y) {
      const Row t = row_of(slice, y, buffers);
      for (i64 m = slice.first_mode; m < slice.end_mode; ++m) {
        C* psi = mode(wave, m) + y * w_;
        for (i64 x = 0; x < w_; ++x) psi[x] = mul(C(t.re[x], t.im[x]), psi[x]);
        if (u) std::copy_n(psi, w_, mode(u, m) + y * w_);
      }
    }
  }

  /// ∂f/∂φ_s += scale · Re(conj(χ) i u), ∂f/∂μ_s −= scale · Re(conj(χ) u), illumination += |u|²
  void transmit_back(const Slice<T>& slice, ThreadBuffers<T>& buffers, T* chi, const T* u, T* wave,
                     const SliceGradient<T>& gradient) const override {
    T *phase = buffers.scratch.data() + 2 * w_, *absorption = phase + w_;  // a row's, of all modes
    for (i64 y = 0; y < w_; ++y) {
      const Row t = row_of(slice, y, buffers);
      std::fill_n(phase, 2 * w_, T(0));
      for (i64 m = slice.first_mode; m < slice.end_mode; ++m) {
        C* c = mode(chi, m) + y * w_;
        const C* uy = (u ? mode(u, m) : mode(wave, m)) + y * w_;
        for (i64 x = 0; x < w_; ++x) {
          phase[x] += uy[x].real() * c[x].imag() - uy[x].imag() * c[x].real();
          absorption[x] -= uy[x].real() * c[x].real() + uy[x].imag() * c[x].imag();
        }
        if (!gradient.illumination.empty())
          for (i64 x = 0; x < w_; ++x) gradient.illumination(y, x) += square(uy[x]);
        for (i64 x = 0; x < w_; ++x) c[x] = conj_mul(C(t.re[x], t.im[x]), c[x]);
        if (u) continue;
        C* psi = mode(wave, m) + y * w_;
        for (i64 x = 0; x < w_; ++x) psi[x] = conj_mul(C(t.re[x], t.im[x]), psi[x]);
      }
      add_row(gradient.phase, gradient.at, y, gradient.scale, phase, w_);
      add_row(gradient.absorption, gradient.at, y, gradient.scale, absorption, w_);
    }
  }

  void transmit_tangent(const Slice<T>& slice, ThreadBuffers<T>& buffers, T* wave, T* d_wave,
                        const ObjectView<T>& d_object, T* u) const override {
    const bool absorbs = setup_.absorption && !d_object.absorption.empty();
    for (i64 y = 0; y < w_; ++y) {
      const Row t = row_of(slice, y, buffers);
      for (i64 m = slice.first_mode; m < slice.end_mode; ++m) {
        C *psi = mode(wave, m) + y * w_, *d_psi = mode(d_wave, m) + y * w_;
        for (i64 x = 0; x < w_; ++x) {
          psi[x] = mul(C(t.re[x], t.im[x]), psi[x]);
          d_psi[x] = mul(C(t.re[x], t.im[x]), d_psi[x]);
        }
        if (u) std::copy_n(psi, w_, mode(u, m) + y * w_);
        if (d_object.phase.empty()) continue;
        const auto& shape = d_object.phase.shape;
        const Inside in(slice.at, w_, shape[1], shape[2]);
        if (y < in.y0 || y >= in.y1) continue;
        const i64 first = (slice.plane * shape[1] + slice.at.row + y) * shape[2] + slice.at.col;
        for (i64 x = in.x0; x < in.x1; ++x) {
          const T d_mu = absorbs ? d_object.absorption.data[first + x] : T(0);
          d_psi[x] += mul(C(-d_mu, d_object.phase.data[first + x]), psi[x]);
        }
      }
    }
  }

  void propagate(ThreadBuffers<T>& buffers, T* wave) const override { pass<false>(buffers, wave); }
  void propagate_back(ThreadBuffers<T>& buffers, T* wave) const override {
    pass<true>(buffers, wave);
  }

  void add_to_propagator_gradient(const T* chi, const T* u, bool /*kept*/, T* aside,
                                  T* to) const override {
    C *back = mode(aside, 0), *through = mode(aside, 1), *sum = mode(to, 0);
    for (i64 m = 0; m < setup_.modes; ++m) {
      std::copy_n(mode(chi, m), n_, back);
      std::copy_n(mode(u, m), n_, through);
      fft_.forward(back);
      fft_.forward(through);
      for (i64 k = 0; k < n_; ++k) sum[k] += conj_mul(through[k], back[k]);
    }
  }
  void add_propagator_gradient(const T* sum, View<Complex<double>, 2> to) const override {
    for (i64 k = 0; k < n_; ++k)
      to.data[k] += Complex<double>(mode(sum, 0)[k]) / static_cast<double>(n_);
  }

  void displace(ThreadBuffers<T>& buffers, T* wave) const override {
    const auto *row = descan(buffers), *col = row + w_;
    for (i64 m = 0; m < setup_.modes; ++m)
      for (i64 y = 0; y < w_; ++y)
        for (i64 x = 0; x < w_; ++x) {
          C& u = mode(wave, m)[y * w_ + x];
          u = mul(mul(row[y], col[x]), u);
        }
  }

  std::array<double, 2> displace_back(ThreadBuffers<T>& buffers, T* chi, const T* u, T* wave,
                                      bool wanted) const override {
    const auto *row = descan(buffers), *col = row + w_;
    DescanSums sums(w_);
    for (i64 m = 0; m < setup_.modes; ++m) {
      const C* const of = wanted ? (u ? mode(u, m) : mode(wave, m)) : nullptr;
      for (i64 y = 0; y < w_; ++y)
        for (i64 x = 0; x < w_; ++x) {
          C& c = mode(chi, m)[y * w_ + x];
          c = conj_mul(mul(row[y], col[x]), c);
          if (wanted) sums.add(y, x, c, of[y * w_ + x]);
        }
    }
    return sums.sums();
  }

  void exit(ThreadBuffers<T>&, T* wave, View<C, 3> to) const override {
    for (i64 m = 0; m < setup_.modes; ++m) fft_.forward(mode(wave, m), to[m].data);
  }

  void enter_back(ThreadBuffers<T>&, View<const C, 3> d, T* chi) const override {
    for (i64 m = 0; m < setup_.modes; ++m) fft_.inverse(d[m].data, mode(chi, m));
  }

  Misfit detect(ThreadBuffers<T>& buffers, T* wave, bool residual) const override {
    for (i64 m = 0; m < setup_.modes; ++m) fft_.forward(mode(wave, m));
    Misfit sum;
    T* intensity = buffers.scratch.data();  // a row; summed in T, rows in double
    const T eps = static_cast<T>(setup_.epsilon);
    for (i64 y = 0; y < w_; ++y) {
      const T *measured = buffers.measured.data() + y * w_, *weight = weight_.data() + y * w_;
      const T* valid = valid_.data() + y * w_;
      std::fill_n(intensity, w_, static_cast<T>(setup_.background));
      for (i64 m = 0; m < setup_.modes; ++m) {
        const C* psi = mode(wave, m) + y * w_;
        for (i64 x = 0; x < w_; ++x) intensity[x] += square(psi[x]);
      }
      with_loss(setup_.loss, [&]<class L>(L) {
        sum += detector_row<L>(intensity, measured, weight, valid, w_, eps);
        if (residual) residual_row<L>(intensity, measured, weight, w_, eps);
      });
      if (residual) scale_row(wave, y, intensity);
    }
    if (residual)
      for (i64 m = 0; m < setup_.modes; ++m) fft_.inverse(mode(wave, m));
    return sum;
  }

  double bend(ThreadBuffers<T>&, T* wave, T* d_wave, bool residual) const override {
    for (i64 m = 0; m < setup_.modes; ++m) fft_.forward(mode(wave, m));
    for (i64 m = 0; m < setup_.modes; ++m) fft_.forward(mode(d_wave, m));
    double total = 0;
    with_loss(setup_.loss, [&](auto loss) {
      for (i64 i = 0; i < n_; ++i) {
        T intensity = static_cast<T>(setup_.background), change = 0;
        for (i64 m = 0; m < setup_.modes; ++m) {
          const C psi = mode(wave, m)[i], d_psi = mode(d_wave, m)[i];
          intensity += square(psi);
          change += psi.real() * d_psi.real() + psi.imag() * d_psi.imag();
        }
        const double lit = double(intensity) + setup_.epsilon;
        const double bent = weight_.data()[i] * double(change);
        total += 2 * loss.curvature(bent * double(change), lit);
        if (!residual) continue;
        const auto factor = static_cast<T>(2 * loss.curvature(bent, lit));
        for (i64 m = 0; m < setup_.modes; ++m) mode(d_wave, m)[i] = factor * mode(wave, m)[i];
      }
    });
    for (i64 m = 0; residual && m < setup_.modes; ++m) fft_.inverse(mode(d_wave, m));
    return total;
  }

 private:
  C* mode(T* waves, i64 m) const { return reinterpret_cast<C*>(waves) + m * n_; }
  const C* mode(const T* waves, i64 m) const { return reinterpret_cast<const C*>(waves) + m * n_; }
  static T square(C v) { return v.real() * v.real() + v.imag() * v.imag(); }

  /// The descan's factors, of rows and of columns, behind the ramp of the shift.
  C* descan(ThreadBuffers<T>& buffers) const {
    return reinterpret_cast<C*>(buffers.ramp.data()) + 2 * w_;
  }

  Row row_of(const Slice<T>& slice, i64 y, ThreadBuffers<T>& buffers) const {
    return slice.transmission.row(slice.plane, slice.at, y, w_, buffers.scratch.data());
  }

  template <bool conjugate>
  void pass(ThreadBuffers<T>& buffers, T* wave) const {
    auto* spectrum = reinterpret_cast<C*>(buffers.scratch.data());
    for (i64 m = 0; m < setup_.modes; ++m) {
      fft_.forward(mode(wave, m), spectrum);
      apply_propagator<conjugate>(propagator_.data(), spectrum, n_);
      fft_.inverse(spectrum, mode(wave, m));
    }
  }

  /// Row y of each mode's Ψ by the factors of its pixels.
  void scale_row(T* wave, i64 y, const T* factor) const {
    for (i64 m = 0; m < setup_.modes; ++m) {
      C* psi = mode(wave, m) + y * w_;
      for (i64 x = 0; x < w_; ++x) psi[x] *= factor[x];
    }
  }

  OperatorSetup setup_;
  i64 w_, n_;
  Fft2<T> fft_;
  Array<C, 1> propagator_;
  Array<T, 2> weight_, valid_;
};

}  // namespace

BufferSizes fftw_sizes(const OperatorSetup& setup) {
  const i64 w = setup.window, n = w * w;
  return {.wave = 2 * setup.modes * n,
          .probe = 2 * setup.probe_modes() * n,
          .scratch = std::max(2 * n, 4 * w),  // a wave, or rows of t and of gradients
          .ramp = (setup.descan ? 8 : 4) * w,
          .propagator = setup.slices > 1 ? 2 * n : 0,
          .detector = 2 * n};
}

template <class T>
std::unique_ptr<Steps<T>> make_fftw_steps(const OperatorSetup& setup, Ledger* ledger) {
  return std::make_unique<FftwSteps<T>>(setup, ledger);
}

template std::unique_ptr<Steps<float>> make_fftw_steps(const OperatorSetup&, Ledger*);
template std::unique_ptr<Steps<double>> make_fftw_steps(const OperatorSetup&, Ledger*);

}  // namespace ptyle::cpu
