// 1. The raster that the positions lie on; the images of bright-field pixels over it.
//    Processes of a team send what their patterns have in the blocks to the one that leads.
// 2. The fit; where it is of noise, nothing is known. Flips that are given decide where the images
//    do not.
// 3. The sign: the rotation as given, the defocus as given, or else the peaks of the side bands'
//    phase, which specimens make positive.
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
#include "prepare/calibration.hpp"
#include "session/orientation.hpp"

namespace ptyle {
namespace {

constexpr double above_chance = 4;   // share explained, over what noise explains
constexpr double rotation_told = 5;  // degrees of standard error, and less
constexpr double least_skewness = 0.2;

/// The disc measured, or where the optics say that it lies.
std::optional<BrightFieldDisc> disc_of(const Experiment& e) {
  if (e.disc) return BrightFieldDisc{e.disc->row, e.disc->col, e.disc->radius};
  const double radius = disc_radius(e.optics, e.calibration);
  if (radius == 0) return {};
  const double middle = static_cast<double>(e.patterns->window() / 2);
  return BrightFieldDisc{middle + e.residual_shift[0], middle + e.residual_shift[1], radius};
}

std::vector<bool> fitted(const Experiment& e) {
  std::vector<bool> there(e.positions.size(), true);
  for (const i64 i : e.screening.left_out) there[static_cast<std::size_t>(i)] = false;
  return there;
}

bool leads(const QuickLookOptions& options) { return !options.team || options.team->leads(); }

/// The largest number that a process has, on all.
i64 largest(Team* team, i64 mine) {
  std::vector<double> number{static_cast<double>(mine)};
  if (team) team->maximum(number);
  return static_cast<i64>(number[0]);
}

/// Calls use(number of the pattern, its sums over the blocks) for every pattern that is fitted, on
/// the process that leads; some MB at a time.
template <class Use>
void each_pattern(const Experiment& e, const BrightFieldBlocks& blocks, Team* team, Use&& use) {
  const auto there = fitted(e);
  std::vector<i64> mine;
  for (const i64 i : e.patterns->held())
    if (there[static_cast<std::size_t>(i)]) mine.push_back(i);
  const auto sums = static_cast<std::size_t>(blocks.count());
  const auto round = static_cast<i64>((std::size_t{1} << 20) / (sums + 1) + 1);
  const i64 rounds = largest(team, (std::ssize(mine) + round - 1) / round);
  std::vector<float> pattern(static_cast<std::size_t>(e.valid.size())), records;
  std::vector<double> numbers;
  for (i64 r = 0; r < rounds; ++r) {
    numbers.clear();
    records.clear();
    for (i64 k = r * round; k < std::min<i64>(std::ssize(mine), (r + 1) * round); ++k) {
      const i64 i = mine[static_cast<std::size_t>(k)];
      numbers.push_back(static_cast<double>(i));
      records.resize(records.size() + sums);
      e.patterns->load(i, pattern.data());
      blocks.add(pattern.data(), records.data() + records.size() - sums);
    }
    if (team) {
      numbers = team->gather(std::span<const double>(numbers));
      records = team->gather(std::span<const float>(records));
    }
    for (std::size_t n = 0; n < numbers.size(); ++n)
      use(static_cast<i64>(numbers[n]), records.data() + n * sums);
  }
}

/// Images, and their place in the ledger.
struct BookedImages {
  Ledger::Booking booking;
  std::optional<BrightFieldImages> images;
};

/// Step 1; without images but with a sentence in look.refusal where it cannot be. Images are on the
/// process that leads.
BookedImages images_of(const Experiment& e, const BrightFieldDisc& disc,
                       const QuickLookOptions& options, QuickLook& look) {
  const i64 places = look.raster.shape[0] * look.raster.shape[1];
  const i64 block =
      largest(options.team, leads(options) ? block_for(disc, places, options.most_bytes) : 0);
  if (block == 0) {
    look.refusal = fmt::format(
        "it needs a bright-field disc of 6 blocks of pixels across; it has a radius of "
        "{:.3g} px, and {} positions leave room for {} blocks",
        disc.radius, places, options.most_bytes / static_cast<std::size_t>(4 * places));
    return {};
  }
  const BrightFieldBlocks blocks(disc, e.valid.view(), block);
  BookedImages to;
  if (leads(options)) {
    constexpr i64 sums_of_a_place = 400;  // bytes, of a picture that is made for the sign
    if (options.ledger)
      to.booking = options.ledger->book(
          "quick look", static_cast<std::size_t>(places * (4 * blocks.count() + sums_of_a_place)));
    to.images.emplace(blocks, look.raster.shape);
  }
  each_pattern(e, blocks, options.team, [&](i64 i, const float* sums) {
    to.images->set_sums(look.raster.places[static_cast<std::size_t>(i)], sums);
  });
  if (!to.images || to.images->finish()) return to;
  look.refusal = "it needs counts in the bright-field disc, there are none";
  return {};
}

/// Step 2.
BeamFit fit_of(const BrightFieldImages& images, const QuickLook& look, const BeamFrame& frame,
               const QuickLookOptions& options) {
  BeamFit fit = fit_beam(images, look.raster, frame, options.threads);
  if (!options.flips_given || !fit.model.mirrored || fit.handedness > told_apart) return fit;
  return fit_beam(images, look.raster, frame, options.threads, false);
}

/// The defocus that the fit, whose beam has no spherical aberration, finds in the place of one, Å.
struct Spherical {
  double C10 = 0, error = 0;
};

/// The mean of C30 α² over the aperture, C30 α²/2 of its radius. Fits to patterns of weak objects
/// without noise, 8 to 25 mrad, C30 α² of 1 to 5 depths of focus, have 0.42 to 0.58 in the place
/// of the half, where they explain half of the images and more.
Spherical spherical_of(const OpticsConfig& optics, const BeamFrame& frame) {
  const double angle = frame.wavelength * frame.aperture, rim = optics.C30 * angle * angle;
  return {0.5 * rim, 0.08 * std::abs(rim)};
}

/// Is the model's opposite right, by the sign of the defocus that is given? Nothing where both or
/// neither have it.
std::optional<bool> opposite_by_defocus(double given, const BeamModel& model,
                                        const BeamErrors& error, const Spherical& spherical) {
  if (given == 0 || std::abs(model.C10) <= told_apart * error.C10) return {};
  const bool as_found = (spherical.C10 - model.C10 > 0) == (given > 0),
             opposite = (spherical.C10 + model.C10 > 0) == (given > 0);
  return as_found == opposite ? std::nullopt : std::optional(opposite);
}

/// Step 3. The model is turned to its opposite where that is right.
SignBy settle_sign(const Experiment& e, const BrightFieldImages& images, const ScanRaster& raster,
                   const BeamFrame& frame, const BeamErrors& error, BeamModel& model,
                   const QuickLookOptions& options) {
  if (options.rotation_given && !model.mirrored) {
    if (std::abs(model.rotation) > pi / 2) model = model.opposite();
    return SignBy::given_rotation;
  }
  const auto opposite = opposite_by_defocus(e.optics.defocus.value_or(0), model, error,
                                            spherical_of(e.optics, frame));
  if (opposite) {
    if (*opposite) model = model.opposite();
    return SignBy::given_defocus;
  }
  const auto phase = quick_pictures(images, raster, model, frame, options.threads).side_bands;
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

/// Flips and rotation (rad) as one of the four equals of a handedness: without flips where they are
/// given, or one with next to no rotation, or that with the fewest flips. Azimuths turn with the
/// detector.
struct Oriented {
  Flips flips;
  double rotation = 0, azimuth = 0;
};

Oriented oriented(const BeamModel& model, bool flips_given) {
  constexpr double next_to_none = 15 * degree;
  const Flips of_model{false, model.mirrored, false};
  const double azimuth = model.aberrations().phi12;
  if (flips_given && !model.mirrored) return {{}, std::remainder(model.rotation, 2 * pi), azimuth};
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

FoundBeam found_in(const BeamFit& fit, const BeamModel& model, const Spherical& spherical,
                   const QuickLookOptions& options) {
  FoundBeam found;
  const auto& error = fit.error;
  found.known = fit.explained > above_chance * fit.by_chance && fit.certainty > told_apart &&
                std::isfinite(error.rotation + error.C10 + error.a + error.b);
  if (!found.known) return found;
  found.flip_known = fit.handedness > told_apart || (options.flips_given && !model.mirrored);
  const Oriented o = oriented(model, options.flips_given);
  found.flips = o.flips;
  found.rotation = o.rotation / degree;
  found.rotation_error = error.rotation / degree;
  found.rotation_known = found.rotation_error < rotation_told || options.rotation_given;
  found.beside_C30 = spherical.C10;
  found.defocus = spherical.C10 - model.C10;
  found.defocus_error = std::hypot(error.C10, spherical.error);
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
    lines.push_back(look.fit.handedness <= told_apart
                        ? "  flips as given: the images do not tell"
                        : fmt::format("  flips the other way explain less ({:.1f} standard errors)",
                                      look.fit.handedness));
    return;
  }
  lines.push_back(fmt::format("  flip undetermined: {} explain it as well ({:.1f} standard errors)",
                              other_hand(look), look.fit.handedness));
}

void report_aberrations(const QuickLook& look, double thickness, std::vector<std::string>& lines) {
  const FoundBeam& f = look.found;
  lines.push_back(fmt::format(
      "  defocus {} Å in the middle of the specimen{}{}",
      with_error("+", f.defocus, f.defocus_error),
      std::abs(f.defocus - f.beside_C30) > told_apart * f.defocus_error
          ? ""
          : ": in focus, where images do not shift and the side bands' places tell the rotation",
      thickness > 0
          ? fmt::format("; {:+.6g} Å at its entrance, {:.5g} Å above",
                        rounded(f.defocus + thickness / 2, f.defocus_error, 2), thickness / 2)
          : ""));
  if (f.beside_C30 == 0)
    lines.emplace_back(
        "    if the beam has no spherical aberration: optics.C30 is not given, of which the "
        "defocus "
        "would have to make up for half, C30 α²/2");
  else
    lines.push_back(fmt::format(
        "    of it {:+.5g} Å are for optics.C30, whose mean over the aperture the images "
        "show as a defocus; hence much of the error",
        f.beside_C30));
  lines.push_back(fmt::format("  C12 {} Å{}", with_error("", f.C12, f.C12_error),
                              f.astigmatism_known
                                  ? fmt::format(", phi12 {:+.1f} ± {:.1f}°", f.phi12, f.phi12_error)
                                  : ": not significant"));
}

}  // namespace

std::string other_sign(const QuickLook& look) {
  const FoundBeam& f = look.found;
  return fmt::format(
      "scan rotation {:+.1f}°, defocus {:+.6g} Å{}", f.rotation + (f.rotation < 0 ? 180 : -180),
      rounded(2 * f.beside_C30 - f.defocus, f.defocus_error, 2),
      f.astigmatism_known ? fmt::format(", phi12 {:+.1f}°", std::remainder(f.phi12 + 90, 180.0))
                          : "");
}

std::string other_hand(const QuickLook& look) {
  const Oriented other = oriented(look.fit.other_hand, false);
  const Aberrations a = look.fit.other_hand.aberrations();
  return fmt::format("flips {}, scan rotation {:+.1f}°, defocus {:+.6g} Å, C12 {:.4g} Å",
                     other.flips.name(), other.rotation / degree,
                     rounded(look.found.beside_C30 - a.C10, look.found.defocus_error, 2), a.C12);
}

namespace {

void report_sign(const Experiment& e, const QuickLook& look, std::vector<std::string>& lines) {
  const FoundBeam& f = look.found;
  const std::string other = other_sign(look);
  switch (f.sign) {
    case SignBy::given_rotation:
      lines.emplace_back("  the sign is that which goes with the scan's rotation as given");
      break;
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

QuickLook quick_look(const Experiment& e, const QuickLookOptions& asked) {
  QuickLook look;
  QuickLookOptions options = asked;
  if (options.threads == 0) options.threads = available_threads();
  options.flips_given = options.flips_given || options.rotation_given;
  look.by_step = e.by_step;
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
  const BookedImages booked = images_of(e, *disc, options, look);
  if (!booked.images) return look;
  const BrightFieldImages* images = &*booked.images;
  const i64 block = images->blocks().block();
  const double dk = e.calibration.dk;
  const BeamFrame frame{e.calibration.wavelength, disc->radius * dk,
                        static_cast<double>(block) * dk};
  look.fit = fit_of(*images, look, frame, options);
  const Spherical spherical = spherical_of(e.optics, frame);
  look.found = found_in(look.fit, look.fit.model, spherical, options);
  BeamModel model = look.found.known ? look.fit.model : model_given(e.optics);
  if (look.found.known) {
    const SignBy sign = settle_sign(e, *images, look.raster, frame, look.fit.error, model, options);
    look.found = found_in(look.fit, model, spherical, options);
    look.found.sign = sign;
  }
  report(e, options.thickness, images->blocks().count(), block, look);
  if (!options.pictures) return look;
  look.pictures = quick_pictures(*images, look.raster, model, frame, options.threads);
  std::vector<Position> centres = e.centres;
  for (Position& c : centres) c = {c.row * dk, c.col * dk};
  look.centre_of_mass = integrated_centres(centres, fitted(e), look.raster, model);
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
