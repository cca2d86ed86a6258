#include "session/warnings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/orientation.hpp"
#include "core/bounds.hpp"
#include "core/units.hpp"
#include "session/orientation.hpp"
#include "session/pattern_figures.hpp"
#include "solver/variables/geometry_options.hpp"

namespace ptyle {
namespace {

/// The defocused cone's disc: in a window that it does not fit, the probe is folded onto itself.
void add_wide_probe(const Experiment& experiment, std::vector<std::string>& warnings) {
  const double defocus = experiment.optics.defocus.value_or(0);
  const double diameter = 2 * std::abs(defocus) * experiment.optics.semi_angle * mrad;
  const double field = double(experiment.patterns->window()) * experiment.calibration.pixel;
  if (diameter > field)
    warnings.push_back(fmt::format(
        "a defocus of {:.4g} Å makes a probe {:.4g} Å wide, but its window has {:.4g} Å: is "
        "optics.defocus right, in Å?",
        defocus, diameter, field));
}

/// A probe in focus is rare enough to be asked for.
void add_no_defocus(const ReconstructConfig& config, const Experiment& experiment,
                    std::vector<std::string>& warnings) {
  if (!config.optics.defocus && experiment.optics.defocus.value_or(0) == 0 &&
      experiment.calibration.wavelength > 0)
    warnings.emplace_back(
        "optics.defocus is given neither here nor in the file and taken as 0 Å, a probe in focus: "
        "optics.defocus=0 says that this is meant");
}

/// Centres of mass that move with the scan as a plane, where that is not fitted.
void add_descan(const ReconstructConfig& config, const Experiment& e,
                std::vector<std::string>& warnings) {
  if (config.parts.of<GeometryOptions>().has(GeometryPart::descan)) return;
  constexpr double least = 1.5;  // px from edge to edge
  constexpr double share = 0.6;  // of the centres' variance, the plane's
  const std::vector<Position> at = fitted_positions(e, e.positions).at;
  const auto plane = plane_of_centres(e, e.positions);
  if (!plane || at.size() < 36 || plane->explained < share) return;
  const Bounds scan = bounds_of(at);
  const auto moved = [](const Position& slope, double length) {
    return Position{slope.row * length, slope.col * length};
  };
  for (const auto& [by, where] :
       {std::pair{moved(plane->by_row, scan.rows()), "first to the last rows"},
        {moved(plane->by_col, scan.cols()), "first to the last columns"}})
    if (std::hypot(by.row, by.col) > least)
      warnings.push_back(fmt::format(
          "the patterns' centre of mass moves by ({:+.1f}, {:+.1f}) px from the {} of positions: "
          "descan, which geometry.refine: [descan] fits, or a specimen that acts as a lens",
          by.row, by.col, where));
}

/// Are all pixels of the bright-field disc valid?
bool disc_is_whole(const Experiment& e) {
  if (!e.disc) return false;
  const auto beyond = beyond_disc(e);
  for (std::size_t k = 0; k < beyond.size(); ++k)
    if (!beyond[k] && e.valid.data()[k] == 0) return false;
  return true;
}

/// A phase alone sends every electron to the detector, most of them into the disc.
void add_absorption(const ReconstructConfig& config, const Experiment& experiment,
                    std::vector<std::string>& warnings) {
  constexpr double much = 0.25;
  const double shot_noise = experiment.integer_counts ? 1 / experiment.mean_counts : 0;
  const double spread =
      std::sqrt(std::max(0.0, std::pow(experiment.spread_of_counts, 2) - shot_noise));
  if (!config.object.absorbs() && spread > much && disc_is_whole(experiment))
    warnings.push_back(
        fmt::format("the patterns' totals vary by {:.0f} % (r.m.s.), which a phase alone cannot "
                    "explain: the specimen absorbs, the beam's current varied, or the detector "
                    "misses a part",
                    100 * spread));
}

}  // namespace

std::vector<std::string> warnings_of(const ReconstructConfig& config,
                                     const Experiment& experiment) {
  std::vector<std::string> warnings;
  if (const auto clipping = warning_of_clipping(experiment)) warnings.push_back(*clipping);
  if (config.probe.starts_from() == ProbeStart::optics) {
    add_no_defocus(config, experiment, warnings);
    add_wide_probe(experiment, warnings);
  }
  add_descan(config, experiment, warnings);
  add_absorption(config, experiment, warnings);
  return warnings;
}

std::optional<std::string> warning_of_clipping(const Experiment& e) {
  const Screening& found = e.screening;
  if (found.clipped == 0) return {};
  return fmt::format(
      "{} detector pixel{} cut off at {:.0f} counts in some patterns{}: contrast is lost there, "
      "which a shorter exposure keeps; to leave them out would lose more",
      found.clipped, found.clipped == 1 ? " is" : "s are", found.clipped_at,
      found.clipped_of_disc > 0 ? fmt::format(", {:.3g} % of the bright-field disc",
                                              100 * std::min(1.0, found.clipped_of_disc))
                                : "");
}

std::optional<std::string> warning_of_few_counts(double counts, i64 batches, bool held_pixels) {
  // N counts determine an object pixel's phase to 1/√(2N) rad, and each mini-batch's step follows
  // its own.
  constexpr double too_few = 2;  // half a radian
  const double in_each = counts / double(batches);
  if (in_each >= too_few) return {};
  // Held-out patterns, too, would judge positions that are refined: too harshly (docs/math.md).
  return fmt::format(
      "low dose: {:.2g} counts per object pixel{} limit the precision of the phase to ±{:.1g} rad; "
      "noise will be fitted. Try {}{}",
      in_each, batches > 1 ? fmt::format(" in each of {} mini-batches", batches) : "",
      1 / std::sqrt(2 * in_each), batches > 1 ? "solver.batches=1, which is steadier, and " : "",
      held_pixels ? "fewer solver.iterations once R of the held-out pixels rises"
                  : "solver.hold_out=0.1, which shows when to stop");
}

}  // namespace ptyle
