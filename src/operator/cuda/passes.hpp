#pragma once

// The passes of a batch of positions through the slices, on the three paths:
//
//   mixed:     spectra of the probe → those of each position, where it mixes its modes
//   forward:   spectrum of the probe → Ψ; u of each slice kept if asked for
//   tangent:   beside it dψ → dΨ
//   backward:  residual → spectra of the probe's gradient; after each slice, or after all, its
//              patches are gathered into the object's gradient
//
// All launches go to the GPU's stream, in order; nothing here waits.

#include "core/units.hpp"
#include "operator/cuda/batch.hpp"
#include "operator/cuda/descan.hpp"
#include "operator/cuda/plan.hpp"
#include "operator/cuda/pointwise.hpp"
#include "operator/cuda/propagator_gradient.hpp"
#include "operator/cuda/sweeps.hpp"
#include "operator/cuda/tickets.hpp"

namespace ptyle::gpu {

template <class T, class Gpu>
class Passes {
  using Transform = typename Gpu::template Transform<T>;

 public:
  Passes(Gpu& gpu, const OperatorSetup& setup, GpuPath path, const GpuOptions& options,
         const Z<T>* propagator, const Z<T>* twiddles)
      : gpu_(gpu),
        w_(static_cast<int>(setup.window)),
        n_(w_ * w_),
        slices_(static_cast<int>(setup.slices)),
        modes_(static_cast<int>(setup.modes)),
        states_(static_cast<int>(setup.states)),
        path_(path),
        recompute_(options.waves == WaveStorage::recompute),
        at_once_(options.sums == GpuSums::atomic),
        descan_(setup.descan),
        plan_(setup, path, options),
        propagator_(propagator),
        twiddles_(twiddles),
        transform_(gpu, w_) {}

  [[nodiscard]] const Transform& transform() const { return transform_; }

  /// If P is the same at −ky as at ky (`mirrored`), blocks hold it, on the fused path, if it fits.
  void hold_propagator(bool mirrored) { holds_propagator_ = mirrored && propagator_fits(); }

  void forward(const Batch<T>& b, const ObjectOnGpu<T>& object, const Z<T>* spectrum, bool keep) {
    if (path_ == GpuPath::fused) {
      fused<RowOp::transmit>(b, object, {.kept = keep ? b.kept : nullptr}, spectrum, b.detector);
      return;
    }
    from_probe(b, b.waves, spectrum);
    for (int s = 0; s < slices_; ++s) {
      Z<T>* const kept = keep && !recompute_ ? b.kept + static_cast<i64>(s) * slice() : nullptr;
      row_op<RowOp::transmit>(b, object, b.waves, s, {.kept = kept});
      if (s + 1 < slices_) propagate<false>(b, b.waves);
    }
    to_detector(b, b.waves, b.detector);
  }

  /// Ψ into the batch's `detector` and dΨ into its `tangent`; with `keep`, as in `forward`.
  void tangent(const Batch<T>& b, const ObjectOnGpu<T>& object, const Z<T>* spectrum,
               const Z<T>* d_spectrum, bool keep) {
    if (path_ == GpuPath::fused) {
      forward(b, object, spectrum, true);
      fused<RowOp::tangent>(b, object, {.u = b.kept}, d_spectrum, b.tangent);
      return;
    }
    from_probe(b, b.waves, spectrum);
    from_probe(b, b.tangent, d_spectrum);
    for (int s = 0; s < slices_; ++s) {
      Z<T>* const u = keep && !recompute_ ? b.kept + static_cast<i64>(s) * slice() : b.kept;
      row_op<RowOp::transmit>(b, object, b.waves, s, {.kept = u});
      row_op<RowOp::tangent>(b, object, b.tangent, s, {.u = u});
      if (s + 1 == slices_) break;
      propagate<false>(b, b.waves);
      propagate<false>(b, b.tangent);
    }
    to_detector(b, b.waves, b.detector);
    to_detector(b, b.tangent, b.tangent);
  }

