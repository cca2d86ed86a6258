#pragma once

// Knowledge of the probe beside the data, held by projections after every step of the probe and
// at the end of an iteration, one after the other on all its waves, so that the later ones hold
// exactly:
//
//   1. support    ψ(r) = 0 beyond a radius about the window's middle
//   2. aperture   ψ̂(k) = 0 beyond an angle about the optical axis
//   3. power      Σ_m Σ|ψ_m|² is that of the start
//
// The probe is the same on all ranks, and each of them projects its own copy. A probe that varies
// over the scan has all its waves inside the same limits, and their power changes by one factor.

#include <array>

#include "core/choice.hpp"
#include "solver/part_options.hpp"
#include "solver/variables/variable.hpp"

namespace ptyle {

/// The power of all modes together: free, or that of the start.
enum class ProbePower { free, fixed };
constexpr auto choices(ProbePower) {
  return std::to_array<Named<ProbePower>>(
      {{ProbePower::free, "free"}, {ProbePower::fixed, "fixed"}});
}

struct ProbeLimitOptions {
  double support = 0;   ///< radius, Å (px in pixel units); 0: none
  double aperture = 0;  ///< angle over the semi-angle; 0: none
  ProbePower power = ProbePower::free;

  // No key: what the session knows.
  std::array<double, 2> centre{};  ///< the zero frequency, px from [W/2, W/2] (ProbeOptics::centre)

  [[nodiscard]] bool any() const {
    return support > 0 || aperture > 0 || power == ProbePower::fixed;
  }
  template <class T>
  void add_to(Parts<T>& parts) const;
};

/// The key that asks for it, the first of several.
inline const char* key_of(const ProbeLimitOptions& options) {
  return options.support > 0    ? "probe.support"
         : options.aperture > 0 ? "probe.aperture"
                                : "probe.power";
}

template <class V>
void keys(V& v, ProbeLimitOptions& o) {
  v.section("probe");
  v("support", o.support, between(0, 1e6), "Å",
    "radius about the window's middle beyond which a refined probe has no wave; 0: none")
      .also_called("probe_support support_radius probe_mask_r")
      .reported_if_set();
  v("aperture", o.aperture, between(0, 100), "of optics.semi_angle",
    "angle beyond which a refined probe has no wave, 1 or more; 0: none")
      .also_called("probe_mask_k probe_fourier_support fix_probe_aperture")
      .reported_if_set();
  v("power", o.power, "fixed: a refined probe's modes keep the power of the start, all together")
      .also_called("fix_probe_int probe_power")
      .same_at_resume()
      .reported_if_set();
}

template <class T>
class ProbeLimits final : public Variable<T> {
 public:
  explicit ProbeLimits(const ProbeLimitOptions& options) : options_(options) {}
  void declare(State<T>& state) override;
  /// Throws UserError where the microscope is not known; warns where the start lies beyond.
  void publish(Workspace<T>& with) override;
  void step(Workspace<T>& with, const Batch& batch) override;
  void end_iteration(Workspace<T>& with, const Batch& batch) override { step(with, batch); }
  [[nodiscard]] OtherBytes other_bytes(const OperatorSetup& setup, i64 positions,
                                       bool device) const override;

 private:
  void project(const Workspace<T>& with, View<Complex<T>, 3> waves, i64 modes) const;

  ProbeLimitOptions options_;
  double* power_ = nullptr;    // of the start, where it is fixed; 0: not known yet
  bool looked_at_ = false;     // the start
  Array<Complex<T>, 3> here_;  // on the host, where the probe lies elsewhere
};

/// Takes from centred waves (·, W, W) of `pixel` what lies further than `radius` from [W/2, W/2].
template <class T>
void limit_to_support(View<Complex<T>, 3> waves, double pixel, double radius);
/// Takes from them what lies beyond the frequency `most`, 1/pixel's unit, about `centre` (px from
/// the zero frequency).
template <class T>
void limit_to_aperture(View<Complex<T>, 3> waves, double pixel, double most,
                       const std::array<double, 2>& centre);

}  // namespace ptyle
