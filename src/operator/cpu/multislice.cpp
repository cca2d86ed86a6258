// The multislice operator on FFTW, a position at a time on each thread:
//
//   1. shift the probe to the position
//   2. forward through the slices, keeping u_s = t_s ψ_s
//   3. detector: intensity, misfit, residual
//   4. adjoint back through the slices, leaving the gradient in a patch of the window's size
//   5. add the patches to the sums, in the order of the positions, each thread its own slices

#include <algorithm>
#include <stdexcept>

#include "core/parallel.hpp"
#include "device/cpu/fft.hpp"
#include "operator/cpu/pointwise.hpp"
#include "operator/operator.hpp"

namespace ptyle {
namespace {

using namespace cpu;

template <class T>
class CpuOperator final : public Operator<T> {
  using C = Complex<T>;

  /// exp(−2πi f s / W) along rows and columns: the shift theorem for one position.
  struct Ramp {
    Array<C, 1> row, col;
  };

  /// What a thread works in: one position's waves and gradient patches.
  struct Workspace {
    Workspace(const OperatorSetup& s, Ledger* ledger)
        : exit({s.modes, s.window, s.window}, ledger, "waves"),
          wave({s.window, s.window}, ledger, "waves"),
          intensity({s.window, s.window}, ledger, "waves"),
          measured({s.window, s.window}, ledger, "waves") {}
    void need(const OperatorSetup& s, Wanted wanted, Ledger* ledger) {
      const std::array<i64, 3> patch{s.slices, s.window, s.window};
      if (wanted.object && phase.empty()) {
        phase = Array<T, 3>(patch, ledger, "gradient patches");
        if (s.absorption) absorption = Array<T, 3>(patch, ledger, "gradient patches");
      }
      if (wanted.illumination && illumination.empty())
        illumination = Array<T, 2>({s.window, s.window}, ledger, "gradient patches");
    }
    Array<C, 3> u;  ///< every slice's wave; made when first kept
    Array<C, 3> exit;
    Array<C, 2> wave;
    Ramp ramp;
    Array<T, 2> intensity, measured;
    Array<T, 3> phase, absorption;
    Array<T, 2> illumination;
    Misfit misfit;
  };

 public:
  CpuOperator(OperatorSetup setup, int threads, Ledger* ledger)
      : setup_(std::move(setup)),
        threads_(threads),
        ledger_(ledger),
        n_(setup_.window * setup_.window),
        fft_(setup_.window, setup_.window),
        propagator_({setup_.slices > 1 ? n_ : 0}, ledger, "propagator"),
        probe_({setup_.modes, setup_.window, setup_.window}, ledger, "probe"),
        probe_k_({setup_.modes, setup_.window, setup_.window}, ledger, "probe"),
        weight_({setup_.window, setup_.window}),
        valid_({setup_.window, setup_.window}) {
    if (setup_.slices > 1 && static_cast<i64>(setup_.propagator.size()) != n_)
      throw std::invalid_argument("the propagator must have W·W values");
    const double scale = 1.0 / static_cast<double>(n_);  // of the inverse FFT that follows
    for (i64 i = 0; i < propagator_.size(); ++i) propagator_(i) = C(setup_.propagator[i] * scale);
    weight_.fill(1);
    valid_.fill(1);
    for (int t = 0; t < threads_; ++t) work_.emplace_back(setup_, ledger_);
  }

  const OperatorSetup& setup() const override { return setup_; }

  void set_object(const ObjectView<T>& object) override {
    if (t_.shape() != object.phase.shape)
      t_ = Array<C, 3>(object.phase.shape, ledger_, "transmission");
    const T* mu = setup_.absorption ? object.absorption.data : nullptr;
    // Blocks of one size for any number of threads: where a block ends, the remainder of the vector
    // loop rounds differently.
    constexpr i64 block = 1 << 14;
    const i64 voxels = t_.size();
    parallel_for((voxels + block - 1) / block, threads_, [&](i64 b, int) {
      const i64 from = b * block, n = std::min(block, voxels - from);
      transmission(object.phase.data + from, mu ? mu + from : nullptr, t_.data() + from, n);
    });
  }

