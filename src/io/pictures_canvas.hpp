#pragma once

// Inside io/pictures only: cairo behind a few calls, and what all panels share.

#include <cairo.h>

#include <string>
#include <vector>

#include "io/pictures.hpp"

namespace ptyle::draw {

struct Extent {
  double width = 0, height = 0;
};

enum class Align { start, middle, end };

inline constexpr Colour black{0.1, 0.1, 0.1}, white{1, 1, 1}, pale{0.86, 0.86, 0.86};
inline constexpr double text_px = 14, title_px = 16;

/// A white surface of width × height px. Every call is checked; errors are thrown.
class Canvas {
 public:
  Canvas(int width, int height);
  ~Canvas();
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;

  /// Text at (x, y), which is its start, middle or end and its vertical middle; angle in rad.
  void text(double x, double y, const std::string& s, Align align = Align::start,
            double size = text_px, double angle = 0, Colour colour = black, bool halo = false);
  [[nodiscard]] double text_width(const std::string& s, double size = text_px);
  void rectangle(double x, double y, double width, double height, Colour fill, double opacity = 1);
  void frame(double x, double y, double width, double height);
  void line(double x0, double y0, double x1, double y1, Colour colour, double width = 1,
            bool dashed = false);
  void dot(double x, double y, double radius, Colour colour);
  void circle(double x, double y, double radius, Colour colour, double width);
  /// Pixels of width × height colours, unscaled, at (x, y).
  void pixels(double x, double y, int width, int height, const std::vector<Colour>& colours);
  /// A line through points, broken where x or y is not finite, cut at the rectangle.
  void polyline(const std::vector<double>& x, const std::vector<double>& y, Colour colour,
                bool dashed, const std::array<double, 4>& clip);
  void write(const std::string& path);

 private:
  void check(const char* what) const;
  void source(Colour c, double opacity = 1);
  cairo_surface_t* surface_ = nullptr;
  cairo_t* cairo_ = nullptr;
};

/// Labels with as many decimals as their distance needs.
std::vector<std::string> tick_labels(const std::vector<double>& at);
/// 10 to an integer power, with raised digits.
std::string power_of_ten(int exponent);
/// A length with its unit as a microscopist writes it: "5 Å", "20 nm", "0.5 Å⁻¹".
std::string length_label(double length, const std::string& unit);
/// The name of a unit for an axis: "Å", "Å⁻¹", "px".
std::string unit_name(const std::string& unit);

/// A colour bar of the given height at (x, y); `logarithmic`: the range is of log10.
void colour_bar(Canvas& canvas, double x, double y, double height, ColourMap map, Range range,
                bool logarithmic, const std::string& quantity);
inline constexpr double colour_bar_width = 105;  ///< with labels and quantity

Extent measure(const ImagePanel& panel, int panel_px);
Extent measure(const ChartPanel& panel, int panel_px);
Extent measure(const ScatterPanel& panel, int panel_px);
Extent measure(const BarPanel& panel, int panel_px);
void draw(Canvas& canvas, double x, double y, const ImagePanel& panel, int panel_px);
void draw(Canvas& canvas, double x, double y, const ChartPanel& panel, int panel_px);
void draw(Canvas& canvas, double x, double y, const ScatterPanel& panel, int panel_px);
void draw(Canvas& canvas, double x, double y, const BarPanel& panel, int panel_px);

}  // namespace ptyle::draw
