#pragma once

// A fit in progress: variables (object, probe, positions), a rule by which the object moves,
// penalties of the object in the cost, regularisers, and one iteration over all patterns at a time.
//
//   for each mini-batch of the iteration (solver/batches; the same for any number of ranks):
//     the course (solver/course): gradients, their sums over the ranks, steps of all variables
//   then the variables' own ends of an iteration (the powers of the probe's modes), the hand-over
//   of positions that have moved away from their rank (solver/hand_over), the regularisers, R of
//   the held-out patterns and pixels, and the multi-resolution schedule's next stage if the error
//   stalled.
//
// Arrays and numbers are declared by the parts that they belong to (solver/state); which parts
// there are, the options say (solver/part_options).

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "solver/course.hpp"
#include "solver/hand_over.hpp"
#include "solver/options.hpp"
#include "solver/parts.hpp"
#include "solver/variables/probe.hpp"

namespace ptyle {

struct IterationReport {
  Misfit fitted;           ///< summed while the iteration ran
  Misfit held_out;         ///< after it, on patterns that are not fitted
  Misfit held_out_pixels;  ///< after it, on pixels that are not fitted, of a sample of the patterns
  double step = 0;         ///< the object step in use
  double passes = 0;       ///< through the data since the start (Costs::count)
  std::string stage;       ///< the multi-resolution schedule's, while it ran
  bool diverging = false;  ///< the cost rose; the steps have been halved
  bool whole = true;       ///< false: stopped between two mini-batches, the rest is to come
  std::vector<std::string> warnings;
  double spread = 0;  ///< with `verify`: largest difference of two copies of a voxel, rad
};

/// The source of a field's saved values, by its name.
template <class T>
struct FieldReader {
  /// A part of the object.
  std::function<void(const std::string&, const Box&, View<T, 3>)> voxels;
  /// So many numbers of each of these positions, one position after the other.
  std::function<std::vector<double>(const std::string&, std::span<const i64>, i64)> records;
  /// Waves that all ranks have.
  std::function<Array<Complex<T>, 3>(const std::string&)> waves;
};

/// Seconds of this process within its iterations.
struct IterationTime {
  double gradients = 0;                   ///< of its positions; on a GPU, until they are queued
  double computing = 0;                   ///< gradients and all else but:
  double waiting = 0, communicating = 0;  ///< as TeamCosts
  [[nodiscard]] double all() const { return computing + waiting + communicating; }
};

template <class T>
class Fit {
 public:
  /// A start for each of the team's ranks that are here; the probe (M, W, W) is centred on [W/2,
  /// W/2]. All arrays live where the arithmetic says, into which the start is brought (none: in the
  /// host's memory), and `ledger` accounts for what is on the host. Team and ledger must outlive
  /// it. Throws UserError for what cannot run.
  Fit(std::unique_ptr<Operator<T>> op, FitData<T> data, FitOptions options, Team& team,
      const Sharing& sharing, std::vector<TileStart<T>> start, Array<Complex<T>, 3> probe,
      Ledger* ledger = nullptr, std::unique_ptr<Arithmetic<T>> arithmetic = nullptr);

  /// One iteration, or the rest of one. `stop` is asked in every mini-batch, once its gradients are
  /// there; where it says so on any rank, all end after that mini-batch.
  IterationReport iterate(const std::function<bool()>& stop = {});

  /// The end of iterating: gives up the memory of all that is not in a checkpoint. What is asked
  /// below stays as it was. All ranks of the team together.
  void keep_only_saved();

  [[nodiscard]] const std::vector<Tile>& tiles() const { return with_->tiles; }
  /// Arrays and numbers by name, the same on all ranks but for the tiles: what a checkpoint holds.
  [[nodiscard]] const State<T>& state() const { return with_->state; }
  /// The state's arrays are read by it.
  [[nodiscard]] const Arithmetic<T>& arithmetic() const { return *with_->arithmetic; }
  /// On the host; valid until the next iteration.
  [[nodiscard]] View<const Complex<T>, 3> probe() const { return probe_->on_host(*with_); }
  [[nodiscard]] const std::vector<i64>& held_out() const { return with_->held_out; }
  /// The R-factor of each position's pattern, on all ranks; −1 where it is left out.
  [[nodiscard]] std::vector<double> r_factors();
  /// (n, 2, W, W), DC at [0,0]: these patterns (ascending), as measured and as the model has them,
  /// on all ranks.
  [[nodiscard]] Array<float, 4> patterns(const std::vector<i64>& numbers);
  /// Those that are fitted.
  [[nodiscard]] const std::vector<i64>& fitted() const { return with_->fitted; }
  /// Patterns that are neither fitted nor held out from the next iteration on, ascending, the same
  /// on all ranks.
  void leave_out(const std::vector<i64>& patterns);
  /// A number of the state: 1 once patterns were left out for their misfit. The session sets it.
  static constexpr const char* misfits_are_out = "misfits_are_out";
  void set_misfits_are_out() { *misfits_are_out_ = 1; }
  /// Patterns that may be none, ascending: kept for a second look, also in checkpoints.
  [[nodiscard]] const std::vector<i64>& doubtful() const { return doubtful_; }
  void doubt(std::vector<i64> patterns) { doubtful_ = std::move(patterns); }
  [[nodiscard]] const std::vector<i64>& left_out() const { return with_->options.left_out; }
  [[nodiscard]] bool holds_out_pixels() const { return !with_->pixel_sample.empty(); }
  /// Records that came to this process's ranks and left them since the fit was made.
  [[nodiscard]] HandedOver handed_over() const {
    return hand_over_ ? hand_over_->so_far() : HandedOver{};
  }
  [[nodiscard]] const IterationTime& time() const { return time_; }
  /// The first iteration (1, 2, …) in which all moves that is to move: the multi-resolution
  /// schedule had ended, probe and positions were refined. Before, a standstill means nothing.
  [[nodiscard]] int all_moves_from() const { return static_cast<int>(*all_moves_from_); }

