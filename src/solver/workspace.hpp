#pragma once

// The workspace of all parts of a fit: the operator and its data, the ranks, the tiles, the arrays.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/matrix2.hpp"
#include "device/arithmetic.hpp"
#include "exchange/team.hpp"
#include "operator/operator.hpp"
#include "solver/costs.hpp"
#include "solver/halos.hpp"
#include "solver/options.hpp"
#include "solver/state.hpp"
#include "solver/tile.hpp"

namespace ptyle {

/// One mini-batch of an iteration.
struct Batch {
  std::size_t number = 0;       ///< within the iteration
  std::vector<i64> members;     ///< positions of all ranks, ascending
  int iteration = 0;            ///< 1, 2, …
  bool lateral_limit = false;   ///< the multi-resolution schedule holds high frequencies back
  bool everything_free = true;  ///< at most what is hardly transferred is held back, or the slices
                                ///< for a variable that needs them binned
  bool refine_probe = false;
  bool estimate = false;  ///< steps are to be estimated on it
};

template <class T>
class Workspace {
 public:
  /// `given`: by the caller, or made for the host's memory. Throws UserError for what cannot run.
  Workspace(std::unique_ptr<Operator<T>> op, FitData<T> data, FitOptions options, Team& team,
            const Sharing& sharing, Ledger* ledger, std::unique_ptr<Arithmetic<T>> given);

  /// The place of a position's window on the whole object. Where positions move, only the owner's
  /// process knows; it says so by `put`.
  [[nodiscard]] Placement place_of(i64 position) const;
  void put(i64 position, const Placement& at);
  /// The coefficients by which a position of this process mixes its modes; they stay where they
  /// are.
  void mix(i64 position, const Complex<double>* coefficients) {
    mixtures_.insert_or_assign(position, coefficients);
  }
  /// Patterns are displaced by `plane` times their nominal positions from `middle`, detector px.
  void displace_patterns(const Matrix2& plane, const Position& middle) {
    descan_ = plane;
    descan_middle_ = middle;
  }
  /// One that has gone to another process.
  void forget(i64 position) {
    moved_.erase(position);
    mixtures_.erase(position);
  }
  /// Placements of the members on a tile's arrays.
  [[nodiscard]] std::vector<Placement> places_on(const Tile& tile,
                                                 const std::vector<i64>& members) const;
  /// Their patterns, of which these pixels count.
  [[nodiscard]] Measured<T> measured_at(std::span<const i64> members,
                                        PixelSet pixels = PixelSet::fitted) const;
  /// Patterns are divided by the gain of each pixel, DC at [0,0], above `offset` counts, which they
  /// have beside what it multiplies (variables/gain). Weights follow by detector_weight().
  void use_gain(Array<T, 2> gain, double offset);
  /// Takes patterns from those that are fitted.
  void leave_out(const std::vector<i64>& patterns);
  /// The weight of each detector pixel, DC at [0,0]: its gain, and 0 where the lateral limit, while
  /// it holds, keeps what it cannot explain out of the cost; empty: all count alike.
  [[nodiscard]] Array<T, 2> detector_weight() const;
  /// The object as a tile has it.
  [[nodiscard]] ObjectView<T> object_on(std::size_t tile) const {
    return {state.field("phase").on(tile),
            state.has("absorption") ? state.field("absorption").on(tile) : View<const T, 3>{}};
  }
  /// A copy on the host of a field's waves, booked as "probe".
  [[nodiscard]] Array<Complex<T>, 3> waves_on_host(const std::string& field) const {
    const auto& waves = state.field(field).waves;
    Array<Complex<T>, 3> here(waves.shape(), ledger, "probe");
    arithmetic->read(waves.data(), here.data(), waves.size());
    return here;
  }
  /// Sets a volume of a tile to zero outside the object's support.
  void blank(std::size_t tile, View<T, 3> volume) const;
  /// Is a part of the object that windows reach known to be empty (solver/vacuum)?
  [[nodiscard]] bool knows_vacuum() const;
  /// Does any rank wish to stop? All learn it.
  void agree_to_stop();
  /// W²: an unnormalised FFT there and back.
  [[nodiscard]] double window2() const {
    return double(op->setup().window) * double(op->setup().window);
  }

  /// The patterns of these positions are asked for next.
  void will_load(const std::vector<i64>& members) const;

  Team& team;
  Ledger* ledger;  ///< accounts for what is on the host; none: nullptr
  std::unique_ptr<Operator<T>> op;
  FitData<T> data;
  FitOptions options;
  std::unique_ptr<Arithmetic<T>> arithmetic;
  Halos<T> halos;
  std::vector<i64> fitted, held_out;  ///< positions
  std::vector<i64>
      pixel_sample;         ///< of `fitted`, to look at held-out pixels; empty: there are none
  std::vector<Tile> tiles;  ///< of this process's ranks
  /// For each tile's arrays: 0 where no window reaches, or what is known to be empty: vacuum;
  /// empty: there is no such pixel.
  std::vector<Array<std::uint8_t, 2>> supports;
  State<T> state;
  Costs<T> costs;
  std::function<bool()> stop;         ///< of the iteration; may be empty
  bool stopping = false;              ///< what the ranks agreed on after the last mini-batch
  std::vector<std::string> warnings;  ///< of variables, for the end of the iteration
  double& caution;                    ///< of all steps; less once the cost rose

 private:
  [[nodiscard]] PixelChoice choice_of(i64 pattern, PixelSet pixels) const;
  /// y − o over the gain, and o again; at least 0, as less would say that it was not measured.
  void equalise(T* pattern) const;

  Matrix2 descan_{};  // detector px per px of the object
  Position descan_middle_;
  std::vector<Complex<double>> of_states_;  // by which all positions mix; empty: one state
  std::unordered_map<i64, const Complex<double>*> mixtures_;
  std::unordered_map<i64, Placement> moved_;  // of this process's positions those that moved
  std::size_t moved_booked_ = 0;
  Ledger::Booking moved_booking_;
  Ledger::Booking positions_booking_;  // of what is listed of all positions
  Array<T, 2> gain_;                   // of each detector pixel; empty: all are 1
  double gain_offset_ = 0;             // o
};

/// Bytes accounted as "positions" for each position of all ranks: where it is, its number among
/// those that are fitted, among the patterns and among the frames. All else that a rank has is of
/// its own positions.
inline constexpr std::size_t bytes_a_position = sizeof(Position) + 3 * sizeof(i64);

/// Bytes accounted as "positions" for the placements of so many own positions that move, booked in
/// lots. A hash table holds them: an entry has a link and the allocator's header, and there are up
/// to two buckets an entry.
constexpr std::size_t bytes_of_moved(std::size_t positions) {
  constexpr std::size_t lot = 64, one = sizeof(std::pair<const i64, Placement>) + 4 * sizeof(void*);
  return (positions + lot - 1) / lot * lot * one;
}

}  // namespace ptyle
