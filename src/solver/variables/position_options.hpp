#pragma once

// Options of the refinement of positions (solver/variables/positions).

#include "core/choice.hpp"
#include "solver/part_options.hpp"
#include "solver/switch.hpp"
#include "tiles/hand_over.hpp"

namespace ptyle {

enum class PositionModel { both, affine, free };
constexpr auto choices(PositionModel) {
  return std::to_array<Named<PositionModel>>({{PositionModel::both, "both"},
                                              {PositionModel::affine, "affine"},
                                              {PositionModel::free, "free"}});
}

struct PositionOptions {
  /// automatic: the session says on or off before a fit is made.
  Switch refine = Switch::automatic;
  PositionModel model = PositionModel::both;
  int start = 0;            ///< an iteration (1, 2, …); 0: the fifth with everything else free
  double step = 0.5;        ///< of each position by itself; 1: a Gauss-Newton step
  double largest_move = 0;  ///< Å (px where the fit has no unit); 0: the session says
  /// No key: the variance that counting leaves to the object's phase in a pixel, rad²; 0: none.
  double noise = 0;

  template <class T>
  void add_to(Parts<T>& parts) const;
};

/// A position moves by itself by this part of largest_move at most, once an iteration.
constexpr double most_alone = 0.25;

/// px that tiles' halos grow by for positions that move by so many px in all at most. After every
/// iteration a position lies within the margin of the hand-over of its rank's core; until its
/// window is looked at again it moves by itself alone.
constexpr i64 room_for_moves(i64 largest_move) {
  const auto alone = static_cast<i64>(most_alone * static_cast<double>(largest_move - 1)) + 1;
  return largest_move < 1 ? 0 : std::min(largest_move, hand_over_margin(largest_move) + alone);
}

template <class V>
void keys(V& v, PositionOptions& o) {
  v.section("positions", "refinement of where the probe stood");
  v("refine", o.refine, "auto: where many positions overlap well")
      .also_called("position_correction")
      .same_at_resume();
  v("model", o.model,
    "affine: scale, asymmetry, rotation and shear of the scan; free: each position; or both")
      .same_at_resume();
  v("start", o.start, at_least(0),
    "first iteration (later while the lateral limit holds); 0: the fifth with everything else "
    "free");
  v("step", o.step, above(0).up_to(2), "of each position; 1: a Gauss-Newton step");
  v("largest_move", o.largest_move, between(0, 1e5), "Å",
    "of a position in all, by which the object grows, half a window at most; 0: twice the step of "
    "the scan")
      .same_at_resume();
}

}  // namespace ptyle
