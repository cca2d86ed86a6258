#include <cmath>
#include <stdexcept>

#include "operator/operator.hpp"

namespace ptyle {

Placement place(Position at, i64 window) {
  const double row = std::floor(at.row + 0.5), col = std::floor(at.col + 0.5);
  return {static_cast<i64>(row) - window / 2, static_cast<i64>(col) - window / 2, at.row - row,
          at.col - col};
}

void check_states(const OperatorSetup& setup) {
  if (setup.states < 1 || setup.modes % setup.states != 0)
    throw std::invalid_argument("modes cannot be dealt out to the object's states alike");
}

void check_places(const OperatorSetup& setup, std::span<const Placement> places) {
  for (const Placement& at : places) {
    if ((at.coefficients != nullptr) != (setup.basis > 0))
      throw std::invalid_argument(setup.basis > 0
                                      ? "a position has no coefficients to mix its modes with"
                                      : "a position has coefficients, but no modes are mixed");
    if (!setup.descan && (at.descan_row != 0 || at.descan_col != 0))
      throw std::invalid_argument("a position's pattern is displaced, but the setup has no descan");
  }
}

}  // namespace ptyle