  /// Misfit of Ψ in the batch's `detector`, which becomes the residual if asked for; its sums are
  /// added to `total`.
  void detect(const Batch<T>& b, const DetectorArguments<T>& d, bool residual, Sums<3>* total) {
    const int chunks = Detect<T>::chunks(w_);
    gpu_.launch(detector<256>(b, d, residual), {chunks, b.positions}, Detect<T>::shared);
    add_up(d.sums, static_cast<i64>(chunks) * b.positions, total);
  }

  /// The spectra that a batch's waves start from: the probe's, or a change's, as they are or mixed,
  /// until others are.
  Spectra<T> mixed(const Batch<T>& b, const Z<T>* spectrum) {
    if (!spectrum || !b.mixed) return {spectrum, modes_};
    gpu_.launch(Mix<T>{spectrum, b.mixed, b.mixing, n_}, {blocks_for(n_, 256), waves(b)});
    return {b.mixed, static_cast<int>(waves(b))};
  }

  /// From what `backward` leaves in the batch's `detector`: its part of the probe's gradient, on
  /// top of `sum` where `add` says so …
  void sum_spectra(const Batch<T>& b, Z<T>* sum, bool add) {
    const bool fused = path_ == GpuPath::fused;
    const i64 n = static_cast<i64>(modes_) * n_;
    if (b.mixed)
      gpu_.launch(SumMixed<T>{b.detector, sum, b.mixing, n_, b.positions, w_, fused, add},
                  {blocks_for(n_, 256), b.mixing.basis});
    else
      gpu_.launch(SumSpectra<T>{b.detector, sum, n, b.positions, w_, fused, add},
                  {blocks_for(n, 256)});
  }
  /// … ∂f/∂shift of each position …
  void shift_gradient(const Batch<T>& b, const Z<T>* spectrum, Sums<2>* shifts) {
    gpu_.launch(ShiftGradient<T>{b.detector, mixed(b, spectrum), shifts, modes_, w_,
                                 path_ == GpuPath::fused, 4 * pi / double(w_)},
                {b.positions}, ShiftGradient<T>::shared);
  }
  /// … and ∂f/∂a* of each, by `basis` modes.
  void overlaps(const Batch<T>& b, const Z<T>* spectrum, i64 basis, Sums<2>* to) {
    gpu_.launch(Overlaps<T>{b.detector, spectrum, to, modes_, static_cast<int>(basis), n_},
                {modes_ * basis, b.positions}, Overlaps<T>::shared);
  }

  /// Forward, detector and backward.
  void gradient(const Batch<T>& b, const ObjectOnGpu<T>& object, const Z<T>* spectrum,
                const DetectorArguments<T>& d, Sums<3>* total, const GatherTo<T>& to) {
    if (path_ == GpuPath::fused) {
      by_tickets(b, object, spectrum, d, total, to);
      return;
    }
    forward(b, object, spectrum, to.wanted());
    detect(b, d, true, total);
    backward(b, object, to);
  }

  /// From the residual in the batch's `detector`, which becomes the spectra of the probe's
  /// gradient.
  void backward(const Batch<T>& b, const ObjectOnGpu<T>& object, const GatherTo<T>& to) {
    if (path_ == GpuPath::fused) {
      fused<RowOp::back>(b, object, {.u = b.kept, .to = to}, nullptr, b.detector);
    } else {
      from_detector(b, b.detector);
      if (to.descan) descan_gradient(b, to.descan);
      for (int s = slices_ - 1; s >= 0; --s) back(b, object, to, s);
      to_probe(b, b.detector);
    }
    finish_gradient(b, object, to, modes_);
  }

 private:
  /// Buffers that a slice's points read and write beside the wave; u is looked at where a gradient
  /// is wanted.
  struct SliceBuffers {
    Z<T>* kept = nullptr;
    const Z<T>* u = nullptr;
    T scale = 1;
    GatherTo<T> to{};
  };

