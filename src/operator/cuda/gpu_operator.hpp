#pragma once

// The multislice operator on a GPU, a batch of positions at a time:
//
//   1. where the windows lie and what was measured there go to the device (batch_space.hpp,
//      sender.hpp)
//   2. forward through the slices, u kept (passes.hpp)
//   3. detector: intensity, misfit, residual (pointwise.hpp)
//   4. backward; patches of the gradient are gathered into the object's, in the order of positions
//   5. the probe's gradient: a sum of spectra, then one inverse FFT
//
// Arrays that are given may lie on the device, and are then used there, or on the host, and are
// then copied. Ordered sums are the same bits from run to run, with batches of the same size. `Gpu`
// is cuda::Gpu, or emulated::Gpu in the tests.

#include <cmath>
#include <mutex>
#include <numeric>
#include <stdexcept>

#include "core/units.hpp"
#include "operator/cuda/batch_space.hpp"
#include "operator/cuda/device_arrays.hpp"
#include "operator/cuda/passes.hpp"

namespace ptyle::gpu {

template <class T, class Gpu>
class GpuOperator : public Operator<T> {
  using C = Complex<T>;

 public:
  GpuOperator(OperatorSetup setup, Gpu& gpu, Ledger* ledger, const GpuOptions& options)
      : setup_(std::move(setup)),
        gpu_(gpu),
        ledger_(ledger),
        waves_(options.waves),
        path_(
            path_of(setup_, options, sizeof(T), gpu.shared_limit(), gpu.clusters(), Gpu::emulated)),
        w_(setup_.window),
        n_(w_ * w_),
        propagator_({setup_.slices > 1 ? n_ : 0}, ledger, "propagator", &gpu),
        twiddles_({w_}, ledger, "propagator", &gpu),
        weight_({n_}, ledger, "detector", &gpu),
        valid_({n_}, ledger, "detector", &gpu),
        totals_({3}, ledger, "detector", &gpu),
        through_({setup_.fits_propagator ? 2 * n_ : 0}, ledger, "propagator", &gpu),
        spectrum_({setup_.probe_modes() * n_}, ledger, "probe", &gpu),
        other_spectrum_({setup_.probe_modes() * n_}, ledger, "probe", &gpu),
        aside_({std::max(setup_.modes, setup_.probe_modes()) * n_}, ledger, "probe", &gpu),
        passes_(gpu, setup_, path_, options, propagator_.data(), twiddles_.data()),
        batches_(gpu, ledger, setup_, path_, options) {
    if (options.waves == WaveStorage::checkpoint)
      throw std::invalid_argument("on a GPU waves are stored or recomputed");
    check_states(setup_);
    load_turns();
    GpuOperator::set_propagator(setup_.propagator);
    GpuOperator::set_weights({}, {});
    setup_ = without_propagator(setup_);
  }

  const OperatorSetup& setup() const override { return setup_; }
  Memory* memory() const override { return &gpu_; }

  void set_object(const ObjectView<T>& object) override {
    const std::lock_guard lock(mutex_);
    gpu_.use();
    const auto& shape = object.phase.shape;
    if (transmission_.shape() != shape) {
      transmission_ = Array<Z<T>, 3>();
      transmission_ = Array<Z<T>, 3>(shape, ledger_, "transmission", &gpu_);
    }
    const OnDevice phase = on_device(object.phase), absorption = absorption_on_device(object);
    gpu_.launch(
        Transmit<T>{phase.data(), absorption.data(), transmission_.data(), transmission_.size()},
        {blocks_for(transmission_.size(), 256)});
    wait_for(phase, absorption);
  }

  void set_probe(View<const C, 3> probe) override {
    const std::lock_guard lock(mutex_);
    gpu_.use();
    to_spectrum(probe, spectrum_.data());
  }

  void set_weights(View<const T, 2> weight, View<const T, 2> valid) override {
    const std::lock_guard lock(mutex_);
    gpu_.use();
    std::vector<T> all(static_cast<std::size_t>(n_)), seen(all.size());
    for (i64 i = 0; i < n_; ++i) {
      const i64 from = natural(i), to = i;
      seen[to] = valid.empty() ? T(1) : valid.data[from];
      all[to] = seen[to] * (weight.empty() ? T(1) : weight.data[from]);
    }
    gpu_.copy(weight_.data(), all.data(), all.size() * sizeof(T));
    gpu_.copy(valid_.data(), seen.data(), seen.size() * sizeof(T));
  }

