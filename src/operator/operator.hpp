#pragma once

// The multislice operator, one interface for every backend (reference/, cpu/, cuda/).
//
//   ψ_0 = probe_m shifted      u_s = t_s ψ_s      ψ_{s+1} = IFFT(P FFT(u_s))
//   Ψ_m = FFT(u_{S−1} exp(2πi d·r / W))      t_s = exp(i φ_s − μ_s)
//   I = b + Σ_m |Ψ_m|²         f = Σ_k cost(I, y, w, ε), by the loss (physics/loss)
//
// A probe that varies over the scan: mode m of a position is Σ_q a_mq P_q, with coefficients of the
// position's own, of K modes that all positions share. Otherwise K = M and a is the identity. d, px
// of the detector, is how far a position's pattern is displaced (descan), r counted from pixel
// [W/2, W/2]; 0 unless the setup says that there are such.
//
// Several states of the object, of which the beam sees now this one and now that: modes are dealt
// out to them, the first M / states to the first, and I is the sum over all. A state's slices lie
// behind those of the state before.
//
// FFT is unnormalised, IFFT carries 1/W². Windows that reach beyond the object read vacuum there
// and drop their gradient. Inside, the zero frequency stands at [0,0].

#include <complex>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "core/ledger.hpp"
#include "core/memory.hpp"
#include "core/pattern.hpp"
#include "physics/loss/losses.hpp"

namespace ptyle {

/// Setup that is the same for every position of a run.
struct OperatorSetup {
  i64 window = 0;           ///< W, object pixels = detector pixels
  i64 slices = 1;           ///< S
  i64 states = 1;           ///< of the object
  i64 modes = 1;            ///< M, incoherent waves: probe modes, times states
  i64 basis = 0;            ///< K, modes that each position mixes its M of; 0: it mixes none
  bool absorption = false;  ///< complex object: μ is fitted too
  Loss loss = Loss::amplitude;
  double epsilon = 1e-8;  ///< ε, in the unit of the patterns' counts
  /// b ≥ 0, counts of every detector pixel beside the waves'; that of the start:
  /// Operator::set_background takes another.
  double background = 0;
  bool descan = false;  ///< patterns may be displaced, each by a d of its own
  /// Part::propagator may be asked for, for which a backend keeps memory ready.
  bool fits_propagator = false;
  /// gauss_newton_product is called, for which a backend keeps memory ready.
  bool products = false;
  /// P from a slice to the next, W·W values, DC at [0,0]; not used when S = 1. That of the start:
  /// Operator::set_propagator takes another.
  std::vector<std::complex<double>> propagator;

  /// K or, where nothing is mixed, M: the modes of the probe that is set, and of its gradient.
  [[nodiscard]] i64 probe_modes() const { return basis > 0 ? basis : modes; }
  /// Slices of all states.
  [[nodiscard]] i64 planes() const { return states * slices; }
  [[nodiscard]] i64 modes_of_a_state() const { return modes / states; }
};

/// The same without P's values, of which a backend has its own.
inline OperatorSetup without_propagator(const OperatorSetup& s) {
  OperatorSetup rest;
  rest.window = s.window;
  rest.slices = s.slices;
  rest.states = s.states;
  rest.modes = s.modes;
  rest.basis = s.basis;
  rest.absorption = s.absorption;
  rest.loss = s.loss;
  rest.epsilon = s.epsilon;
  rest.background = s.background;
  rest.descan = s.descan;
  rest.fits_propagator = s.fits_propagator;
  rest.products = s.products;
  return rest;
}

/// Bytes of so many waves of a window.
template <class T>
double wave_bytes(const OperatorSetup& setup, i64 waves) {
  return static_cast<double>(waves * setup.window * setup.window) * sizeof(Complex<T>);
}

/// Bytes of a number for each pixel of a window.
template <class Number>
double pattern_bytes(const OperatorSetup& setup) {
  return static_cast<double>(setup.window * setup.window) * sizeof(Number);
}

/// The place of a window on the object: its corner (object pixels) and what is left of the position
/// after rounding, px in [−½, ½), which the probe is shifted by. And how the position mixes its
/// modes, so that all that is its own goes with it into every call and part of a batch.
struct Placement {
  i64 row = 0, col = 0;
  double shift_row = 0, shift_col = 0;
  /// a, (M, K) values of the host that stay there during a call; null where nothing is mixed.
  const Complex<double>* coefficients = nullptr;
  double descan_row = 0, descan_col = 0;  ///< d, px that the pattern is displaced by
};

/// Throws std::invalid_argument where modes cannot be dealt out to the states alike.
void check_states(const OperatorSetup& setup);

/// Throws std::invalid_argument where a position has no coefficients although the setup says that
/// modes are mixed, or has some although none are; and where its pattern is displaced although the
/// setup says that none is.
void check_places(const OperatorSetup& setup, std::span<const Placement> places);

/// The placement of a probe whose centre is at `at` (object pixels, pixel [0,0]'s centre is 0).
Placement place(Position at, i64 window);

/// The object: phase φ (rad) and, if fitted, absorption μ, both (S, y, x), state after state.
template <class T>
struct ObjectView {
  View<const T, 3> phase, absorption;
};

/// A part of a gradient. Another one is a name here, a view in Gradient, and in each backend a
/// branch a batch or slice, not a pixel.
enum class Part { object, probe, illumination, shift, coefficients, propagator, descan };

/// The parts that are wanted of a gradient: {Part::object, Part::probe}.
class Wanted {
 public:
  constexpr Wanted(std::initializer_list<Part> parts = {}) {
    for (const Part part : parts) bits_ |= bit(part);
  }
  [[nodiscard]] constexpr bool has(Part part) const { return (bits_ & bit(part)) != 0; }
  /// And this part too, if `also`.
  [[nodiscard]] constexpr Wanted with(Part part, bool also = true) const {
    Wanted more = *this;
    if (also) more.bits_ |= bit(part);
    return more;
  }

