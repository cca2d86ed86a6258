#pragma once

// Where the probe stood, by the gradient of each position's shift: a record a position, the shift
// (row, col) from where the scan says it was, px. Every mini-batch moves
//
//   its own positions   by a damped Gauss-Newton step of each,       δ_p = −step · g_p / (2 c)
//   all positions       by the same step of an affine model (scale, asymmetry, rotation, shear),
//                       A ← A − step · (Σ x xᵀ)⁻¹ Σ x g_p / (2 c),   δ_p = A x_p
//
// x_p the position from the scan's centre, c half the cost's second derivative along a shift, mean
// of a sample of positions (Operator::curvature). A move is limited, by mini-batch and in all. The
// mean of all shifts is the object's to take up and is kept at 0.

#include <array>
#include <optional>
#include <vector>

#include "solver/variables/variable.hpp"

namespace ptyle {

template <class T>
class PositionsVariable final : public Variable<T> {
 public:
  explicit PositionsVariable(const OperatorSetup& setup) : setup_(without_propagator(setup)) {}
  void declare(State<T>& state) override;
  void publish(Workspace<T>& with) override;
  void begin(Workspace<T>& with, const Batch& batch) override;
  void ask(const Batch& batch, std::size_t tile, Wanted& wanted, Gradient<T>& sums) override;
  void start_sum(Workspace<T>& with, const Batch& batch) override;
  void step(Workspace<T>& with, const Batch& batch) override;
  void end_iteration(Workspace<T>& with, const Batch& batch) override;

 private:
  void bend_scan(Workspace<T>& with);
  std::array<double, 4> newton_{};
  void find_curvature(Workspace<T>& with, const Batch& batch);
  [[nodiscard]] Array<Complex<T>, 3> probe_moved(const Workspace<T>& with, bool rows) const;
  /// Moves a tile's k-th own position, px.
  void move(const Workspace<T>& with, std::size_t tile, i64 k, std::array<double, 2> by,
            double most);
  void put(Workspace<T>& with, std::size_t tile);

  OperatorSetup setup_;
  Field<T>* shifts_ = nullptr;
  std::array<double*, 2> curvature_{};  // c, rows and columns; 0: not known
  bool moves_ = false;                  // in this mini-batch
  Workspace<T>* with_ = nullptr;
  std::array<double, 2> centre_{};         // of the scan, px
  std::vector<std::vector<i64>> members_;  // of the mini-batch, of each tile's own
  std::vector<Array<double, 2>> slopes_;   // ∂f/∂shift of those
  std::vector<Array<T, 3>> here_;          // the shifts on the host, tile by tile
  std::vector<double> model_;              // Σ x g, (2, 2)
  std::optional<Running> sum_;
};

}  // namespace ptyle