  template <int threads>
  Detect<T, threads> detector(const Batch<T>& b, const DetectorArguments<T>& d,
                              bool residual) const {
    return {b.detector, b.patterns, d.weight, d.valid,
            d.sums,     modes_,     w_,       path_ == GpuPath::fused,
            residual,   d.loss,     d.eps,    d.background};
  }
  void add_up(const Sums<3>* parts, i64 n, Sums<3>* total) {
    gpu_.launch(Total<3>{parts, n, total}, {}, Total<3>::shared);
  }

  void by_tickets(const Batch<T>& b, const ObjectOnGpu<T>& object, const Z<T>* spectrum,
                  const DetectorArguments<T>& d, Sums<3>* total, const GatherTo<T>& to) {
    const Spectra<T> start = mixed(b, spectrum);
    with_window([&]<int W>(std::integral_constant<int, W>) {
      using Whole = FusedGradient<T, W>;
      const int chunks = Whole::Detector::chunks(W);
      const i64 clusters = gpu_.template at_a_time<Whole>(shared_of_fused());
      const int together = modes_together(b.positions, modes_, clusters);
      const Whole whole{pass<W, RowOp::transmit>(
                            b, object, {.kept = to.wanted() ? b.kept : nullptr}, start, b.detector),
                        pass<W, RowOp::back>(b, object, {.u = b.kept, .to = to}, {}, b.detector),
                        detector<Whole::threads>(b, d, true),
                        b.positions,
                        chunks,
                        together,
                        b.flags,
                        gpu_.alarm()};
      gpu_.zero(b.flags, static_cast<std::size_t>(BatchPlan::flags(b.positions)) * sizeof(int));
      gpu_.launch(whole, {std::min<i64>(whole.tickets(), clusters)}, shared_of_fused());
      add_up(d.sums, static_cast<i64>(chunks) * b.positions, total);
      finish_gradient(b, object, to, whole.parts());
    });
  }
  /// After the last slice of a backward pass; `parts` waves of a position have patches.
  void finish_gradient(const Batch<T>& b, const ObjectOnGpu<T>& object, const GatherTo<T>& to,
                       int parts) {
    const bool fused = path_ == GpuPath::fused;
    if (!at_once_ && (fused || to.illumination))
      gather(b, object, to, 0, 0, fused ? static_cast<int>(plan_.patches) : 1, {0, parts});
    if (at_once_ && to.illumination)
      gpu_.launch(AddIllumination<T>{patches_of(b, {0, parts}), to.illumination, object.ny,
                                     object.nx, T(1) / static_cast<T>(states_ * slices_)},
                  {blocks_for(n_, 256), static_cast<i64>(b.positions) * parts});
  }

  /// Slice s, backwards.
  void back(const Batch<T>& b, const ObjectOnGpu<T>& object, const GatherTo<T>& to, int s) {
    Z<T>* const u = recompute_ ? b.kept : b.kept + static_cast<i64>(s) * slice();
    if (recompute_) {
      // In sweeps the last slice's wave comes straight from its FFT along rows: W times too large.
      const bool straight = path_ == GpuPath::sweeps && s + 1 == slices_;
      row_op<RowOp::back>(b, object, b.waves, s,
                          {.kept = u, .scale = straight ? T(1) / static_cast<T>(w_) : T(1)});
    }
    row_op<RowOp::back>(b, object, b.detector, s, {.u = u, .to = to});
    if (!at_once_ && (to.phase || to.absorption))
      for (int k = 0; k < states_; ++k)
        gather(b, object, to, k * slices_ + s, 1, static_cast<int>(plan_.patches),
               {k * modes_of_a_state(), modes_of_a_state()});
    if (s == 0) return;
    if (recompute_) propagate<true>(b, b.waves);
    propagate<true>(b, b.detector, to.through ? spectrum_of(b, s - 1) : nullptr, to.through);
  }