 private:
  static constexpr unsigned bit(Part part) { return 1U << static_cast<unsigned>(part); }
  unsigned bits_ = 0;
};

/// Sums over positions: gradients, in the object's and the probe's shapes, are added to; those of
/// shifts, coefficients and descan have a row a position. What is not wanted may be empty.
template <class T>
struct Gradient {
  View<T, 3> phase, absorption;  ///< ∂f/∂φ, ∂f/∂μ
  View<T, 2> illumination;       ///< Σ_m |u|², averaged over slices and states
  View<Complex<T>, 3> probe;     ///< ∂f/∂probe*, centred on [W/2, W/2]
  /// Three values: cost, r_numerator, r_denominator; empty: returned instead (`gradient`).
  View<double, 1> misfit = {};
  /// (positions, 2), of the host: ∂f/∂(shift_row, shift_col) of each position, per px.
  View<double, 2> shift = {};
  /// (positions, M, K), of the host: ∂f/∂a* of each position; (positions, M, M) where nothing is
  /// mixed, by the identity that is there instead.
  View<Complex<double>, 3> coefficients = {};
  /// (W, W), of the host, DC at [0,0]: ∂f/∂P* = Σ_s χ̂_{s+1} conj(FFT u_s) / W², χ̂ the FFT of
  /// ∂f/∂ψ*; only where OperatorSetup::fits_propagator says so. Nothing is added where S = 1.
  View<Complex<double>, 2> propagator = {};
  /// (positions, 2), of the host: ∂f/∂d of each position, per px; only where OperatorSetup::descan
  /// says so. It is 2 (2π/W) Σ_m Σ_r r Re(conj(χ_m) i u_m), u after the last slice,
  /// χ = exp(−2πi d·r/W) Fᴴ ∂f/∂Ψ*.
  View<double, 2> descan = {};
};

/// Those that Operator::adjoint adds to: object and probe, where `sum` has them.
template <class T>
Wanted parts_of_adjoint(const Gradient<T>& sum) {
  return Wanted().with(Part::object, !sum.phase.empty()).with(Part::probe, !sum.probe.empty());
}

/// The misfit beside a sum of gradients.
struct Misfit {
  double cost = 0;           ///< f, weighted
  double r_numerator = 0;    ///< Σ (√I − √y)² over valid pixels
  double r_denominator = 0;  ///< Σ y over valid pixels
  [[nodiscard]] double r_factor() const {
    return r_denominator > 0 ? r_numerator / r_denominator : 0;
  }
  Misfit& operator+=(const Misfit& o) {
    cost += o.cost;
    r_numerator += o.r_numerator;
    r_denominator += o.r_denominator;
    return *this;
  }
};

/// The value that `gradient` returns: the misfit, or nothing once it has been added to `sum`, of
/// the host.
inline Misfit reported(const Misfit& misfit, View<double, 1> sum) {
  if (sum.empty()) return misfit;
  sum.data[0] += misfit.cost;
  sum.data[1] += misfit.r_numerator;
  sum.data[2] += misfit.r_denominator;
  return {};
}

template <class T>
class Operator {
 public:
  virtual ~Operator() = default;
  [[nodiscard]] virtual const OperatorSetup& setup() const = 0;
  /// The memory that it computes in, if not the host's: objects, probes and gradients may lie
  /// there, and are then used where they are; others are copied.
  [[nodiscard]] virtual Memory* memory() const { return nullptr; }

