#include <cmath>

#include "operator/operator.hpp"

namespace ptyle {

Placement place(Position at, i64 window) {
  const double row = std::floor(at.row + 0.5), col = std::floor(at.col + 0.5);
  return {static_cast<i64>(row) - window / 2, static_cast<i64>(col) - window / 2, at.row - row,
          at.col - col};
}

}  // namespace ptyle
