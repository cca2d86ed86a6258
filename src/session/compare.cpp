#include "session/compare.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>

#include "analysis/columns.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "io/part_file.hpp"
#include "io/pictures.hpp"
#include "io/result.hpp"
#include "physics/scattering.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;
using Print = std::function<void(const std::string&)>;

constexpr std::array file_names{"comparison.txt", "comparison.png", "frc.png"};

void check_folder(const CompareConfig& config) {
  if (config.folder.empty()) return;
  std::error_code error;
  fs::create_directories(config.folder, error);
  if (!fs::is_directory(config.folder))
    throw UserError(fmt::format("cannot make the folder {}{}; choose another for the comparison",
                                config.folder, error ? " (" + error.message() + ")" : ""));
  for (const char* name : file_names)
    if (!config.overwrite && fs::exists(fs::path(config.folder) / name))
      throw UserError(
          fmt::format("{} exists already; choose another folder, or use --overwrite to replace it",
                      (fs::path(config.folder) / name).string()));
}

void check_finite(const Result& r, const std::string& file) {
  const auto bad =
      std::find_if_not(r.phase.begin(), r.phase.end(), [](float v) { return std::isfinite(v); });
  if (bad == r.phase.end()) return;
  const i64 at = bad - r.phase.begin(), nx = r.phase.shape()[2], ny = r.phase.shape()[1];
  throw UserError(
      fmt::format("/object/phase in {} is {} in slice {}, row {}, column {}: it cannot "
                  "be compared",
                  file, *bad, at / (ny * nx), at / nx % ny, at % nx));
}

ComparedObject compared(const Result& r) {
  return {r.phase, r.positions, r.pixel_size, r.slice_thickness, r.origin};
}

/// Distances of the columns whose whole surroundings lie within the scanned area.
std::vector<ColumnDistances> measure_columns(const Comparison& c, const Result& truth) {
  constexpr double column_width = 0.3;  // Å: atoms nearer than this in projection are one column
  constexpr double widest = 1.0;        // Å: no column's peak is wider
  const double pixel = truth.pixel_size;
  std::vector<ProjectedAtom> atoms;
  // those far outside would only cost time
  const double room = 10;
  const auto box = [&](double at, i64 first, i64 n) {
    return at > static_cast<double>(first) * pixel - room &&
           at < static_cast<double>(first + n) * pixel + room;
  };
  for (const Atom& a : truth.atoms)
    if (box(a.row, c.first_row, c.area.shape()[0]) && box(a.col, c.first_col, c.area.shape()[1]))
      atoms.push_back({a.number, {a.row, a.col}});
  const auto columns = gather_columns(atoms, column_width);
  const auto half = half_distances(columns);

  std::map<int, std::vector<double>, std::greater<>> distances;
  std::map<int, int> lost;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const double radius = std::max(2.5, std::min(0.8 * half[i], widest) / pixel);
    const Position at{columns[i].position.row / pixel - static_cast<double>(c.first_row),
                      columns[i].position.col / pixel - static_cast<double>(c.first_col)};
    const auto in_area = [&](double dy, double dx) {
      const auto y = std::lround(at.row + dy * radius), x = std::lround(at.col + dx * radius);
      return y >= 0 && x >= 0 && y < c.area.shape()[0] && x < c.area.shape()[1] && c.area(y, x);
    };
    if (!(in_area(-1, -1) && in_area(-1, 1) && in_area(1, -1) && in_area(1, 1))) continue;
    const int number = columns[i].number;
    auto& of_element = distances[number];
    if (const auto peak = find_peak(c.result, at, radius))
      of_element.push_back(std::hypot(peak->row - at.row, peak->col - at.col) * pixel);
    else
      ++lost[number];
  }
  std::vector<ColumnDistances> out;
  for (auto& [number, found] : distances) {
    ColumnDistances d{number, std::string(element_symbol(number)), 0, lost[number], 0, 0};
    d.columns = static_cast<int>(found.size()) + d.lost;
    std::sort(found.begin(), found.end());
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    d.median = found.empty() ? none : found[found.size() / 2];
    d.largest = found.empty() ? none : found.back();
    out.push_back(d);
  }
  return out;
}

std::string resolution_text(const Resolution& r) {
  return std::isinf(r.period) ? "none" : fmt::format("{}{:.3g}", r.at_pixel ? "<= " : "", r.period);
}

std::string table_line(const std::string& name, const Agreement& a) {
  return fmt::format("{:<10} {:>10.4g} {:>8.4f} {:>12.5f} {:>14}", name, a.rmse, a.ssim,
                     a.correlation, resolution_text(a.resolution));
}

void print_table(const CompareReport& report, double pixel, const Print& print) {
  const Comparison& c = report.figures;
  const std::string unit = report.units == "A" ? "Å" : "px";
  const auto [rows, cols] = c.area.shape();
  std::string extent = fmt::format("{} x {} px", rows, cols);
  if (report.units == "A")
    extent += fmt::format(" ({:.4g} x {:.4g} Å)", static_cast<double>(rows) * pixel,
                          static_cast<double>(cols) * pixel);
  print(fmt::format("compared over the scanned area, {}; shift removed: {:.3f}, {:.3f} {}", extent,
                    c.shift.row, c.shift.col, unit));
  print(fmt::format("{:<10} {:>10} {:>8} {:>12} {:>14}", "", "RMSE (rad)", "SSIM", "correlation",
                    fmt::format("resolution ({})", unit)));
  print(table_line("sum", c.summed));
  for (std::size_t z = 0; z < c.slices.size(); ++z)
    print(table_line(fmt::format("slice {}", z + 1), c.slices[z]));
  for (const ColumnDistances& d : report.columns)
    print(fmt::format(
        "columns of {:<2}  {:>4}, position error: median {:.3f} Å, largest {:.3f} Å{}", d.symbol,
        d.columns, d.median, d.largest, d.lost ? fmt::format(", NOT FOUND: {}", d.lost) : ""));
}

