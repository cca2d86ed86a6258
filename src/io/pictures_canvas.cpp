#include "io/pictures_canvas.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>

#include "core/error.hpp"
#include "core/units.hpp"

namespace ptyle::draw {

Canvas::Canvas(int width, int height)
    : surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height)),
      cairo_(cairo_create(surface_)) {
  try {
    check("make a surface");
  } catch (...) {
    cairo_destroy(cairo_);
    cairo_surface_destroy(surface_);
    throw;
  }
  cairo_select_font_face(cairo_, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  rectangle(0, 0, width, height, white);
}

Canvas::~Canvas() {
  cairo_destroy(cairo_);
  cairo_surface_destroy(surface_);
}

void Canvas::check(const char* what) const {
  cairo_status_t status = cairo_status(cairo_);
  if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_status(surface_);
  if (status != CAIRO_STATUS_SUCCESS)
    throw std::runtime_error(
        fmt::format("cairo could not {}: {}", what, cairo_status_to_string(status)));
}

void Canvas::source(Colour c, double opacity) {
  cairo_set_source_rgba(cairo_, c.r, c.g, c.b, opacity);
}

double Canvas::text_width(const std::string& s, double size) {
  cairo_text_extents_t extents;
  cairo_set_font_size(cairo_, size);
  cairo_text_extents(cairo_, s.c_str(), &extents);
  check("measure text");
  return extents.x_advance;
}

void Canvas::text(double x, double y, const std::string& s, Align align, double size, double angle,
                  Colour colour, bool halo) {
  const double width = text_width(s, size);
  cairo_save(cairo_);
  cairo_translate(cairo_, x, y);
  cairo_rotate(cairo_, angle);
  // 0.36 of the size: half the height of a capital of DejaVu Sans
  cairo_move_to(cairo_,
                align == Align::start    ? 0
                : align == Align::middle ? -width / 2
                                         : -width,
                0.36 * size);
  if (halo) {
    cairo_text_path(cairo_, s.c_str());
    source(black, 0.75);
    cairo_set_line_width(cairo_, 3.5);
    cairo_set_line_join(cairo_, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke_preserve(cairo_);
    source(colour);
    cairo_fill(cairo_);
  } else {
    source(colour);
    cairo_show_text(cairo_, s.c_str());
  }
  cairo_restore(cairo_);
  check("draw text");
}

void Canvas::rectangle(double x, double y, double width, double height, Colour fill,
                       double opacity) {
  source(fill, opacity);
  cairo_rectangle(cairo_, x, y, width, height);
  cairo_fill(cairo_);
  check("fill a rectangle");
}

void Canvas::frame(double x, double y, double width, double height) {
  source(black);
  cairo_set_line_width(cairo_, 1);
  cairo_rectangle(cairo_, x - 0.5, y - 0.5, width + 1, height + 1);
  cairo_stroke(cairo_);
  check("draw a frame");
}

void Canvas::line(double x0, double y0, double x1, double y1, Colour colour, double width,
                  bool dashed) {
  const std::array<double, 2> dash{6, 4};
  source(colour);
  cairo_set_line_width(cairo_, width);
  cairo_set_dash(cairo_, dash.data(), dashed ? 2 : 0, 0);
  cairo_move_to(cairo_, x0, y0);
  cairo_line_to(cairo_, x1, y1);
  cairo_stroke(cairo_);
  cairo_set_dash(cairo_, dash.data(), 0, 0);
  check("draw a line");
}

void Canvas::dot(double x, double y, double radius, Colour colour) {
  source(colour);
  cairo_arc(cairo_, x, y, radius, 0, 2 * pi);
  cairo_fill(cairo_);
  check("draw a dot");
}

void Canvas::circle(double x, double y, double radius, Colour colour, double width) {
  source(colour);
  cairo_set_line_width(cairo_, width);
  cairo_new_path(cairo_);
  cairo_arc(cairo_, x, y, radius, 0, 2 * pi);
  cairo_stroke(cairo_);
  check("draw a circle");
}

void Canvas::pixels(double x, double y, int width, int height, const std::vector<Colour>& colours) {
  cairo_surface_t* image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
  cairo_surface_flush(image);
  unsigned char* bytes = cairo_image_surface_get_data(image);
  if (bytes) {
    const int stride = cairo_image_surface_get_stride(image);
    for (int row = 0; row < height; ++row) {
      auto* out =
          reinterpret_cast<std::uint32_t*>(bytes + static_cast<std::ptrdiff_t>(row) * stride);
      for (int col = 0; col < width; ++col) {
        const Colour& c = colours[static_cast<std::size_t>(row) * static_cast<std::size_t>(width) +
                                  static_cast<std::size_t>(col)];
        const auto byte = [](double v) { return static_cast<std::uint32_t>(std::lround(v * 255)); };
        out[col] = byte(c.r) << 16 | byte(c.g) << 8 | byte(c.b);
      }
    }
    cairo_surface_mark_dirty(image);
  }
  cairo_set_source_surface(cairo_, image, x, y);
  cairo_pattern_set_filter(cairo_get_source(cairo_), CAIRO_FILTER_NEAREST);
  cairo_rectangle(cairo_, x, y, width, height);
  cairo_fill(cairo_);
  cairo_surface_destroy(image);
  check("draw an image");
}

void Canvas::polyline(const std::vector<double>& x, const std::vector<double>& y, Colour colour,
                      bool dashed, const std::array<double, 4>& clip) {
  const std::array<double, 2> dash{7, 4};
  cairo_save(cairo_);
  cairo_rectangle(cairo_, clip[0], clip[1], clip[2], clip[3]);
  cairo_clip(cairo_);
  source(colour);
  cairo_set_line_width(cairo_, 2);
  cairo_set_line_join(cairo_, CAIRO_LINE_JOIN_ROUND);
  cairo_set_dash(cairo_, dash.data(), dashed ? 2 : 0, 0);
  bool pen_down = false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool finite = std::isfinite(x[i]) && std::isfinite(y[i]);
    if (finite && pen_down) cairo_line_to(cairo_, x[i], y[i]);
    if (finite && !pen_down) cairo_move_to(cairo_, x[i], y[i]);
    pen_down = finite;
  }
  cairo_stroke(cairo_);
  cairo_restore(cairo_);
  check("draw a curve");
}

void Canvas::write(const std::string& path) {
  cairo_surface_flush(surface_);
  check("finish the picture");
  const cairo_status_t status = cairo_surface_write_to_png(surface_, path.c_str());
  if (status != CAIRO_STATUS_SUCCESS)
    throw UserError(
        fmt::format("cannot write the picture {}: {}; choose a folder that can be written", path,
                    cairo_status_to_string(status)));
}

std::string power_of_ten(int exponent) {
  static const std::array<const char*, 10> raised{"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string s = "10";
  if (exponent < 0) s += "⁻";
  for (const char digit : std::to_string(std::abs(exponent)))
    s += raised[static_cast<std::size_t>(digit - '0')];
  return s;
}

std::vector<std::string> tick_labels(const std::vector<double>& at) {
  std::vector<std::string> labels;
  double largest = 0;
  for (const double v : at) largest = std::max(largest, std::abs(v));
  const double step = at.size() > 1 ? at[1] - at[0] : largest;
  const int decade = largest > 0 ? static_cast<int>(std::floor(std::log10(largest) + 1e-9)) : 0;
  const bool powers = decade >= 5 || decade <= -4;
  const double scale = powers ? std::pow(10, decade) : 1;
  const int decimals =
      step > 0 ? std::clamp(static_cast<int>(-std::floor(std::log10(step / scale) + 1e-9)), 0, 6)
               : 0;
  for (const double v : at) {
    std::string label = fmt::format("{:.{}f}", v / scale, decimals);
    if (label.starts_with('-')) label = "−" + label.substr(1);
    if (powers && v != 0) label += "·" + power_of_ten(decade);
    labels.push_back(label);
  }
  return labels;
}

std::string unit_name(const std::string& unit) {
  return unit == "A" ? "Å" : unit == "1/A" ? "Å⁻¹" : unit;
}

std::string length_label(double length, const std::string& unit) {
  if (unit == "A" && length >= 9999) return fmt::format("{:g} µm", length * 1e-4);
  if (unit == "A" && length >= 29) return fmt::format("{:g} nm", length * 0.1);
  return fmt::format("{:g} {}", length, unit_name(unit));
}

void colour_bar(Canvas& canvas, double x, double y, double height, ColourMap map, Range range,
                bool logarithmic, const std::string& quantity) {
  constexpr int width = 16;
  const int rows = std::max(1, static_cast<int>(height));
  std::vector<Colour> colours;
  for (int row = 0; row < rows; ++row)
    colours.insert(colours.end(), width, colour_at(map, 1 - (row + 0.5) / rows));
  canvas.pixels(x, y, width, rows, colours);
  canvas.frame(x, y, width, rows);

  auto at = ticks(range.low, range.high, std::clamp(rows / 50, 2, 8));
  std::vector<std::string> labels = tick_labels(at);
  if (logarithmic) {
    std::erase_if(at, [](double v) { return v != std::round(v); });
    labels.clear();
    for (const double v : at) labels.push_back(power_of_ten(static_cast<int>(v)));
  }
  double widest = 0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const double t = (at[i] - range.low) / (range.high - range.low);
    const double ty = std::round(y + rows * (1 - t)) - 0.5;
    canvas.line(x + width, ty, x + width + 5, ty, black);
    canvas.text(x + width + 8, ty, labels[i]);
    widest = std::max(widest, canvas.text_width(labels[i]));
  }
  canvas.text(x + width + 8 + widest + 14, y + rows / 2.0, quantity, Align::middle, text_px,
              -pi / 2);
}

}  // namespace ptyle::draw
