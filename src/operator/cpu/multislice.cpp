// The multislice operator on a CPU, a position at a time on each thread:
//
//   1. mix the position's modes, if it has coefficients, and shift them to it
//   2. forward through the slices, keeping u_s = t_s ψ_s, or what it can be made again from; the
//      pattern is displaced by the position's descan, if it has one
//   3. detector: intensity, misfit, residual
//   4. adjoint back through the slices; each slice's gradient is added to the sums when all
//      positions before this one have added theirs
//
// Each step is one of a backend's `Steps`.

#include <algorithm>
#include <numeric>

#include "core/parallel.hpp"
#include "core/pulse.hpp"
#include "core/units.hpp"
#include "operator/cpu/gradient_rows.hpp"
#include "operator/cpu/memory.hpp"
#include "operator/cpu/sequencer.hpp"
#include "operator/cpu/steps.hpp"
#include "operator/cpu/thread_waves.hpp"
#include "operator/operator.hpp"

namespace ptyle {
namespace {

using namespace cpu;

template <class T>
class CpuOperator final : public Operator<T> {
  using C = Complex<T>;
  using Workspace = ThreadWaves<T>;
  using Lease = typename Workspaces<T>::Lease;

 public:
  CpuOperator(OperatorSetup setup, int threads, Ledger* ledger, const CpuOptions& options)
      : setup_(std::move(setup)),
        threads_(threads),
        ledger_(ledger),
        options_(options),
        plan_(setup_, threads, options),
        steps_(make_steps<T>(setup_, path_of(setup_.window, options.path), ledger)),
        probe_({plan_.probe}, ledger, "probe"),
        work_(threads) {
    check_states(setup_);
    CpuOperator::set_propagator(setup_.propagator);
    setup_ = without_propagator(setup_);
  }

  const OperatorSetup& setup() const override { return setup_; }

  void set_object(const ObjectView<T>& object) override {
    transmission_.set(object, setup_.absorption, options_.copy_transmission, threads_, ledger_);
  }
  void set_probe(View<const C, 3> probe) override { steps_->spectrum(probe, probe_.data()); }
  void set_weights(View<const T, 2> weight, View<const T, 2> valid) override {
    steps_->set_weights(weight, valid);
  }
  void set_propagator(std::span<const std::complex<double>> propagator) override {
    check_propagator(setup_, propagator, options_.waves);
    if (setup_.slices > 1) steps_->set_propagator(propagator);
  }
  void set_background(double background) override {
    setup_.background = checked_background(background);
    steps_->set_background(background);
  }
  /// P is kept in the order of the steps alone: a point source brings it out, whose window lies in
  /// the vacuum beside the object.
  std::vector<std::complex<double>> propagator() const override {
    if (setup_.slices == 1) return {};
    const Placement beside{-2 * setup_.window, -2 * setup_.window};
    const Lease lease(work_);
    Workspace& ws = prepared(lease.here(), beside);
    Array<C, 3> waves({setup_.modes, setup_.window, setup_.window});
    Array<T, 1> spectrum({std::max(plan_.probe, plan_.wave)});
    waves(0, 0, 0) = 1;
    steps_->spectrum(waves, spectrum.data());
    steps_->begin(spectrum.data(), ws.buffers, ws.wave.data());
    run(ws, beside, 0, 1, nullptr);
    transmit(1, beside, ws.buffers, ws.wave.data(), nullptr);
    steps_->exit(ws.buffers, ws.wave.data(), waves);
    return {waves.data(), waves.data() + setup_.window * setup_.window};
  }

  void forward(const Placement& at, View<C, 3> wave) const override {
    check_places(setup_, {&at, 1});
    const Lease lease(work_);
    Workspace& ws = prepared(lease.here(), at);
    begin(at, probe_, ws.buffers, ws.wave.data());
    run(ws, at, 0, setup_.slices, nullptr);
    displace(ws.buffers, ws.wave.data());
    steps_->exit(ws.buffers, ws.wave.data(), wave);
  }

  void tangent(const Placement& at, const ObjectView<T>& d_object, View<const C, 3> d_probe,
               View<C, 3> d_wave) const override {
    check_places(setup_, {&at, 1});
    auto& ws = prepared(work_.of(0), at);
    T* const change = forward_tangent(ws, at, d_object, probe_spectrum(d_probe), false);
    displace(ws.buffers, change);
    steps_->exit(ws.buffers, change, d_wave);
  }

