#pragma once

// A fit in progress: the object, in tiles, and the probe, and one iteration over all patterns at a
// time.
//
//   for each group of the iteration (solver/groups; the same for any number of ranks):
//     1. each rank: gradient of object and probe, and the illumination, over its positions of the
//        group (operator)
//     2. their sums over the ranks (solver/halos), slices tied as the continuation says
//     3. the direction: low-pass, divide by the illumination; where only cores have the sums, to
//        their copies
//     4. the step, estimated and tried on the group now and then; the object moves, within limits
//     5. probe: a Gauss-Newton step of a pure-phase object
//   then the powers of the probe's modes (solver/modes), blur, R of the held-out patterns, and the
//   continuation's next stage if the error stalled.
//
// The schemes that exchange voxels leave out 2, and make copies agree after 4.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "core/ledger.hpp"
#include "device/arithmetic.hpp"
#include "exchange/team.hpp"
#include "operator/operator.hpp"
#include "solver/continuation.hpp"
#include "solver/halos.hpp"
#include "solver/tile.hpp"

namespace ptyle {

/// What was measured, and where.
template <class T>
struct FitData {
  std::vector<Position> positions;    ///< on the object, px; of all ranks
  std::function<void(i64, T*)> load;  ///< the i-th pattern, W·W, DC at [0,0]; thread-safe; asked
                                      ///< only for those of this process's tiles
  /// The same as it is held, for an operator that keeps patterns on a device; may be empty.
  std::function<RawPattern(i64)> raw;
  View<const T, 2> valid;  ///< W·W, 0 or 1, DC at [0,0]; empty: all valid
  double dk = 0;           ///< detector pixel, 1/Å
};

enum class Update {
  /// V ← V_sync − step·direction of the total, from what all copies agreed on last: copies stay
  /// equal.
  consistent,
  /// Algorithm 1 of the paper as printed, for comparison: each position's own gradient is applied
  /// at once, and the total, which has it again, on top. Copies drift apart.
  literal
};

struct FitOptions {
  i64 groups = 20;       ///< mini-batches an iteration
  double step = 0;       ///< of the preconditioned object update; 0: estimated
  double damping = 0.1;  ///< ε of the illumination preconditioner, of the illumination's maximum
  bool preconditioner = true;  ///< false: divided by one number, the probe's largest |ψ|², instead
  double hold_out = 0;         ///< share of the patterns kept out of the fit
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

  Update update = Update::consistent;
  /// A rank applies its own gradient at once after each so many of its positions, until the next
  /// exchange replaces it by the total; 0: never. The result then depends on the mesh.
  i64 local_positions = 0;
  /// The sum travels while the next group is computed; meanwhile each rank goes on with its own
  /// part, which the total then replaces. The result depends on the mesh. Not with steps of its own
  /// in between, literal or local; one rank has no exchange.
  bool exchange_behind = false;
  /// The exchange of voxels: a rank also fits positions of its neighbours, as far as this from its
  /// core, px.
  i64 extra = 0;
  bool verify = false;  ///< copies of a voxel are compared after every exchange
};

/// Throws UserError for options that do not go together, or not with what is shared so.
void check_options(const FitOptions& options, const Sharing& sharing);

struct IterationReport {
  Misfit fitted;           ///< summed while the iteration ran
  Misfit held_out;         ///< after it, on patterns that are not fitted
  double step = 0;         ///< the object step in use
  std::string stage;       ///< the continuation's, while it ran
  bool diverging = false;  ///< the cost rose; the steps have been halved
  bool whole = true;       ///< false: stopped between two groups, the rest of it is to come
  double spread = 0;       ///< with `verify`: largest difference of two copies of a voxel, rad
};

/// What a tile starts with, (S, y, x) on its extended tile; `absorption` is empty for a potential
/// object.
template <class T>
struct TileStart {
  Array<T, 3> phase, absorption;
};

template <class T>
class Fit {
 public:
  /// Bytes booked as "positions" for each position of all ranks.
  static constexpr std::size_t bytes_a_position =
      sizeof(Position) + sizeof(Placement) + sizeof(i64);

  /// A start for each of the team's ranks that are here; the probe (M, W, W) is centred on
  /// [W/2, W/2]. Objects, gradients and the probe live where the arithmetic says, into which the
  /// start is brought (none: in the host's memory), and `ledger` books what is on the host. Team
  /// and ledger must outlive it. Throws UserError for what cannot run.
  Fit(std::unique_ptr<Operator<T>> op, FitData<T> data, FitOptions options, Team& team,
      const Sharing& sharing, std::vector<TileStart<T>> start, Array<Complex<T>, 3> probe,
      Ledger* ledger = nullptr, std::unique_ptr<Arithmetic<T>> arithmetic = nullptr);

  /// One iteration, or the rest of one. `stop` is asked in every group, once its gradients are
  /// there; where it says so on any rank, all end after that group.
  IterationReport iterate(const std::function<bool()>& stop = {});

