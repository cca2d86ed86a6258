#pragma once

// The steps of a position, each on the waves of all its modes at once, forward beside adjoint. A
// backend keeps waves in a layout of its own (fftw_steps.cpp, sweep_steps.cpp); multislice.cpp puts
// the steps in order. Nothing here is written to but what is passed in, once weights and propagator
// are set: any number of threads may use one Steps.

#include <memory>

#include "operator/cpu/mixing.hpp"
#include "operator/cpu/transmission.hpp"
#include "operator/operator.hpp"

namespace ptyle::cpu {

/// A slice of a state of the object under the window of a position, and the modes that see it.
template <class T>
struct Slice {
  const Transmission<T>& transmission;
  i64 plane;  ///< of all states' slices
  Placement at;
  i64 first_mode, end_mode;
  bool last;  ///< of the state's slices
};

/// The arrays that a slice's gradient is added to; those that are empty are not wanted.
template <class T>
struct SliceGradient {
  View<T, 2> phase, absorption;  ///< ∂f/∂φ_s, ∂f/∂μ_s, with the window at `at` on them
  Placement at;
  T scale = 2;              ///< of both: 2 Re(…) where f is the cost, 1 in Jᴴ
  View<T, 2> illumination;  ///< W·W: Σ_m |u|², summed over slices
};

/// The buffers that a thread needs beside its waves.
template <class T>
struct ThreadBuffers {
  Array<T, 1> scratch, ramp, measured;
  Array<T, 1> mixed;        ///< spectra that a position has mixed; empty where nothing is mixed
  bool past_cache = false;  ///< waves u that are kept are more than the caches hold
};

/// Sizes of a backend's arrays, in T's.
struct BufferSizes {
  i64 wave = 0;     ///< the waves of all modes
  i64 probe = 0;    ///< the spectra of all modes of the probe
  i64 scratch = 0;  ///< ThreadBuffers::scratch
  i64 ramp = 0;     ///< ThreadBuffers::ramp
  i64 propagator = 0, detector = 0;
};

template <class T>
class Steps {
  using C = Complex<T>;

 public:
  virtual ~Steps() = default;

  virtual void set_weights(View<const T, 2> weight, View<const T, 2> valid) = 0;
  /// P, W·W values, of several slices; before this it is nothing.
  virtual void set_propagator(std::span<const std::complex<double>> propagator) = 0;
  /// b ≥ 0, counts of every detector pixel beside the waves'.
  virtual void set_background(double background) = 0;
  [[nodiscard]] virtual SpectraLayout layout() const = 0;
  /// FFT(probe) / W² of all its modes, in this layout: M of them, or as many mixed, `begin` starts
  /// from.
  virtual void spectrum(View<const C, 3> probe, T* to) const = 0;

  /// The position's sub-pixel shift, exp(−2πi f s / W) along rows and columns, into buffers.ramp;
  /// and behind it, where the setup has descan, exp(2πi d r / W).
  virtual void prepare(const Placement& at, ThreadBuffers<T>& buffers) const = 0;

  /// ψ_0 = IFFT(ramp · FFT(probe))
  virtual void begin(const T* spectrum, ThreadBuffers<T>& buffers, T* wave) const = 0;
  /// sum += conj(ramp) · FFT(χ_0), in the order of `spectrum`
  virtual void end_back(T* chi, ThreadBuffers<T>& buffers, T* sum) const = 0;
  /// Σ_m Σ_k f_k Im(conj(G) S) for (row, column): of G, what end_back gives of one position, and S,
  /// the spectra that `begin` started from. Times 2 · 2π/W it is ∂cost/∂shift.
  [[nodiscard]] virtual std::array<double, 2> shift_gradient(const T* spectrum,
                                                             const T* g) const = 0;
  /// to += IFFT(sum): the probe's gradient from what end_back has summed, which is used up.
  virtual void add_probe_gradient(T* sum, View<C, 3> to) const = 0;