  /// FFT(u) of slice s, in a buffer that is free on the way back.
  const Z<T>* spectrum_of(const Batch<T>& b, int s) {
    Z<T>* const to = recompute_ ? b.kept : b.waves;
    if (!recompute_)
      gpu_.launch(
          TakeSlice<T>{b.kept + static_cast<i64>(s) * slice(), to, plan_.kept_slices * n_, n_},
          {blocks_for(n_, 256), waves(b)});
    transform_.forward(recompute_ ? b.waves : to, to, waves(b));
    return to;
  }

  /// Bytes of a block's shared memory on the fused path.
  [[nodiscard]] std::size_t shared_of_fused(bool with_propagator) const {
    const i64 numbers = fused_shared(w_) + (with_propagator ? fused_propagator(w_) : 0);
    return static_cast<std::size_t>(numbers) * sizeof(Z<T>);
  }
  [[nodiscard]] std::size_t shared_of_fused() const { return shared_of_fused(holds_propagator_); }
  /// Has each block that a multiprocessor is to hold space for P? A kilobyte of each is the
  /// system's.
  [[nodiscard]] bool propagator_fits() const {
    const auto blocks = static_cast<std::size_t>(fused_resident(w_));
    return blocks * (shared_of_fused(true) + 1024) <= gpu_.shared_limit();
  }
  [[nodiscard]] int modes_of_a_state() const { return modes_ / states_; }
  [[nodiscard]] i64 slice() const { return n_; }  // values from a kept slice to the next
  [[nodiscard]] i64 waves(const Batch<T>& b) const {
    return static_cast<i64>(b.positions) * modes_;
  }
  [[nodiscard]] Grid grid(const Batch<T>& b) const {
    return path_ == GpuPath::sweeps ? Grid{w_ / 16, waves(b)} : Grid{blocks_for(n_, 256), waves(b)};
  }

  /// f(W as a constant), of the windows that have kernels of their own.
  template <class F>
  void with_window(F&& f) const {
    if constexpr (sizeof(T) == 4 || Gpu::emulated) {
      if (w_ == 64) return f(std::integral_constant<int, 64>{});
      if (w_ == 96) return f(std::integral_constant<int, 96>{});
      if (w_ == 128) return f(std::integral_constant<int, 128>{});
      if (w_ == 192) return f(std::integral_constant<int, 192>{});
      if (w_ == 256) return f(std::integral_constant<int, 256>{});
    }
    throw std::logic_error("this window has no kernels of its own");
  }

  template <RowOp op>
  SliceArguments<T> slice_arguments(const Batch<T>& b, const ObjectOnGpu<T>& object, int s,
                                    const SliceBuffers& beside, int state = 0) const {
    const i64 first = static_cast<i64>(state * slices_ + s) * object.ny * object.nx;
    const auto at = [first](auto* values) { return values ? values + first : nullptr; };
    const GatherTo<T>& to = beside.to;
    const auto patches = [&](T* wanted, i64 layer) {
      return wanted ? b.patches + layer * n_ : nullptr;
    };
    const bool u = op == RowOp::tangent || to.of_object();
    return {object.t + first,
            object.ny,
            object.nx,
            b.places,
            modes_,
            beside.kept,
            u ? beside.u : nullptr,
            plan_.kept_slices * n_,
            at(object.d_phase),
            at(object.d_absorption),
            beside.scale,
            s + 1 == slices_,
            at_once_ ? at(to.phase) : patches(to.phase, 1),
            at_once_ ? at(to.absorption) : patches(to.absorption, 1 + plan_.patch_slices),
            at_once_,
            to.scale,
            patches(to.illumination, 0),
            plan_.patches * n_};
  }