  /// The object that the following calls look at. Call again when it changed; it is copied (as
  /// transmission), or must stay alive where CpuOptions::copy_transmission says that it is not.
  virtual void set_object(const ObjectView<T>& object) = 0;
  /// The probe modes, (M, W, W), or the (K, W, W) that positions mix, centred on [W/2, W/2];
  /// copied.
  virtual void set_probe(View<const Complex<T>, 3> probe) = 0;
  /// Weight of each detector pixel in the cost, and validity (0 or 1) in cost and R-factor; W·W,
  /// DC at [0,0]; empty = all 1. Copied.
  virtual void set_weights(View<const T, 2> weight, View<const T, 2> valid) = 0;
  /// P of the following calls, as in OperatorSetup; copied. Throws std::invalid_argument for
  /// another number of values than W·W, and where waves are recomputed with |P| ≠ 1 anywhere; P
  /// then stays as it was.
  virtual void set_propagator(std::span<const std::complex<double>> propagator) = 0;
  /// P as it is now, W·W values in the backend's precision, DC at [0,0]; nothing where S = 1. For
  /// what goes through the slices on the host (operator/stepwise.hpp), once an object is set.
  /// Throws std::logic_error where the backend is not the host's.
  [[nodiscard]] virtual std::vector<std::complex<double>> propagator() const {
    throw std::logic_error("Operator: this backend does not give its propagator back");
  }

  /// b of the following calls, which setup() has from then on. Throws std::invalid_argument for one
  /// below 0.
  virtual void set_background(double background) = 0;

  /// These patterns (RawPattern::number) are not asked for again, and their memory goes: a device
  /// gives up what it keeps of them.
  virtual void forget(std::span<const i64> /*patterns*/) {}