  void set_probe(View<const C, 3> probe) override {
    std::copy(probe.begin(), probe.end(), probe_.begin());
    std::copy(probe.begin(), probe.end(), probe_k_.begin());
    for (i64 m = 0; m < setup_.modes; ++m) fft_.forward(probe_k_.view()[m].data);
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

  void forward(const Placement& at, View<C, 3> wave) const override {
    const Ramp ramp = make_ramp(at);  // nothing shared is written: several threads may call
    for (i64 m = 0; m < setup_.modes; ++m) {
      shifted_probe(ramp, at, probe_.view()[m], probe_k_.view()[m], wave[m]);
      for (i64 s = 0; s < setup_.slices; ++s) {
        apply_transmission<false, T>(slice(s), at, wave[m]);
        if (s + 1 < setup_.slices) propagate<false>(wave[m].data);
      }
      fft_.forward(wave[m].data);
    }
  }

  void tangent(const Placement& at, const ObjectView<T>& d_object, View<const C, 3> d_probe,
               View<C, 3> d_wave) const override {
    auto& ws = work_[0];
    ws.ramp = make_ramp(at);
    for (i64 m = 0; m < setup_.modes; ++m) tangent_mode(ws, at, m, d_object, d_probe, d_wave[m]);
  }

  void adjoint(const Placement& at, View<const C, 3> d, const Gradient<T>& sum) const override {
    auto& ws = work_[0];
    const Wanted wanted{!sum.phase.empty(), !sum.probe.empty(), false};
    ws.need(setup_, wanted, ledger_);
    forward_keeping_waves(ws, at);
    std::copy(d.begin(), d.end(), ws.exit.begin());
    backward(ws, at, wanted, T(1));
    Array<C, 3> probe_sum({wanted.probe ? setup_.modes : 0, setup_.window, setup_.window});
    add_patches(1, std::span(&at, 1), wanted, sum, probe_sum);
    add_probe_gradient(probe_sum, sum);
  }

  Misfit gradient(std::span<const Placement> places, const Measured<T>& measured, Wanted wanted,
                  const Gradient<T>& sum) const override {
    Misfit total;
    Array<C, 3> probe_sum({wanted.probe ? setup_.modes : 0, setup_.window, setup_.window});
    for (auto& ws : work_) ws.need(setup_, wanted, ledger_);
    const i64 count = static_cast<i64>(places.size());
    for (i64 first = 0; first < count; first += threads_) {
      const i64 n = std::min<i64>(threads_, count - first);
      parallel_for(n, threads_, [&](i64 k, int) {  // workspace k belongs to position first + k
        auto& ws = work_[k];
        const Placement& at = places[first + k];
        measured(first + k, ws.measured.data());
        forward_keeping_waves(ws, at);
        detect(ws);
        residual(ws);
        backward(ws, at, wanted, T(2));
      });
      for (i64 k = 0; k < n; ++k) total += work_[k].misfit;
      add_patches(n, places.subspan(first, n), wanted, sum, probe_sum);
    }
    add_probe_gradient(probe_sum, sum);
    return total;
  }

  Misfit misfit(std::span<const Placement> places, const Measured<T>& measured) const override {
    Misfit total;
    const i64 count = static_cast<i64>(places.size());
    for (i64 first = 0; first < count; first += threads_) {
      const i64 n = std::min<i64>(threads_, count - first);
      parallel_for(n, threads_, [&](i64 k, int) {
        auto& ws = work_[k];
        measured(first + k, ws.measured.data());
        forward_keeping_waves(ws, places[first + k]);
        detect(ws);
      });
      for (i64 k = 0; k < n; ++k) total += work_[k].misfit;
    }
    return total;
  }

  double curvature(std::span<const Placement> places, const ObjectView<T>& d_object,
                   View<const C, 3> d_probe) const override {
    std::vector<double> each(places.size());
    const i64 count = static_cast<i64>(places.size());
    for (i64 first = 0; first < count; first += threads_)
      parallel_for(std::min<i64>(threads_, count - first), threads_, [&](i64 k, int) {
        each[first + k] = curvature_at(work_[k], places[first + k], d_object, d_probe);
      });
    double total = 0;
    for (const double c : each) total += c;
    return total;
  }

 private:
  View<const C, 2> slice(i64 s) const { return t_.view()[s]; }

  template <bool conjugate>
  void propagate(C* wave) const {
    fft_.forward(wave);
    apply_propagator<conjugate>(propagator_.data(), wave, n_);
    fft_.inverse(wave);
  }

  Ramp make_ramp(const Placement& at) const {
    const i64 w = setup_.window;
    Ramp ramp{Array<C, 1>({w}), Array<C, 1>({w})};
    for (i64 i = 0; i < w; ++i) {
      const double f = -2 * 3.14159265358979323846 * double(frequency_index(i, w)) / double(w);
      ramp.row(i) = C(std::polar(1.0, f * at.shift_row));
      ramp.col(i) = C(std::polar(1.0, f * at.shift_col));
    }
    return ramp;
  }

  static bool on_pixel(const Placement& at) { return at.shift_row == 0 && at.shift_col == 0; }

  /// ψ_0 = IFFT(ramp · FFT(probe)); `spectrum` is FFT(probe).
  void shifted_probe(const Ramp& ramp, const Placement& at, View<const C, 2> probe,
                     View<const C, 2> spectrum, View<C, 2> wave) const {
    if (on_pixel(at)) {
      std::copy(probe.begin(), probe.end(), wave.begin());
      return;
    }
    const i64 w = setup_.window;
    const T scale = T(1) / static_cast<T>(n_);
    for (i64 y = 0; y < w; ++y) {
      const C row = ramp.row(y) * scale;
      for (i64 x = 0; x < w; ++x)
        wave.data[y * w + x] = mul(mul(row, ramp.col(x)), spectrum.data[y * w + x]);
    }
    fft_.inverse(wave.data);
  }

  /// Steps 1 and 2: u of every mode and slice, and Ψ in ws.exit.
  void forward_keeping_waves(Workspace& ws, const Placement& at) const {
    if (ws.u.empty())
      ws.u = Array<C, 3>({setup_.modes * setup_.slices, setup_.window, setup_.window}, ledger_,
                         "waves");
    ws.ramp = make_ramp(at);
    for (i64 m = 0; m < setup_.modes; ++m) {
      View<C, 2> wave = ws.u.view()[m * setup_.slices];
      shifted_probe(ws.ramp, at, probe_.view()[m], probe_k_.view()[m], wave);
      for (i64 s = 0; s < setup_.slices; ++s) {
        apply_transmission<false, T>(slice(s), at, wave);
        View<C, 2> next =
            s + 1 < setup_.slices ? ws.u.view()[m * setup_.slices + s + 1] : ws.exit.view()[m];
        std::copy(wave.begin(), wave.end(), next.begin());
        wave = next;
        if (s + 1 < setup_.slices) propagate<false>(wave.data);
      }
      fft_.forward(wave.data);
    }
  }

  void sum_intensity(const Array<C, 3>& exit, T* intensity) const {
    std::fill(intensity, intensity + n_, T(0));
    for (i64 m = 0; m < setup_.modes; ++m) {
      const C* psi = exit.data() + m * n_;
      for (i64 i = 0; i < n_; ++i)
        intensity[i] += psi[i].real() * psi[i].real() + psi[i].imag() * psi[i].imag();
    }
  }

  /// Step 3: intensity, cost and R-factor of this position.
  void detect(Workspace& ws) const {
    sum_intensity(ws.exit, ws.intensity.data());
    const T eps = static_cast<T>(setup_.epsilon);
    double cost = 0, numerator = 0, denominator = 0;
    for (i64 i = 0; i < n_; ++i) {
      const T intensity = ws.intensity.data()[i], y = ws.measured.data()[i];
      const T weight = weight_.data()[i], valid = valid_.data()[i];
      const double difference = double(std::sqrt(intensity)) - double(std::sqrt(y));
      numerator += valid * difference * difference;
      denominator += valid * y;
      if (setup_.loss == Loss::amplitude) {
        const double d = double(std::sqrt(intensity + eps)) - double(std::sqrt(y + eps));
        cost += weight * d * d;
      } else {  // minus its least value, at I = y, so that a perfect fit costs nothing
        cost += weight *
                (double(intensity) - y - y * std::log(double(intensity + eps) / double(y + eps)));
      }
    }
    ws.misfit = {cost, numerator, denominator};
  }

  /// Ψ ← w Ψ (1 − √(y+ε)/√(I+ε)), or w Ψ (1 − y/(I+ε)) for Poisson.
  void residual(Workspace& ws) const {
    const T eps = static_cast<T>(setup_.epsilon);
    T* factor = ws.intensity.data();
    const T *y = ws.measured.data(), *weight = weight_.data();
    if (setup_.loss == Loss::amplitude)
      for (i64 i = 0; i < n_; ++i)
        factor[i] = weight[i] * (1 - std::sqrt((y[i] + eps) / (factor[i] + eps)));
    else
      for (i64 i = 0; i < n_; ++i) factor[i] = weight[i] * (1 - y[i] / (factor[i] + eps));
    for (i64 m = 0; m < setup_.modes; ++m) {
      C* psi = ws.exit.data() + m * n_;
      for (i64 i = 0; i < n_; ++i) psi[i] *= factor[i];
    }
  }

  /// Step 4: from ws.exit (a detector wave) back through the slices; object patches times `scale`;
  /// ws.exit becomes FFT(χ_0) · conj(ramp), the probe's gradient in k-space, if wanted.
  void backward(Workspace& ws, const Placement& at, Wanted wanted, T scale) const {
    if (wanted.illumination) ws.illumination.fill(0);
    for (i64 m = 0; m < setup_.modes; ++m) {
      C* chi = ws.exit.data() + m * n_;
      fft_.inverse(chi);  // Fᴴ
      for (i64 s = setup_.slices - 1; s >= 0; --s) {
        const C* u = ws.u.data() + (m * setup_.slices + s) * n_;
        if (wanted.object) object_gradient(ws, chi, u, s, scale, m == 0);
        if (wanted.illumination) add_illumination(ws, u);
        apply_transmission<true, T>(slice(s), at, ws.exit.view()[m]);
        if (s > 0) propagate<true>(chi);
      }
      if (wanted.probe) unshift(ws, chi);
    }
  }

  /// ∂f/∂φ_s (+)= scale · Re(conj(χ) i u), ∂f/∂μ_s (+)= −scale · Re(conj(χ) u)
  void object_gradient(Workspace& ws, const C* chi, const C* u, i64 s, T scale, bool first) const {
    T* phase = ws.phase.data() + s * n_;
    for (i64 i = 0; i < n_; ++i) {
      const T g = scale * (u[i].real() * chi[i].imag() - u[i].imag() * chi[i].real());
      phase[i] = first ? g : phase[i] + g;
    }
    if (!setup_.absorption) return;
    T* absorption = ws.absorption.data() + s * n_;
    for (i64 i = 0; i < n_; ++i) {
      const T g = -scale * (u[i].real() * chi[i].real() + u[i].imag() * chi[i].imag());
      absorption[i] = first ? g : absorption[i] + g;
    }
  }

  void add_illumination(Workspace& ws, const C* u) const {
    const T share = T(1) / static_cast<T>(setup_.slices);
    T* sum = ws.illumination.data();
    for (i64 i = 0; i < n_; ++i)
      sum[i] += share * (u[i].real() * u[i].real() + u[i].imag() * u[i].imag());
  }

  void unshift(const Workspace& ws, C* chi) const {
    const i64 w = setup_.window;
    fft_.forward(chi);
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x)
        chi[y * w + x] = conj_mul(mul(ws.ramp.row(y), ws.ramp.col(x)), chi[y * w + x]);
  }

