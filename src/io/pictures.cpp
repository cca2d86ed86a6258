// A picture is made in three steps: 1. the panels say how large they are; 2. they are laid out in
// a grid of rows and columns, each as large as its largest panel; 3. they are drawn and the file
// is written under a temporary name, then renamed.

#include "io/pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "io/part_file.hpp"
#include "io/pictures_canvas.hpp"

namespace ptyle {
namespace {

constexpr double margin = 14, gap = 26;

template <class T>
ImagePanel real_panel(View<const T, 2> values, std::string title, std::string quantity,
                      double pixel_size, std::string unit, ColourMap map) {
  ImagePanel panel;
  panel.shape = values.shape;
  panel.values.assign(values.begin(), values.end());
  panel.title = std::move(title);
  panel.quantity = std::move(quantity);
  panel.pixel_size = pixel_size;
  panel.unit = std::move(unit);
  panel.map = map;
  return panel;
}

template <class T>
ImagePanel complex_panel(View<const std::complex<T>, 2> values, std::string title,
                         double pixel_size, std::string unit) {
  ImagePanel panel;
  panel.shape = values.shape;
  for (const auto& v : values) {
    panel.values.push_back(std::abs(v));
    panel.phase.push_back(std::arg(v));
  }
  panel.title = std::move(title);
  panel.pixel_size = pixel_size;
  panel.unit = std::move(unit);
  return panel;
}

}  // namespace

ImagePanel image_panel(View<const double, 2> values, std::string title, std::string quantity,
                       double pixel_size, std::string unit, ColourMap map) {
  return real_panel(values, std::move(title), std::move(quantity), pixel_size, std::move(unit),
                    map);
}

ImagePanel image_panel(View<const float, 2> values, std::string title, std::string quantity,
                       double pixel_size, std::string unit, ColourMap map) {
  return real_panel(values, std::move(title), std::move(quantity), pixel_size, std::move(unit),
                    map);
}

ImagePanel image_panel(View<const std::complex<double>, 2> values, std::string title,
                       double pixel_size, std::string unit) {
  return complex_panel(values, std::move(title), pixel_size, std::move(unit));
}

ImagePanel image_panel(View<const std::complex<float>, 2> values, std::string title,
                       double pixel_size, std::string unit) {
  return complex_panel(values, std::move(title), pixel_size, std::move(unit));
}

Range robust_range(View<const double, 2> values, double low, double high) {
  // Every so many-th value is enough of a large image, and takes less memory.
  const i64 stride = 1 + values.size() / 1'000'000;
  std::vector<double> finite;
  for (i64 i = 0; i < values.size(); i += stride)
    if (std::isfinite(values.data[i])) finite.push_back(values.data[i]);
  if (finite.empty()) return {0, 1};
  const auto fraction = [&](double f) {
    const auto k = static_cast<std::ptrdiff_t>(f * static_cast<double>(finite.size() - 1) + 0.5);
    std::nth_element(finite.begin(), finite.begin() + k, finite.end());
    return finite[static_cast<std::size_t>(k)];
  };
  Range range{fraction(low), fraction(high)};
  // a few bright pixels on a constant ground: the percentiles meet, the extremes do not
  if (!(range.high > range.low)) range = {fraction(0), fraction(1)};
  const double least = 1e-12 * std::max(std::abs(range.low), std::abs(range.high));
  if (range.high - range.low <= least) {
    const double half = range.low == 0 ? 1 : 0.5 * std::abs(range.low);
    return {range.low - half, range.high + half};
  }
  return range;
}

void write_picture(const std::string& path, const std::vector<Panel>& panels,
                   const PictureLayout& layout) {
  const int n = static_cast<int>(panels.size());
  if (n == 0) throw std::invalid_argument("write_picture: no panels");
  const int columns =
      layout.columns > 0 ? std::min(layout.columns, n) : static_cast<int>(std::ceil(std::sqrt(n)));
  const int rows = (n + columns - 1) / columns;
  const int panel_px = layout.panel_px > 0 ? layout.panel_px : n == 1 ? 800 : n == 2 ? 600 : 440;

  std::vector<double> widths(static_cast<std::size_t>(columns)),
      heights(static_cast<std::size_t>(rows));
  for (int i = 0; i < n; ++i) {
    const auto size = std::visit([&](const auto& p) { return draw::measure(p, panel_px); },
                                 panels[static_cast<std::size_t>(i)]);
    double& width = widths[static_cast<std::size_t>(i % columns)];
    double& height = heights[static_cast<std::size_t>(i / columns)];
    width = std::max(width, size.width);
    height = std::max(height, size.height);
  }
  const double top = margin + (layout.title.empty() ? 0 : 34);
  double total_width = 2 * margin + gap * (columns - 1),
         total_height = top + margin + gap * (rows - 1);
  for (const double w : widths) total_width += w;
  for (const double h : heights) total_height += h;

  draw::Canvas canvas(static_cast<int>(std::ceil(total_width)),
                      static_cast<int>(std::ceil(total_height)));
  if (!layout.title.empty())
    canvas.text(total_width / 2, margin + 12, layout.title, draw::Align::middle, 19);
  double y = top;
  for (int row = 0; row < rows; ++row) {
    double x = margin;
    for (int col = 0; col < columns && row * columns + col < n; ++col) {
      std::visit([&](const auto& p) { draw::draw(canvas, x, y, p, panel_px); },
                 panels[static_cast<std::size_t>(row * columns + col)]);
      x += widths[static_cast<std::size_t>(col)] + gap;
    }
    y += heights[static_cast<std::size_t>(row)] + gap;
  }
  PartFile file(path);
  canvas.write(file.name());
  if (const auto error = file.commit())
    throw UserError(
        fmt::format("cannot write the picture {}: {}; choose a name that can be written", path,
                    error.message()));
}

}  // namespace ptyle