  /// u = t ψ, and kept in u if that is not null. As what follows, of the slice's modes.
  virtual void transmit(const Slice<T>& slice, ThreadBuffers<T>& buffers, T* wave, T* u) const = 0;
  /// Gradient of u and χ, then χ ← conj(t) χ. With u null it is taken from the wave beside, which
  /// goes back too: ψ = conj(t) u.
  virtual void transmit_back(const Slice<T>& slice, ThreadBuffers<T>& buffers, T* chi, const T* u,
                             T* wave, const SliceGradient<T>& gradient) const = 0;
  /// du = t dψ + (i dφ − dμ) u, beside u = t ψ, which is kept in u if that is not null; d_object
  /// may be empty.
  virtual void transmit_tangent(const Slice<T>& slice, ThreadBuffers<T>& buffers, T* wave,
                                T* d_wave, const ObjectView<T>& d_object, T* u) const = 0;

  /// ψ = IFFT(P FFT(u))
  virtual void propagate(ThreadBuffers<T>& buffers, T* wave) const = 0;
  /// χ ← IFFT(conj(P) FFT(χ))
  virtual void propagate_back(ThreadBuffers<T>& buffers, T* wave) const = 0;

  /// to += Σ_m FFT(χ) conj(FFT(u)), in the order of P, between a slice whose u is here and the next
  /// one, whose χ is: kept, or (`kept` false) a wave that propagate_back has just made. `aside` is
  /// space for two times P.
  virtual void add_to_propagator_gradient(const T* chi, const T* u, bool kept, T* aside,
                                          T* to) const = 0;
  /// to += what was summed so, over W², in natural order.
  virtual void add_propagator_gradient(const T* sum, View<Complex<double>, 2> to) const = 0;

  /// u ← exp(2πi d·r / W) u after the last slice, or of what u changes by; where the setup has
  /// descan.
  virtual void displace(ThreadBuffers<T>& buffers, T* wave) const = 0;
  /// χ ← exp(−2πi d·r / W) χ. Returns Σ_m Σ_r r Re(conj(χ) i u) along rows and columns, if it is
  /// `wanted`, of the last slice's u as it was kept, or (null) of the wave beside, which stays what
  /// it is, to rounding.
  virtual std::array<double, 2> displace_back(ThreadBuffers<T>& buffers, T* chi, const T* u,
                                              T* wave, bool wanted) const = 0;

  /// Ψ = FFT(u_{S−1}), to natural order; the wave is used up.
  virtual void exit(ThreadBuffers<T>& buffers, T* wave, View<C, 3> to) const = 0;
  /// χ = Fᴴ d
  virtual void enter_back(ThreadBuffers<T>& buffers, View<const C, 3> d, T* chi) const = 0;
  /// Misfit of Ψ against buffers.measured, W·W values (below 0: not measured); with `residual` the
  /// wave becomes χ = Fᴴ( w Ψ · the loss's factor ), otherwise it is used up.
  virtual Misfit detect(ThreadBuffers<T>& buffers, T* wave, bool residual) const = 0;
  /// Σ_k 2 f" a², a = Re Σ_m conj(Ψ_m) dΨ_m, f" the loss's by I; both waves are used up, or, with
  /// `residual`, d_wave becomes Fᴴ( 2 f" a Ψ ).
  virtual double bend(ThreadBuffers<T>& buffers, T* wave, T* d_wave, bool residual) const = 0;
};

/// The path that is taken for a window: what was asked for, or the widest vectors of this
/// processor where the sweeps know the window. Throws UserError for vectors that it has not, and
/// for sweeps over a window that they do not know.
CpuPath path_of(i64 window, CpuPath asked);
template <class T>
BufferSizes buffer_sizes(const OperatorSetup& setup, CpuPath path);
template <class T>
std::unique_ptr<Steps<T>> make_steps(const OperatorSetup& setup, CpuPath path, Ledger* ledger);

/// On the library of FFTs, any window.
BufferSizes fftw_sizes(const OperatorSetup& setup);
template <class T>
std::unique_ptr<Steps<T>> make_fftw_steps(const OperatorSetup& setup, Ledger* ledger);

/// As two sweeps a slice.
template <class T>
struct Kernels;
template <class T>
BufferSizes sweep_sizes(const OperatorSetup& setup, const Kernels<T>& kernels);
template <class T>
std::unique_ptr<Steps<T>> make_sweep_steps(const OperatorSetup& setup, const Kernels<T>& kernels,
                                           Ledger* ledger);

}  // namespace ptyle::cpu
