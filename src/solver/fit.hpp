#pragma once

// A fit in progress: object and probe, and one iteration over all patterns at a time.
//
//   for each group of the iteration (solver/groups):
//     1. gradient of object and probe, and the illumination, summed over the group (operator)
//     2. object: tie slices, low-pass (solver/continuation); divide by the illumination; step
//     3. probe: a Gauss-Newton step of a pure-phase object
//     4. limits on the phase
//   then blur, R of the held-out patterns, and the continuation's next stage if the error stalled.

#include <functional>
#include <memory>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "core/ledger.hpp"
#include "operator/operator.hpp"
#include "solver/continuation.hpp"

namespace ptyle {

/// What was measured, and where.
template <class T>
struct FitData {
  std::vector<Position> positions;    ///< on the object, px
  std::function<void(i64, T*)> load;  ///< the i-th pattern, W·W, DC at [0,0]; thread-safe
  View<const T, 2> valid;             ///< W·W, 0 or 1, DC at [0,0]; empty: all valid
  double dk = 0;                      ///< detector pixel, 1/Å
};

struct FitOptions {
  i64 groups = 20;       ///< mini-batches an iteration
  double step = 0;       ///< of the preconditioned object update; 0: estimated
  double damping = 0.1;  ///< ε of the illumination preconditioner, of the illumination's maximum
  double hold_out = 0;   ///< share of the patterns kept out of the fit
  std::uint64_t seed = 0;
  int threads = 1;
  int probe_from = 2;  ///< first iteration that refines the probe, at the earliest when the
                       ///< continuation's lateral limit is gone; 0: never
  double probe_step = 0.5;
  double phase_min = -1e30, phase_max = 1e30;  ///< rad a voxel
  double blur = 0, blur_z = 0;                 ///< σ, px and slices
  double pixel = 1;                            ///< Å, of the low-pass
  double aperture_k = 0;                       ///< semi-angle / λ, 1/Å
  Continuation continuation;
};

struct IterationReport {
  Misfit fitted;           ///< summed while the iteration ran
  Misfit held_out;         ///< after it, on patterns that are not fitted
  double step = 0;         ///< the object step in use
  std::string stage;       ///< the continuation's, while it ran
  bool diverging = false;  ///< the cost rose; the steps have been halved
};

template <class T>
class Fit {
 public:
  /// Arrays are the start; (S, y, x), and (M, W, W) centred on [W/2, W/2]. `absorption` is empty
  /// for a potential object.
  Fit(std::unique_ptr<Operator<T>> op, FitData<T> data, FitOptions options, Array<T, 3> phase,
      Array<T, 3> absorption, Array<Complex<T>, 3> probe, Ledger* ledger = nullptr);

  IterationReport iterate();

  [[nodiscard]] View<const T, 3> phase() const { return phase_; }
  [[nodiscard]] View<const T, 3> absorption() const { return absorption_; }
  [[nodiscard]] View<const Complex<T>, 3> probe() const { return probe_; }
  [[nodiscard]] const std::vector<i64>& held_out() const { return held_out_; }

 private:
  Misfit take_step(const std::vector<i64>& group, bool refine_probe, bool estimate);
  double make_direction(View<T, 3> gradient, double floor);
  double object_step(std::span<const Placement> places, double slope, bool estimate);
  double tried_step(std::span<const Placement> places, const Measured<T>& measured, double cost,
                    double slope, double step);
  void move_object(double step, View<T, 3> phase, View<T, 3> absorption) const;
  void update_probe(i64 positions);
  void apply_detector_limit();
  void adapt_steps(const Misfit& misfit, IterationReport& report);

  Ledger* ledger_;
  std::unique_ptr<Operator<T>> op_;
  FitData<T> data_;
  FitOptions options_;
  std::vector<Placement> places_;
  std::vector<i64> fitted_, held_out_;
  Array<T, 3> phase_, absorption_;
  Array<Complex<T>, 3> probe_;
  Array<T, 3> phase_gradient_, absorption_gradient_;  // then, in place, the direction
  Array<T, 2> illumination_;
  Array<Complex<T>, 3> probe_gradient_;
  int iteration_ = 0;
  bool new_stage_ = true;      // the coming iteration is the first of a stage
  double estimated_step_ = 0;  // 0: none yet
  double caution_ = 1;         // of both steps; less once the cost rises or stands still
  double previous_cost_ = -1;  // −1: nothing to compare with
};

}  // namespace ptyle
