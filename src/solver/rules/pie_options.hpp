#pragma once

// Options of the sequential updates, ePIE and rPIE (solver/rules/pie).

#include "core/choice.hpp"

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

}  // namespace ptyle
