#include "session/write_result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "core/error.hpp"
#include "io/pictures.hpp"
#include "io/tiff.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

constexpr std::array file_names{"result.h5",          "phase.tif", "phase-sum.png", "slices.png",
                                "absorption-sum.png", "probe.png", "r-factor.png"};

Array<double, 2> summed(View<const float, 3> stack) {
  Array<double, 2> sum({stack.shape[1], stack.shape[2]});
  for (i64 z = 0; z < stack.shape[0]; ++z)
    std::transform(sum.begin(), sum.end(), stack[z].begin(), sum.begin(), std::plus<>());
  return sum;
}

/// The contrast is taken from the scanned area: outside it the object is hardly lit.
Range range_in_scan(View<const double, 2> image, const Result& result) {
  std::vector<double> inside;
  double top = 1e300, bottom = -1e300, left = 1e300, right = -1e300;
  for (const Position& p : result.positions) {
    top = std::min(top, p.row / result.pixel_size);
    bottom = std::max(bottom, p.row / result.pixel_size);
    left = std::min(left, p.col / result.pixel_size);
    right = std::max(right, p.col / result.pixel_size);
  }
  for (i64 y = 0; y < image.shape[0]; ++y)
    for (i64 x = 0; x < image.shape[1]; ++x)
      if (static_cast<double>(y) >= top && static_cast<double>(y) <= bottom &&
          static_cast<double>(x) >= left && static_cast<double>(x) <= right)
        inside.push_back(image(y, x));
  if (inside.size() < 16) return robust_range(image);
  return robust_range({inside.data(), {1, static_cast<i64>(inside.size())}});
}

ImagePanel object_panel(View<const double, 2> image, const Result& result, const std::string& title,
                        const std::string& quantity) {
  ImagePanel panel =
      image_panel(image, title, quantity, result.pixel_size, result.units, ColourMap::gray);
  panel.range = range_in_scan(image, result);
  return panel;
}

void draw_slices(const Result& result, const std::string& path) {
  const i64 n = result.phase.shape()[0];
  std::vector<Panel> panels;
  for (const i64 z : std::set<i64>{0, n / 2, n - 1}) {
    const View<const float, 2> slice = result.phase.view()[z];
    std::string title = fmt::format("slice {} of {}", z + 1, n);
    if (result.slice_thickness > 0)
      title +=
          fmt::format(", {:.4g} to {:.4g} Å deep", static_cast<double>(z) * result.slice_thickness,
                      static_cast<double>(z + 1) * result.slice_thickness);
    const auto image = converted<double>(slice);
    panels.emplace_back(object_panel(image, result, title, "phase (rad)"));
  }
  write_picture(path, panels, {.columns = 3, .panel_px = 500});
}

void draw_probe(const Result& result, const std::string& path) {
  const i64 modes = result.probe.shape()[0];
  std::vector<double> power;
  double total = 0;
  for (i64 m = 0; m < modes; ++m) {
    double sum = 0;
    for (const auto& v : result.probe.view()[m]) sum += std::norm(std::complex<double>(v));
    power.push_back(sum);
    total += sum;
  }
  std::vector<Panel> panels;
  for (i64 m = 0; m < std::min<i64>(modes, 12); ++m) {
    const double share = total > 0 ? 100 * power[static_cast<std::size_t>(m)] / total : 0;
    const std::string title =
        modes == 1 ? "probe" : fmt::format("probe mode {}, {:.3g} % of the power", m + 1, share);
    const View<const Complex<float>, 2> mode = result.probe.view()[m];
    panels.emplace_back(image_panel(mode, title, result.pixel_size, result.units));
  }
  write_picture(path, panels, {.panel_px = modes == 1 ? 560 : 0});
}

void draw_history(const History& history, const std::string& path) {
  ChartPanel chart{.title = "R-factor", .x_label = "iteration", .y_label = "R", .log_y = true};
  const auto add = [&](const std::string& name, const std::vector<double>& values) {
    Curve curve{.name = name, .points = values.size() <= 60};
    for (std::size_t i = 0; i < values.size(); ++i) {
      curve.x.push_back(static_cast<double>(i + 1));
      curve.y.push_back(values[i]);
    }
    if (!values.empty()) chart.curves.push_back(std::move(curve));
  };
  const bool both = !history.r_held_out.empty();
  add(both ? "patterns of the fit" : "", history.r_factor);
  add("patterns held out", history.r_held_out);
  write_picture(path, {chart});
}

}  // namespace

void check_output(const std::string& folder, bool overwrite) {
  const fs::path path = folder.empty() ? "." : folder;
  std::error_code error;
  fs::create_directories(path, error);
  if (!fs::is_directory(path))
    throw UserError(fmt::format(
        "cannot make the output folder {}{}; choose another with output.folder", path.string(),
        error ? " (" + error.message() + ")" : std::string(": a file has that name")));
  if (!overwrite)
    for (const char* name : file_names)
      if (fs::exists(path / name))
        throw UserError(
            fmt::format("{} exists already; choose another output.folder, or say --overwrite "
                        "(output.overwrite: true) to replace it",
                        (path / name).string()));
  const fs::path trial = path / ".ptyle-trial.part";
  const bool writable = static_cast<bool>(std::ofstream(trial) << "trial" << std::flush);
  fs::remove(trial, error);
  if (!writable)
    throw UserError(
        fmt::format("cannot write into the output folder {}; choose another with output.folder",
                    path.string()));
}

void write_outputs(const Result& result, const std::string& folder, const OutputChoice& choice) {
  check_output(folder, choice.overwrite);
  const fs::path path = folder.empty() ? "." : folder;
  const auto name = [&](const char* file) { return (path / file).string(); };
  write_result(name("result.h5"), result, choice.overwrite);
  if (choice.tiff)
    write_tiff(name("phase.tif"), result.phase,
               {result.pixel_size, result.slice_thickness, result.units});
  if (!choice.pictures) return;
  const i64 slices = result.phase.shape()[0];
  const std::string of = slices > 1 ? fmt::format(", sum of {} slices", slices) : "";
  write_picture(name("phase-sum.png"),
                {object_panel(summed(result.phase), result, "phase" + of, "phase (rad)")});
  if (slices > 1) draw_slices(result, name("slices.png"));
  if (!result.absorption.empty())
    write_picture(name("absorption-sum.png"), {object_panel(summed(result.absorption), result,
                                                            "absorption" + of, "absorption")});
  if (!result.probe.empty()) draw_probe(result, name("probe.png"));
  if (!result.history.r_factor.empty()) draw_history(result.history, name("r-factor.png"));
}

}  // namespace ptyle
