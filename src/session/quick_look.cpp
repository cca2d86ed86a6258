// 1. The raster that the positions lie on; the images of bright-field pixels over it.
// 2. The fit; where it is of noise, nothing is known.
// 3. The sign: the defocus as given, or else the peaks of the side bands' phase, which specimens
//    make positive.
// 4. Pictures; what was found, in sentences.

#include "session/quick_look.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/parallel.hpp"
#include "core/rounded.hpp"
#include "core/units.hpp"
#include "io/pictures.hpp"
#include "session/orientation.hpp"

namespace ptyle {
namespace {

constexpr std::size_t most_bytes = std::size_t{256} << 20;
constexpr double above_chance = 4;   // share explained, over what noise explains
constexpr double rotation_told = 5;  // degrees of standard error, and less
constexpr double least_skewness = 0.2;

/// The disc measured, or where the optics say that it lies.
std::optional<BrightFieldDisc> disc_of(const Experiment& e) {
  if (e.disc) return BrightFieldDisc{e.disc->row, e.disc->col, e.disc->radius};
  if (e.optics.semi_angle <= 0 || e.calibration.dk <= 0) return {};
  const double middle = static_cast<double>(e.patterns->window() / 2);
  return BrightFieldDisc{
      middle + e.residual_shift[0], middle + e.residual_shift[1],
      e.optics.semi_angle * mrad / (e.calibration.wavelength * e.calibration.dk)};
}

std::vector<bool> fitted(const Experiment& e) {
  std::vector<bool> there(e.positions.size(), true);
  for (const i64 i : e.screening.left_out) there[static_cast<std::size_t>(i)] = false;
  return there;
}

/// Step 1; nothing but a sentence in look.refusal where it cannot be.
std::optional<BrightFieldImages> images_of(const Experiment& e, const BrightFieldDisc& disc,
                                           QuickLook& look) {
  const i64 places = look.raster.shape[0] * look.raster.shape[1];
  const i64 block = block_for(disc, places, most_bytes);
  if (block == 0) {
    look.refusal = fmt::format(
        "it needs a bright-field disc of 6 blocks of pixels across; it has a radius of "
        "{:.3g} px, and {} positions leave room for {} blocks",
        disc.radius, places, most_bytes / static_cast<std::size_t>(4 * places));
    return {};
  }
  BrightFieldImages images(BrightFieldBlocks(disc, e.valid.view(), block), look.raster.shape);
  std::vector<float> pattern(static_cast<std::size_t>(e.valid.size()));
  const auto there = fitted(e);
  for (std::size_t i = 0; i < there.size(); ++i) {
    if (!there[i]) continue;
    e.patterns->load(static_cast<i64>(i), pattern.data());
    images.set(look.raster.places[i], pattern.data());
  }
  if (images.finish()) return images;
  look.refusal = "it needs counts in the bright-field disc, there are none";
  return {};
}

/// Step 3. The model is turned to its opposite where that is right.
SignBy settle_sign(const Experiment& e, const BrightFieldImages& images, const ScanRaster& raster,
                   const BeamFrame& frame, const BeamErrors& error, BeamModel& model, int threads) {
  const double given = e.optics.defocus.value_or(0);
  if (given != 0 && std::abs(model.C10) > told_apart * error.C10) {
    if ((given > 0) != (model.C10 < 0)) model = model.opposite();
    return SignBy::given_defocus;
  }
  const auto phase = quick_pictures(images, raster, model, frame, threads).side_bands;
  const double skew = skewness(phase.view());
  // The skewness of n independent normal values scatters by sqrt(6/n). As many are independent as
  // frequencies that both side bands pass.
  const double area =
      std::abs(raster.slow.row * raster.fast.col - raster.slow.col * raster.fast.row);
  const double passed = std::min(1.0, pi * frame.aperture * frame.aperture * area);
  const double scatter = std::sqrt(6 / (passed * static_cast<double>(phase.size())));
  if (std::abs(skew) < std::max(least_skewness, told_apart * scatter) || e.optics.xray_energy > 0) {
    if (std::abs(model.rotation) > pi / 2) model = model.opposite();
    return SignBy::nothing;
  }
  if (skew < 0) model = model.opposite();
  return SignBy::peaks;
}

/// Flips and rotation (rad) as one of the four equals of a handedness: one with next to no
/// rotation, or that with the fewest flips. Azimuths turn with the detector.
struct Oriented {
  Flips flips;
  double rotation = 0, azimuth = 0;
};

Oriented oriented(const BeamModel& model) {
  constexpr double next_to_none = 15 * degree;
  const Flips of_model{false, model.mirrored, false};
  const double azimuth = model.aberrations().phi12;
  std::optional<Oriented> smallest, simplest;
  const auto count = [](const Flips& t) { return t.flip_rows + t.flip_cols + t.transpose; };
  for (const Flips& flips : all_flips()) {
    if (flips.mirrors() != model.mirrored) continue;
    const Position axis = flips(of_model({1, 0}));  // a flip undoes itself
    const double further = std::atan2(axis.col, axis.row);
    const Oriented o{flips, std::remainder(model.rotation + further, 2 * pi), azimuth - further};
    if (!smallest || std::abs(o.rotation) < std::abs(smallest->rotation) - 1e-6) smallest = o;
    if (!simplest || count(flips) < count(simplest->flips)) simplest = o;
  }
  return std::abs(smallest->rotation) <= next_to_none ? *smallest : *simplest;
}

FoundBeam found_in(const BeamFit& fit, const BeamModel& model) {
  FoundBeam found;
  const auto& error = fit.error;
  found.known = fit.explained > above_chance * fit.by_chance && fit.certainty > told_apart &&
                std::isfinite(error.rotation + error.C10 + error.a + error.b);
  if (!found.known) return found;
  found.flip_known = fit.handedness > told_apart;
  const Oriented o = oriented(model);
  found.flips = o.flips;
  found.rotation = o.rotation / degree;
  found.rotation_error = error.rotation / degree;
  found.rotation_known = found.rotation_error < rotation_told;
  found.defocus = -model.C10;
  found.defocus_error = error.C10;
  found.C12 = std::hypot(model.a, model.b);
  // Along a + ib, and across it: of the azimuth by 2 C12.
  const double along = std::atan2(model.b, model.a), c = std::cos(along), s = std::sin(along);
  found.C12_error = std::hypot(c * error.a, s * error.b);
  found.astigmatism_known = found.C12 > told_apart * found.C12_error;
  found.phi12 = std::remainder(o.azimuth / degree, 180.0);
  found.phi12_error =
      found.C12 > 0 ? std::hypot(s * error.a, c * error.b) / (2 * found.C12) / degree : 90;
  return found;
}

/// Both to two digits of the error.
std::string with_error(const char* sign, double value, double error) {
  return fmt::format("{}{:.6g} ± {:.6g}", value > 0 ? sign : "", rounded(value, error, 2),
                     rounded(error, error, 2));
}

std::string rotation_and_flips(const Flips& flips, double rotation, double error) {
  return fmt::format("flips {}, scan rotation {:+.1f} ± {:.1f}°", flips.name(), rotation, error);
}

void report_orientation(const QuickLook& look, std::vector<std::string>& lines) {
  const FoundBeam& f = look.found;
  if (f.rotation_known)
    lines.push_back("  on top of those given: " +
                    rotation_and_flips(f.flips, f.rotation, f.rotation_error));
  else
    lines.push_back(fmt::format(
        "  scan rotation undetermined (standard error {:.0f}°): take that of the least curl",
        f.rotation_error));
  if (f.flip_known) {
    lines.push_back(fmt::format("  flips the other way explain less ({:.1f} standard errors)",
                                look.fit.handedness));
    return;
  }
  const Oriented other = oriented(look.fit.other_hand);
  const Aberrations a = look.fit.other_hand.aberrations();
  lines.push_back(fmt::format(
      "  flip undetermined: flips {}, scan rotation {:+.1f}°, defocus {:+.6g} Å, C12 {:.4g} Å "
      "explain it as well ({:.1f} standard errors)",
      other.flips.name(), other.rotation / degree, rounded(-a.C10, f.defocus_error, 2), a.C12,
      look.fit.handedness));
}

void report_aberrations(const QuickLook& look, double thickness, std::vector<std::string>& lines) {
  const FoundBeam& f = look.found;
  lines.push_back(fmt::format(
      "  defocus {} Å in the middle of the specimen{}{}",
      with_error("+", f.defocus, f.defocus_error),
      std::abs(f.defocus) > told_apart * f.defocus_error
          ? ""
          : ": in focus, where images do not shift and the side bands' places tell the rotation",
      thickness > 0
          ? fmt::format("; {:+.6g} Å at its entrance, {:.5g} Å above",
                        rounded(f.defocus + thickness / 2, f.defocus_error, 2), thickness / 2)
          : ""));
  lines.push_back(fmt::format("  C12 {} Å{}", with_error("", f.C12, f.C12_error),
                              f.astigmatism_known
                                  ? fmt::format(", phi12 {:+.1f} ± {:.1f}°", f.phi12, f.phi12_error)
                                  : ": not significant"));
}

void report_sign(const Experiment& e, const QuickLook& look, std::vector<std::string>& lines) {
  const FoundBeam& f = look.found;
  const std::string other = fmt::format(
      "scan rotation {:+.1f}°, defocus {:+.6g} Å{}", f.rotation + (f.rotation < 0 ? 180 : -180),
      rounded(-f.defocus, f.defocus_error, 2),
      f.astigmatism_known ? fmt::format(", phi12 {:+.1f}°", std::remainder(f.phi12 + 90, 180.0))
                          : "");
  switch (f.sign) {
    case SignBy::given_defocus:
      lines.push_back(
          fmt::format("  the sign is that of optics.defocus, {:+.6g} Å; with the other one: {}",
                      e.optics.defocus.value_or(0), other));
      break;
    case SignBy::peaks:
      lines.push_back(
          "  the sign is that which makes peaks of the phase positive, if the specimen "
          "is thin; with the other one: " +
          other);
      break;
    case SignBy::nothing:
      lines.push_back("  sign undetermined: as well " + other);
  }
}

void report(const Experiment& e, double thickness, i64 blocks, i64 block, QuickLook& look) {
  const auto& [shape, slow, fast, places] = look.raster;
  auto& lines = look.lines;
  lines.push_back(fmt::format(
      "quick look: raster of {} x {} positions, {:.4g} x {:.4g} Å apart; images of {} blocks of {} "
      "x {} bright-field pixels",
      shape[0], shape[1], std::hypot(slow.row, slow.col), std::hypot(fast.row, fast.col), blocks,
      block, block));
  const std::string share = fmt::format("{:.0f} % of the strongest frequencies, {:.1f} % by chance",
                                        100 * look.fit.explained, 100 * look.fit.by_chance);
  if (!look.found.known) {
    lines.push_back(fmt::format(
        "  rotation, flips and defocus undetermined: no model explains the images clearly ({})",
        share));
    return;
  }
  lines.push_back(fmt::format("  side bands explain {}", share));
  report_orientation(look, lines);
  report_aberrations(look, thickness, lines);
  report_sign(e, look, lines);
}

/// The optics as given, where nothing better is known.
BeamModel model_given(const OpticsConfig& o) {
  return {0, false, -o.defocus.value_or(0), o.C12 * std::cos(2 * o.phi12 * degree),
          o.C12 * std::sin(2 * o.phi12 * degree)};
}

}  // namespace

QuickLook quick_look(const Experiment& e, double thickness, int threads) {
  QuickLook look;
  if (threads == 0) threads = available_threads();
  const auto refuse = [&](std::string why) {
    look.refusal = "it needs " + why;
    return std::move(look);
  };
  if (e.calibration.wavelength <= 0 || e.calibration.dk <= 0)
    return refuse("optics.energy and a calibration");
  const auto disc = disc_of(e);
  if (!disc) return refuse("a bright-field disc, or optics.semi_angle");
  const auto raster = scan_raster(e.positions);
  if (!raster)
    return refuse("positions on a raster of several lines; these lie on none, or in one line");
  look.raster = *raster;
  auto images = images_of(e, *disc, look);
  if (!images) return look;
  const i64 block = images->blocks().block();
  const double dk = e.calibration.dk;
  const BeamFrame frame{e.calibration.wavelength, disc->radius * dk,
                        static_cast<double>(block) * dk};
  look.fit = fit_beam(*images, look.raster, frame, threads);
  look.found = found_in(look.fit, look.fit.model);
  BeamModel model = look.found.known ? look.fit.model : model_given(e.optics);
  if (look.found.known) {
    const SignBy sign = settle_sign(e, *images, look.raster, frame, look.fit.error, model, threads);
    look.found = found_in(look.fit, model);
    look.found.sign = sign;
  }
  look.pictures = quick_pictures(*images, look.raster, model, frame, threads);
  std::vector<Position> centres = e.centres;
  for (Position& c : centres) c = {c.row * dk, c.col * dk};
  look.centre_of_mass = integrated_centres(centres, fitted(e), look.raster, model);
  report(e, thickness, images->blocks().count(), block, look);
  return look;
}

void draw_quick_look(const std::string& path, const QuickLook& look) {
  constexpr i64 longer = 240;
  const auto panel = [&](View<const double, 2> image, const char* title, const char* quantity) {
    const SquareImage square = in_square_pixels(image, look.raster, longer);
    return image_panel(square.image.view(), title, quantity, square.pixel, "A", ColourMap::gray);
  };
  write_picture(
      path,
      {panel(look.pictures.tilt_corrected.view(), "tilt-corrected bright field", "contrast"),
       panel(look.pictures.side_bands.view(), "single side band", "phase (rad)"),
       panel(look.centre_of_mass.view(), "centre of mass, integrated", "phase (rad)")},
      {.columns = 3, .title = "quick look, in the scan's axes"});
}

}  // namespace ptyle