  void adjoint(const Placement& at, View<const C, 3> d, const Gradient<T>& sum) const override {
    check_places(setup_, {&at, 1});
    auto& ws = prepared(work_.of(0), at);
    const Wanted wanted = parts_of_adjoint(sum);
    Array<T, 1> probe_sum({wanted.has(Part::probe) ? plan_.probe : 0});
    Sequencer sequencer(setup_.planes() + 1);
    forward_keeping_waves(ws, at);
    T* const chi = ws.chi_beside();
    steps_->enter_back(ws.buffers, d, chi);
    displace_back(ws, chi, {});
    backward(ws, at, 0, chi, sequencer, wanted, T(1), sum, probe_sum.data());
    if (wanted.has(Part::probe)) steps_->add_probe_gradient(probe_sum.data(), sum.probe);
  }

  Misfit gradient(std::span<const Placement> places, const Measured<T>& measured, Wanted wanted,
                  const Gradient<T>& sum) const override {
    check_places(setup_, places);
    check_wanted(setup_, wanted);
    Array<T, 1> probe_sum({wanted.has(Part::probe) ? plan_.probe : 0}, ledger_, "gradient patches");
    std::vector<Misfit> each(places.size());
    Sequencer sequencer(setup_.planes() + 1);
    parallel_for(static_cast<i64>(places.size()), threads_, [&](i64 k, int thread) {
      try {
        auto& ws = prepared(work_.of(thread), places[k]);
        measured.load(k, ws.buffers.measured.data());
        forward_keeping_waves(ws, places[k]);
        T* const chi = ws.chi_beside();
        displace(ws.buffers, chi);
        each[k] = steps_->detect(ws.buffers, chi, true);
        displace_back(ws, chi, wanted.has(Part::descan) ? sum.descan[k] : View<double, 1>{});
        backward(ws, places[k], k, chi, sequencer, wanted, T(2), sum, probe_sum.data());
      } catch (...) {
        sequencer.abandon();
        throw;
      }
    });
    if (wanted.has(Part::probe)) steps_->add_probe_gradient(probe_sum.data(), sum.probe);
    return reported(total_of(each), sum.misfit);
  }

  Misfit misfit(std::span<const Placement> places, const Measured<T>& measured) const override {
    std::vector<Misfit> each(places.size());
    misfits(places, measured, each);
    return total_of(each);
  }

  void misfits(std::span<const Placement> places, const Measured<T>& measured,
               std::span<Misfit> each) const override {
    check_places(setup_, places);
    parallel_for(static_cast<i64>(places.size()), threads_, [&](i64 k, int thread) {
      auto& ws = prepared(work_.of(thread), places[k]);
      measured.load(k, ws.buffers.measured.data());
      begin(places[k], probe_, ws.buffers, ws.wave.data());
      run(ws, places[k], 0, setup_.slices, nullptr);
      displace(ws.buffers, ws.wave.data());
      each[k] = steps_->detect(ws.buffers, ws.wave.data(), false);
    });
  }

  double curvature(std::span<const Placement> places, const ObjectView<T>& d_object,
                   View<const C, 3> d_probe, std::span<double> of_each) const override {
    check_places(setup_, places);
    const Array<T, 1> d_spectrum = probe_spectrum(d_probe);
    std::vector<double> each(places.size());
    parallel_for(static_cast<i64>(places.size()), threads_, [&](i64 k, int thread) {
      auto& ws = prepared(work_.of(thread), places[k]);
      T* const change = forward_tangent(ws, places[k], d_object, d_spectrum, false);
      displace(ws.buffers, ws.wave.data());
      displace(ws.buffers, change);
      each[k] = steps_->bend(ws.buffers, ws.wave.data(), change, false);
    });
    if (!of_each.empty()) std::copy(each.begin(), each.end(), of_each.begin());
    return std::accumulate(each.begin(), each.end(), 0.0);
  }

  void gauss_newton_product(std::span<const Placement> places, const ObjectView<T>& d_object,
                            View<const C, 3> d_probe, const Gradient<T>& sum) const override {
    check_places(setup_, places);
    const Wanted wanted = parts_of_adjoint(sum);
    const Array<T, 1> d_spectrum = probe_spectrum(d_probe);
    Array<T, 1> probe_sum({wanted.has(Part::probe) ? plan_.probe : 0}, ledger_, "gradient patches");
    Sequencer sequencer(setup_.planes() + 1);
    parallel_for(static_cast<i64>(places.size()), threads_, [&](i64 k, int thread) {
      try {
        auto& ws = prepared(work_.of(thread), places[k]);
        T* const change = forward_tangent(ws, places[k], d_object, d_spectrum, true);
        if (plan_.kept == 0) ws.need_aside();
        if (plan_.kept == 0) copy(ws.wave.data(), ws.aside.data());
        displace(ws.buffers, ws.wave.data());
        displace(ws.buffers, change);
        steps_->bend(ws.buffers, ws.wave.data(), change, true);
        if (plan_.kept == 0) std::swap(ws.wave, ws.aside);
        displace_back(ws, change, {});
        backward(ws, places[k], k, change, sequencer, wanted, T(2), sum, probe_sum.data());
      } catch (...) {
        sequencer.abandon();
        throw;
      }
    });
    if (wanted.has(Part::probe)) steps_->add_probe_gradient(probe_sum.data(), sum.probe);
  }