  void set_propagator(std::span<const std::complex<double>> propagator) override {
    check_propagator(setup_, propagator, waves_);
    if (setup_.slices < 2) return;
    const std::lock_guard lock(mutex_);
    gpu_.use();
    std::vector<Z<T>> p(static_cast<std::size_t>(n_));
    const double scale = 1 / double(n_);  // of the inverse FFT that follows
    for (i64 i = 0; i < n_; ++i) {
      const auto value = scale * propagator[static_cast<std::size_t>(natural(i))];
      p[i] = {static_cast<T>(value.real()), static_cast<T>(value.imag())};
    }
    gpu_.copy(propagator_.data(), p.data(), p.size() * sizeof(Z<T>));
    passes_.hold_propagator(mirrored<T>(propagator, w_));
  }

  /// Kernels take it as an argument.
  void set_background(double background) override {
    const std::lock_guard lock(mutex_);
    setup_.background = checked_background(background);
  }

  /// Copies from the host's memory are done then.
  void forget(std::span<const i64> patterns) override {
    const std::lock_guard lock(mutex_);
    gpu_.use();
    gpu_.wait();
    for (const i64 number : patterns) batches_.forget(number);
  }

  void forward(const Placement& at, View<C, 3> wave) const override {
    check_places(setup_, {&at, 1});
    const std::lock_guard lock(mutex_);
    gpu_.use();
    const auto b = batches_.begin({&at, 1}, object());
    passes_.forward(b, object(), spectrum_.data(), false);
    give(b.detector, wave);
  }

  void tangent(const Placement& at, const ObjectView<T>& d_object, View<const C, 3> d_probe,
               View<C, 3> d_wave) const override {
    check_places(setup_, {&at, 1});
    const std::lock_guard lock(mutex_);
    gpu_.use();
    const auto b = batches_.begin({&at, 1}, object());
    const OnDevice phase = on_device(d_object.phase), absorption = absorption_on_device(d_object);
    passes_.tangent(b, object(phase.data(), absorption.data()), spectrum_.data(),
                    other_spectrum(d_probe), false);
    give(b.tangent, d_wave);
  }

  void adjoint(const Placement& at, View<const C, 3> d, const Gradient<T>& sum) const override {
    check_places(setup_, {&at, 1});
    const std::lock_guard lock(mutex_);
    gpu_.use();
    Target target = target_of(parts_of_adjoint(sum), sum);
    const auto b = batches_.begin({&at, 1}, object());
    passes_.forward(b, object(), spectrum_.data(), true);
    gpu_.copy(aside_.data(), d.data, bytes_of(setup_.modes));
    reorder(aside_.data(), b.detector, setup_.modes, false, T(1));
    target.to.scale = 1;
    passes_.backward(b, object(), target.to);
    sum_spectra(b, target);
    finish(target);
    gpu_.wait();
  }

  Misfit gradient(std::span<const Placement> places, const Measured<T>& measured, Wanted wanted,
                  const Gradient<T>& sum) const override {
    check_places(setup_, places);
    check_wanted(setup_, wanted);
    const std::lock_guard lock(mutex_);
    gpu_.use();
    Target target = target_of(wanted, sum);
    if (wanted.has(Part::propagator) && setup_.slices > 1) {
      gpu_.zero(through_.data(), static_cast<std::size_t>(through_.size()) * sizeof(double));
      target.to.through = through_.data();
    }
    return over_batches(
        places, measured, sum.misfit,
        [&, done = i64{0}](const Batch<T>& b, Sums<3>* total) mutable {
          if (wanted.has(Part::descan)) target.to.descan = batches_.descan();
          passes_.gradient(b, object(), spectrum_.data(), detector(), total, target.to);
          sum_spectra(b, target);
          add_own_gradients(b, done, wanted, sum);
          done += b.positions;
        },
        [&] { finish(target); });
  }

