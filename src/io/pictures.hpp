#pragma once

// Pictures (PNG) of images, curves and scan positions, drawn with cairo.
//
//   write_picture("phase.png", {image_panel(phase, "summed phase", "phase (rad)", 0.1, "A")});
//
// A picture is a grid of panels, each an image, a chart or a scatter of points.

#include <complex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "io/colour.hpp"

namespace ptyle {

struct Range {
  double low = 0, high = 1;
};

/// The range between two fractions of the finite values (of a million of them; default: all but 0.2
/// % at either end, so that one hot pixel does not darken the rest). Never empty: a constant image
/// gets a range about it.
Range robust_range(View<const double, 2> values, double low = 0.002, double high = 0.998);

/// A circle drawn over an image, e.g. the bright-field disc; image pixels, (0, 0) = centre of the
/// first.
struct Circle {
  double row = 0, col = 0, radius = 0;
};

/// An image with colour bar and scale bar. Row 0 is drawn at the top.
struct ImagePanel {
  std::array<i64, 2> shape{};       ///< rows, columns
  std::vector<double> values = {};  ///< what the colours show; amplitude of a complex image
  std::vector<double> phase = {};   ///< complex image: its phase, rad; else empty
  std::string title = {};
  std::string quantity = {};  ///< written beside the colour bar, e.g. "phase (rad)"
  double pixel_size = 1;      ///< of `unit`
  std::string unit = "px";    ///< A | px | 1/A | mrad; empty: no scale bar
  ColourMap map = ColourMap::viridis;
  std::optional<Range> range = {};  ///< empty: robust_range
  bool logarithmic = false;         ///< show log10(values), for diffraction patterns
  std::vector<Circle> circles = {};
};

struct Curve {
  std::string name = {};               ///< in the legend; empty: not there
  std::vector<double> x = {}, y = {};  ///< a non-finite point breaks the line
  bool dashed = false;
  bool points = false;  ///< a dot at each point too
};

/// A chart of curves.
struct ChartPanel {
  std::vector<Curve> curves = {};
  std::string title = {}, x_label = {}, y_label = {};
  bool log_x = false, log_y = false;  ///< points that are not positive are left out
  std::optional<Range> x_range = {}, y_range = {};
  std::optional<double> mark_x = {};  ///< a vertical line here, named mark_name
  std::string mark_name = {};
};

/// Points in the plane of the specimen, row downwards, coloured by value; equal scales.
struct ScatterPanel {
  std::vector<Position> points = {};  ///< of `unit`
  std::vector<double> values = {};    ///< one a point; empty: all alike
  std::vector<Position> moves = {};   ///< a line from each point, as long as `magnified` of this
  double magnified = 1;
  std::string title = {}, quantity = {};
  std::string unit = "px";  ///< A | px
  ColourMap map = ColourMap::viridis;
  std::optional<Range> range = {};
};

/// Stacked bars: what a whole is made of, bar by bar (a bar is a rank, say). Of more than 64 bars
/// no gap is left between them, and of more than the picture has columns some share one, which
/// shows their mean.
struct BarPanel {
  struct Part {
    std::string name = {};
    std::vector<double> values = {};  ///< one a bar, at least 0; NaN and missing ones are 0
  };
  std::vector<Part> parts = {};  ///< from the bottom up
  std::string title = {}, x_label = {}, y_label = {};
};

using Panel = std::variant<ImagePanel, ChartPanel, ScatterPanel, BarPanel>;

ImagePanel image_panel(View<const double, 2> values, std::string title, std::string quantity,
                       double pixel_size, std::string unit, ColourMap map = ColourMap::viridis);
ImagePanel image_panel(View<const float, 2> values, std::string title, std::string quantity,
                       double pixel_size, std::string unit, ColourMap map = ColourMap::viridis);
/// Brightness = amplitude, hue = phase.
ImagePanel image_panel(View<const std::complex<double>, 2> values, std::string title,
                       double pixel_size, std::string unit);
ImagePanel image_panel(View<const std::complex<float>, 2> values, std::string title,
                       double pixel_size, std::string unit);

struct PictureLayout {
  int columns = 0;         ///< panels a row; 0: as square as it gets
  int panel_px = 0;        ///< longer side of an image, px; 0: by the number of panels
  std::string title = {};  ///< above all panels
};

/// Writes the panels into one PNG, replacing a file of that name (first under path.part).
/// Throws UserError where the file cannot be written.
void write_picture(const std::string& path, const std::vector<Panel>& panels,
                   const PictureLayout& layout = {});

}  // namespace ptyle