 private:
  /// f(slice s, state) of each state of the object.
  template <class F>
  void each_state(i64 s, const Placement& at, F&& f) const {
    const i64 modes = setup_.modes_of_a_state();
    for (i64 k = 0; k < setup_.states; ++k)
      f(Slice<T>{transmission_, k * setup_.slices + s, at, k * modes, (k + 1) * modes,
                 s + 1 == setup_.slices});
  }
  void transmit(i64 s, const Placement& at, ThreadBuffers<T>& buffers, T* wave, T* u) const {
    each_state(s, at, [&](const Slice<T>& slice) { steps_->transmit(slice, buffers, wave, u); });
  }

  static Misfit total_of(const std::vector<Misfit>& each) {
    Misfit total;
    for (const auto& m : each) total += m;
    return total;
  }

  /// A thread's workspace, its ramp that of the position.
  Workspace& prepared(Workspace& ws, const Placement& at) const {
    ws.begin(plan_, ledger_);
    steps_->prepare(at, ws.buffers);
    return ws;
  }

  /// FFT(d_probe) / W²; nothing if there is none.
  Array<T, 1> probe_spectrum(View<const C, 3> d_probe) const {
    Array<T, 1> spectrum({d_probe.empty() ? 0 : plan_.probe}, ledger_, "probe");
    if (!d_probe.empty()) steps_->spectrum(d_probe, spectrum.data());
    return spectrum;
  }

  Coefficients coefficients(const Placement& at) const {
    return {at.coefficients, {setup_.modes, setup_.basis}};
  }

  /// The spectra that a position's waves start from: the probe's, or a change's, mixed by it.
  const T* spectra_at(const Placement& at, const Array<T, 1>& spectra,
                      ThreadBuffers<T>& buffers) const {
    if (setup_.basis == 0) return spectra.data();
    mix(steps_->layout(), coefficients(at), spectra.data(), buffers.mixed.data());
    return buffers.mixed.data();
  }

  /// Slices of a large window take seconds each, those of a small one less than threads that count
  /// together would bear.
  static void beat_at(i64 slice) {
    if (slice % 8 == 0) beat();
  }

  /// ψ_0 of a position, for which `buffers` are prepared.
  void begin(const Placement& at, const Array<T, 1>& spectra, ThreadBuffers<T>& buffers,
             T* wave) const {
    steps_->begin(spectra_at(at, spectra, buffers), buffers, wave);
  }

  /// Forward through slices [from, to) from ψ_from in ws.wave, u of each into `kept` if given; then
  /// on to ψ_to, unless that is the end.
  void run(Workspace& ws, const Placement& at, i64 from, i64 to, T* kept) const {
    for (i64 s = from; s < to; ++s) {
      transmit(s, at, ws.buffers, ws.wave.data(), kept ? kept + (s - from) * plan_.wave : nullptr);
      if (s + 1 < setup_.slices) steps_->propagate(ws.buffers, ws.wave.data());
      beat_at(s);
    }
  }

  /// Steps 1 and 2, in runs of slices: the last run's u are kept, before the others ψ is. The first
  /// run starts at the probe, so it needs no checkpoint.
  void forward_keeping_waves(Workspace& ws, const Placement& at) const {
    ws.need_kept();
    begin(at, probe_, ws.buffers, ws.wave.data());
    for (i64 r = 0; r < plan_.runs; ++r) {
      const bool last = r + 1 == plan_.runs;
      if (r > 0 && !last) copy(ws.wave.data(), ws.checkpoints.view()[r - 1].data);
      run(ws, at, plan_.first(r), plan_.first(r + 1),
          last && plan_.kept ? ws.kept.data() : nullptr);
    }
  }

