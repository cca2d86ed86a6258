#pragma once

// The object centred along the beam. A specimen that starts in its slices too high or too low, or a
// defocus that is given wrong, leaves slices empty on one side and too few on the other. After
// every so many iterations in which slices are free
//
//   1. w_s = Σ φ_s² over the object, less the least of all slices
//   2. n = the whole slices by which Σ s w_s / Σ w_s lies before the middle, (S − 1)/2
//   3. the object moves n slices down the beam, vacuum follows it, and the probe goes as far up:
//      ψ̂ ← P⁻ⁿ ψ̂
//
// which changes no pattern but for what falls off the other side.

#include <string>
#include <vector>

#include "physics/propagator.hpp"
#include "solver/part_options.hpp"
#include "solver/variables/variable.hpp"

namespace ptyle {

struct RecentreOptions {
  int every = 0;  ///< iterations; 0: never

  // No keys: what the session knows.
  double wavelength = 0;       ///< Å
  double slice_thickness = 0;  ///< Å
  Tilt tilt = {};              ///< rad

  template <class T>
  void add_to(Parts<T>& parts) const;
};

template <class V>
void keys(V& v, RecentreOptions& o) {
  v.section("object");
  v("recentre_z", o.every, between(0, 1000000), "iterations",
    "after which the object is moved along the beam by whole slices, so that its phase is centred, "
    "and the probe with it; 0: never")
      .example("5")
      .also_called("obj_z_recenter recenter_z")
      .reported_if_set();
}

template <class T>
class RecentreAlongZ final : public Variable<T> {
 public:
  explicit RecentreAlongZ(const RecentreOptions& options) : options_(options) {}
  void declare(State<T>&) override {}
  void end_iteration(Workspace<T>& with, const Batch& batch) override;
  [[nodiscard]] bool moved_object() const override { return moved_; }
  [[nodiscard]] std::string key() const override { return "object.recentre_z"; }
  [[nodiscard]] bool needs_sums() const override { return true; }
  [[nodiscard]] OtherBytes other_bytes(const OperatorSetup& setup, i64 positions,
                                       bool device) const override;

 private:
  RecentreOptions options_;
  bool moved_ = false;
};

/// n of step 2, of w with the least of them in it; 0 where all are 0.
i64 slices_to_middle(std::vector<double> weights);

/// Moves all slices n down the beam (below 0: up); vacuum comes after them.
template <class T>
void move_slices(View<T, 3> volume, i64 n, Arithmetic<T>& arithmetic);

}  // namespace ptyle
