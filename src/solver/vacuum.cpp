#include "solver/vacuum.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/error.hpp"

namespace ptyle {

std::optional<std::string> fault_of_regions(const std::vector<double>& regions) {
  constexpr double far = 1e9;  // more pixels than any object has, and what is no number
  bool right = regions.size() % 4 == 0;
  for (std::size_t i = 0; right && i < regions.size(); i += 4)
    right = regions[i] < regions[i + 2] && regions[i + 1] < regions[i + 3];
  for (const double value : regions) right = right && std::abs(value) < far;
  if (right) return {};
  return "must be four numbers for each rectangle, [first row, first column, last row, last "
         "column], the first ones less than the last ones";
}

std::vector<Box> boxes_of_regions(const std::vector<double>& regions, const Box& object,
                                  Position origin, double pixel) {
  constexpr double slack = 1e-6;  // px: a centre on the edge lies inside
  std::vector<Box> boxes;
  for (std::size_t i = 0; i + 3 < regions.size(); i += 4) {
    const auto interval = [&](double first, double last, double from) {
      return Interval{static_cast<i64>(std::ceil((first - from) / pixel - slack)),
                      static_cast<i64>(std::floor((last - from) / pixel + slack)) + 1};
    };
    const Box box = intersection(object, {interval(regions[i], regions[i + 2], origin.row),
                                          interval(regions[i + 1], regions[i + 3], origin.col)});
    if (box.empty())
      throw UserError(fmt::format(
          "object.vacuum: the rectangle [{:.4g}, {:.4g}, {:.4g}, {:.4g}] holds no pixel of the "
          "object, which lies from ({:.4g}, {:.4g}) to ({:.4g}, {:.4g}) in the positions' "
          "coordinates",
          regions[i], regions[i + 1], regions[i + 2], regions[i + 3],
          origin.row + pixel * double(object.rows.begin),
          origin.col + pixel * double(object.cols.begin),
          origin.row + pixel * double(object.rows.end - 1),
          origin.col + pixel * double(object.cols.end - 1)));
    boxes.push_back(box);
  }
  return boxes;
}

}  // namespace ptyle
