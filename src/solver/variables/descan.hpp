#pragma once

// The descan that is left: patterns are displaced by d_i = B q_i detector px, a plane of where the
// beam is, q_i the nominal position less the mean of all, Å (px in pixel units). It starts as the
// plane through the patterns' centres of mass (GeometryOptions::descan), or as 0.
//
//   1. g_i    ∂f/∂d_i of the positions of a mini-batch, and G = Σ g_i q_iᵀ of all ranks
//   2. C      half the cost's second derivative by d at a perfect fit, mean of a sample
//   3. turn   δB = δt R, R = [0, 1; −1, 0], δt = −½ step · ⟨G, R⟩ / n ⟨C, R S Rᵀ⟩, S the mean of
//             q qᵀ over the scan; limited at a time and in all
//
// The symmetric part of B stays as it started: quadratic phases of object and probe do the same,
// 2π (r−x)·Bx = π (r·Br − (r−x)·B(r−x) − x·Bx), and with them whatever is wrong with
// defocus and astigmatism. The start takes the specimen for one that is flat over the scan.

#include <span>
#include <vector>

#include "core/matrix2.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/variable.hpp"

namespace ptyle {

template <class T>
class DescanVariable final : public Variable<T> {
 public:
  explicit DescanVariable(const GeometryOptions& options) : options_(options) {}
  void declare(State<T>& state) override;
  void publish(Workspace<T>& with) override;
  void begin(Workspace<T>& with, const Batch& batch) override;
  void ask(const Batch& batch, const Members& members, Wanted& wanted, Gradient<T>& sums) override;
  void step(Workspace<T>& with, const Batch& batch) override;
  [[nodiscard]] std::string key() const override { return "geometry.refine"; }
  [[nodiscard]] bool needs_sums() const override { return true; }
  [[nodiscard]] bool still_finding() const override;
  [[nodiscard]] bool yet_to_move() const override { return !due_; }
  [[nodiscard]] OtherBytes other_bytes(const OperatorSetup& setup, i64 positions,
                                       bool device) const override;

 private:
  /// Finds the scan's middle, how far it reaches and spreads.
  void measure_scan(std::span<const Position> positions);
  [[nodiscard]] Vector2 from_middle(const Position& at) const {
    return {at.row - middle_.row, at.col - middle_.col};
  }
  [[nodiscard]] Matrix2 plane() const;
  /// C of a few positions of the mini-batch; all 0: it is not known.
  void find_curvature(Workspace<T>& with, const Batch& batch);
  /// Adds δt R to B, px of the detector per px of the object.
  void turn(Workspace<T>& with, double by);

  GeometryOptions options_;
  std::array<double*, 4> plane_{}, curvature_{};  // B, px/Å (px/px); C, per px²
  std::array<double*, 4> began_{};                // B as the iteration began
  double* moved_for_ = nullptr;                   // iterations
  bool due_ = false;                              // in this mini-batch
  Position middle_;                               // of the nominal positions, px of the object
  double pixel_ = 1;                              // Å
  double edge_ = -1;  // of one, the largest distance from there; −1: not measured yet
  Matrix2 spread_{};  // S, px²
  struct Asked {
    std::vector<i64> positions;
    Array<double, 2> slopes;  // (positions, 2)
  };
  std::vector<Asked> asked_;  // of the mini-batch, tile by tile
};

}  // namespace ptyle