  Misfit misfit(std::span<const Placement> places, const Measured<T>& measured) const override {
    check_places(setup_, places);
    const std::lock_guard lock(mutex_);
    gpu_.use();
    return over_batches(
        places, measured, {},
        [&](const Batch<T>& b, Sums<3>* total) {
          passes_.forward(b, object(), spectrum_.data(), false);
          passes_.detect(b, detector(), false, total);
        },
        [] {});
  }

  double curvature(std::span<const Placement> places, const ObjectView<T>& d_object,
                   View<const C, 3> d_probe, std::span<double> each) const override {
    check_places(setup_, places);
    const std::lock_guard lock(mutex_);
    gpu_.use();
    const OnDevice phase = on_device(d_object.phase), absorption = absorption_on_device(d_object);
    const Z<T>* const d_spectrum = other_spectrum(d_probe);
    auto* const total = reinterpret_cast<Sums<1>*>(totals_.data());
    gpu_.zero(total, sizeof *total);
    const i64 most = batches_.space_for(static_cast<i64>(places.size()));
    for (std::size_t first = 0; first < places.size(); first += static_cast<std::size_t>(most)) {
      const auto some = places.subspan(first, std::min<std::size_t>(most, places.size() - first));
      const auto b = batches_.begin(some, object());
      passes_.tangent(b, object(phase.data(), absorption.data()), spectrum_.data(), d_spectrum,
                      false);
      const i64 chunks = blocks_for(n_, Bend<T>::pixels);
      auto* const parts = batches_.template sums<1>();
      bend(b, false);
      gpu_.launch(Total<1>{parts, chunks * b.positions, total}, {}, Total<1>::shared);
      if (each.empty()) continue;
      std::vector<double> bends(static_cast<std::size_t>(chunks * b.positions));
      gpu_.copy(bends.data(), parts, bends.size() * sizeof(double));
      for (std::size_t p = 0; p < some.size(); ++p) {
        const auto begin = bends.begin() + static_cast<std::ptrdiff_t>(p) * chunks;
        each[first + p] = std::accumulate(begin, begin + chunks, 0.0);
      }
    }
    Sums<1> sum;
    gpu_.copy(&sum, total, sizeof sum);
    return sum.value[0];
  }

  void gauss_newton_product(std::span<const Placement> places, const ObjectView<T>& d_object,
                            View<const C, 3> d_probe, const Gradient<T>& sum) const override {
    check_places(setup_, places);
    const std::lock_guard lock(mutex_);
    gpu_.use();
    const OnDevice phase = on_device(d_object.phase), absorption = absorption_on_device(d_object);
    Target target = target_of(parts_of_adjoint(sum), sum);
    const i64 most = batches_.space_for(static_cast<i64>(places.size()));
    for (std::size_t first = 0; first < places.size(); first += static_cast<std::size_t>(most)) {
      const auto b = batches_.begin(
          places.subspan(first, std::min<std::size_t>(most, places.size() - first)), object());
      passes_.tangent(b, object(phase.data(), absorption.data()), spectrum_.data(),
                      other_spectrum(d_probe), true);
      bend(b, true);
      passes_.backward(b, object(), target.to);
      if (!target.probe) continue;
      // Each batch by itself, as the sum of spectra takes the place of the direction's.
      passes_.sum_spectra(b, other_spectrum_.data(), false);
      add_probe_gradient(sum.probe);
    }
    target.finish();
    wait_for(phase, absorption);
  }

 private:
  using OnDevice = gpu::OnDevice<T, Gpu>;
  using Target = gpu::Target<T, Gpu>;