  /// Step 5, of the first n workspaces. A slice belongs to one thread, positions come in order, so
  /// sums are the same for any number of threads that makes the same rounds — and, as each voxel's
  /// order of additions is the positions' own, for any number at all.
  void add_patches(i64 n, std::span<const Placement> places, Wanted wanted, const Gradient<T>& sum,
                   View<C, 3> probe_sum) const {
    const i64 slices = wanted.object ? setup_.slices : 0;
    const i64 modes = wanted.probe ? setup_.modes : 0;
    parallel_for(slices + modes + 1, threads_, [&](i64 job, int) {
      for (i64 k = 0; k < n; ++k) {
        const auto& ws = work_[k];
        const Placement& at = places[k];
        if (job < slices) {
          scatter_add<T>(ws.phase.view()[job], at, sum.phase[job]);
          if (setup_.absorption) scatter_add<T>(ws.absorption.view()[job], at, sum.absorption[job]);
        } else if (job < slices + modes) {
          const i64 m = job - slices;
          const C* from = ws.exit.data() + m * n_;
          C* to = probe_sum[m].data;
          for (i64 i = 0; i < n_; ++i) to[i] += from[i];
        } else if (wanted.illumination) {
          scatter_add<T>(ws.illumination.view(), at, sum.illumination);
        }
      }
    });
  }

