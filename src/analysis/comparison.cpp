#include "analysis/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/area.hpp"
#include "analysis/registration.hpp"
#include "analysis/similarity.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"

namespace ptyle {
namespace {

constexpr i64 margin = 24;  ///< px beyond the area that registration sees
// px: the furthest shift beyond the positions; a fit drifts by a few pixels, and a crystal would
// agree with itself again a lattice vector away
constexpr double reach = 8;
constexpr i64 smallest_side = 16;  ///< px: less is no image

/// Position of the reference's pixel [0, 0] on the result, in pixels.
Position offset_of(const ComparedObject& result, const ComparedObject& reference) {
  const double pixel = reference.pixel_size;
  const auto& a = result.positions;
  const auto& b = reference.positions;
  if (!a.empty() && a.size() == b.size()) {
    // the same scan: positions may have been refined, so their mean difference
    Position sum;
    for (std::size_t i = 0; i < a.size(); ++i) {
      sum.row += a[i].row - b[i].row;
      sum.col += a[i].col - b[i].col;
    }
    const double n = static_cast<double>(a.size()) * pixel;
    return {sum.row / n, sum.col / n};
  }
  if (!result.origin && !reference.origin)
    throw UserError(fmt::format(
        "cannot lay the result ({} positions) on the reference ({} positions): compare objects of "
        "the same scan, or results that hold the attribute origin",
        a.size(), b.size()));
  // a truth's positions are the measured ones: its origin is (0, 0)
  const Position from = result.origin.value_or(Position{}),
                 to = reference.origin.value_or(Position{});
  return {(to.row - from.row) / pixel, (to.col - from.col) / pixel};
}

/// The scanned area on the reference: of the result's scan where that is the smaller.
ScanArea common_area(const ComparedObject& result, const ComparedObject& reference,
                     const Position& offset) {
  const double pixel = reference.pixel_size;
  const bool own = result.positions.size() >= reference.positions.size();
  std::vector<Position> pixels;
  for (const Position& p : own ? reference.positions : result.positions) {
    const Position back = own ? Position{} : offset;
    pixels.push_back({p.row / pixel - back.row, p.col / pixel - back.col});
  }
  // only what the result's array holds
  for (Position& p : pixels) {
    p.row =
        std::clamp(p.row, -offset.row, static_cast<double>(result.phase.shape[1] - 1) - offset.row);
    p.col =
        std::clamp(p.col, -offset.col, static_cast<double>(result.phase.shape[2] - 1) - offset.col);
  }
  ScanArea area = scan_area(pixels, {reference.phase.shape[1], reference.phase.shape[2]});
  if (area.depth.shape()[0] < smallest_side || area.depth.shape()[1] < smallest_side)
    throw UserError(
        fmt::format("the scanned areas of result and reference have only {} x {} pixels in common; "
                    "a comparison "
                    "needs at least {} per side: check that both are of the same scan",
                    area.depth.shape()[0], area.depth.shape()[1], smallest_side));
  return area;
}

Array<double, 2> sum_of(View<const float, 3> stack) {
  Array<double, 2> sum({stack.shape[1], stack.shape[2]});
  for (i64 z = 0; z < stack.shape[0]; ++z)
    std::transform(sum.begin(), sum.end(), stack[z].begin(), sum.begin(), std::plus<>());
  return sum;
}

Array<double, 2> as_weight(View<const unsigned char, 2> mask) { return converted<double>(mask); }

/// The image less the plane that separates it from the reference.
void remove_gauge(View<double, 2> image, View<const double, 2> reference,
                  View<const double, 2> weight) {
  Array<double, 2> difference(image.shape);
  std::transform(image.begin(), image.end(), reference.begin(), difference.begin(), std::minus<>());
  subtract(fit_plane(difference, weight), image);
}

struct Judge {
  const Array<unsigned char, 2>& area;
  Array<double, 2> weight, taper;
  double pixel;

