#pragma once

// Options of the fitted geometry of the microscope (solver/variables/geometry).

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/choice.hpp"
#include "core/matrix2.hpp"
#include "physics/aberrations.hpp"
#include "physics/propagator.hpp"
#include "solver/part_options.hpp"

namespace ptyle {

enum class GeometryPart { defocus, astigmatism, coma, trefoil, spherical, thickness, tilt, descan };
constexpr auto choices(GeometryPart) {
  return std::to_array<Named<GeometryPart>>({{GeometryPart::defocus, "defocus"},
                                             {GeometryPart::astigmatism, "astigmatism"},
                                             {GeometryPart::coma, "coma"},
                                             {GeometryPart::trefoil, "trefoil"},
                                             {GeometryPart::spherical, "spherical"},
                                             {GeometryPart::thickness, "thickness"},
                                             {GeometryPart::tilt, "tilt"},
                                             {GeometryPart::descan, "descan"}});
}

/// The numbers of the descan, detector px by the positions' unit: how far patterns move along rows
/// by row, by col, and along columns by row, by col of the position.
inline constexpr std::array<const char*, 4> descan_names{"descan_row_row", "descan_row_col",
                                                         "descan_col_row", "descan_col_col"};

struct GeometryOptions {
  std::vector<std::string> refine;  ///< words of GeometryPart; empty: not asked for
  int start = 1;                    ///< an iteration
  double step = 0.5;                ///< 1: a Gauss-Newton step
  double largest_defocus = 0;       ///< Å; 0: half of the given one, or 10 depths of focus
  double largest_thickness = 0.3;   ///< of the slices' given thickness
  double largest_tilt = 20;         ///< mrad

  // No keys: what the session knows, from which all that is fitted moves.
  double wavelength = 0;       ///< Å; 0: there is none
  Aberrations given = {};      ///< the probe's
  double slice_thickness = 0;  ///< Å
  Tilt tilt = {};              ///< rad
  double band_limit = 0;       ///< of the propagator
  double noise = 0;            ///< as PositionOptions::noise
  Matrix2 descan = {};         ///< px/Å (px/px), by the patterns' centres of mass
  bool in_pixels = false;      ///< positions are in px of the object, not in Å

  [[nodiscard]] bool has(GeometryPart part) const;
  /// A part that is a number of the probe or of the slices' propagator.
  [[nodiscard]] bool any_of_optics() const;
  /// A part that is found by the slices' propagator.
  [[nodiscard]] bool fits_propagator() const {
    return has(GeometryPart::thickness) || has(GeometryPart::tilt);
  }

  template <class T>
  void add_to(Parts<T>& parts) const;
};

template <class V>
void keys(V& v, GeometryOptions& o) {
  v.section("geometry", "what of the microscope and of the specimen's place in it is fitted");
  v("refine", o.refine,
    "of defocus, astigmatism (C12), coma (C21), trefoil (C23), spherical (C30), thickness (of the "
    "slices), tilt (while slices are alike), descan (patterns that move with the scan); left out: "
    "nothing")
      .example("[defocus, astigmatism]")
      .also_called("tilt_fit fit_defocus optimize_aberrations")
      .any_order()
      .same_at_resume()
      .reported_if_set();
  v("start", o.start, at_least(1), "first iteration that refines it").reported_if_set();
  v("step", o.step, above(0).up_to(2), "1: a Gauss-Newton step").reported_if_set();
  v("largest_defocus", o.largest_defocus, between(0, 1e8), "Å",
    "that the defocus moves by at most, and other aberrations by the same phase at the aperture's "
    "edge; 0: half of the given one, or 10 depths of focus")
      .reported_if_set();
  v("largest_thickness", o.largest_thickness, above(0).up_to(0.9),
    "fraction of the given thickness of slices, likewise")
      .reported_if_set();
  v("largest_tilt", o.largest_tilt, above(0).up_to(200), "mrad", "of each angle, likewise")
      .reported_if_set();
}

/// The fault of geometry.refine: a word that names nothing, or one that stands there twice.
std::optional<std::string> fault_of_refine(const GeometryOptions& options);
/// Are slices held alike along the beam by other parts, penalty.along_z or object.blur_z?
bool holds_slices_alike(const PartOptions& parts);
/// The want of thickness and tilt: a second slice, or (for the tilt) slices that are held alike, by
/// other parts or by the continuation (`tied`).
std::optional<std::string> fault_of_slices(const PartOptions& parts, i64 slices, bool tied);

/// A fitted value, where it started, and by which words results have it.
struct FittedValue {
  std::string name;  ///< "defocus", "C12", "phi12", …, "slice_thickness", "tilt_row", "tilt_col"
  std::string unit;  ///< "Å", "degrees", "mrad", "px/Å", "px/px"
  double from = 0, to = 0;
};
/// Fitted values by the numbers of a fit's state (solver/fit).
std::vector<FittedValue> fitted_geometry(const GeometryOptions& options,
                                         const std::map<std::string, double>& numbers);
/// All names that these may have, with their units.
std::vector<std::pair<std::string, std::string>> geometry_names(bool in_pixels);
/// "defocus 251.3 Å, C12 12 Å at 31°, slices 10.9 Å"; with `from`, where each was given.
std::string describe(const std::vector<FittedValue>& values, bool from);

}  // namespace ptyle