  void add_probe_gradient(View<C, 3> probe_sum, const Gradient<T>& sum) const {
    const T scale = T(1) / static_cast<T>(n_);
    for (i64 m = 0; m < probe_sum.shape[0]; ++m) {
      C* g = probe_sum[m].data;
      fft_.inverse(g);
      C* to = sum.probe[m].data;
      for (i64 i = 0; i < n_; ++i) to[i] += g[i] * scale;
    }
  }

  /// du = t dψ + (i dφ − dμ) u, beside u itself; leaves dΨ in d_wave and Ψ in ws.wave.
  void tangent_mode(Workspace& ws, const Placement& at, i64 m, const ObjectView<T>& d_object,
                    View<const C, 3> d_probe, View<C, 2> d_wave) const {
    if (d_probe.empty()) {
      std::fill(d_wave.begin(), d_wave.end(), C(0));
    } else {
      std::copy(d_probe[m].begin(), d_probe[m].end(), ws.wave.begin());
      if (!on_pixel(at)) fft_.forward(ws.wave.data());
      shifted_probe(ws.ramp, at, d_probe[m], ws.wave.view(), d_wave);
    }
    shifted_probe(ws.ramp, at, probe_.view()[m], probe_k_.view()[m], ws.wave);
    for (i64 s = 0; s < setup_.slices; ++s) {
      apply_transmission<false, T>(slice(s), at, ws.wave);
      apply_transmission<false, T>(slice(s), at, d_wave);
      if (!d_object.phase.empty()) add_object_tangent(ws, at, d_object, s, d_wave);
      if (s + 1 < setup_.slices) {
        propagate<false>(ws.wave.data());
        propagate<false>(d_wave.data);
      }
    }
    fft_.forward(ws.wave.data());
    fft_.forward(d_wave.data);
  }