  [[nodiscard]] OnDevice on_device(View<const T, 3> values) const {
    return {gpu_, ledger_, values};
  }
  /// The object's second volume, where it has one.
  [[nodiscard]] OnDevice absorption_on_device(const ObjectView<T>& object) const {
    return on_device(setup_.absorption ? object.absorption : View<const T, 3>{});
  }
  /// Before copies go, for what was launched on them.
  template <class... Copies>
  void wait_for(const Copies&... copies) const {
    if ((copies.copied() || ...)) gpu_.wait();
  }
  /// Σ_k 2 f" a² of the batch's chunks into sums_; with `residual` Ψ becomes 2 f" a Ψ.
  void bend(const Batch<T>& b, bool residual) const {
    gpu_.launch(
        Bend<T>{b.detector, b.tangent, weight_.data(), batches_.template sums<1>(), modes(),
                window(), residual, setup_.loss, setup_.epsilon, static_cast<T>(setup_.background)},
        {blocks_for(n_, Bend<T>::pixels), b.positions}, Bend<T>::shared);
  }
  [[nodiscard]] Target target_of(Wanted wanted, const Gradient<T>& sum) const {
    return {gpu_, ledger_, setup_.absorption, wanted, sum};
  }
  void finish(const Target& target) const {
    if (target.probe) add_probe_gradient(target.sum().probe);
    if (target.to.through) add_propagator_gradient(target.sum().propagator);
    target.finish();
  }
  /// to += the sum over the slices, over W²
  void add_propagator_gradient(View<Complex<double>, 2> to) const {
    std::vector<Complex<double>> values(static_cast<std::size_t>(n_));
    gpu_.copy(values.data(), through_.data(), values.size() * sizeof values[0]);
    for (i64 k = 0; k < n_; ++k)
      to.data[k] += values[static_cast<std::size_t>(k)] / static_cast<double>(n_);
  }

  [[nodiscard]] int window() const { return static_cast<int>(w_); }
  [[nodiscard]] int modes() const { return static_cast<int>(setup_.modes); }
  [[nodiscard]] bool fused() const { return path_ == GpuPath::fused; }
  [[nodiscard]] std::size_t bytes_of(i64 modes) const {
    return static_cast<std::size_t>(modes * n_) * sizeof(Z<T>);
  }
  /// Which detector pixel, in natural order, stands at i.
  [[nodiscard]] i64 natural(i64 i) const {
    if (!fused()) return i;
    return i - i % w_ + fused_column(static_cast<int>(i % w_), window());
  }

  void load_turns() {
    std::vector<Z<T>> twiddles(static_cast<std::size_t>(w_));  // butterflies.hpp
    for (i64 i = 0; i < w_; ++i) {
      const double angle = -2 * pi * double(i % 16 * (i / 16)) / double(w_);
      twiddles[i] = {static_cast<T>(std::cos(angle)), static_cast<T>(std::sin(angle))};
    }
    gpu_.copy(twiddles_.data(), twiddles.data(), twiddles.size() * sizeof(Z<T>));
  }

  ObjectOnGpu<T> object(const T* d_phase = nullptr, const T* d_absorption = nullptr) const {
    return {transmission_.data(), d_phase, d_absorption, static_cast<int>(transmission_.shape()[1]),
            static_cast<int>(transmission_.shape()[2])};
  }

  void reorder(const Z<T>* from, Z<T>* to, i64 modes, bool back, T scale) const {
    gpu_.launch(Reorder<T>{from, to, window(), fused(), back, scale}, {blocks_for(n_, 256), modes});
  }

  /// FFT(probe) / W², in the order of the path.
  void to_spectrum(View<const C, 3> probe, Z<T>* to) const {
    const i64 modes = setup_.probe_modes();
    const Z<T>* from = as_z(probe.data);
    if (!gpu_.holds(from)) {
      gpu_.copy(aside_.data(), from, bytes_of(modes));
      from = aside_.data();
    }
    passes_.transform().forward(from, aside_.data(), modes);
    reorder(aside_.data(), to, modes, false, T(1) / static_cast<T>(n_));
  }
  const Z<T>* other_spectrum(View<const C, 3> d_probe) const {
    if (d_probe.empty()) return nullptr;
    to_spectrum(d_probe, other_spectrum_.data());
    return other_spectrum_.data();
  }

  void sum_spectra(const Batch<T>& b, Target& target) const {
    if (target.probe)
      passes_.sum_spectra(b, other_spectrum_.data(), std::exchange(target.probe_begun, true));
  }

  /// Rows from `first` on += ∂f/∂shift, ∂f/∂a* and ∂f/∂d of the batch's positions, where they are
  /// wanted;
  /// waits for them.
  void add_own_gradients(const Batch<T>& b, i64 first, Wanted wanted,
                         const Gradient<T>& sum) const {
    auto* const own = batches_.own();
    const auto add = [&](const void* from, i64 a_position, double* to) {
      std::vector<double> values(static_cast<std::size_t>(a_position * b.positions));
      gpu_.copy(values.data(), from, values.size() * sizeof(double));
      to += first * a_position;
      std::transform(values.begin(), values.end(), to, to, std::plus<>());
    };
    if (wanted.has(Part::shift)) {
      passes_.shift_gradient(b, spectrum_.data(), own);
      add(own, 2, sum.shift.data);
    }
    if (wanted.has(Part::coefficients)) {
      passes_.overlaps(b, spectrum_.data(), setup_.probe_modes(), own);
      add(own, 2 * batches_.plan().overlaps, reinterpret_cast<double*>(sum.coefficients.data));
    }
    if (wanted.has(Part::descan)) add(batches_.descan(), 2, sum.descan.data);
  }