  [[nodiscard]] const std::vector<Tile<T>>& tiles() const { return tiles_; }
  /// Of the arrays of tiles, which is where they are read by.
  [[nodiscard]] const Arithmetic<T>& arithmetic() const { return *arithmetic_; }
  /// On the host; valid until the next iteration.
  [[nodiscard]] View<const Complex<T>, 3> probe() const;
  [[nodiscard]] const std::vector<i64>& held_out() const { return held_out_; }
  [[nodiscard]] double seconds_computing() const { return seconds_computing_; }

  /// What else than object and probe the fit is at, by name; the same on all ranks. A fit that is
  /// made of the same data and options, and of the objects and the probe of then, goes on from
  /// there as if nothing had been; nearly so with steps between exchanges, whose illumination is
  /// not kept, and where copies differ, as they start from the cores.
  [[nodiscard]] std::map<std::string, double> state() const;
  void restore(const std::map<std::string, double>& state);

 private:
  void make_tiles(const Sharing& sharing, std::vector<TileStart<T>> start);
  [[nodiscard]] double low_pass_sigma() const;  // px; 0: none
  [[nodiscard]] double window2() const {
    return double(op_->setup().window) * double(op_->setup().window);
  }
  [[nodiscard]] std::array<double, 2> limits(bool absorption) const;
  [[nodiscard]] std::vector<Placement> places_on(const Tile<T>& tile,
                                                 const std::vector<i64>& members) const;
  [[nodiscard]] Measured<T> measured_at(std::span<const i64> members) const;
  std::vector<Stack<T>> gradients(bool illumination);
  std::vector<Stack<T>> objects();

  void gradient_at(Tile<T>& tile, std::span<const i64> members, bool own, bool probe,
                   Accumulators<T>& sums);
  void accumulate(const std::vector<i64>& group, bool refine_probe, Running* behind);
  void agree_to_stop();
  void begin_costs(std::size_t groups);
  double tell_costs();

  void find_floor();
  [[nodiscard]] View<const T, 2> divisor(const Tile<T>& tile) const;
  double make_directions(bool with_slope);

  void take_step(const std::vector<i64>& group, bool refine_probe, bool estimate);
  [[nodiscard]] double step_in_use() const;
  [[nodiscard]] double object_caution() const { return caution_ * averaging_; }
  double object_step(const std::vector<i64>& group, double slope, bool estimate);
  void move_objects(double step, bool into_direction = false);
  void descend(double step);
  void try_step(const std::vector<i64>& group, double cost, double slope, double step);
  std::optional<Running> start_probe_sum(bool refine_probe);
  void finish_probe_sum(std::optional<Running>& sum, i64 positions);
  void update_probe(i64 positions);
  void balance_modes(const std::vector<i64>& group);

  [[nodiscard]] std::size_t a_few_of(std::size_t positions) const;
  [[nodiscard]] bool steps_locally() const;
  void step_locally(Tile<T>& tile);
  void move_by_own(Tile<T>& tile, const Accumulators<T>& own, const ObjectView<T>& from);
  void keep_illumination();
  void take_late_step(const std::vector<i64>& group, bool refine_probe);
  void finish_late();

  void finish_iteration(IterationReport& report);
  void apply_detector_limit();
  void verify(IterationReport& report);
  void adapt_steps(const Misfit& misfit, IterationReport& report);

  Team& team_;
  std::unique_ptr<Operator<T>> op_;
  FitData<T> data_;
  FitOptions options_;
  std::unique_ptr<Arithmetic<T>> arithmetic_;
  Halos<T> halos_;
  std::vector<Placement> places_;
  Ledger::Booking positions_booking_;  // of what is listed of all positions
  std::vector<i64> fitted_, held_out_;
  std::vector<Tile<T>> tiles_;
  Array<Complex<T>, 3> probe_, probe_gradient_;
  Array<Complex<T>, 3> travelling_gradient_;  // the probe's on the host, where others add to it
  Array<Complex<T>, 3> waves_;  // of a position on the host, where several modes are balanced
  mutable OnHost<Complex<T>, 3> probe_here_;
  std::optional<Running> late_;  // the sum that travels behind
  double largest_probe_ = 1;     // max Σ_m |ψ|²
  // Where arrays live, so that the host need not wait for them:
  Array<double, 1> misfits_;  // (group of the iteration, own positions or a neighbour's, 3)
  Array<double, 1> floor_;    // the first: least that gradients are divided by; room for each tile
  bool lit_known_ = false;    // is there an illumination of the last exchange?
  std::function<bool()> stop_;  // of the iteration
  bool stopping_ = false;       // what the ranks agreed on after the last group
  double seconds_computing_ = 0;

  int iteration_ = 0;
  std::size_t group_ = 0;      // the next one
  std::size_t told_ = 0;       // groups that are in fitted_so_far_
  Misfit fitted_so_far_;       // of the iteration
  bool new_stage_ = true;      // the coming iteration is the first of a stage
  double estimated_step_ = 0;  // 0: none yet
  double caution_ = 1;         // of both steps; less once the cost rises
  double averaging_ = 1;       // of the object's; less once the cost stands still
  double previous_cost_ = -1;  // −1: nothing to compare with
};

}  // namespace ptyle