  void add_object_tangent(const Workspace& ws, const Placement& at, const ObjectView<T>& d_object,
                          i64 s, View<C, 2> d_wave) const {
    const i64 w = setup_.window, nx = d_object.phase.shape[2];
    const Inside in(at, w, d_object.phase.shape[1], nx);
    const bool absorbs = setup_.absorption && !d_object.absorption.empty();
    for (i64 y = in.y0; y < in.y1; ++y)
      for (i64 x = in.x0; x < in.x1; ++x) {
        const i64 voxel = (at.row + y) * nx + at.col + x;
        const T d_mu = absorbs ? d_object.absorption[s].data[voxel] : T(0);
        d_wave.data[y * w + x] +=
            mul(C(-d_mu, d_object.phase[s].data[voxel]), ws.wave.data()[y * w + x]);
      }
  }

  double curvature_at(Workspace& ws, const Placement& at, const ObjectView<T>& d_object,
                      View<const C, 3> d_probe) const {
    ws.ramp = make_ramp(at);
    Array<T, 2> intensity({setup_.window, setup_.window}), change(intensity.shape());
    for (i64 m = 0; m < setup_.modes; ++m) {
      tangent_mode(ws, at, m, d_object, d_probe, ws.exit.view()[m]);
      const C *psi = ws.wave.data(), *d_psi = ws.exit.data() + m * n_;
      for (i64 i = 0; i < n_; ++i) {
        intensity.data()[i] += psi[i].real() * psi[i].real() + psi[i].imag() * psi[i].imag();
        change.data()[i] += psi[i].real() * d_psi[i].real() + psi[i].imag() * d_psi[i].imag();
      }
    }
    double total = 0;
    for (i64 i = 0; i < n_; ++i) {
      const double c = change.data()[i];
      total += weight_.data()[i] * c * c / (double(intensity.data()[i]) + setup_.epsilon);
    }
    return setup_.loss == Loss::amplitude ? total : 2 * total;
  }

  OperatorSetup setup_;
  int threads_;
  Ledger* ledger_;
  i64 n_;
  Fft2<T> fft_;
  Array<C, 1> propagator_;
  Array<C, 3> probe_, probe_k_;
  Array<T, 2> weight_, valid_;
  Array<C, 3> t_;
  mutable std::vector<Workspace> work_;
};

}  // namespace

template <class T>
std::unique_ptr<Operator<T>> make_cpu_operator(OperatorSetup setup, int threads, Ledger* ledger) {
  return std::make_unique<CpuOperator<T>>(std::move(setup), threads, ledger);
}

template std::unique_ptr<Operator<float>> make_cpu_operator(OperatorSetup, int, Ledger*);
template std::unique_ptr<Operator<double>> make_cpu_operator(OperatorSetup, int, Ledger*);

}  // namespace ptyle