  /// The numbers of the state, and where the multi-resolution schedule is.
  [[nodiscard]] std::map<std::string, double> numbers() const;
  /// No iteration is to come: the object goes back along a last step that has not lowered the cost,
  /// where the rule leaves that to the next iteration.
  void end();
  /// Goes on from there: a fit that is made of the same data and options, and of the objects and
  /// the probe of then, goes on as if nothing had been; nearly so with steps between exchanges,
  /// whose illumination is not kept, and where copies differ, as they start from the cores; and to
  /// rounding where positions have changed hands, as some lie between two ranks' cores and may
  /// begin with the other one.
  /// `reader` is asked for the saved fields that the start does not bring.
  void restore(const std::map<std::string, double>& numbers, const FieldReader<T>& reader = {});

 private:
  void declare();
  void restore(Field<T>& field, const FieldReader<T>& reader);
  void hand_over(const Variable<T>& mover);
  /// The variables' own ends of an iteration, of which `batch` was a mini-batch.
  void end_iteration(const Batch& batch);
  void finish_iteration(IterationReport& report);
  void look_what_moves();
  [[nodiscard]] bool all_move() const;
  template <class Is>
  [[nodiscard]] bool any_variable(Is&& is) const {
    return std::any_of(variables_->begin(), variables_->end(),
                       [&](const auto& one) { return is(*one); });
  }
  [[nodiscard]] bool holds_slices();
  Misfit misfit_of(const std::vector<i64>& positions, PixelSet pixels);
  void apply_detector_limit();
  void verify(IterationReport& report);
  void adapt_steps(IterationReport& report);
  /// An iteration took so long; what the team had spent before it.
  void add_time(double seconds, const TeamCosts& before);

  std::unique_ptr<Workspace<T>> with_;  // stays where it is, as the parts refer to it
  std::unique_ptr<ObjectVariable<T>> object_;
  ProbeVariable<T>* probe_;                                               // one of variables_
  std::unique_ptr<std::vector<std::unique_ptr<Variable<T>>>> variables_;  // but the object
  std::unique_ptr<Penalties<T>> penalties_;
  std::unique_ptr<UpdateRule<T>> rule_;
  std::vector<std::unique_ptr<Regulariser<T>>> regularisers_;
  std::unique_ptr<Course<T>> course_;
  std::vector<i64> doubtful_;
  std::unique_ptr<HandOver<T>> hand_over_;  // where there are other ranks and positions move
  IterationTime time_;
  // Numbers of the state:
  double *iteration_, *batch_;  // the next mini-batch
  double* misfits_are_out_;
  double* new_stage_;      // the coming iteration is the first of a stage
  double* previous_cost_;  // −1: nothing to compare with
  double *passes_, *all_moves_from_;
  double *slices_held_, *held_for_, *all_with_for_;  // 1: they are; iterations
};

/// Bytes of a rank with so many positions of its own.
struct FitMemory {
  std::map<std::string, double> arrays;  ///< by the ledger's names, but for the exchanges' buffers
  std::map<std::string, double> kept;    ///< of them, those that keep_only_saved leaves
  double saved = 0;                      ///< what it has in a checkpoint
  std::map<std::string, double> others;  ///< on the host beside the arrays, by those names
  double moment = 0;                     ///< "probe" on the host at its peak within a call
  double along_probe = 0;  ///< likewise, while the operator is called with a change of the probe
};
/// `device`: the arrays are not on the host.
template <class T>
FitMemory fit_memory(const OperatorSetup& setup, const FitOptions& options, const Sharing& sharing,
                     int rank, i64 positions, bool device = false);

}  // namespace ptyle