  [[nodiscard]] Agreement figures(View<const double, 2> a, View<const double, 2> b) const {
    const Frc frc = fourier_ring_correlation(a, b, taper);
    return {rms_difference(a, b, area), structural_similarity(a, b, area), correlation(a, b, area),
            resolution_of(frc, pixel)};
  }
};

/// The shift beyond the positions, in pixels, by the summed phases with a margin around the area.
Position register_sums(View<const double, 2> result, View<const double, 2> reference,
                       const ScanArea& area, const Position& offset) {
  const auto [rows, cols] = area.depth.shape();
  const std::array<i64, 2> shape{rows + 2 * margin, cols + 2 * margin};
  const double row = static_cast<double>(area.first_row - margin);
  const double col = static_cast<double>(area.first_col - margin);
  const auto moving = box_at(result, row + offset.row, col + offset.col, shape);
  const auto fixed = box_at(reference, row, col, shape);
  const auto taper = area.taper(std::max(4.0, 0.1 * static_cast<double>(std::min(rows, cols))));
  Array<double, 2> weight(shape);
  for (i64 y = 0; y < rows; ++y)
    for (i64 x = 0; x < cols; ++x) weight(y + margin, x + margin) = taper(y, x);
  return find_shift(moving, fixed, weight, reach);
}

bool slices_correspond(const ComparedObject& a, const ComparedObject& b) {
  if (a.phase.shape[0] != b.phase.shape[0]) return false;
  const bool known = a.slice_thickness > 0 && b.slice_thickness > 0;
  return !known || std::abs(a.slice_thickness / b.slice_thickness - 1) < 1e-3;
}

}  // namespace

Comparison compare_objects(const ComparedObject& result, const ComparedObject& reference,
                           int threads) {
  const double pixel = reference.pixel_size;
  if (!(std::abs(result.pixel_size / pixel - 1) <= 1e-3))
    throw UserError(fmt::format(
        "the result's pixel is {:.6g} and the reference's {:.6g}; a comparison needs them equal "
        "within 1e-3: reconstruct with the window and calibration that the reference has",
        result.pixel_size, pixel));
  Position offset = offset_of(result, reference);
  const ScanArea area = common_area(result, reference, offset);
  const auto& box = area.depth.shape();
  const double row = static_cast<double>(area.first_row), col = static_cast<double>(area.first_col);

  Comparison out;
  const Array<double, 2> result_sum = sum_of(result.phase), reference_sum = sum_of(reference.phase);
  const Position shift = register_sums(result_sum, reference_sum, area, offset);
  offset = {offset.row + shift.row, offset.col + shift.col};
  out.shift = {shift.row * pixel, shift.col * pixel};
  out.first_row = area.first_row;
  out.first_col = area.first_col;
  out.area = area.mask();

  // the window of the FRC rises over a third of the shorter side
  const double rise = static_cast<double>(std::min(box[0], box[1])) / 3;
  const Judge judge{out.area, as_weight(out.area), area.taper(rise), pixel};
  out.reference = box_at(reference_sum, row, col, box);
  out.result = box_at(result_sum, row + offset.row, col + offset.col, box);
  remove_gauge(out.result, out.reference, judge.weight);
  out.summed = judge.figures(out.result, out.reference);
  out.frc = fourier_ring_correlation(out.result, out.reference, judge.taper);
  if (!slices_correspond(result, reference) || result.phase.shape[0] == 1) return out;
  out.slices.resize(static_cast<std::size_t>(result.phase.shape[0]));
  parallel_for(result.phase.shape[0], threads, [&](i64 z, int) {
    const auto b = box_at(reference.phase[z], row, col, box);
    auto a = box_at(result.phase[z], row + offset.row, col + offset.col, box);
    remove_gauge(a, b, judge.weight);
    out.slices[static_cast<std::size_t>(z)] = judge.figures(a, b);
  });
  return out;
}

}  // namespace ptyle
