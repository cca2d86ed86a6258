// Charts of curves, scatters of points and stacked bars: axes with round ticks, then the data.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/bounds.hpp"
#include "core/units.hpp"
#include "io/pictures_canvas.hpp"

namespace ptyle::draw {
namespace {

constexpr double title_height = 26, left_margin = 82, bottom_margin = 54, right_margin = 14;

/// One axis: from the user's range to a stretch of the picture.
struct Axis {
  Range range;
  bool logarithmic = false;
  double from = 0, to = 1;  ///< px

  [[nodiscard]] double at(double v) const {
    const auto f = [&](double u) { return logarithmic ? std::log10(u) : u; };
    if (logarithmic && !(v > 0)) return std::numeric_limits<double>::quiet_NaN();
    return from + (f(v) - f(range.low)) / (f(range.high) - f(range.low)) * (to - from);
  }
};

struct Mark {
  double value;
  std::string label;  ///< empty: a minor tick
};

std::vector<Mark> marks_of(const Axis& axis) {
  std::vector<Mark> marks;
  const auto plain = [&](int about) {
    const auto at = ticks(axis.range.low, axis.range.high, about);
    const auto labels = tick_labels(at);
    for (std::size_t i = 0; i < at.size(); ++i) marks.push_back({at[i], labels[i]});
  };
  const int about = std::clamp(static_cast<int>(std::abs(axis.to - axis.from) / 55), 2, 10);
  if (!axis.logarithmic || axis.range.high / axis.range.low < 8) {
    plain(about);
    return marks;
  }
  const int low = static_cast<int>(std::floor(std::log10(axis.range.low)));
  const int high = static_cast<int>(std::ceil(std::log10(axis.range.high)));
  const int every = 1 + (high - low) / 9;
  for (int decade = low; decade <= high; ++decade)
    for (int lead = 1; lead <= 9; ++lead) {
      const double v = lead * std::pow(10, decade);
      if (v < axis.range.low * (1 - 1e-9) || v > axis.range.high * (1 + 1e-9)) continue;
      const bool labelled = lead == 1 && decade % every == 0;
      if (labelled || every == 1) marks.push_back({v, labelled ? power_of_ten(decade) : ""});
    }
  return marks;
}

/// The frame, ticks and grid lines; x0, y0 = upper left corner of the plotting area.
void draw_axes(Canvas& canvas, const Axis& x, const Axis& y, const std::string& x_label,
               const std::string& y_label, bool grid) {
  const double left = x.from, right = x.to, top = std::min(y.from, y.to),
               bottom = std::max(y.from, y.to);
  for (const Mark& m : marks_of(x)) {
    const double px = std::round(x.at(m.value)) + 0.5;
    if (grid && !m.label.empty()) canvas.line(px, top, px, bottom, pale);
    canvas.line(px, bottom, px, bottom + (m.label.empty() ? 3 : 6), black);
    canvas.text(px, bottom + 16, m.label, Align::middle);
  }
  for (const Mark& m : marks_of(y)) {
    const double py = std::round(y.at(m.value)) + 0.5;
    if (grid && !m.label.empty()) canvas.line(left, py, right, py, pale);
    canvas.line(left - (m.label.empty() ? 3 : 6), py, left, py, black);
    canvas.text(left - 9, py, m.label, Align::end);
  }
  canvas.text((left + right) / 2, bottom + 40, x_label, Align::middle, 15);
  canvas.text(left - 66, (top + bottom) / 2, y_label, Align::middle, 15, -pi / 2);
  canvas.frame(left, top, right - left, bottom - top);
}

Range chart_range(const ChartPanel& panel, bool of_x) {
  const auto& given = of_x ? panel.x_range : panel.y_range;
  if (given) return *given;
  const bool logarithmic = of_x ? panel.log_x : panel.log_y;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Curve& c : panel.curves)
    for (const double v : of_x ? c.x : c.y)
      if (std::isfinite(v) && (!logarithmic || v > 0)) {
        low = std::min(low, v);
        high = std::max(high, v);
      }
  if (low > high) return logarithmic ? Range{0.1, 1} : Range{0, 1};
  if (logarithmic) return low < high ? Range{low * 0.9, high * 1.1} : Range{low / 2, high * 2};
  if (!(low < high)) return {low - 1, high + 1};
  const double room = of_x ? 0 : 0.04 * (high - low);
  return {low - room, high + room};
}

void legend(Canvas& canvas, const ChartPanel& panel, double right, double top) {
  double width = 0, rows = 0;
  for (const Curve& c : panel.curves)
    if (!c.name.empty()) {
      width = std::max(width, canvas.text_width(c.name));
      ++rows;
    }
  if (rows == 0) return;
  const double x = right - width - 58, y = top + 8;
  canvas.rectangle(x, y, width + 50, rows * 21 + 8, white, 0.85);
  double at = y + 15;
  for (std::size_t i = 0; i < panel.curves.size(); ++i) {
    const Curve& c = panel.curves[i];
    if (c.name.empty()) continue;
    const Colour colour = curve_colour(static_cast<int>(i));
    canvas.line(x + 6, at, x + 34, at, colour, 2, c.dashed);
    if (c.points) canvas.dot(x + 20, at, 3.5, colour);
    canvas.text(x + 41, at, c.name);
    at += 21;
  }
}

}  // namespace