  /// Where patterns are displaced: the wave on its way to the detector, and χ on the way back;
  /// slope += ∂f/∂d, where it is not empty.
  void displace(ThreadBuffers<T>& buffers, T* wave) const {
    if (setup_.descan) steps_->displace(buffers, wave);
  }
  void displace_back(Workspace& ws, T* chi, View<double, 1> slope) const {
    if (!setup_.descan) return;
    const i64 last = setup_.slices - 1 - plan_.first(plan_.runs - 1);
    const T* const u = plan_.kept ? ws.kept.view()[last].data : nullptr;
    const auto sums = steps_->displace_back(ws.buffers, chi, u, ws.wave.data(), !slope.empty());
    for (i64 axis = 0; !slope.empty() && axis < 2; ++axis)
      slope.data[axis] +=
          4 * pi / static_cast<double>(setup_.window) * sums[static_cast<std::size_t>(axis)];
  }

  void copy(const T* from, T* to) const { std::copy_n(from, plan_.wave, to); }

  /// Step 4, the k-th position: from χ back through the runs of slices.
  void backward(Workspace& ws, const Placement& at, i64 k, T* chi, Sequencer& sequencer,
                Wanted wanted, T scale, const Gradient<T>& sum, T* probe_sum) const {
    if (wanted.has(Part::illumination)) ws.zero(ws.illumination, setup_.window);
    const bool of_slices = wanted.has(Part::propagator) && setup_.slices > 1;
    T* const through = of_slices ? ws.zero_propagator() : nullptr;
    for (i64 r = plan_.runs - 1; r >= 0; --r) {
      if (r + 1 < plan_.runs && plan_.kept) {
        if (r > 0)
          copy(ws.checkpoints.view()[r - 1].data, ws.wave.data());
        else
          begin(at, probe_, ws.buffers, ws.wave.data());
        run(ws, at, plan_.first(r), plan_.first(r + 1), ws.kept.data());
      }
      for (i64 s = plan_.first(r + 1) - 1; s >= plan_.first(r); --s) {
        const T* u = plan_.kept ? ws.kept.view()[s - plan_.first(r)].data : nullptr;
        if (s + 1 < setup_.slices) {
          if (!u) steps_->propagate_back(ws.buffers, ws.wave.data());
          if (through)
            steps_->add_to_propagator_gradient(chi, u ? u : ws.wave.data(), u != nullptr,
                                               ws.propagator.view()[1].data, through);
          steps_->propagate_back(ws.buffers, chi);
        }
        if (!slice_back(ws, at, k, s, chi, u, sequencer, wanted, scale, sum)) return;
      }
    }
    T* const spectra = is_own(wanted) ? own_gradients(ws, at, k, chi, wanted, sum) : nullptr;
    if (!sequencer.wait(setup_.planes(), k)) return;
    if (wanted.has(Part::illumination))
      add_patch(sum.illumination, at, T(1) / static_cast<T>(setup_.planes()), ws.illumination);
    if (through) steps_->add_propagator_gradient(through, sum.propagator);
    if (wanted.has(Part::probe)) {
      if (setup_.basis > 0)
        add_mixed_back(steps_->layout(), coefficients(at), spectra, probe_sum);
      else if (spectra)
        std::transform(spectra, spectra + plan_.wave, probe_sum, probe_sum, std::plus<>());
      else
        steps_->end_back(chi, ws.buffers, probe_sum);
    }
    sequencer.done(setup_.planes(), k);
  }

  /// Has a position's χ to be looked at by itself, before it goes into the probe's gradient?
  bool is_own(Wanted wanted) const {
    return wanted.has(Part::shift) || wanted.has(Part::coefficients) ||
           (setup_.basis > 0 && wanted.has(Part::probe));
  }

  /// ∂f/∂shift and ∂f/∂a* of the k-th position. Returns what end_back makes of χ, in waves that are
  /// free by now.
  T* own_gradients(Workspace& ws, const Placement& at, i64 k, T* chi, Wanted wanted,
                   const Gradient<T>& sum) const {
    T* const spectra = plan_.beside ? ws.wave.data() : ws.kept.data();
    std::fill_n(spectra, plan_.wave, T(0));
    steps_->end_back(chi, ws.buffers, spectra);
    if (wanted.has(Part::coefficients))
      add_overlaps(steps_->layout(), probe_.data(), spectra, sum.coefficients[k]);
    if (!wanted.has(Part::shift)) return spectra;
    const auto slope = steps_->shift_gradient(spectra_at(at, probe_, ws.buffers), spectra);
    const double factor = 4 * pi / static_cast<double>(setup_.window);
    for (i64 axis = 0; axis < 2; ++axis)
      sum.shift(k, axis) += factor * slope[static_cast<std::size_t>(axis)];
    return spectra;
  }

