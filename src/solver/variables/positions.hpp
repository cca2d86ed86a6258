#pragma once

// Positions of the probe: a record each, its shift (row, col) from where the scan says it was,
// px. Two moves lower the cost by the gradients g_p of the shifts:
//
//   each position by itself, in every mini-batch that it is of: a damped Gauss-Newton step
//
//       δ_p = −step · g_p / 2c     (row by row of c_rows, c_cols; px)
//
//     c is half the cost's second derivative along a shift, per px², mean of a sample of positions
//     (Operator::curvature)
//
//   all by an affine model I + A of the scan (scale, asymmetry, shear, rotation), once an iteration
//
//       N = −(1/2c) Σ g_p x_pᵀ (Σ x_p x_pᵀ)⁻¹, of all mini-batches;   δ_p = (gains · N) x_p
//
//     x_p the position from the scan's middle, px. The object is stretched with the scan, so that
//     what it holds still fits: a stretched scan with a stretched object, and a probe whose defocus
//     and astigmatism have followed, explains patterns nearly as well. Along A the cost is then
//     flatter than with the object at rest, by which N is too short: about the square of the scan's
//     radius over the probe's, along the axis in question, and more where the probe follows. The
//     gains are made of these, as N is too noisy to find them by, and shrink after some iterations.
//     A line of positions has no such model.
//
// A move is limited, at a time and in all, and the object's with it wherever a window may look. The
// mean of all shifts is the object's to take up and is
// kept at 0, as far as the limit of a few lets it be. Where many positions reach the limit
// something else is wrong: all go back to where the scan had them, and stay.

#include <array>
#include <vector>

#include "core/matrix2.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/variable.hpp"

namespace ptyle {

template <class T>
class PositionsVariable final : public Variable<T> {
 public:
  explicit PositionsVariable(const PositionOptions& options) : options_(options) {}
  void declare(State<T>& state) override;
  void publish(Workspace<T>& with) override;
  void begin(Workspace<T>& with, const Batch& batch) override;
  void ask(const Batch& batch, const Members& members, Wanted& wanted, Gradient<T>& sums) override;
  void step(Workspace<T>& with, const Batch& batch) override;
  void end_iteration(Workspace<T>& with, const Batch& batch) override;
  [[nodiscard]] bool moved_object() const override { return stretched_object_; }
  [[nodiscard]] i64 hand_over_margin() const override;
  [[nodiscard]] i64 reach() const override;
  [[nodiscard]] std::string key() const override { return "positions.refine"; }
  [[nodiscard]] bool needs_sums() const override { return true; }
  [[nodiscard]] bool still_finding() const override;
  [[nodiscard]] bool yet_to_move() const override { return !moves_ && *given_up_ == 0; }
  [[nodiscard]] OtherBytes other_bytes(const OperatorSetup& setup, i64 positions,
                                       bool device) const override;

 private:
  void measure_scan(const Workspace<T>& with);
  [[nodiscard]] std::array<double, 2> from_middle(const Workspace<T>& with, i64 position) const;
  void find_curvature(Workspace<T>& with, const Batch& batch);
  [[nodiscard]] bool patterns_tell() const { return *curvature_[0] > 0 && *curvature_[1] > 0; }
  /// The mini-batch's part of the moment, of this process's positions; and all processes'.
  void add_to_moment(const Workspace<T>& with);
  void sum_moment(Workspace<T>& with);
  void move_members(Workspace<T>& with, std::size_t tile);
  void stretch(Workspace<T>& with, bool probe_follows);
  Matrix2 next_stretch(const Workspace<T>& with, bool probe_follows);
  [[nodiscard]] Matrix2 with_gains(const Matrix2& moment, bool probe_follows, bool thin) const;
  /// The longest displacement by A of what a window may ever look at, px.
  [[nodiscard]] double farthest(const Matrix2& a) const;
  void stretch_object(Workspace<T>& with, const Matrix2& by);
  void stretch_tile(Workspace<T>& with, std::size_t tile, const Matrix2& by) const;
  void stretch_back(Workspace<T>& with);
  void move(std::size_t tile, i64 k, std::array<double, 2> by, double most);
  void put_within_limit(std::size_t tile, i64 k, std::array<double, 2> shift);
  void keep_mean(Workspace<T>& with);
  void give_up_at_limit(Workspace<T>& with);
  /// A tile's k-th own shift to its place; or all of the tile's, and to its field.
  void put_place(Workspace<T>& with, std::size_t tile, i64 k);
  void put(Workspace<T>& with, std::size_t tile);

  PositionOptions options_;
  Field<T>* shifts_ = nullptr;
  std::array<double*, 2> curvature_{};  // c, rows and columns; 0: not known; below 0: too little
  std::array<double*, 4> moment_{}, stretched_{};   // −Σ g xᵀ / 2c, px²; I + A in all
  double* stretches_ = nullptr;                     // iterations that moved
  double *trust_ = nullptr, *last_cost_ = nullptr;  // of the gains; of the iteration before
  double* probe_radius2_ = nullptr;                 // mean square, px²
  double *free_iterations_ = nullptr, *given_up_ = nullptr;

  double limit_ = 0;                             // px in all
  std::array<double, 2> middle_{};               // of the scan, px
  std::array<std::array<double, 2>, 2> ends_{};  // of what windows look at, from there
  Matrix2 axes_{};                               // columns: the scan's longer and shorter axis
  std::array<double, 2> spread_{};  // mean squares of fitted positions along them, px²
  bool moves_ = false;              // in this mini-batch
  bool stretched_object_ = false;   // in the last end_iteration
  const Workspace<T>* with_ = nullptr;
  std::vector<std::vector<i64>> members_;  // of the mini-batch, of each tile's own
  std::vector<Array<double, 2>> slopes_;   // ∂f/∂shift of those
  std::vector<Array<T, 3>> here_;          // the shifts on the host, tile by tile
  std::vector<double> to_sum_;             // of the moment, since processes last summed
};

}  // namespace ptyle