  template <int W, RowOp op>
  FusedPass<T, W, op> pass(const Batch<T>& b, const ObjectOnGpu<T>& object,
                           const SliceBuffers& beside, const Spectra<T>& spectra,
                           Z<T>* detector) const {
    const i64 plane = static_cast<i64>(object.ny) * object.nx;
    return {slice_arguments<op>(b, object, 0, beside),
            plane,
            n_,
            at_once_ ? plane : n_,
            slices_,
            propagator_,
            holds_propagator_,
            spectra,
            detector,
            twiddles_};
  }

  template <RowOp op>
  void fused(const Batch<T>& b, const ObjectOnGpu<T>& object, const SliceBuffers& beside,
             const Z<T>* spectrum, Z<T>* detector) {
    const Spectra<T> start = mixed(b, spectrum);
    with_window([&]<int W>(std::integral_constant<int, W>) {
      gpu_.launch(pass<W, op>(b, object, beside, start, detector), {waves(b)}, shared_of_fused());
    });
  }

  template <ColumnOp op>
  void columns(const Batch<T>& b, Z<T>* to, const Spectra<T>& spectra, Z<T>* detector) {
    with_window([&]<int W>(std::integral_constant<int, W>) {
      using Sweep = ColumnSweep<T, W, op>;
      gpu_.launch(Sweep{to, propagator_, spectra, detector, twiddles_, b.places, modes_}, grid(b),
                  Sweep::shared);
    });
  }

  template <RowOp op>
  void row_op(const Batch<T>& b, const ObjectOnGpu<T>& object, Z<T>* of, int s,
              const SliceBuffers& beside) {
    if (path_ == GpuPath::fft) {
      const int each = modes_of_a_state();
      for (int k = 0; k < states_; ++k)
        gpu_.launch(SlicePoints<T, op>{of, slice_arguments<op>(b, object, s, beside, k), w_,
                                       k * each, each},
                    {blocks_for(n_, 256), static_cast<i64>(b.positions) * each});
      return;
    }
    const auto arguments = slice_arguments<op>(b, object, s, beside);
    with_window([&]<int W>(std::integral_constant<int, W>) {
      using Sweep = RowSweep<T, W, op>;
      gpu_.launch(Sweep{of, arguments, twiddles_}, grid(b), Sweep::shared);
    });
  }

  void from_probe(const Batch<T>& b, Z<T>* to, const Z<T>* spectrum) {
    if (!spectrum) {
      gpu_.zero(to, static_cast<std::size_t>(waves(b) * n_) * sizeof(Z<T>));
    } else if (path_ == GpuPath::sweeps) {
      columns<ColumnOp::from_probe>(b, to, mixed(b, spectrum), nullptr);
    } else {
      gpu_.launch(Begin<T>{to, mixed(b, spectrum), b.places, modes_, w_}, grid(b));
      transform_.inverse(to, to, waves(b));
    }
  }

  /// ψ ← IFFT(P FFT(ψ)), or with conj(P); on cuFFT's path through += FFT(ψ) conj(û) on the way.
  template <bool back>
  void propagate(const Batch<T>& b, Z<T>* of, const Z<T>* u = nullptr, double* through = nullptr) {
    if (path_ == GpuPath::sweeps) {
      columns<back ? ColumnOp::propagate_back : ColumnOp::propagate>(b, of, {}, nullptr);
      return;
    }
    transform_.forward(of, of, waves(b));
    if (through) gpu_.launch(AddThrough<T>{of, u, through, waves(b), n_}, {blocks_for(n_, 256)});
    gpu_.launch(Propagate<T, back>{of, propagator_, n_}, grid(b));
    transform_.inverse(of, of, waves(b));
  }

