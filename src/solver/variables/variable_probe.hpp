#pragma once

// A probe that varies over the scan (solver/variables/mixture has the model): positions mix it of
// the incoherent modes and of N variable ones, which lie behind these in the field of the probe and
// share the sum of its gradient over the ranks. A position's x and e are records of it.
//
//   1. start: V are the principal axes of how far a sample of positions would move P_0 each by
//      itself (solver/variables/variable_probe_start); x = 0
//   2. in every mini-batch, each position by itself, a damped Gauss-Newton step
//          δx_q = −step · ∂f/∂x_q / 2c_q        e alike
//      c half the cost's second derivative, mean of a sample of positions (Operator::curvature);
//      and all V jointly, X the sum of s² x xᵀ over the mini-batch's n patterns, its diagonal
//      damped by n max(10⁻⁴, ½⟨x_q²⟩), ⟨x²⟩ of the iteration before:
//          δV = −step · X⁻¹ ∂f/∂V* / W²
//   3. after an iteration a new basis of the same waves: P_0 is the mean of all, x are uncorrelated
//      and 0 on average, s² 1 on average
//
// V have nothing of i P_0, which would be a phase that no pattern shows, and of the derivatives
// ∂P_0 along a shift where positions are refined, whose that is.

#include <utility>
#include <vector>

#include "core/ledger.hpp"
#include "solver/variables/mixture.hpp"
#include "solver/variables/real_waves.hpp"
#include "solver/variables/variable.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle {

template <class T>
class VariableProbe final : public Variable<T> {
 public:
  explicit VariableProbe(const VariableProbeOptions& options) : options_(options) {}
  void declare(State<T>& state) override;
  void publish(Workspace<T>& with) override;
  void begin(Workspace<T>& with, const Batch& batch) override;
  void ask(const Batch& batch, const Members& members, Wanted& wanted, Gradient<T>& sums) override;
  void step(Workspace<T>& with, const Batch& batch) override;
  void end_iteration(Workspace<T>& with, const Batch& batch) override;
  [[nodiscard]] std::string key() const override { return key_of(options_); }
  [[nodiscard]] bool needs_sums() const override { return true; }
  [[nodiscard]] bool yet_to_move() const override { return !moves_; }
  [[nodiscard]] OtherBytes other_bytes(const OperatorSetup& setup, i64 positions,
                                       bool device) const override;

 private:
  using C = Complex<T>;
  [[nodiscard]] i64 variable() const { return options_.modes; }
  /// From a copy on the host, (M + N, W, W).
  void put_probe(Workspace<T>& with, const Array<C, 3>& probe);
  [[nodiscard]] Mixture mixture_of(std::size_t tile, i64 k) const;
  /// A tile's k-th own position: its numbers, and the coefficients that follow from them.
  void put(std::size_t tile, i64 k, const Mixture& mixture);
  /// The numbers of all to their fields.
  void save(Workspace<T>& with);

  Ledger::Booking book(const Workspace<T>& with, double bytes) const;
  /// Tile and number among its own.
  [[nodiscard]] std::vector<std::pair<std::size_t, i64>> fitted_here(
      const Workspace<T>& with) const;

  void find_modes(Workspace<T>& with);
  /// Directions, orthonormal, that V have nothing of beside P_0.
  [[nodiscard]] std::vector<RealWave> not_theirs(const Workspace<T>& with,
                                                 View<const C, 2> first) const;
  void find_curvature(Workspace<T>& with, const Batch& batch);
  void move_members(Workspace<T>& with, std::size_t tile);
  [[nodiscard]] SmallMatrix weights_of(Workspace<T>& with, const Batch& batch) const;
  void move_modes(Workspace<T>& with, const SmallMatrix& weights);
  struct Moments {
    std::vector<double> mean;
    SmallMatrix products;
  };
  [[nodiscard]] Moments moments(Workspace<T>& with) const;
  void take_new_basis(Workspace<T>& with);
  void keep_mean_intensity(Workspace<T>& with);

  VariableProbeOptions options_;
  i64 modes_ = 0;                                         // M
  Field<T>*probe_ = nullptr, *gradient_ = nullptr;        // (M + N, W, W)
  Field<T>*x_ = nullptr, *intensity_ = nullptr;           // records; e; null: not fitted
  std::vector<double*> curvature_, variance_;             // c_q, 0: not known; ⟨x_q²⟩
  double* of_intensity_ = nullptr;                        // c of e
  double *free_iterations_ = nullptr, *found_ = nullptr;  // 1: V are there
  bool moves_ = false;                                    // in this mini-batch
  std::vector<Array<T, 3>> x_here_, e_here_;              // on the host, tile by tile
  std::vector<Array<Complex<double>, 3>> coefficients_;   // (own, M, K) of each tile
  std::vector<std::vector<i64>> members_;                 // of the mini-batch, of each tile's own
  std::vector<Array<Complex<double>, 3>> slopes_;         // ∂f/∂a* of those
  Ledger::Booking booking_;
};

}  // namespace ptyle
