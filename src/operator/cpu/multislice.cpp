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
#include "core/units.hpp"
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

  /// What a thread works in: one position's waves.
  struct Workspace {
    Workspace(const OperatorSetup& s, Ledger* ledger)
        : exit({s.modes, s.window, s.window}, ledger, "waves"),
          wave({s.window, s.window}, ledger, "waves"),
          spectrum({s.window, s.window}, ledger, "waves"),
          intensity({s.window, s.window}, ledger, "waves"),
          measured({s.window, s.window}, ledger, "waves") {}
    Array<C, 3> u;  ///< every slice's wave; made when first kept
    Array<C, 3> exit;
    Array<C, 2> wave, spectrum;
    Ramp ramp;
    Array<T, 2> intensity, measured;
  };

  /// What a position leaves behind, to be added to the sums when its turn comes.
  struct Patch {
    void need(const OperatorSetup& s, Wanted wanted, Ledger* ledger) {
      const std::array<i64, 3> volume{s.slices, s.window, s.window};
      if (wanted.object && phase.empty()) {
        phase = Array<T, 3>(volume, ledger, "gradient patches");
        if (s.absorption) absorption = Array<T, 3>(volume, ledger, "gradient patches");
      }
      if (wanted.illumination && illumination.empty())
        illumination = Array<T, 2>({s.window, s.window}, ledger, "gradient patches");
      if (wanted.probe && probe.empty())
        probe = Array<C, 3>({s.modes, s.window, s.window}, ledger, "gradient patches");
    }
    Array<T, 3> phase, absorption;
    Array<T, 2> illumination;
    Array<C, 3> probe;  ///< in k-space, unshifted
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
    // Positions in a round: several a thread, so that threads rarely wait for each other, as far as
    // their patches take little memory.
    constexpr i64 room = 32 << 20;  // bytes a thread
    const i64 patch = (setup_.slices * (setup_.absorption ? 2 : 1) + 1) * n_ * i64(sizeof(T));
    patches_.resize(static_cast<std::size_t>(threads_ * std::clamp<i64>(room / patch, 1, 16)));
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
    Array<C, 2> spectrum({setup_.window, setup_.window});
    for (i64 m = 0; m < setup_.modes; ++m) {
      shifted_probe(ramp, at, probe_.view()[m], probe_k_.view()[m], wave[m]);
      for (i64 s = 0; s < setup_.slices; ++s) {
        apply_transmission<false, T>(slice(s), at, wave[m]);
        if (s + 1 < setup_.slices) propagate<false>(wave[m].data, spectrum.data(), wave[m].data);
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
    patches_[0].need(setup_, wanted, ledger_);
    forward_keeping_waves(ws, at);
    std::copy(d.begin(), d.end(), ws.exit.begin());
    backward(ws, patches_[0], at, wanted, T(1));
    Array<C, 3> probe_sum({wanted.probe ? setup_.modes : 0, setup_.window, setup_.window});
    add_patches(std::span(&at, 1), wanted, sum, probe_sum);
    add_probe_gradient(probe_sum, sum);
  }

  Misfit gradient(std::span<const Placement> places, const Measured<T>& measured, Wanted wanted,
                  const Gradient<T>& sum) const override {
    Array<C, 3> probe_sum({wanted.probe ? setup_.modes : 0, setup_.window, setup_.window});
    Misfit total;
    for (std::size_t first = 0; first < places.size(); first += patches_.size()) {
      const auto round = places.subspan(first, std::min(patches_.size(), places.size() - first));
      parallel_for(static_cast<i64>(round.size()), threads_, [&](i64 k, int thread) {
        auto& ws = work_[thread];
        auto& patch = patches_[k];
        patch.need(setup_, wanted, ledger_);
        measured(static_cast<i64>(first) + k, ws.measured.data());
        forward_keeping_waves(ws, round[k]);
        patch.misfit = detect(ws);
        residual(ws);
        backward(ws, patch, round[k], wanted, T(2));
      });
      for (std::size_t k = 0; k < round.size(); ++k) total += patches_[k].misfit;
      add_patches(round, wanted, sum, probe_sum);
    }
    add_probe_gradient(probe_sum, sum);
    return total;
  }

  Misfit misfit(std::span<const Placement> places, const Measured<T>& measured) const override {
    std::vector<Misfit> each(places.size());
    parallel_for(static_cast<i64>(places.size()), threads_, [&](i64 k, int thread) {
      auto& ws = work_[thread];
      measured(k, ws.measured.data());
      forward_keeping_waves(ws, places[k]);
      each[k] = detect(ws);
    });
    Misfit total;
    for (const auto& m : each) total += m;
    return total;
  }

  double curvature(std::span<const Placement> places, const ObjectView<T>& d_object,
                   View<const C, 3> d_probe) const override {
    std::vector<double> each(places.size());
    parallel_for(static_cast<i64>(places.size()), threads_, [&](i64 k, int thread) {
      each[k] = curvature_at(work_[thread], places[k], d_object, d_probe);
    });
    double total = 0;
    for (const double c : each) total += c;
    return total;
  }

 private:
  View<const C, 2> slice(i64 s) const { return t_.view()[s]; }

  /// to = IFFT(P · FFT(from)), or with conj(P); `spectrum` is room for one wave. `to` may be
  /// `from`.
  template <bool conjugate>
  void propagate(const C* from, C* spectrum, C* to) const {
    fft_.forward(from, spectrum);
    apply_propagator<conjugate>(propagator_.data(), spectrum, n_);
    fft_.inverse(spectrum, to);
  }

  Ramp make_ramp(const Placement& at) const {
    const i64 w = setup_.window;
    Ramp ramp{Array<C, 1>({w}), Array<C, 1>({w})};
    for (i64 i = 0; i < w; ++i) {
      const double f = -2 * pi * double(frequency_index(i, w)) / double(w);
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
    const i64 slices = setup_.slices;
    if (ws.u.empty())
      ws.u = Array<C, 3>({setup_.modes * slices, setup_.window, setup_.window}, ledger_, "waves");
    ws.ramp = make_ramp(at);
    for (i64 m = 0; m < setup_.modes; ++m) {
      shifted_probe(ws.ramp, at, probe_.view()[m], probe_k_.view()[m], ws.u.view()[m * slices]);
      for (i64 s = 0; s < slices; ++s) {
        const View<C, 2> u = ws.u.view()[m * slices + s];
        apply_transmission<false, T>(slice(s), at, u);
        if (s + 1 < slices) propagate<false>(u.data, ws.spectrum.data(), u.data + n_);
      }
      fft_.forward(ws.u.view()[(m + 1) * slices - 1].data, ws.exit.view()[m].data);
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
  Misfit detect(Workspace& ws) const {
    sum_intensity(ws.exit, ws.intensity.data());
    const i64 w = setup_.window;
    Misfit sum;
    for (i64 y = 0; y < w; ++y) {  // a row is summed in T, rows in double
      const T *model = ws.intensity.data() + y * w, *measured = ws.measured.data() + y * w;
      const T *weight = weight_.data() + y * w, *valid = valid_.data() + y * w;
      sum += setup_.loss == Loss::amplitude
                 ? detector_row<Loss::amplitude>(model, measured, weight, valid, w,
                                                 static_cast<T>(setup_.epsilon))
                 : detector_row<Loss::poisson>(model, measured, weight, valid, w,
                                               static_cast<T>(setup_.epsilon));
    }
    return sum;
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
  /// the patch's probe is FFT(χ_0) · conj(ramp).
  void backward(Workspace& ws, Patch& patch, const Placement& at, Wanted wanted, T scale) const {
    if (wanted.illumination) patch.illumination.fill(0);
    for (i64 m = 0; m < setup_.modes; ++m) {
      C* chi = ws.exit.data() + m * n_;
      fft_.inverse(chi);  // Fᴴ
      for (i64 s = setup_.slices - 1; s >= 0; --s) {
        const C* u = ws.u.data() + (m * setup_.slices + s) * n_;
        if (wanted.object) object_gradient(patch, chi, u, s, scale, m == 0);
        if (wanted.illumination) add_illumination(patch, u);
        apply_transmission<true, T>(slice(s), at, ws.exit.view()[m]);
        if (s > 0) propagate<true>(chi, ws.spectrum.data(), chi);
      }
      if (wanted.probe) unshift(ws, chi, patch.probe.data() + m * n_);
    }
  }

  /// ∂f/∂φ_s (+)= scale · Re(conj(χ) i u), ∂f/∂μ_s (+)= −scale · Re(conj(χ) u)
  void object_gradient(Patch& patch, const C* chi, const C* u, i64 s, T scale, bool first) const {
    T* phase = patch.phase.data() + s * n_;
    for (i64 i = 0; i < n_; ++i) {
      const T g = scale * (u[i].real() * chi[i].imag() - u[i].imag() * chi[i].real());
      phase[i] = first ? g : phase[i] + g;
    }
    if (!setup_.absorption) return;
    T* absorption = patch.absorption.data() + s * n_;
    for (i64 i = 0; i < n_; ++i) {
      const T g = -scale * (u[i].real() * chi[i].real() + u[i].imag() * chi[i].imag());
      absorption[i] = first ? g : absorption[i] + g;
    }
  }

  void add_illumination(Patch& patch, const C* u) const {
    const T share = T(1) / static_cast<T>(setup_.slices);
    T* sum = patch.illumination.data();
    for (i64 i = 0; i < n_; ++i)
      sum[i] += share * (u[i].real() * u[i].real() + u[i].imag() * u[i].imag());
  }

  void unshift(const Workspace& ws, C* chi, C* to) const {
    const i64 w = setup_.window;
    fft_.forward(chi);
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x)
        to[y * w + x] = conj_mul(mul(ws.ramp.row(y), ws.ramp.col(x)), chi[y * w + x]);
  }

  /// Step 5, of one round. A slice belongs to one thread and positions come in their order, so the
  /// sums are the same for any number of threads.
  void add_patches(std::span<const Placement> round, Wanted wanted, const Gradient<T>& sum,
                   View<C, 3> probe_sum) const {
    const i64 slices = wanted.object ? setup_.slices : 0;
    const i64 modes = wanted.probe ? setup_.modes : 0;
    parallel_for(slices + modes + 1, threads_, [&](i64 job, int) {
      for (std::size_t k = 0; k < round.size(); ++k) {
        const auto& patch = patches_[k];
        if (job < slices) {
          scatter_add<T>(patch.phase.view()[job], round[k], sum.phase[job]);
          if (setup_.absorption)
            scatter_add<T>(patch.absorption.view()[job], round[k], sum.absorption[job]);
        } else if (job < slices + modes) {
          const i64 m = job - slices;
          const C* from = patch.probe.data() + m * n_;
          C* to = probe_sum[m].data;
          for (i64 i = 0; i < n_; ++i) to[i] += from[i];
        } else if (wanted.illumination) {
          scatter_add<T>(patch.illumination.view(), round[k], sum.illumination);
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
        propagate<false>(ws.wave.data(), ws.spectrum.data(), ws.wave.data());
        propagate<false>(d_wave.data, ws.spectrum.data(), d_wave.data);
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
  mutable std::vector<Workspace> work_;  // one a thread
  mutable std::vector<Patch> patches_;   // one a position of a round
};

}  // namespace

template <class T>
std::unique_ptr<Operator<T>> make_cpu_operator(OperatorSetup setup, int threads, Ledger* ledger) {
  return std::make_unique<CpuOperator<T>>(std::move(setup), threads, ledger);
}

template std::unique_ptr<Operator<float>> make_cpu_operator(OperatorSetup, int, Ledger*);
template std::unique_ptr<Operator<double>> make_cpu_operator(OperatorSetup, int, Ledger*);

}  // namespace ptyle