  /// Ψ (M, W, W) at a position. Several threads may call it at once.
  virtual void forward(const Placement& at, View<Complex<T>, 3> wave) const = 0;
  /// J: the change of Ψ (M, W, W) to first order in a change of object and probe (either may be
  /// empty). Ψ is linear in coefficients: `forward` with their change is what it changes by.
  virtual void tangent(const Placement& at, const ObjectView<T>& d_object,
                       View<const Complex<T>, 3> d_probe, View<Complex<T>, 3> d_wave) const = 0;
  /// Jᴴ: adds the adjoint of a detector wave d (M, W, W) in the inner product Re⟨·,·⟩.
  virtual void adjoint(const Placement& at, View<const Complex<T>, 3> d,
                       const Gradient<T>& sum) const = 0;
  /// Adds the gradients of the cost over a batch of positions. The result does not depend on the
  /// number of threads: positions are added in their order. Returns their misfit; or nothing where
  /// that goes to `sum.misfit`, so that a device need not be waited for.
  virtual Misfit gradient(std::span<const Placement> places, const Measured<T>& measured,
                          Wanted wanted, const Gradient<T>& sum) const = 0;
  /// Cost and R-factor alone.
  [[nodiscard]] virtual Misfit misfit(std::span<const Placement> places,
                                      const Measured<T>& measured) const = 0;
  /// The same of each position.
  virtual void misfits(std::span<const Placement> places, const Measured<T>& measured,
                       std::span<Misfit> each) const {
    for (std::size_t k = 0; k < places.size(); ++k) {
      const auto number = static_cast<i64>(k);
      Measured<T> one([&](i64, T* to) { measured.load(number, to); });
      if (measured.raw) one.raw = [&](i64) { return measured.raw(number); };
      each[k] = misfit(places.subspan(k, 1), one);
    }
  }
  /// Half the second derivative of the cost along a direction d at a perfect fit (Gauss-Newton),
  /// over the batch: I changes by 2a, a = Re Σ_m conj(Ψ_m) (J d)_m, so that it is Σ_k 2 f" a², f"
  /// the loss's by I. `each`, where it is not empty, gets that of every position.
  [[nodiscard]] virtual double curvature(std::span<const Placement> places,
                                         const ObjectView<T>& d_object,
                                         View<const Complex<T>, 3> d_probe,
                                         std::span<double> each = {}) const = 0;
  /// The Gauss-Newton matrix times a direction d of object and probe (either may be empty): adds
  /// what the gradients of the batch change by, to first order in d at a perfect fit, in object and
  /// probe where `sum` has them. With a_d = Re Σ_m conj(Ψ_m) (J d)_m the curvature above is
  /// ½ ⟨d, H d⟩ = Σ_k 2 f" a_d², so that by polarisation
  ///
  ///   ⟨e, H d⟩ = Σ_k 4 f" a_d a_e = Re⟨4 f" a_d Ψ, J e⟩,    H d = Jᴴ(4 f" a_d Ψ)
  ///
  /// for the object; of the probe, as of ∂f/∂probe*, half. The result does not depend on the number
  /// of threads.
  virtual void gauss_newton_product(std::span<const Placement> places,
                                    const ObjectView<T>& d_object,
                                    View<const Complex<T>, 3> d_probe,
                                    const Gradient<T>& sum) const = 0;
};

/// The oracle: double precision, obvious loops, a direct Fourier sum. For small windows.
std::unique_ptr<Operator<double>> make_reference_operator(OperatorSetup setup);

/// Storage of the forward waves u_s, which the adjoint needs in reverse order.
enum class WaveStorage {
  store,      ///< all S are kept
  recompute,  ///< none is: they are propagated backwards beside χ, for 2 more FFTs a slice; only
              ///< where every step is unitary (no absorption, |P| = 1)
  checkpoint  ///< one in k is kept, and k at a time are made again, for 2 more FFTs a slice
};

/// How a CPU computes: the two sweeps a slice with vectors of some width, or (fftw) the library of
/// FFTs, FFTW or ducc0. The sweeps know the windows 64, 96, 128, 192, 256, 384 and 512.
enum class CpuPath { automatic, fftw, plain, avx2, avx512 };

/// Memory against time on a CPU; the gradients are the same (recompute: to rounding).
struct CpuOptions {
  WaveStorage waves = WaveStorage::store;
  i64 checkpoint = 1;                 ///< k
  bool copy_transmission = true;      ///< false: t is computed anew wherever a window needs it
  CpuPath path = CpuPath::automatic;  ///< the widest vectors that the processor has; or, if it is
                                      ///< set, what PTYLE_CPU_PATH names as below
};

/// "plain", "AVX2", "AVX-512", or fft_library(): what a window is computed by. Throws UserError for
/// a path that the processor or the window does not allow.
std::string describe_path(i64 window, CpuPath path = CpuPath::automatic);

/// "store", "recompute", "checkpoint 10"; with ", transmission as needed" if that is not copied.
std::string describe(const CpuOptions& options);

/// The CPU backend. Throws std::invalid_argument for `recompute` where a step is not unitary.
template <class T>
std::unique_ptr<Operator<T>> make_cpu_operator(OperatorSetup setup, int threads,
                                               Ledger* ledger = nullptr,
                                               const CpuOptions& options = {});

/// Bytes that the CPU backend allocates for `gradient` with all that can be wanted, and keeps,
/// under each name of the ledger, on an object of this shape (S, y, x); every other call makes do
/// with them and with cpu_call_memory. The propagator's values need not be there.
template <class T>
std::vector<Ledger::Entry> cpu_operator_memory(const OperatorSetup& setup, int threads,
                                               const std::array<i64, 3>& object,
                                               const CpuOptions& options = {});

/// Bytes of a probe's spectra, which calls take beside that while they run: for the probe's
/// gradient ("gradient patches"), and for a change of the probe along which something is asked
/// ("probe").
template <class T>
double cpu_call_memory(const OperatorSetup& setup, const CpuOptions& options = {});

/// The quickest options whose memory (all names together) fits into `bytes`, or the smallest if
/// none does.
template <class T>
CpuOptions choose_cpu_options(const OperatorSetup& setup, int threads,
                              const std::array<i64, 3>& object, std::size_t bytes);

/// `background`, if it is 0 or more; else throws std::invalid_argument.
double checked_background(double background);

/// Throws std::invalid_argument where ∂f/∂P* or ∂f/∂d is wanted and the setup has not said so.
void check_wanted(const OperatorSetup& setup, Wanted wanted);

/// Is every step unitary: no absorption and |P| = 1?
bool is_unitary(const OperatorSetup& setup);

/// Throws std::invalid_argument where P does not suit the setup (its own P is not looked at): not
/// of W·W values for several slices, or waves are to be recomputed and a step is not unitary.
void check_propagator(const OperatorSetup& setup, std::span<const std::complex<double>> propagator,
                      WaveStorage waves = WaveStorage::store);

}  // namespace ptyle
