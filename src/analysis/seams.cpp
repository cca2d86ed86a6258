#include "analysis/seams.hpp"

#include <cmath>
#include <vector>

namespace ptyle {
namespace {

struct Sum {
  double total = 0;
  i64 count = 0;
  void add(double step) {
    total += std::abs(step);
    ++count;
  }
  [[nodiscard]] double mean() const { return count > 0 ? total / static_cast<double>(count) : 0; }
};

std::vector<bool> marked(std::span<const i64> cuts, i64 n) {
  std::vector<bool> is_cut(static_cast<std::size_t>(n));
  for (const i64 cut : cuts)
    if (cut > 0 && cut < n) is_cut[static_cast<std::size_t>(cut)] = true;
  return is_cut;
}

}  // namespace

Seams find_seams(View<const double, 3> phase, std::span<const i64> row_cuts,
                 std::span<const i64> col_cuts, View<const unsigned char, 2> area) {
  const auto [slices, rows, cols] = phase.shape;
  const auto row_cut = marked(row_cuts, rows), col_cut = marked(col_cuts, cols);
  Sum across, elsewhere;
  for (i64 z = 0; z < slices; ++z)
    for (i64 y = 0; y < rows; ++y)
      for (i64 x = 0; x < cols; ++x) {
        if (!area(y, x)) continue;
        const double here = phase(z, y, x);
        if (y > 0 && area(y - 1, x))
          (row_cut[static_cast<std::size_t>(y)] ? across : elsewhere)
              .add(here - phase(z, y - 1, x));
        if (x > 0 && area(y, x - 1))
          (col_cut[static_cast<std::size_t>(x)] ? across : elsewhere)
              .add(here - phase(z, y, x - 1));
      }
  return {across.mean(), elsewhere.mean()};
}

}  // namespace ptyle
