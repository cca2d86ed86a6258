#include "session/draw_result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "analysis/hann.hpp"
#include "analysis/scan_extent.hpp"
#include "core/bounds.hpp"
#include "core/units.hpp"
#include "core/waves.hpp"
#include "device/cpu/fft.hpp"
#include "io/pictures.hpp"
#include "io/reduced_image.hpp"
#include "operator/probe.hpp"
#include "physics/electron.hpp"
#include "session/shown_pixel.hpp"

namespace ptyle {
namespace {

using Image = ObjectImages::Image;

/// Pixels of the object that the scan goes over, and `margin` Å (px) around.
Box scanned(const ResultFacts& result, const std::array<i64, 2>& shape, double margin) {
  const Box all{{0, shape[0]}, {0, shape[1]}};
  if (result.positions.empty()) return all;
  const auto [low, high] = bounds_of(result.positions);
  const auto range = [&](double from, double to) {
    return Interval{static_cast<i64>(std::floor((from - margin) / result.pixel_size)),
                    static_cast<i64>(std::ceil((to + margin) / result.pixel_size)) + 1};
  };
  const Box box = intersection({range(low.row, high.row), range(low.col, high.col)}, all);
  return box.rows.size() > 1 && box.cols.size() > 1 ? box : all;
}

/// The part of a reduced image that shows this box of the object.
Box reduced(const Box& box, const Image& image) {
  const auto scale = image.scale();
  const auto range = [](const Interval& r, double pixels, i64 end) {
    return Interval{
        static_cast<i64>(std::floor(static_cast<double>(r.begin) / pixels)),
        std::min(end, static_cast<i64>(std::ceil(static_cast<double>(r.end) / pixels)))};
  };
  const auto& shape = image.values().shape;
  return {range(box.rows, scale[0], shape[0]), range(box.cols, scale[1], shape[1])};
}

Array<double, 2> cut(View<const double, 2> from, const Box& box) {
  Array<double, 2> to({box.rows.size(), box.cols.size()});
  for (i64 y = 0; y < to.shape()[0]; ++y)
    std::copy_n(&from(box.rows.begin + y, box.cols.begin), to.shape()[1], &to(y, 0));
  return to;
}

/// The contrast is taken from the scanned area: outside it the object is hardly illuminated.
std::vector<double> values_in_scan(const Image& image, const ResultFacts& result) {
  const auto inside = cut(image.values(), reduced(scanned(result, image.shape(), 0), image));
  return {inside.begin(), inside.end()};
}

Range range_of(const std::vector<double>& values) {
  return robust_range({values.data(), {1, static_cast<i64>(values.size())}});
}

/// As far around the scan as the probe is wide: half of the windows.
double margin_of(const ResultFacts& result) {
  return result.probe.empty()
             ? 0
             : 0.25 * static_cast<double>(result.probe.shape()[1]) * result.pixel_size;
}

ImagePanel object_panel(View<const double, 2> values, double scale, Range range,
                        const ResultFacts& result, const std::string& title,
                        const std::string& quantity) {
  ImagePanel panel = image_panel(values, title, quantity, result.pixel_size * scale, result.units,
                                 ColourMap::gray);
  panel.range = range;
  return panel;
}

/// The sum of slices in a box.
Array<double, 2> sum_in(const ResultReader& result, const Box& box) {
  Array<double, 2> sum({box.rows.size(), box.cols.size()});
  Array<float, 2> slice(sum.shape());
  for (i64 z = 0; z < result.shape()[0]; ++z) {
    result.phase(z, box, slice);
    std::transform(sum.begin(), sum.end(), slice.begin(), sum.begin(), std::plus<>());
  }
  return sum;
}

/// A square of at most spectrum_field in the middle of a box.
Box square_in(const Box& box) {
  const i64 side = std::min({box.rows.size(), box.cols.size(), spectrum_field});
  const i64 row = box.rows.begin + (box.rows.size() - side) / 2,
            col = box.cols.begin + (box.cols.size() - side) / 2;
  return {{row, row + side}, {col, col + side}};
}

/// |FFT|², DC at [N/2, N/2], of an image less its mean that fades out to its edges (Hann).
Array<double, 2> power_of(View<const double, 2> image) {
  const i64 n = image.shape[0];
  double mean = 0;
  for (const double v : image) mean += v / static_cast<double>(image.size());
  Array<Complex<double>, 2> wave({n, n});
  for (i64 y = 0; y < n; ++y)
    for (i64 x = 0; x < n; ++x) wave(y, x) = (image(y, x) - mean) * hann(y, n) * hann(x, n);
  Fft2<double>(n, n, FftRigor::estimate).forward(wave.data());
  Array<double, 2> power({n, n});
  std::transform(wave.begin(), wave.end(), power.begin(),
                 [](const Complex<double>& v) { return std::norm(v); });
  return centred<double>(std::as_const(power).view());
}

/// The radius, px, that a mode illuminates.
i64 illuminated_radius(View<const Complex<double>, 2> wave) {
  constexpr double dark = 0.02;
  double most = 0;
  for (const auto& v : wave) most = std::max(most, std::abs(v));
  const i64 middle = wave.shape[0] / 2;
  i64 radius = 1;
  for (i64 y = 0; y < wave.shape[0]; ++y)
    for (i64 x = 0; x < wave.shape[1]; ++x)
      if (std::abs(wave(y, x)) > dark * most)
        radius = std::max({radius, std::abs(y - middle), std::abs(x - middle)});
  return radius;
}

/// A mode (centred on [W/2, W/2]) in the aperture plane, its zero frequency at [W/2, W/2].
Array<Complex<double>, 2> in_aperture(View<const Complex<float>, 2> mode) {
  const auto here = converted<Complex<double>, const Complex<float>, 2>(mode);
  auto wave = cornered<Complex<double>>(here.view());
  Fft2<double>(mode.shape[0], mode.shape[1], FftRigor::estimate).forward(wave.data());
  return centred<Complex<double>>(std::as_const(wave).view());
}

std::string title_of_mode(const std::vector<double>& shares, i64 m) {
  return shares.size() == 1 ? "probe"
                            : fmt::format("probe mode {}, {:.3g} % of the power", m + 1,
                                          100 * shares[static_cast<std::size_t>(m)]);
}

ShownPixel detector_pixel(const ResultFacts& result, i64 window) {
  return shown_pixel(result.units != "A",
                     result.energy_kV > 0 ? electron_wavelength(result.energy_kV) : 0,
                     1 / (static_cast<double>(window) * result.pixel_size));
}

}  // namespace

void draw_sum(const Image& image, const ResultFacts& result, const std::string& title,
              const std::string& quantity, const std::string& path) {
  const Box box = scanned(result, image.shape(), margin_of(result));
  const auto part = cut(image.values(), reduced(box, image));
  write_picture(path,
                {object_panel(part.view(), image.scale()[1],
                              range_of(values_in_scan(image, result)), result, title, quantity)},
                {.panel_px = ObjectImages::sum_px});
}

void draw_slices(const std::map<i64, Image>& slices, i64 n, const ResultFacts& result,
                 const std::string& path) {
  std::vector<double> inside;
  for (const auto& [z, slice] : slices) {
    const auto here = values_in_scan(slice, result);
    inside.insert(inside.end(), here.begin(), here.end());
  }
  const Range range = range_of(inside);
  std::vector<Panel> panels;
  for (const auto& [z, slice] : slices) {
    std::string title = fmt::format("slice {} of {}", z + 1, n);
    if (result.slice_thickness > 0)
      title +=
          fmt::format(", {:.4g} to {:.4g} Å deep", static_cast<double>(z) * result.slice_thickness,
                      static_cast<double>(z + 1) * result.slice_thickness);
    panels.emplace_back(
        object_panel(slice.values(), slice.scale()[1], range, result, title, "phase (rad)"));
  }
  write_picture(path, panels, {.columns = 3, .panel_px = ObjectImages::slice_px});
}

void draw_spectrum(const ResultReader& result, const std::string& path) {
  const ResultFacts& facts = result.facts();
  const auto& shape = result.shape();
  const Box field = square_in(scanned(facts, {shape[1], shape[2]}, 0));
  const auto power = power_of(sum_in(result, field).view());
  const bool px = facts.units != "A";
  ImagePanel panel = image_panel(
      power.view(), "power spectrum of the summed phase, middle of the scan", "power",
      px ? 1 : 1 / (static_cast<double>(field.rows.size()) * facts.pixel_size), px ? "px" : "1/A");
  panel.logarithmic = true;
  write_picture(path, {panel}, {.panel_px = spectrum_px});
}

void draw_depth(const ResultReader& result, const std::string& path) {
  const ResultFacts& facts = result.facts();
  const auto& [slices, rows, cols] = result.shape();
  const Box area = scanned(facts, {rows, cols}, 0);
  const i64 row = (area.rows.begin + area.rows.end) / 2;
  const i64 tall = std::max<i64>(
      1, std::llround((facts.slice_thickness > 0 ? facts.slice_thickness : facts.pixel_size) /
                      facts.pixel_size));
  Array<float, 2> line({1, area.cols.size()});
  const std::array<i64, 2> whole{slices * tall, area.cols.size()};
  Image section(whole, reduced_shape(whole, ObjectImages::sum_px));
  for (i64 z = 0; z < slices; ++z) {
    result.phase(z, {{row, row + 1}, area.cols}, line);
    for (i64 k = 0; k < tall; ++k) section.add(z * tall + k, std::as_const(line).view());
  }
  const std::string title =
      fmt::format("all {} slices along the row at {:.4g} {}, beam downwards", slices,
                  static_cast<double>(row) * facts.pixel_size, facts.units == "A" ? "Å" : "px");
  const ImagePanel panel =
      image_panel(section.values(), title, "phase (rad)", facts.pixel_size * section.scale()[1],
                  facts.units, ColourMap::gray);
  write_picture(path, {panel}, {.panel_px = ObjectImages::sum_px});
}

void draw_probe(const ResultFacts& result, const std::string& path) {
  const i64 modes = result.probe.shape()[0];
  const std::vector<double> shares = shares_of_power<float>(result.probe);
  std::vector<Panel> panels;
  const int px = probe_px(modes);
  for (i64 m = 0; m < std::min(modes, modes_drawn); ++m) {
    const View<const Complex<float>, 2> mode = result.probe.view()[m];
    ReducedImage<Complex<double>> image(mode.shape, reduced_shape(mode.shape, px));
    image.add(0, mode);
    panels.emplace_back(image_panel(image.values(), title_of_mode(shares, m),
                                    result.pixel_size * image.scale()[1], result.units));
  }
  write_picture(path, panels, {.panel_px = px});
}

void draw_aperture(const ResultFacts& result, const std::string& path) {
  const i64 modes = result.probe.shape()[0], window = result.probe.shape()[1];
  const std::vector<double> shares = shares_of_power<float>(result.probe);
  const auto [unit, pixel] = detector_pixel(result, window);
  std::vector<Panel> panels;
  i64 radius = 0;
  for (i64 m = 0; m < std::min(modes, modes_drawn); ++m) {
    const auto wave = in_aperture(result.probe.view()[m]);
    if (m == 0) radius = std::min(window / 2 - 1, illuminated_radius(wave) * 5 / 4 + 2);
    const i64 side = 2 * radius + 1, from = window / 2 - radius;
    Array<Complex<double>, 2> part({side, side});
    for (i64 y = 0; y < side; ++y) std::copy_n(&wave(from + y, from), side, &part(y, 0));
    panels.emplace_back(image_panel(std::as_const(part).view(),
                                    title_of_mode(shares, m) + ", aperture plane", pixel, unit));
  }
  write_picture(path, panels, {.panel_px = probe_px(modes)});
}

void draw_patterns(const ResultFacts& result, const std::string& path) {
  const auto& [count, kinds, rows, cols] = result.patterns.shape();
  const auto [unit, pixel] = detector_pixel(result, cols);
  std::vector<Panel> panels(static_cast<std::size_t>(2 * count));
  for (i64 i = 0; i < count; ++i) {
    std::optional<Range> range;  // of the model, which has no noise
    for (const i64 kind : {1, 0}) {
      const View<const float, 2> pattern = result.patterns.view()[i][kind];
      ReducedImage<double> image(pattern.shape, reduced_shape(pattern.shape, pattern_px));
      image.add(0, pattern);
      const std::string title =
          kind == 0 ? fmt::format("pattern {}, measured",
                                  result.position_numbers.empty()
                                      ? result.pattern_rows[static_cast<std::size_t>(i)]
                                      : result.position_numbers[static_cast<std::size_t>(
                                            result.pattern_rows[static_cast<std::size_t>(i)])])
                    : "the model's";
      ImagePanel panel =
          image_panel(image.values(), title, "counts", pixel * image.scale()[1], unit);
      if (!range) {
        const auto [low, high] = robust_range(image.values(), 0.3, 0.998);
        range = Range{std::log10(std::max(low, 1e-4 * high)), std::log10(high)};
      }
      panel.logarithmic = true;
      panel.range = range;
      panels[static_cast<std::size_t>(kind * count + i)] = std::move(panel);
    }
  }
  write_picture(path, panels, {.columns = static_cast<int>(count), .panel_px = pattern_px});
}

void draw_history(const History& history, const std::string& path) {
  ChartPanel chart{.title = "R-factor",
                   .x_label = "iteration",
                   .y_label = "R = Σ(√I − √y)² / Σy  (I: model, y: counts)",
                   .log_y = true};
  const auto add = [&](const std::string& name, const std::vector<double>& values) {
    Curve curve{.name = name, .points = values.size() <= 60};
    for (std::size_t i = 0; i < values.size(); ++i) {
      curve.x.push_back(static_cast<double>(i + 1));
      curve.y.push_back(values[i]);
    }
    if (!values.empty()) chart.curves.push_back(std::move(curve));
  };
  const bool alone = history.r_held_out.empty() && history.r_held_out_pixels.empty();
  add(alone ? "" : "fitted", history.r_factor);
  add("held-out patterns", history.r_held_out);
  add("held-out detector pixels", history.r_held_out_pixels);
  write_picture(path, {chart});
}

void draw_ranks(const std::vector<RankFigure>& ranks, const std::string& path) {
  BarPanel bars{.title = "time of each rank", .x_label = "rank", .y_label = "time (s)"};
  for (const char* name : {"computing", "waiting", "communicating", "reading", "other"})
    for (const RankFigure& figure : ranks)
      if (figure.name == name && figure.values.size() > 1)
        bars.parts.push_back({figure.name, figure.values});
  if (!bars.parts.empty()) write_picture(path, {bars});
}

void draw_positions(const ResultFacts& result, const std::string& path) {
  const auto &from = result.positions_start, &to = result.positions;
  ScatterPanel panel{.points = from,
                     .quantity = fmt::format("moved by ({})", result.units == "A" ? "Å" : "px"),
                     .unit = result.units};
  double farthest = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    panel.moves.push_back({to[i].row - from[i].row, to[i].col - from[i].col});
    panel.values.push_back(std::hypot(panel.moves[i].row, panel.moves[i].col));
    farthest = std::max(farthest, panel.values[i]);
  }
  const double step = scan_extent(from).step;
  if (farthest > 0 && step > 0) panel.magnified = std::max(1.0, std::round(2 * step / farthest));
  panel.range = Range{0, farthest > 0 ? farthest : 1};
  panel.title = panel.magnified > 1
                    ? fmt::format("positions moved, drawn {:.0f} times as far", panel.magnified)
                    : "positions moved";
  write_picture(path, {panel});
}

}  // namespace ptyle