Extent measure(const ChartPanel&, int panel_px) {
  return {panel_px + left_margin + right_margin, panel_px * 0.62 + title_height + bottom_margin};
}

void draw(Canvas& canvas, double x, double y, const ChartPanel& panel, int panel_px) {
  const double left = x + left_margin, top = y + title_height, height = std::round(panel_px * 0.62);
  const Axis ax{chart_range(panel, true), panel.log_x, left, left + panel_px};
  const Axis ay{chart_range(panel, false), panel.log_y, top + height, top};
  canvas.text(left + panel_px / 2.0, y + 9, panel.title, Align::middle, title_px);
  draw_axes(canvas, ax, ay, panel.x_label, panel.y_label, true);
  const std::array<double, 4> clip{left, top, static_cast<double>(panel_px), height};
  for (std::size_t i = 0; i < panel.curves.size(); ++i) {
    const Curve& c = panel.curves[i];
    std::vector<double> px, py;
    for (std::size_t k = 0; k < std::min(c.x.size(), c.y.size()); ++k) {
      px.push_back(ax.at(c.x[k]));
      py.push_back(ay.at(c.y[k]));
    }
    const Colour colour = curve_colour(static_cast<int>(i));
    canvas.polyline(px, py, colour, c.dashed, clip);
    for (std::size_t k = 0; c.points && k < px.size(); ++k)
      if (std::isfinite(px[k]) && py[k] >= top && py[k] <= top + height)
        canvas.dot(px[k], py[k], 3.5, colour);
  }
  if (panel.mark_x && ax.at(*panel.mark_x) >= left && ax.at(*panel.mark_x) <= left + panel_px) {
    const double px = ax.at(*panel.mark_x);
    canvas.line(px, top, px, top + height, black, 1.5, true);
    const bool room = px + 10 + canvas.text_width(panel.mark_name) < left + panel_px;
    canvas.text(room ? px + 7 : px - 7, top + height - 16, panel.mark_name,
                room ? Align::start : Align::end);
  }
  legend(canvas, panel, left + panel_px, top);
}

namespace {

/// The points with a margin of 5 % of the longer side.
Bounds bounds_with_margin(const ScatterPanel& panel) {
  if (panel.points.empty()) return {{-1, -1}, {1, 1}};
  Bounds b = bounds_of(panel.points);
  const double longer = std::max(b.rows(), b.cols()), room = longer > 0 ? 0.05 * longer : 1;
  b.low = {b.low.row - room, b.low.col - room};
  b.high = {b.high.row + room, b.high.col + room};
  return b;
}

Extent scatter_area(const Bounds& b, int panel_px) {
  const double zoom = panel_px / std::max(b.rows(), b.cols());
  return {std::max(60.0, std::round(b.cols() * zoom)), std::max(60.0, std::round(b.rows() * zoom))};
}

}  // namespace

Extent measure(const ScatterPanel& panel, int panel_px) {
  const auto area = scatter_area(bounds_with_margin(panel), panel_px);
  return {left_margin + area.width + (panel.values.empty() ? right_margin : 12 + colour_bar_width),
          area.height + title_height + bottom_margin};
}