  /// χ back through slice s of all states, their gradients added in turn; false: another position
  /// failed.
  bool slice_back(Workspace& ws, const Placement& at, i64 k, i64 s, T* chi, const T* u,
                  Sequencer& sequencer, Wanted wanted, T scale, const Gradient<T>& sum) const {
    bool goes_on = true;
    each_state(s, at, [&](const Slice<T>& slice) {
      const auto turn = [&] { return sequencer.wait(slice.plane, k); };
      goes_on = goes_on && state_back(ws, slice, chi, u, wanted, scale, sum, turn);
      if (goes_on) sequencer.done(slice.plane, k);
    });
    if (!goes_on) return false;
    beat_at(s);
    return true;
  }
  /// The way back of one state; turn() waits until the sums are this position's to add to, and is
  /// false if they never will be.
  bool state_back(Workspace& ws, const Slice<T>& slice, T* chi, const T* u, Wanted wanted, T scale,
                  const Gradient<T>& sum, const auto& turn) const {
    const bool of_object = wanted.has(Part::object);
    const View<T, 2> phase = of_object ? sum.phase[slice.plane] : View<T, 2>{};
    const View<T, 2> absorption =
        of_object && setup_.absorption ? sum.absorption[slice.plane] : View<T, 2>{};
    SliceGradient<T> to{phase, absorption, slice.at, scale, {}};
    if (wanted.has(Part::illumination)) to.illumination = ws.illumination;
    if (!plan_.patches) {
      if (!turn()) return false;
      steps_->transmit_back(slice, ws.buffers, chi, u, ws.wave.data(), to);
      return true;
    }
    const i64 w = setup_.window;
    to.at = {};
    if (!phase.empty()) to.phase = ws.zero(ws.phase, w);
    if (!absorption.empty()) to.absorption = ws.zero(ws.absorption, w);
    steps_->transmit_back(slice, ws.buffers, chi, u, ws.wave.data(), to);
    if (!turn()) return false;
    add_patch(phase, slice.at, T(1), ws.phase);
    add_patch(absorption, slice.at, T(1), ws.absorption);
    return true;
  }

  /// u after the last slice, in ws.wave; returns du. With `keep`, waves are kept as by
  /// forward_keeping_waves.
  T* forward_tangent(Workspace& ws, const Placement& at, const ObjectView<T>& d_object,
                     const Array<T, 1>& d_spectrum, bool keep) const {
    T* const change = ws.change_beside(keep);
    if (keep) ws.need_kept();
    begin(at, probe_, ws.buffers, ws.wave.data());
    if (d_spectrum.empty())
      std::fill_n(change, plan_.wave, T(0));
    else
      begin(at, d_spectrum, ws.buffers, change);
    const i64 last = plan_.first(plan_.runs - 1);
    for (i64 s = 0; s < setup_.slices; ++s) {
      if (keep && s > 0 && s < last && s % plan_.run == 0)
        copy(ws.wave.data(), ws.checkpoints.view()[s / plan_.run - 1].data);
      T* const u = keep && plan_.kept && s >= last ? ws.kept.view()[s - last].data : nullptr;
      each_state(s, at, [&](const Slice<T>& slice) {
        steps_->transmit_tangent(slice, ws.buffers, ws.wave.data(), change, d_object, u);
      });
      beat_at(s);
      if (s + 1 == setup_.slices) break;
      steps_->propagate(ws.buffers, ws.wave.data());
      steps_->propagate(ws.buffers, change);
    }
    return change;
  }

  OperatorSetup setup_;
  int threads_;
  Ledger* ledger_;
  CpuOptions options_;
  MemoryPlan<T> plan_;
  std::unique_ptr<Steps<T>> steps_;
  Array<T, 1> probe_;  // FFT(probe) / W²
  Transmission<T> transmission_;
  mutable Workspaces<T> work_;
};

}  // namespace

template <class T>
std::unique_ptr<Operator<T>> make_cpu_operator(OperatorSetup setup, int threads, Ledger* ledger,
                                               const CpuOptions& options) {
  return std::make_unique<CpuOperator<T>>(std::move(setup), threads, ledger, options);
}

template std::unique_ptr<Operator<float>> make_cpu_operator(OperatorSetup, int, Ledger*,
                                                            const CpuOptions&);
template std::unique_ptr<Operator<double>> make_cpu_operator(OperatorSetup, int, Ledger*,
                                                             const CpuOptions&);

}  // namespace ptyle