  /// to += IFFT(sum of spectra)
  void add_probe_gradient(View<C, 3> to) const {
    const i64 modes = setup_.probe_modes(), n = modes * n_;
    Z<T>* const sum = other_spectrum_.data();
    passes_.transform().inverse(sum, sum, modes);
    const T scale = T(1) / static_cast<T>(n_);
    if (gpu_.holds(to.data)) {
      gpu_.launch(AddScaled<T>{sum, as_z(to.data), n, scale}, {blocks_for(n, 256)});
      return;
    }
    std::vector<C> values(static_cast<std::size_t>(n));
    gpu_.copy(values.data(), sum, bytes_of(modes));
    for (i64 i = 0; i < n; ++i) to.data[i] += scale * values[static_cast<std::size_t>(i)];
  }

  /// Waves of one position to the caller, in natural order.
  void give(const Z<T>* from, View<C, 3> to) const {
    reorder(from, aside_.data(), setup_.modes, true, T(1));
    gpu_.copy(to.data, aside_.data(), bytes_of(setup_.modes));
  }

  DetectorArguments<T> detector() const {
    return {weight_.data(),
            valid_.data(),
            batches_.template sums<3>(),
            setup_.loss,
            static_cast<T>(setup_.epsilon),
            static_cast<T>(setup_.background)};
  }

  /// work(batch, what its misfit is added to) for each batch, while the next one is sent; then
  /// last(). Waits for nothing where the misfit is to lie on the device.
  template <class Work, class Last>
  Misfit over_batches(std::span<const Placement> places, const Measured<T>& measured,
                      View<double, 1> misfit, Work&& work, Last&& last) const {
    const auto count = static_cast<i64>(places.size());
    if (count == 0) return {};
    const i64 most = batches_.space_for(count), batches = (count + most - 1) / most;
    const i64 each = (count + batches - 1) / batches;  // the last one may have fewer
    const auto size = [&](i64 i) { return std::min(each, count - i * each); };
    const auto sent = [&](i64 i) {
      const auto some =
          places.subspan(static_cast<std::size_t>(i * each), static_cast<std::size_t>(size(i)));
      return batches_.send(some, object(), &measured, i * each);
    };
    const bool stays = !misfit.empty() && gpu_.holds(misfit.data);
    auto* const total = reinterpret_cast<Sums<3>*>(stays ? misfit.data : totals_.data());
    if (!stays) gpu_.zero(total, sizeof *total);
    Batch<T> next = sent(0);
    for (i64 i = 0; i < batches; ++i) {
      const Batch<T> b = next;
      batches_.start();
      work(b, total);
      if (i + 1 < batches) next = sent(i + 1);
    }
    last();
    if (stays) return {};
    Sums<3> all;
    gpu_.copy(&all, total, sizeof all);
    return reported({all.value[0], all.value[1], all.value[2]}, misfit);
  }

  OperatorSetup setup_;
  Gpu& gpu_;
  Ledger* ledger_;
  WaveStorage waves_;
  GpuPath path_;
  i64 w_, n_;
  Array<Z<T>, 1> propagator_, twiddles_;
  Array<T, 1> weight_, valid_;
  mutable Array<double, 1> totals_;
  mutable Array<double, 1> through_;  // of ∂f/∂P*, where it is fitted
  Array<Z<T>, 1> spectrum_;           // FFT(probe) / W²
  mutable Array<Z<T>, 1> other_spectrum_, aside_;
  Array<Z<T>, 3> transmission_;
  mutable std::mutex mutex_;
  mutable Passes<T, Gpu> passes_;
  mutable BatchSpace<T, Gpu> batches_;
};

}  // namespace ptyle::gpu