  /// Ψ = FFT(u), of u displaced where patterns are; `from` stays as it was, unless `to` is the
  /// same.
  void to_detector(const Batch<T>& b, Z<T>* from, Z<T>* to) {
    if (path_ == GpuPath::sweeps) {
      columns<ColumnOp::to_detector>(b, from, {}, to);
      return;
    }
    if (descan_) gpu_.launch(Displace<T, false>{from, to, b.places, modes_, w_}, grid(b));
    transform_.forward(descan_ ? to : from, to, waves(b));
  }
  void from_detector(const Batch<T>& b, Z<T>* of) {
    if (path_ == GpuPath::sweeps) {
      columns<ColumnOp::from_detector>(b, of, {}, of);
      return;
    }
    transform_.inverse(of, of, waves(b));
    if (descan_) gpu_.launch(Displace<T, true>{of, of, b.places, modes_, w_}, grid(b));
  }
  /// From χ, displaced back, beside the last slice's u.
  void descan_gradient(const Batch<T>& b, Sums<2>* to) {
    const Z<T>* const u = recompute_ ? b.waves : b.kept + static_cast<i64>(slices_ - 1) * slice();
    const i64 next = recompute_ ? n_ : plan_.kept_slices * n_;
    gpu_.launch(DescanGradient<T>{b.detector, u, next, to, modes_, w_, 4 * pi / double(w_)},
                {b.positions}, DescanGradient<T>::shared);
  }
  void to_probe(const Batch<T>& b, Z<T>* of) {
    if (path_ == GpuPath::sweeps) {
      columns<ColumnOp::to_probe>(b, of, {}, of);
      return;
    }
    transform_.forward(of, of, waves(b));
    gpu_.launch(End<T>{of, b.places, modes_, w_}, grid(b));
  }

  /// The waves of a position whose patches are looked at: so many from the first on.
  struct Parts {
    int first, count;
  };
  [[nodiscard]] Patches<T> patches_of(const Batch<T>& b, Parts parts) const {
    const i64 next = plan_.patches * n_;
    return {b.patches + parts.first * next, next, parts.count, modes_, w_, b.places};
  }
  /// Layers of patches from `layer` on, of planes of the object from `plane` on: side by side where
  /// there are several, as with waves on chip.
  void gather(const Batch<T>& b, const ObjectOnGpu<T>& object, const GatherTo<T>& to, int plane,
              int layer, int end, Parts parts) {
    const int slices = static_cast<int>(plan_.patch_slices);
    if (!to.illumination) layer = std::max(layer, 1);
    if (!to.absorption) end = std::min(end, 1 + (to.phase ? slices : 0));
    if (end - layer > 2)
      gather<8>(b, object, to, plane, layer, end, parts);
    else if (layer < end)
      gather<1>(b, object, to, plane, layer, end, parts);
  }
  template <int layers>
  void gather(const Batch<T>& b, const ObjectOnGpu<T>& object, const GatherTo<T>& to, int plane,
              int layer, int end, Parts parts) {
    const int slices = static_cast<int>(plan_.patch_slices);
    const i64 first = static_cast<i64>(plane) * object.ny * object.nx;
    const Gather<T, layers> kernel{patches_of(b, parts),
                                   b.positions,
                                   layer,
                                   end,
                                   slices,
                                   to.phase ? to.phase + first : nullptr,
                                   to.absorption ? to.absorption + first : nullptr,
                                   to.illumination,
                                   object.ny,
                                   object.nx,
                                   b.top,
                                   b.left,
                                   to.scale,
                                   T(1) / static_cast<T>(states_ * slices_)};
    gpu_.launch(kernel, kernel.blocks(b.rows, b.cols), kernel.shared(b.positions));
  }

  Gpu& gpu_;
  int w_, n_, slices_, modes_, states_;
  GpuPath path_;
  bool recompute_, at_once_, descan_;
  BatchPlan plan_;
  const Z<T>*propagator_, *twiddles_;
  bool holds_propagator_ = false;  // in shared memory, on the fused path
  Transform transform_;            // of waves on cuFFT's path, and of the probe
};

}  // namespace ptyle::gpu