std::vector<std::string> key_values(const CompareReport& report) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& key, auto value) {
    lines.push_back(fmt::format("{} = {:.6g}", key, value));
  };
  const auto figures = [&](const std::string& name, const Agreement& a) {
    add(name + ".rmse", a.rmse);
    add(name + ".ssim", a.ssim);
    add(name + ".correlation", a.correlation);
    add(name + ".resolution", a.resolution.period);
  };
  add("shift.row", report.figures.shift.row);
  add("shift.col", report.figures.shift.col);
  figures("sum", report.figures.summed);
  for (const ColumnDistances& d : report.columns) {
    const std::string name = "columns." + d.symbol;
    lines.push_back(fmt::format("{}.count = {}", name, d.columns));
    lines.push_back(fmt::format("{}.lost = {}", name, d.lost));
    add(name + ".median", d.median);
    add(name + ".largest", d.largest);
  }
  for (std::size_t z = 0; z < report.figures.slices.size(); ++z)
    figures(fmt::format("slice.{}", z + 1), report.figures.slices[z]);
  return lines;
}

void write_text(const std::string& path, const std::vector<std::string>& lines) {
  if (!write_whole(path, fmt::format("{}\n", fmt::join(lines, "\n"))))
    throw UserError(fmt::format("cannot write {}; choose a folder that can be written", path));
}

/// NaN, drawn gray, outside the scanned area.
Array<double, 2> inside(const Array<double, 2>& image, const Array<unsigned char, 2>& area) {
  Array<double, 2> out(image.shape());
  std::transform(image.begin(), image.end(), area.begin(), out.begin(), [](double v, auto in) {
    return in ? v : std::numeric_limits<double>::quiet_NaN();
  });
  return out;
}

void draw_phases(const CompareReport& report, double pixel, const std::string& path) {
  const Comparison& c = report.figures;
  const auto reference = inside(c.reference, c.area), result = inside(c.result, c.area);
  Array<double, 2> difference(result.shape());
  std::transform(result.begin(), result.end(), reference.begin(), difference.begin(),
                 std::minus<>());
  const Range range = robust_range(reference), spread = robust_range(difference);
  const double most = std::max(std::abs(spread.low), std::abs(spread.high));
  const auto panel = [&](const Array<double, 2>& image, const std::string& title, Range r,
                         ColourMap map) {
    ImagePanel p = image_panel(image.view(), title, "phase (rad)", pixel, report.units, map);
    p.range = r;
    return p;
  };
  write_picture(path,
                {panel(reference, "reference", range, ColourMap::gray),
                 panel(result, "result", range, ColourMap::gray),
                 panel(difference, fmt::format("difference, RMSE {:.3g} rad", c.summed.rmse),
                       {-most, most}, ColourMap::diverging)},
                {.columns = 3, .panel_px = 480});
}

void draw_frc(const CompareReport& report, double pixel, const std::string& path) {
  const Comparison& c = report.figures;
  std::vector<double> frequency;
  for (const double f : c.frc.frequency) frequency.push_back(f / pixel);
  const std::string unit = report.units == "A" ? "Å" : "px";
  ChartPanel chart{.title = "Fourier ring correlation of the summed phases",
                   .x_label = report.units == "A" ? "spatial frequency (1/Å)"
                                                  : "spatial frequency (cycles per pixel)",
                   .y_label = "correlation"};
  chart.curves = {
      {.name = "FRC", .x = frequency, .y = c.frc.correlation},
      {.name = "½-bit threshold", .x = frequency, .y = c.frc.threshold, .dashed = true}};
  const auto lowest = std::min_element(c.frc.correlation.begin(), c.frc.correlation.end());
  chart.x_range = Range{0, frequency.back()};
  chart.y_range = Range{std::min(0.0, *lowest), 1.03};
  if (const Resolution& r = c.summed.resolution; std::isfinite(r.period) && !r.at_pixel) {
    chart.mark_x = 1 / r.period;
    chart.mark_name = fmt::format("{:.3g} {}", r.period, unit);
  }
  write_picture(path, {chart});
}

}  // namespace

CompareReport compare(const CompareConfig& config, const Print& print) {
  check_folder(config);
  const Result result = read_result(config.result), reference = read_result(config.reference);
  if (result.units != reference.units)
    throw UserError(fmt::format("{} is in {} and {} in {}; a comparison needs both in one unit",
                                config.result, result.units, config.reference, reference.units));
  check_finite(result, config.result);
  check_finite(reference, config.reference);
  CompareReport report;
  report.units = reference.units;
  report.figures = compare_objects(compared(result), compared(reference), available_threads());
  if (!reference.atoms.empty()) report.columns = measure_columns(report.figures, reference);

  print_table(report, reference.pixel_size, print);
  const auto lines = key_values(report);
  for (const std::string& line : lines)
    if (!line.starts_with("slice.")) print(line);
  if (config.folder.empty()) return report;
  const auto name = [&](const char* file) { return (fs::path(config.folder) / file).string(); };
  write_text(name("comparison.txt"), lines);
  draw_phases(report, reference.pixel_size, name("comparison.png"));
  draw_frc(report, reference.pixel_size, name("frc.png"));
  return report;
}

}  // namespace ptyle
