// An image panel: 1. reduce by area mean or enlarge by a whole factor; 2. colour; 3. scale bar,
// circles, colour bar or colour wheel.

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

#include "core/units.hpp"
#include "io/pictures_canvas.hpp"
#include "io/reduced_image.hpp"

namespace ptyle::draw {
namespace {

constexpr double title_height = 26, bar_gap = 12;

template <class T>
std::vector<T> resized(const std::vector<T>& from, const std::array<i64, 2>& shape,
                       const std::array<int, 2>& shown) {
  if (shown[0] < shape[0] || shown[1] < shape[1]) {
    ReducedImage<T> small(shape, {shown[0], shown[1]});
    small.add(0, View<const T, 2>{from.data(), shape});
    return {small.values().begin(), small.values().end()};
  }
  std::vector<T> to;
  to.reserve(static_cast<std::size_t>(shown[0]) * static_cast<std::size_t>(shown[1]));
  for (int r = 0; r < shown[0]; ++r)
    for (int c = 0; c < shown[1]; ++c)
      to.push_back(from[static_cast<std::size_t>(r * shape[0] / shown[0] * shape[1] +
                                                 c * shape[1] / shown[1])]);
  return to;
}

Range range_of(const ImagePanel& panel, const std::vector<double>& values) {
  if (panel.range) return *panel.range;
  const View<const double, 2> view{values.data(), {1, static_cast<i64>(values.size())}};
  if (panel.phase.empty()) return robust_range(view);
  return {0, robust_range(view, 0, 0.9995).high};
}

std::vector<double> log10_of(std::vector<double> values) {
  for (double& v : values) v = v > 0 ? std::log10(v) : std::numeric_limits<double>::quiet_NaN();
  return values;
}

std::vector<Colour> colours_of(const ImagePanel& panel, const std::array<int, 2>& shown,
                               Range range) {
  std::vector<Colour> colours;
  colours.reserve(static_cast<std::size_t>(shown[0]) * static_cast<std::size_t>(shown[1]));
  const auto scaled = [&](double v) { return (v - range.low) / (range.high - range.low); };
  if (panel.phase.empty()) {
    auto values = resized(panel.values, panel.shape, shown);
    for (const double v : values) {
      // on a logarithmic scale, nothing at all is the lowest colour
      const double w = !panel.logarithmic ? v : v > 0 ? std::log10(v) : range.low;
      colours.push_back(colour_at(panel.map, scaled(std::isnan(v) ? v : w)));
    }
    return colours;
  }
  std::vector<std::complex<double>> waves;
  waves.reserve(panel.values.size());
  for (std::size_t i = 0; i < panel.values.size(); ++i)
    waves.push_back(std::polar(panel.values[i], panel.phase[i]));
  for (const auto& v : resized(waves, panel.shape, shown))
    colours.push_back(complex_colour(scaled(std::abs(v)), std::arg(v)));
  return colours;
}

/// A bar of a round length, a quarter to a third of the width, in the lower left corner.
void scale_bar(Canvas& canvas, double x, double y, const std::array<int, 2>& shown,
               const ImagePanel& panel) {
  const double width = static_cast<double>(panel.shape[1]) * panel.pixel_size;
  if (!(width > 0) || panel.unit.empty()) return;
  const double length = round_length(width * 0.3);
  const double px = length / width * shown[1];
  const std::string label = length_label(length, panel.unit);
  const double left = x + 14, bottom = y + shown[0] - 14;
  canvas.rectangle(left - 1.5, bottom - 6.5, px + 3, 8, black, 0.75);
  canvas.rectangle(left, bottom - 5, px, 5, white);
  const double half = std::max(px, canvas.text_width(label)) / 2;
  canvas.text(left + half - (half > px / 2 ? 0 : half - px / 2), bottom - 19, label, Align::middle,
              text_px, 0, white, true);
}

/// The key of a complex image: angle = phase, distance from the centre = amplitude.
void colour_wheel(Canvas& canvas, double x, double y) {
  constexpr int side = 78;
  constexpr double radius = side / 2.0;
  std::vector<Colour> colours;
  for (int r = 0; r < side; ++r)
    for (int c = 0; c < side; ++c) {
      const double dy = radius - (r + 0.5), dx = c + 0.5 - radius,
                   rho = std::hypot(dx, dy) / radius;
      colours.push_back(rho <= 1 ? complex_colour(rho, std::atan2(dy, dx)) : white);
    }
  canvas.pixels(x, y + 20, side, side, colours);
  canvas.text(x + radius, y + 9, "π/2", Align::middle);
  canvas.text(x + radius, y + side + 31, "−π/2", Align::middle);
  canvas.text(x + side + 4, y + 20 + radius, "0");
  canvas.text(x, y + side + 58, "phase: hue", Align::start, 12);
  canvas.text(x, y + side + 75, "amplitude:", Align::start, 12);
  canvas.text(x, y + side + 90, "brightness", Align::start, 12);
}

}  // namespace

Extent measure(const ImagePanel& panel, int panel_px) {
  const auto shown = shown_shape(panel.shape, panel_px);
  return {shown[1] + bar_gap + colour_bar_width, std::max(shown[0], 190) + title_height};
}

void draw(Canvas& canvas, double x, double y, const ImagePanel& panel, int panel_px) {
  const auto shown = shown_shape(panel.shape, panel_px);
  const Range range =
      panel.logarithmic ? range_of(panel, log10_of(panel.values)) : range_of(panel, panel.values);
  canvas.text(x + shown[1] / 2.0, y + 9, panel.title, Align::middle, title_px);
  y += title_height;
  canvas.pixels(x, y, shown[1], shown[0], colours_of(panel, shown, range));
  canvas.frame(x, y, shown[1], shown[0]);
  const double zoom_y = shown[0] / static_cast<double>(panel.shape[0]);
  const double zoom_x = shown[1] / static_cast<double>(panel.shape[1]);
  for (const Circle& c : panel.circles)
    canvas.circle(x + (c.col + 0.5) * zoom_x, y + (c.row + 0.5) * zoom_y, c.radius * zoom_x,
                  {1, 1, 1}, 1.5);
  scale_bar(canvas, x, y, shown, panel);
  if (panel.phase.empty())
    colour_bar(canvas, x + shown[1] + bar_gap, y, shown[0], panel.map, range, panel.logarithmic,
               panel.quantity);
  else
    colour_wheel(canvas, x + shown[1] + bar_gap, y);
}

}  // namespace ptyle::draw
