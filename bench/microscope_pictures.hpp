#pragma once

// Pictures of what an imperfection of the microscope does to a reconstruction, without and with the
// part that fits it.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "analysis/comparison.hpp"
#include "core/parallel.hpp"
#include "io/hdf5.hpp"
#include "io/pictures.hpp"
#include "io/result.hpp"

namespace ptyle::bench {

inline Comparison compared(const Result& r, const Result& truth) {
  return compare_objects(
      {r.phase.view(), r.positions, r.pixel_size, r.slice_thickness, {}},
      {truth.phase.view(), truth.positions, truth.pixel_size, truth.slice_thickness, {}},
      available_threads());
}

/// The summed phase less the truth, registered, in the middle of the scanned area.
inline Array<double, 2> difference_from(const Result& truth, const Result& r) {
  constexpr i64 side = 44;
  const Comparison c = compared(r, truth);
  const auto [rows, cols] = c.result.shape();
  Array<double, 2> part({side, side});
  for (i64 y = 0; y < side; ++y)
    for (i64 x = 0; x < side; ++x) {
      const i64 row = (rows - side) / 2 + y, col = (cols - side) / 2 + x;
      part(y, x) = c.result(row, col) - c.reference(row, col);
    }
  return part;
}

/// A section along the beam through the strongest row of columns, the entrance at the top; slices
/// are drawn as four pixels, whatever their thickness.
inline Array<double, 2> section_of(const Result& r) {
  constexpr i64 side = 44, each = 4;
  const auto [slices, rows, cols] = r.phase.shape();
  const auto in_row = [&, all = cols](i64 y) {
    double sum = 0;
    for (i64 s = 0; s < r.phase.shape()[0]; ++s)
      for (i64 x = (all - side) / 2; x < (all + side) / 2; ++x) sum += r.phase(s, y, x);
    return sum;
  };
  i64 strongest = rows / 2;
  for (i64 y = (rows - side) / 2; y < (rows + side) / 2; ++y)
    if (in_row(y) > in_row(strongest)) strongest = y;
  Array<double, 2> section({each * slices, side});
  for (i64 y = 0; y < each * slices; ++y)
    for (i64 x = 0; x < side; ++x)
      section(y, x) = r.phase(y / each, strongest, (cols - side) / 2 + x);
  return section;
}

/// About 0 and of standard deviation 1.
inline std::vector<double> standardised(std::vector<double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double square = 0;
  for (double& value : values) value -= mean, square += value * value / n;
  for (double& value : values) value /= std::sqrt(square);
  return values;
}

/// Charts of what was found of each position's beam beside the truth; none where nothing was
/// fitted.
inline std::vector<Panel> charts_of(const Result& with, const std::string& file) {
  const auto set = h5::File::open(file);
  std::vector<Panel> panels;
  const auto chart = [&](const char* path, std::vector<double> found, const char* title,
                         const char* label) {
    if (!set.has(path)) return;
    std::vector<double> truth = set.read<double>(path), number(truth.size());
    if (found.size() != truth.size()) return;
    truth = standardised(std::move(truth)), found = standardised(std::move(found));
    const double along = std::inner_product(truth.begin(), truth.end(), found.begin(), 0.0);
    for (double& value : found) value *= along < 0 ? -1 : 1;  // a coefficient has no sign
    std::iota(number.begin(), number.end(), 0.0);
    panels.emplace_back(
        ChartPanel{.curves = {{"found", number, found, false, true}, {"truth", number, truth}},
                   .title = title,
                   .x_label = "position",
                   .y_label = label,
                   .y_range = Range{-3, 5}});  // room for the legend
  };
  if (!with.mixtures.empty()) {
    const auto each = static_cast<std::size_t>(with.variable_modes.shape()[0]);
    std::vector<double> first;
    for (std::size_t p = 0; p < with.mixtures.size(); p += each) first.push_back(with.mixtures[p]);
    chart("/truth/defocus", first, "defocus, and first coefficient", "standard deviations");
  }
  chart("/truth/current", with.intensities, "current of the beam", "standard deviations");
  return panels;
}

/// Two pictures a row, without and with the part: the difference from the truth on a common scale;
/// then what was found of each position, or else a section along the beam.
inline void draw_imperfection(const std::string& path, const std::string& title,
                              const Result& without, const Result& with, const Result& truth,
                              const std::string& file) {
  std::vector<Panel> panels;
  const Array<double, 2> apart[] = {difference_from(truth, without), difference_from(truth, with)};
  double most = 0;
  for (const auto& one : apart) {
    const Range range = robust_range(one.view(), 0.01, 0.99);
    most = std::max({most, -range.low, range.high});
  }
  const char* const names[] = {"without", "with"};
  for (int i = 0; i < 2; ++i) {
    ImagePanel panel = image_panel(apart[i].view(), std::string(names[i]) + ", less the truth",
                                   "phase (rad)", truth.pixel_size, "A", ColourMap::diverging);
    panel.range = Range{-most, most};
    panels.emplace_back(std::move(panel));
  }
  std::vector<Panel> more = charts_of(with, file);
  if (more.empty()) {
    const Array<double, 2> sections[] = {section_of(without), section_of(with)};
    const Range range = robust_range(sections[1].view(), 0, 1);
    for (int i = 0; i < 2; ++i) {
      ImagePanel panel = image_panel(sections[i].view(), std::string(names[i]) + ", along the beam",
                                     "phase (rad)", truth.pixel_size, "A");
      panel.range = range;
      more.emplace_back(std::move(panel));
    }
  }
  for (Panel& panel : more) panels.push_back(std::move(panel));
  write_picture(path, panels, {.columns = 2, .panel_px = 200, .title = title});
  const auto passes = [](const Result& r) {
    const auto n = static_cast<double>(r.history.passes.size());
    return n > 0 ? r.history.passes.back() / n : 0;
  };
  fmt::print("  {:.3f} passes an iteration without, {:.3f} with\n", passes(without), passes(with));
}

}  // namespace ptyle::bench
