// 1. Which patterns: data.positions and skip, of those that have a position and a frame
// (selection).
// 2. The bright-field disc's centre, if it is to be found: from some frames' mean.
// 3. Layout: flips, transpose, centre, crop, bin, pad as one table.
// 4. Of several ranks each decides on the positions which patterns it keeps. Where the calibration
//    is the disc's radius, the mean pattern is needed first: each reads an even part for it.
// 5. Every pattern through the table into the store; mask, saturation, mean on the way.
// 6. The disc on the mean pattern, the calibration, the positions.

#include "prepare/prepare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/raster.hpp"
#include "core/units.hpp"
#include "prepare/calibration.hpp"
#include "prepare/disc.hpp"
#include "prepare/layout.hpp"
#include "prepare/positions.hpp"
#include "prepare/reading.hpp"
#include "prepare/selection.hpp"
#include "prepare/spread.hpp"

namespace ptyle {
namespace {

/// Patterns and pixels that are left out, or would be.
void note_screening(const Measurement& m, const Selection& selection, const PatternSums& sums,
                    Experiment& e) {
  const Screening& found = e.screening;
  const auto odd = sums.odd.all();
  const auto n = static_cast<double>(selection.positions.size());
  const std::string which =
      fmt::format("{} of {} patterns of {}: {}", odd.size(), selection.positions.size(),
                  m.frames->name, describe_patterns(sums.odd, selection.positions));
  if (static_cast<double>(found.left_out.size()) > most_left_out * n)
    throw UserError(fmt::format("{}: too many to leave out; is it the right dataset?", which));
  // Patterns without numbers cannot be kept.
  const bool could_be_kept = odd.size() > sums.odd.missing.size();
  if (!odd.empty())
    e.warnings.push_back(
        which + (!could_be_kept ? ". They are left out"
                 : m.data.outliers == Outliers::keep
                     ? ", kept as data.outliers=keep asks"
                     : ". They are no measurement and left out; data.outliers=keep keeps them"));
  if (sums.odd.same > 0)
    e.warnings.push_back(fmt::format(
        "{} of {} patterns of {} are the one before once more, all of them the same few, and kept: "
        "so does vacuum without noise look; where there is noise, the detector got stuck, and "
        "data.skip leaves them out",
        sums.odd.same, selection.positions.size(), m.frames->name));
  if (!found.jumped.empty()) {
    std::vector<i64> numbers;
    for (const i64 i : found.jumped)
      numbers.push_back(selection.positions[static_cast<std::size_t>(i)]);
    e.warnings.push_back(fmt::format(
        "the bright-field disc of {} of {} patterns (number{} {}) lies ({:+.1f}, {:+.1f}) px off "
        "that of the others, which are fitted as if it did not; data.skip leaves patterns out",
        numbers.size(), selection.positions.size(), numbers.size() == 1 ? "" : "s", listed(numbers),
        std::round(10 * found.jump.row) / 10 + 0.0, std::round(10 * found.jump.col) / 10 + 0.0));
  }
  if (found.frames_late != 0)
    e.warnings.push_back(fmt::format(
        "frames seem to come {} position{} {}, as patterns show where lines end: "
        "data.frame_offset={} sets that right",
        std::abs(found.frames_late), std::abs(found.frames_late) == 1 ? "" : "s",
        found.frames_late > 0 ? "late" : "early", m.data.frame_offset + found.frames_late));
  const std::string pixels = describe_pixels(found);
  const i64 found_here = std::count_if(found.pixels.begin(), found.pixels.end(), [](PixelFault f) {
    return f != PixelFault::none && f != PixelFault::masked;
  });
  if (!pixels.empty())
    e.warnings.push_back(fmt::format("detector pixels that are left out: {}{}", pixels,
                                     found.count(PixelFault::missing) == found_here
                                         ? ""
                                         : "; data.find_bad_pixels=false keeps them"));
}

/// Values below 0 of pixels that are not left out.
void note_negative(const Measurement& m, const PatternSums& sums, Experiment& e) {
  const FrameSource& frames = *m.frames;
  double negative = 0, noise = 0;
  for (std::size_t p = 0; p < sums.pixels.negative.size(); ++p) {
    if (sums.screening.bad(static_cast<i64>(p))) continue;
    negative += sums.pixels.negative[p];
    noise += sums.pixels.noise[p];
  }
  const bool kept = m.data.readout_noise > 0;
  if (negative == 0) return;
  const double fraction = negative / (sums.patterns * static_cast<double>(e.valid.size()));
  const double size = std::sqrt(noise / negative);
  const bool overflown =
      frames.largest > 0 && size > frames.largest / 4;  // neither noise nor a mark
  if (kept && !overflown) {
    e.notes.push_back(
        fmt::format("{:.0f} values below 0 ({:.2g} % of all), {:.2g} r.m.s., are "
                    "kept as data.readout_noise says",
                    negative, 100 * fraction, size));
    return;
  }
  e.warnings.push_back(fmt::format(
      "{:.0f} negative values set to 0 ({:.2g} % of all), {:.2g} r.m.s.{}", negative,
      100 * fraction, size,
      overflown ? fmt::format(": counts above {:.0f} seem to have overflown the type of {}; write "
                              "it again as unsigned integers",
                              frames.largest, frames.name)
                : fmt::format("; if they are noise of the readout, data.readout_noise={:.2g} keeps "
                              "them",
                              size)));
}

void note_patterns(const Measurement& m, const Layout& l, const PatternSums& sums, Experiment& e) {
  const FrameSource& f = *m.frames;
  const i64 n = e.patterns->count();
  e.notes.push_back(
      fmt::format("{} of {} patterns of {}, {} x {} px -> window {} (flip_rows {}, flip_cols {}, "
                  "transpose {}, bin {}), held as {}",
                  n, f.count, f.name, f.rows, f.cols, l.window, m.data.flip_rows, m.data.flip_cols,
                  m.data.transpose, l.bin, e.patterns->type()));
  const i64 invalid = std::count(e.valid.begin(), e.valid.end(), 0.0F);
  if (invalid > 0)
    e.notes.push_back(
        fmt::format("{} of {} window pixels are padding, masked or saturated and left out", invalid,
                    e.valid.size()));
  if (4 * (e.valid.size() - invalid) < e.valid.size())
    e.warnings.push_back(
        fmt::format("only {} of {} window pixels are left for the fit: is data.mask the right way "
                    "round (not 0: bad)?",
                    e.valid.size() - invalid, e.valid.size()));
  note_negative(m, sums, e);
  const auto& at = sums.pixels.at_saturation;
  const i64 saturated = std::count_if(at.begin(), at.end(), [](double n) { return n > 0; });
  if (saturated > f.rows * f.cols / 100)
    e.warnings.push_back(fmt::format(
        "{} of {} detector pixels reach data.saturation in some pattern and are left out",
        saturated, f.rows * f.cols));
  if (sums.empty > 0)
    e.warnings.push_back(fmt::format("{:.0f} of {} patterns have no counts at all", sums.empty, n));
}

/// Completes the optics by what the file says, with a note for each.
OpticsConfig completed(OpticsConfig optics, const FileFacts& file,
                       std::vector<std::string>& notes) {
  const auto take = [&](double& to, const std::optional<double>& from, const char* name,
                        const char* unit) {
    if (to != 0 || !from || *from == 0) return;
    to = *from;
    notes.push_back(fmt::format("optics.{} {:.6g} {} taken from {}", name, to, unit,
                                file.where_is(fmt::format("optics.{}", name))));
  };
  const bool same_beam = optics.energy == 0 || !file.energy || optics.energy == *file.energy;
  if (optics.xray_energy == 0) take(optics.energy, file.energy, "energy", "kV");
  if (optics.energy == 0) take(optics.xray_energy, file.xray_energy, "xray_energy", "keV");
  if (same_beam && optics.energy > 0) {
    take(optics.semi_angle, file.semi_angle, "semi_angle", "mrad");
    if (!optics.defocus) {
      double defocus = 0;
      take(defocus, file.defocus, "defocus", "Å");
      optics.defocus = defocus;
    }
  }
  return optics;
}

/// The positions of the whole scan.
std::vector<Position> all_positions(const Measurement& m, const Selection& selection,
                                    const Calibration& c, Experiment& e) {
  ScanConfig scan = m.scan;
  const bool step_given = scan.gives_step();
  if (m.positions && !step_given) {
    if (scan.positions.empty()) {  // found, not asked for: its own unit holds
      if (const auto unit = unit_named(m.positions->unit)) scan.unit = unit;
      e.notes.push_back(fmt::format("positions taken from {}, unit {}", m.positions->name,
                                    word_of(scan.unit.value_or(LengthUnit::angstrom))));
    }
    return positions_from(*m.positions, scan, selection.scan, m.frames->name, c.pixel,
                          c.in_pixels(), e.warnings);
  }
  if (!step_given && m.file.scan_step[0] > 0) {
    scan.step = m.file.scan_step;
    const double said = m.file.scan_rotation.value_or(0);
    e.notes.push_back(fmt::format(
        "scan step {:.5g} x {:.5g} Å, rotation {:.5g}° taken from {}{}", scan.step[0], scan.step[1],
        said, m.file.where_is("scan.step"),
        scan.rotation.value_or(said) == said ? "" : ", but scan.rotation replaces the latter"));
    if (!scan.rotation) scan.rotation = said;
  }
  if (!(scan.step[0] > 0 && scan.step[1] > 0))
    throw NotGiven(
        "no positions are given: scan.positions (a dataset) or scan.step (slow, fast) is needed");
  const auto& lines = selection.lines;
  if (lines[0] == 0)
    throw NotGiven(fmt::format(
        "{} has {} patterns in one row: scan.step needs data.scan_shape (slow, fast) too",
        m.frames->name, m.frames->count));
  const double rotation = scan.rotation.value_or(0);
  if (step_given)  // a file's own step is in Å
    for (double& s : scan.step)
      s *= angstroms_in(scan.unit.value_or(LengthUnit::angstrom), c.pixel);
  e.notes.push_back(fmt::format("raster of {} x {}, rotation {:.5g}°{}", lines[0], lines[1],
                                rotation, scan.snake ? ", every second line backwards" : ""));
  e.by_step = true;
  return positions_of(Raster{lines, scan.step, rotation, scan.snake});
}

/// The place of the zero frequency: as the layout leaves it; or, if nobody gave the centre, the
/// disc's centre, if that is farther off than the rim is ragged.
std::array<double, 2> centre_of(const Layout& l, bool known, const Experiment& e) {
  if (known || !e.disc) return l.residual;
  const auto middle = static_cast<double>(l.window / 2);
  const std::array<double, 2> seen{e.disc->row - middle, e.disc->col - middle};
  const double off = std::hypot(seen[0] - l.residual[0], seen[1] - l.residual[1]);
  return off > std::max(0.1, 2 * e.disc->spread) ? seen : l.residual;
}

void note_disc(const Layout& l, bool centre_known, Experiment& e) {
  if (!e.disc) return;
  const auto middle = static_cast<double>(l.window / 2);
  const double off = std::hypot(e.disc->row - middle, e.disc->col - middle);
  e.notes.push_back(
      fmt::format("bright-field disc on the mean pattern: centre ({:.2f}, {:.2f}), {:.2f} px from "
                  "[W/2, W/2], radius {:.2f} px, {:.3g} counts per pixel",
                  e.disc->row, e.disc->col, off, e.disc->radius, e.disc->level));
  if (!centre_known && off > 1)
    e.warnings.push_back(fmt::format(
        "the bright-field disc's centre lies ({:+.2f}, {:+.2f}) px off the window's middle: "
        "data.find_centre would shift it there",
        e.disc->row - middle, e.disc->col - middle));
  if (!centre_known && std::hypot(e.residual_shift[0], e.residual_shift[1]) > 0.05)
    e.notes.push_back(
        fmt::format("the zero frequency is taken to lie ({:+.2f}, {:+.2f}) px off [W/2, W/2]{}",
                    e.residual_shift[0], e.residual_shift[1],
                    e.residual_shift == l.residual ? ", where pixel [N/2, N/2] of the frame does"
                                                   : ", where the disc does"));
}

/// A convergent beam's disc is the brightest that there is: where none is seen, something is wrong
/// that no error reports. Not where the window is too small for it, or its pixels too large.
void warn_of_no_disc(const Layout& l, Experiment& e) {
  const double radius = disc_radius(e.optics, e.calibration);
  if (e.disc || radius == 0) return;
  const bool could_be_seen = radius > 4 && radius < 0.45 * static_cast<double>(l.window);
  if (could_be_seen && !has_rim_at(e.mean_pattern, centred<float>(e.valid.view()).view(), radius))
    e.warnings.push_back(fmt::format(
        "no bright-field disc of {:.1f} px radius, as optics.semi_angle makes one, is seen in the "
        "middle of the mean pattern: are data.dc, the centre, the calibration and the mask right?",
        radius));
}

/// Far from the disc there is next to nothing, and ever less, unless a detector adds the same
/// everywhere.
void warn_of_offset(const Measurement& m, const Layout& l, Experiment& e) {
  if (!e.disc) return;
  const auto valid = centred<float>(e.valid.view());
  std::vector<double> seen;
  for (i64 i = 0; i < valid.size(); ++i)
    if (valid.data()[i] != 0) seen.push_back(e.mean_pattern.data()[i]);
  const double mean = e.mean_counts / static_cast<double>(seen.size());
  const auto darkest = [&](std::size_t one_in) {
    const auto at = seen.begin() + static_cast<std::ptrdiff_t>(seen.size() / one_in);
    std::nth_element(seen.begin(), at, seen.end());
    return *at;
  };
  const double dark = darkest(20), less_dark = darkest(4);
  if (dark > mean / 3 || (dark > mean / 10 && less_dark < 1.3 * dark))
    e.warnings.push_back(fmt::format(
        "the darkest pixels have {:.3g} counts, the mean of all is {:.3g}: if that is a detector "
        "offset, data.background={:.3g} removes it",
        dark, mean, m.data.background + dark / static_cast<double>(l.bin * l.bin)));
}

/// The radius, px, that optics.semi_angle and a calibration without the disc make; 0: not known.
double expected_radius(const Measurement& m, const Layout& l, const Experiment& e) {
  if (m.calibration.fit_disc || e.optics.semi_angle <= 0) return 0;
  std::vector<std::string> unused;
  const i64 side = m.frames->rows == m.frames->cols ? m.frames->rows : 0;
  try {
    return disc_radius(
        e.optics, calibrate({m.calibration, e.optics, l.window, l.extent, l.bin, side, {}, m.file},
                            unused, unused));
  } catch (const UserError&) {  // which locate() says
    return 0;
  }
}

/// The disc on the mean pattern; none where another circle shows, as many Bragg discs make one, but
/// the counts fall where the disc should end.
std::optional<Disc> disc_of(const Measurement& m, const Layout& l, const Experiment& e) {
  const auto valid = centred<float>(e.valid.view());
  const auto disc = fit_disc(e.mean_pattern, valid.view());
  const double radius = expected_radius(m, l, e);
  if (!disc || radius == 0 || std::abs(disc->radius / radius - 1) <= disc_tolerance) return disc;
  return has_rim_at(e.mean_pattern, valid.view(), radius) ? std::nullopt : disc;
}

/// Leaves pixels of the disc out that no count ever reaches: a dead part of the detector, or the
/// shadow of something. The hole of an annular aperture looks the same on both sides of its centre.
void leave_shadow_out(const Measurement& m, const Layout& l, double patterns, Experiment& e) {
  constexpr double surely = 100;  // counts that a pixel of the disc should have in all
  if (!e.disc || e.disc->level * patterns < surely) return;
  const Shadow shadow = shadow_in(e.mean_pattern, centred<float>(e.valid.view()).view(), *e.disc);
  if (shadow.pixels.empty()) return;
  if (shadow.both_sides || !m.data.find_bad_pixels) {
    e.warnings.push_back(fmt::format(
        "{} pixels of the bright-field disc have no count in any pattern: where a beam stop or a "
        "dead part of the detector hides them, data.mask has to name them, or the fit takes "
        "nothing for their measurement",
        shadow.pixels.size()));
    return;
  }
  const i64 w = l.window, b2 = l.bin * l.bin;
  for (const auto& [row, col] : shadow.pixels) {
    const i64 at = to_corner(row, w) * w + to_corner(col, w);
    e.valid.data()[at] = 0;
    for (i64 j = 0; j < b2; ++j)
      if (const auto from = l.source[static_cast<std::size_t>(at * b2 + j)];
          from >= 0 && !e.screening.bad(from))
        e.screening.pixels[static_cast<std::size_t>(from)] = PixelFault::dead;
  }
}

/// Takes from the sums: valid pixels, mean and disc.
void take_sums(const Measurement& m, const Layout& l, const PatternSums& sums, Experiment& e) {
  e.valid = Array<float, 2>({l.window, l.window});
  std::copy(sums.valid.begin(), sums.valid.end(), e.valid.begin());
  e.screening = sums.screening;
  e.centres = sums.centres;
  if (sums.patterns == 0 && !sums.odd.full.empty())
    throw UserError(fmt::format(
        "no pixel, or few, of the patterns of {} are below {}", m.frames->name,
        m.data.saturation > 0 ? fmt::format("data.saturation of {:g}", m.data.saturation)
                              : "the largest value of their type"));
  if (sums.patterns == 0)
    throw UserError(
        fmt::format("all patterns of {} hold values that are no numbers (NaN)", m.frames->name));
  if (std::count(e.valid.begin(), e.valid.end(), 1.0F) == 0)
    throw UserError(
        fmt::format("no pixel of the patterns of {} is left: padding, mask and saturation take all",
                    m.frames->name));
  if (sums.empty == sums.patterns)
    throw UserError(fmt::format(
        "all {:.0f} patterns of {} are zero{}", sums.patterns, m.frames->name,
        m.data.background > 0 ? fmt::format(", less data.background of {:g}", m.data.background)
        : m.data.saturation > 0
            ? fmt::format(", but for pixels that reach data.saturation of {:g}", m.data.saturation)
        : m.mask ? fmt::format(" outside the mask {}, whose pixels are bad where it is not 0",
                               m.mask->name)
                 : std::string(": is it the right dataset?")));
  Array<double, 2> mean({l.window, l.window});
  for (i64 i = 0; i < mean.size(); ++i) {
    mean.data()[i] = sums.counts[i] / sums.patterns;
    e.mean_counts += mean.data()[i];
  }
  e.integer_counts = sums.fractions == 0;
  e.offset = readout_offset(m.data);
  const double variance = sums.squares / sums.patterns - e.mean_counts * e.mean_counts;
  e.spread_of_counts = std::sqrt(std::max(0.0, variance)) / e.mean_counts;
  e.mean_pattern = centred<double>(mean.view());
  e.disc = disc_of(m, l, e);
  leave_shadow_out(m, l, sums.patterns, e);
  if (e.disc)
    e.screening.clipped_of_disc = static_cast<double>(e.screening.clipped) /
                                  (pi * std::pow(e.disc->radius * static_cast<double>(l.bin), 2));
}

/// Calibration and positions, with the disc where it is known.
void locate(const Measurement& m, const Layout& l, const Selection& selection, Experiment& e) {
  const FrameSource& frames = *m.frames;
  const i64 side = frames.rows == frames.cols ? frames.rows : 0;
  const auto attempt = [&](std::vector<std::string>& to, auto&& work) {
    try {
      work();
    } catch (const NotGiven& error) {
      if (!m.looking) throw;
      e.warnings.emplace_back(error.what());
    } catch (const UserError& error) {
      if (!m.looking) throw;
      to.emplace_back(error.what());
    }
  };
  e.calibration.dk = 1 / static_cast<double>(l.window);
  attempt(e.warnings, [&] {
    e.calibration =
        calibrate({m.calibration, e.optics, l.window, l.extent, l.bin, side, e.disc, m.file},
                  e.notes, e.warnings);
  });
  attempt(e.refusals, [&] {
    if (!selection.located) return;
    const auto all = all_positions(m, selection, e.calibration, e);
    for (const i64 i : selection.positions) e.positions.push_back(all[i]);
    warn_of_spread(e.positions, e.calibration.pixel, l.window, e.warnings);
    if (m.positions)
      warn_of_far_parts(e.positions, selection.positions, m.positions->name, e.calibration.pixel,
                        l.window, e.warnings);
  });
}

/// The patterns that a rank keeps, decided on positions found without the patterns, or with the
/// disc alone.
Kept kept_by(const Distribution& distribution, const Measurement& m, const Layout& l,
             const Selection& selection, const Experiment& so_far) {
  Experiment draft;
  draft.optics = so_far.optics;
  draft.disc = so_far.disc;
  locate(m, l, selection, draft);
  return distribution.mine(draft.positions, l.window, draft.calibration.pixel);
}

Kept everything(const Selection& selection) {
  Kept kept;
  kept.own.resize(selection.frames.size());
  std::iota(kept.own.begin(), kept.own.end(), i64{0});
  return kept;
}

Experiment prepared(const Measurement& m, Ledger* ledger, const Distribution* distribution,
                    bool planning) {
  FrameSource& frames = *m.frames;
  if (frames.count == 0 || frames.rows == 0 || frames.cols == 0)
    throw UserError(fmt::format("{} holds no patterns", frames.name));
  Experiment e;
  e.bytes_a_frame = frames.rows * frames.cols * frames.bytes_a_value;
  e.optics = completed(m.optics, m.file, e.notes);
  e.band_limit = m.file.band_limit;
  const Selection selection = select(m, e.notes, e.warnings);
  if (m.data.find_centre && !m.data.centre) (void)lay_out(frames, m.data, {});  // its faults first
  e.numbers = selection.positions;
  e.frames = selection.frames;
  e.skipped = selection.skipped;
  e.left_out = selection.left_out;
  e.refusals = selection.refusals;
  PatternReader reader(m, selection, distribution);

  auto centre = m.data.centre;
  if (m.data.find_centre && !centre) centre = reader.find_centre();
  const Layout l = lay_out(frames, m.data, centre);
  if (centre)
    e.notes.push_back(fmt::format(
        "disc centre {} ({:.2f}, {:.2f}) px of the flipped frame, shifted to [W/2, W/2] "
        "but for ({:+.2f}, {:+.2f}) px",
        m.data.centre ? "given" : "found", (*centre)[0], (*centre)[1], l.residual[0],
        l.residual[1]));
  std::optional<PatternSums> sums;
  if (m.calibration.fit_disc && (distribution || planning)) {
    sums = reader.sums(l);
    take_sums(m, l, *sums, e);
  }
  if (planning) {
    e.patterns = reader.none(l);
  } else {
    const Kept kept =
        distribution ? kept_by(*distribution, m, l, selection, e) : everything(selection);
    PatternSums counted;
    e.patterns = reader.fill(l, kept, ledger, sums ? nullptr : &counted);
    if (!sums) take_sums(m, l, *(sums = std::move(counted)), e);
    note_patterns(m, l, *sums, e);
    note_screening(m, selection, *sums, e);
    const bool centre_known = centre.has_value() || m.data.dc == DcPlace::corner;
    e.residual_shift = centre_of(l, centre_known, e);
    note_disc(l, centre_known, e);
  }
  locate(m, l, selection, e);
  if (!planning) {
    warn_of_no_disc(l, e);
    warn_of_offset(m, l, e);
  }
  e.seconds_reading = reader.seconds();
  e.bytes_read = reader.bytes();
  return e;
}

}  // namespace

Experiment prepare(const Measurement& m, Ledger* ledger, const Distribution* distribution) {
  return prepared(m, ledger, distribution, false);
}

Experiment prepare_to_plan(const Measurement& m) { return prepared(m, nullptr, nullptr, true); }

}  // namespace ptyle
