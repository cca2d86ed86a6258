#pragma once

// Options of the sequential updates, ePIE and rPIE (solver/rules/pie).

#include <string>

#include "core/choice.hpp"
#include "core/error.hpp"

namespace ptyle {

enum class PieForm { epie, rpie };
constexpr auto choices(PieForm) {
  return std::to_array<Named<PieForm>>({{PieForm::epie, "epie"}, {PieForm::rpie, "rpie"}});
}

struct PieOptions {
  PieForm form = PieForm::epie;
  double alpha = 0;  ///< of the object; 0: by form
  double beta = 1;   ///< of the probe

  /// The one in use. rPIE's of 1 would be ePIE of step 1.
  [[nodiscard]] double alpha_in_use() const {
    return alpha > 0 ? alpha : form == PieForm::epie ? 1 : 0.1;
  }
};

/// A key that sequential updates do not go with, and why: "KEY: does not go with solver.rule: pie,
/// WHY".
struct ExcludedByPie {
  const char *key, *why;
  [[nodiscard]] std::string text() const {
    return std::string("does not go with solver.rule: pie, ") + why;
  }
  [[nodiscard]] UserError error() const { return UserError(std::string(key) + ": " + text()); }
};

namespace excluded_by_pie {
inline constexpr ExcludedByPie device{
    "solver.device", "whose updates of one position after the other run on the host alone"};
inline constexpr ExcludedByPie loss{"solver.loss", "which replaces moduli: amplitude, or left out"};
inline constexpr ExcludedByPie continuation{
    "solver.continuation", "which has all frequencies and slices from the start: off, or left out"};
inline constexpr ExcludedByPie refined_positions{
    "positions.refine", "which moves object and probe alone: off, or left out"};
inline constexpr ExcludedByPie refined_geometry{"geometry.refine",
                                                "which moves object and probe alone: left out"};
inline constexpr const char* of_variable_probe =
    "which has one probe for all positions: leave it out";
}  // namespace excluded_by_pie

}  // namespace ptyle
