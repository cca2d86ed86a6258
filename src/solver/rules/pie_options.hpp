#pragma once

// Options of the sequential updates, ePIE and rPIE (solver/rules/pie).

#include <string>

#include "core/choice.hpp"
#include "solver/excluded.hpp"

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

/// A key that sequential updates do not go with.
inline Excluded by_pie(const std::string& key, const std::string& why) {
  return {key, "solver.rule: pie", why};
}

namespace excluded_by_pie {
inline const Excluded device =
    by_pie("solver.device", "whose updates of one position after the other run on the host alone");
inline const Excluded loss = by_pie("solver.loss", "which replaces moduli: amplitude, or left out");
inline const Excluded continuation = by_pie(
    "solver.continuation", "which has all frequencies and slices from the start: off, or left out");
inline const Excluded refined_positions =
    by_pie("positions.refine", "which moves object and probe alone: off, or left out");
inline const Excluded refined_geometry =
    by_pie("geometry.refine", "which moves object and probe alone: left out");
}  // namespace excluded_by_pie

}  // namespace ptyle