void draw(Canvas& canvas, double x, double y, const ScatterPanel& panel, int panel_px) {
  const Bounds b = bounds_with_margin(panel);
  const auto area = scatter_area(b, panel_px);
  const double left = x + left_margin, top = y + title_height;
  const Axis ax{{b.low.col, b.high.col}, false, left, left + area.width};
  const Axis ay{{b.low.row, b.high.row}, false, top, top + area.height};
  const std::string unit = unit_name(panel.unit);
  canvas.text(left + area.width / 2, y + 9, panel.title, Align::middle, title_px);
  draw_axes(canvas, ax, ay, "column (" + unit + ")", "row (" + unit + ")", false);
  const bool coloured = panel.values.size() == panel.points.size() && !panel.values.empty();
  const View<const double, 2> values{panel.values.data(),
                                     {1, static_cast<i64>(panel.values.size())}};
  const Range range = panel.range ? *panel.range : coloured ? robust_range(values) : Range{};
  const double each = area.width * area.height / static_cast<double>(panel.points.size() + 1);
  const bool moves = panel.moves.size() == panel.points.size();
  const double radius = std::clamp((moves ? 0.12 : 0.38) * std::sqrt(each), 0.8, moves ? 2.0 : 7.0);
  for (std::size_t i = 0; i < panel.points.size(); ++i) {
    const double px = ax.at(panel.points[i].col), py = ay.at(panel.points[i].row);
    if (!std::isfinite(px) || !std::isfinite(py)) continue;
    const double t = coloured ? (panel.values[i] - range.low) / (range.high - range.low) : 0;
    const Colour colour = coloured ? colour_at(panel.map, t) : curve_colour(0);
    canvas.dot(px, py, radius, colour);
    if (moves)
      canvas.line(px, py, ax.at(panel.points[i].col + panel.magnified * panel.moves[i].col),
                  ay.at(panel.points[i].row + panel.magnified * panel.moves[i].row), colour);
  }
  if (coloured)
    colour_bar(canvas, left + area.width + 12, top, area.height, panel.map, range, false,
               panel.quantity);
}

namespace {

constexpr double key_height = 24;

/// values[column][part] of the picture's columns, each the mean of the bars that fall into it.
std::vector<std::vector<double>> bar_columns(const BarPanel& panel, std::size_t bars,
                                             std::size_t most) {
  const std::size_t columns = std::min(bars, most);
  std::vector<std::vector<double>> out(columns, std::vector<double>(panel.parts.size()));
  for (std::size_t c = 0; c < columns; ++c) {
    const std::size_t first = c * bars / columns, last = (c + 1) * bars / columns;
    for (std::size_t p = 0; p < panel.parts.size(); ++p) {
      const auto& values = panel.parts[p].values;
      for (std::size_t b = first; b < std::min(last, values.size()); ++b)
        if (values[b] > 0) out[c][p] += values[b] / static_cast<double>(last - first);
    }
  }
  return out;
}

/// Names of the parts with their colours, in a row above the plot.
void bar_key(Canvas& canvas, const BarPanel& panel, double x, double y) {
  for (std::size_t p = 0; p < panel.parts.size(); ++p) {
    canvas.rectangle(x, y - 6, 12, 12, curve_colour(static_cast<int>(p)));
    canvas.text(x + 18, y, panel.parts[p].name);
    x += 18 + canvas.text_width(panel.parts[p].name) + 22;
  }
}

}  // namespace

Extent measure(const BarPanel&, int panel_px) {
  return {panel_px + left_margin + right_margin,
          panel_px * 0.62 + title_height + key_height + bottom_margin};
}

void draw(Canvas& canvas, double x, double y, const BarPanel& panel, int panel_px) {
  const double left = x + left_margin, top = y + title_height + key_height,
               height = std::round(panel_px * 0.62);
  std::size_t bars = 0;
  for (const auto& part : panel.parts) bars = std::max(bars, part.values.size());
  const auto columns = bar_columns(panel, bars, static_cast<std::size_t>(panel_px));
  double highest = 0;
  for (const auto& parts : columns)
    highest = std::max(highest, std::accumulate(parts.begin(), parts.end(), 0.0));
  // Bar i stands from i − ½ to i + ½.
  const Axis ax{
      {-0.5, std::max(1.0, static_cast<double>(bars)) - 0.5}, false, left, left + panel_px};
  const Axis ay{{0, highest > 0 ? 1.04 * highest : 1}, false, top + height, top};
  canvas.text(left + panel_px / 2.0, y + 9, panel.title, Align::middle, title_px);
  bar_key(canvas, panel, left, y + title_height + key_height / 2 - 2);
  const double each = static_cast<double>(panel_px) / static_cast<double>(columns.size());
  const double gap = bars > 64 ? 0 : 0.1 * each;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    // whole pixels, or a blend with the ground would show between neighbours
    const double from = left + std::round(static_cast<double>(c) * each + gap),
                 width = left + std::round(static_cast<double>(c + 1) * each - gap) - from;
    double below = 0;
    for (std::size_t p = 0; p < columns[c].size(); ++p) {
      const double upper = below + columns[c][p];
      canvas.rectangle(from, ay.at(upper), width, ay.at(below) - ay.at(upper),
                       curve_colour(static_cast<int>(p)));
      below = upper;
    }
  }
  draw_axes(canvas, ax, ay, panel.x_label, panel.y_label, false);
}

}  // namespace ptyle::draw
