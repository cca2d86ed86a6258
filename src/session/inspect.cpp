// 1. What is in the file: datasets and attributes; of a result in sentences, and that is all.
// 2. The patterns made ready as for a reconstruction; what fails there is a warning here.
// 3. Counts, dead, hot and cut-off pixels; bright-field disc; calibration.
// 4. Scan: step, overlap, dose, whether the window holds the probe and the pixels its interference.
// 5. A quick look, where it is asked for.
// 6. Orientation: shadow images, curl of the centre of mass. Descan: where the disc lies in halves
// of the scan.
// 7. Pictures.

#include "session/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <utility>

#include "analysis/neighbours.hpp"
#include "core/bounds.hpp"
#include "core/error.hpp"
#include "core/ledger.hpp"
#include "core/printable.hpp"
#include "core/raster.hpp"
#include "core/units.hpp"
#include "io/data_file.hpp"
#include "io/frames.hpp"
#include "io/hdf5.hpp"
#include "io/pictures.hpp"
#include "io/series.hpp"
#include "prepare/positions.hpp"
#include "session/found_config.hpp"
#include "session/inspect_result.hpp"
#include "session/open_experiment.hpp"
#include "session/orientation.hpp"
#include "session/pattern_figures.hpp"
#include "session/shown_pixel.hpp"
#include "session/warnings.hpp"

namespace ptyle {
namespace {

using Print = std::function<void(const std::string&)>;

/// An attribute's value, on one line but for a single text of several: its first ones are indented.
std::string value_of(const h5::File& file, const std::string& object, const std::string& name,
                     const std::string& indent) {
  const auto attribute = file.attribute(object, name.c_str());
  if (!attribute) return "";
  const auto& [type, numbers, texts] = *attribute;
  if (!numbers.empty()) return fmt::format("{:.8g}", fmt::join(numbers, ", "));
  if (texts.size() != 1)
    return type.kind == h5::Kind::other || type.kind == h5::Kind::complex
               ? h5::to_string(type)
               : printable(fmt::format("[{}]", fmt::join(texts, ", ")));
  constexpr std::ptrdiff_t most = 6;
  std::string text = printable_lines(texts.front());
  while (text.ends_with('\n')) text.pop_back();
  const std::ptrdiff_t more = std::count(text.begin(), text.end(), '\n') + 1 - most;
  std::string lines;
  std::ptrdiff_t line = 1;
  for (const char c : text) {
    if (c == '\n' && line++ == most && more > 1) break;
    lines += c == '\n' ? "\n  " + indent : std::string(1, c);
  }
  return more > 1 ? fmt::format("{}\n  {}… {} more lines", lines, indent, more) : lines;
}

void list_contents(const h5::File& file, const Print& print) {
  print(fmt::format("{}", file.path()));
  const auto attributes_of = [&](const std::string& object, const char* indent) {
    for (const auto& name : file.attributes(object))
      print(fmt::format("{}{} = {}", indent, name, value_of(file, object, name, indent)));
  };
  attributes_of("/", "  ");
  for (const auto& [set, pattern, others] : listed(file.datasets())) {
    print(fmt::format("  {}: {}, {}{}{}", set.path, h5::to_string(set.shape),
                      h5::to_string(set.type),
                      set.chunk.empty() ? "" : ", chunks of " + h5::to_string(set.chunk),
                      others == 0 ? "" : fmt::format("; and {} more, {}", others, pattern)));
    attributes_of(set.path, "      ");
  }
}

/// The frames, in a file or in memory.
struct FramesSeen {
  i64 count = 0, rows = 0, cols = 0;
  int bytes_a_value = 0;
  std::array<i64, 2> scan_shape{};  ///< (slow, fast) of a raster; else 0
};

/// The data as given, or a run in the middle where they would take more than the memory allowed.
DataConfig bounded(const DataConfig& given, const FramesSeen& frames, double most_GB,
                   const Print& print) {
  DataConfig data = given;
  const double frame = static_cast<double>(frames.rows * frames.cols) * frames.bytes_a_value;
  const auto most = static_cast<i64>(most_GB * 1e9 / frame);
  if (!given.positions.empty() || frames.count <= most || most < 1) return data;
  const i64 first = (frames.count - most) / 2;
  data.positions = {static_cast<int>(first), static_cast<int>(first + most)};
  print(fmt::format("looking at patterns {} to {} of {} only, to keep to {} GB of memory", first,
                    first + most - 1, frames.count, most_GB));
  return data;
}

void report_counts(const Experiment& e, const FramesSeen& frames, const DataConfig& data,
                   const PatternFigures& f, Inspection& found, const Print& print) {
  const auto [low, high] = std::minmax_element(f.sums.begin(), f.sums.end());
  found.smallest = f.smallest;
  found.largest = f.largest;
  found.pattern_smallest = *low;
  found.pattern_largest = *high;
  found.pattern_mean =
      std::accumulate(f.sums.begin(), f.sums.end(), 0.0) / static_cast<double>(f.sums.size());
  const double valid = static_cast<double>(std::count(e.valid.begin(), e.valid.end(), 1.0F));
  found.mean = found.pattern_mean / valid;
  const Screening& screened = e.screening;
  found.dead = screened.count(PixelFault::dead);
  found.hot = screened.count(PixelFault::hot);
  found.saturated = screened.clipped;
  print(fmt::format("counts per pixel: {:.5g} to {:.5g}, mean {:.4g}", f.smallest, f.largest,
                    found.mean));
  print(fmt::format("counts per pattern: {:.5g} to {:.5g}, mean {:.5g}", *low, *high,
                    found.pattern_mean));
  print(fmt::format("dead pixels: {}, hot pixels: {}, cut-off pixels: {}", found.dead, found.hot,
                    found.saturated));
  if (const auto clipping = warning_of_clipping(e)) print("warning: " + *clipping);
  if (frames.rows != frames.cols && data.window == 0 && data.crop == 0)
    print(fmt::format(
        "warning: frames of {} x {} px are padded to a square, the padding is left out of the fit",
        frames.rows, frames.cols));
}

/// The fraction of their area that two circles of radius r at distance d have in common.
double area_overlap(double radius, double d) {
  const double x = d / (2 * radius);
  return x >= 1 ? 0 : 2 / pi * (std::acos(x) - x * std::sqrt(1 - x * x));
}

double sinc(double x) { return x == 0 ? 1 : std::sin(pi * x) / (pi * x); }

void report_sampling(const Experiment& e, const DataConfig& data, Inspection& found,
                     const Print& print) {
  // Summing over a detector pixel dk damps the interference of points a lag apart by
  // sinc(lag · dk); the largest lag is the probe's diameter.
  const double diameter = 2 * found.probe_radius, field = 1 / e.calibration.dk;
  found.least_contrast = sinc(std::min(1.0, diameter / field));
  print(fmt::format(
      "window: {:.5g} Å for a probe of {:.5g} Å diameter; across it the detector's pixels "
      "leave {:.0f} % of the interference contrast",
      field, diameter, 100 * found.least_contrast));
  const double binned = static_cast<double>(data.bin);
  if (diameter > 0.8 * field)
    print(fmt::format("warning: the probe of {:.5g} Å hardly fits the window of {:.5g} Å: {}",
                      diameter, field,
                      data.bin > 1 ? "use a smaller data.bin"
                                   : "the detector samples too coarsely for this defocus"));
  else if (found.least_contrast < 0.8)
    print(
        fmt::format("warning: detector sampling is coarse for this probe: {:.0f} % of the "
                    "interference contrast "
                    "is left across it; {}less defocus at the microscope keeps more",
                    100 * found.least_contrast, data.bin > 1 ? "a smaller data.bin or " : ""));
  // sinc(0.35) = 0.81
  const double most = 0.35 * binned * field / diameter;
  if (most >= 2 * binned)
    print(
        fmt::format("data.bin up to {} would keep 80 % of it", static_cast<int>(std::floor(most))));
}

/// The defocus given, or else the one that the quick look found.
struct KnownDefocus {
  double value = 0;  ///< Å, at the entrance; 0 where none is known
  bool known = false;
  const char* where = "";
};

KnownDefocus defocus_of(const InspectConfig& config, const Experiment& e, const Inspection& found) {
  const double stated = e.optics.defocus.value_or(0);  // by a key or the file; else 0
  if (config.optics.defocus || stated != 0) return {stated, true, ""};
  if (found.quick && found.quick->found.known)
    return {found.quick->found.defocus + config.thickness / 2, true, ", by the quick look"};
  return {0, false, ", as none is given"};
}

void report_scan(const Experiment& e, const DataConfig& data, const KnownDefocus& defocus,
                 Inspection& found, const Print& print) {
  const bool px = e.calibration.in_pixels();
  const char* unit = px ? "px" : "Å";
  const auto& p = e.positions;
  if (p.size() > 1) {
    const Bounds scan = bounds_of(p);
    found.step = neighbour_distance(p, 1);
    print(fmt::format(
        "scan: {} positions over {:.5g} x {:.5g} {}, nearest neighbours {:.4g} {} apart", p.size(),
        scan.rows(), scan.cols(), unit, found.step, unit));
    if (found.step == 0)
      print("warning: duplicate positions: step, overlap and dose are undetermined");
    if (!px && found.step > 0) {
      found.dose = found.pattern_mean / (found.step * found.step);
      print(fmt::format("dose: {:.4g} counts/Å² (electrons/Å² where a count is an electron)",
                        found.dose));
    }
  }
  const auto& o = e.optics;
  if (e.calibration.wavelength <= 0 || o.semi_angle <= 0) {
    print("probe: not known without optics.energy and optics.semi_angle");
    return;
  }
  // Geometric disc of the defocused cone, and Airy's disc at its waist.
  const double angle = o.semi_angle * mrad;
  found.probe_radius = std::abs(defocus.value) * angle + 0.61 * e.calibration.wavelength / angle;
  print(fmt::format("probe: radius about {:.5g} Å (defocus {:.6g} Å{}, {:.4g} mrad)",
                    found.probe_radius, defocus.value, defocus.where, o.semi_angle));
  if (found.step > 0) {
    found.overlap = area_overlap(found.probe_radius, found.step);
    print(fmt::format(
        "overlap of neighbouring probes: {:.0f} % of their area, {:.0f} % along the line",
        100 * found.overlap, 100 * std::max(0.0, 1 - found.step / (2 * found.probe_radius))));
    if (found.overlap < 0.5)
      print(fmt::format(
          "warning: neighbouring probes overlap by less than half, which hardly determines the "
          "object{}",
          defocus.known ? "" : "; in focus, that is: give optics.defocus, or --quick measures it"));
  }
  report_sampling(e, data, found, print);
}

std::string described(const Flips& flips, double rotation) {
  return fmt::format("flips {}, scan rotation {:+.1f}°", flips.name(), rotation);
}

bool is_as_given(const Orientation& o) {
  return o.flips.name() == "none" && std::abs(o.rotation) < 5;
}

/// Resolves the 180° ambiguity of the best guess, and says by what.
std::string settle_sign(const Experiment& e, const std::optional<ShadowImages>& shadow,
                        Orientation& o) {
  if (shadow) {
    const Turn guess = turn_of(o.flips, o.rotation);
    const Turn opposite{guess.mirrored, (guess.rotation + Turn::rotations / 2) % Turn::rotations};
    const double sign = shadow->likeness.above(guess, opposite);
    if (sign < -4) rotate_180(o);
    if (std::abs(sign) > 4) {
      o.sign_settled = true;
      return fmt::format(
          "  180° ambiguity resolved: the shadow image moves as a defocus of {:+.6g} Å demands "
          "({:.0f} standard errors)",
          e.optics.defocus.value_or(0), std::abs(sign));
    }
  }
  return o.sign_settled
             ? "  180° ambiguity probably resolved: the divergence is skewed as by peaks of the "
               "phase, if the specimen is thin"
             : "  180° ambiguity not resolved: both flips, or 180° more, have the same curl";
}

/// Steps wider than the specimen's features leave curl in any orientation, and its least lies
/// elsewhere: it is believed where the shadow image says the same, or where there is next to none
/// left, in focus.
std::optional<std::string> warning_of_curl(const Experiment& e, const Orientation& o,
                                           const std::optional<ShadowImages>& shadow) {
  if (!o.clear || is_as_given(o) || !better_than_given(o)) return {};
  const bool believed = shadow ? near(shadow->likeness.best(), turn_of(o.flips, o.rotation))
                               : e.optics.defocus.value_or(0) == 0 && curl_is_certain(o);
  if (!believed) return {};
  return fmt::format("orientation looks wrong: adding {} lowers the curl from {:.2f} to {:.2f}",
                     described(o.flips, o.rotation), o.curves[0].curl[0], o.curl);
}

/// By the curl of the centres of mass.
std::optional<std::string> report_curl(const Experiment& e, const std::vector<Position>& positions,
                                       const std::optional<ShadowImages>& shadow, Inspection& found,
                                       const Print& print) {
  try {
    found.orientation = orientation_by_curl(e, positions);
  } catch (const UserError& error) {
    print(fmt::format("orientation: {}", error.what()));
    return {};
  }
  Orientation& o = found.orientation;
  const std::string sign = settle_sign(e, shadow, o);
  print(fmt::format(
      "orientation (flips of the patterns, rotation on top of the scan's), curl of the centre "
      "of mass: fraction {:.2f}, mirrored {:.2f}",
      o.curl, o.curl_mirrored));
  print(fmt::format(
      "  best guess: {}{}", described(o.flips, o.rotation),
      !o.clear ? " - not clear, the two kinds hardly differ"
      : better_than_given(o) || is_as_given(o)
          ? ""
          : fmt::format(" - not clearly better than as given, {:.2f}", o.curves[0].curl[0])));
  for (const auto& curve : o.curves)
    if (curve.flips.mirrors() == o.flips.mirrors() && curve.flips.name() != o.flips.name())
      print(fmt::format("  equivalent but for 180°: {}", described(curve.flips, curve.rotation)));
  print(sign);
  return warning_of_curl(e, o, shadow);
}

/// Curl errs where steps are wide; the shadow image, if it moves as it should, does not. Both are
/// silent where the quick look, which compares all patterns at any defocus and astigmatism, has
/// measured the rotation.
void report_orientation(const Experiment& e, const std::vector<Position>& positions,
                        const DataConfig& data, Inspection& found, const Print& say) {
  const bool measured =
      found.quick && found.quick->found.known && found.quick->found.rotation_known;
  const Print print = measured ? Print([](const std::string&) {}) : say;
  const auto shadow = e.positions.empty() ? std::nullopt : shadow_images(e, e.positions);
  auto warning = report_curl(e, positions, shadow, found, print);
  if (shadow) {
    const Likeness& likeness = shadow->likeness;
    const Turn best = likeness.best();
    print(fmt::format(
        "shadow images of neighbouring positions, one moved as scan and defocus say: correlation "
        "{:.2f}; at most {:.2f}, with flips {} and the scan rotated by {}°",
        likeness.mean({}), likeness.mean(best), best.mirrored == 1 ? "flip_cols" : "none",
        360 / Turn::rotations * best.rotation));
    if (moves_as_given(likeness)) warning.reset();
    if (!warning) warning = warning_of_orientation(*shadow, data);
  }
  if (measured) warning = warning_of_quick_look(*found.quick, data);
  if (warning) say("warning: " + *warning);
}

void report_descan(const Experiment& e, const std::vector<Position>& positions, Inspection& found,
                   const Print& print) {
  found.descan = find_descan(e, positions);
  const auto report = [&](const std::optional<Position>& by, const char* halves) {
    if (by)
      print(
          fmt::format("warning: the bright-field disc lies ({:+.2f}, {:+.2f}) px elsewhere {}: "
                      "descan; geometry.refine: [descan] fits it",
                      by->row, by->col, halves));
  };
  report(found.descan.along_rows, "in the lower half of the scan than in the upper");
  report(found.descan.along_cols, "in the right half of the scan than in the left");
}

std::vector<Position> positions_to_draw(const Experiment& e, const FramesSeen& frames,
                                        const DataConfig& data) {
  if (!e.positions.empty()) return e.positions;
  // None are known: a raster of unit steps still shows images and handedness.
  std::array<i64, 2> shape{data.scan_shape[0], data.scan_shape[1]};
  if (shape[0] == 0) shape = frames.scan_shape;
  const i64 n = frames.count;
  if (!fills(n, shape) || e.patterns->count() != n) return {};
  auto positions = positions_of(Raster{shape, {1, 1}});
  positions.resize(static_cast<std::size_t>(n));
  return positions;
}

Panel orientation_chart(const Orientation& o) {
  ChartPanel chart;
  chart.title = "curl of the centre of mass";
  chart.x_label = "rotation added to the scan's (degrees)";
  chart.y_label = "r.m.s. curl (fraction)";
  chart.y_range = Range{0, 1.2};
  for (const FlipsCurve& c : o.curves) {
    // Both flips more are the same curve: half of them suffice, named after both.
    if (c.flips.flip_rows) continue;
    Flips by_180 = c.flips;
    by_180.flip_rows = !by_180.flip_rows;
    by_180.flip_cols = !by_180.flip_cols;
    chart.curves.push_back(
        {c.flips.name() + " | " + by_180.name(), o.rotations, c.curl, c.flips.mirrors(), false});
  }
  chart.mark_x = o.rotation < 0 ? o.rotation + 180 : o.rotation;
  chart.mark_name = "best: " + o.flips.name();
  return chart;
}

void draw(const std::string& folder, const Experiment& e, const std::vector<Position>& positions,
          const PatternFigures& f, const Inspection& found, const Print& print) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw UserError(fmt::format("folder '{}' cannot be made: {}", folder, error.message()));
  const auto write = [&](const char* name, std::vector<Panel> panels) {
    write_picture(folder + "/" + name, panels);
    print(fmt::format("wrote {}/{}", folder, name));
  };
  const bool px = e.calibration.in_pixels();
  const auto [unit, pixel] = shown_pixel(px, e.calibration.wavelength, e.calibration.dk);
  ImagePanel mean = image_panel(e.mean_pattern.view(), "mean pattern", "counts", pixel, unit);
  mean.logarithmic = true;
  if (e.disc) mean.circles = {{e.disc->row, e.disc->col, e.disc->radius}};
  write("mean_pattern.png", {mean});
  if (positions.empty()) return;
  ScatterPanel scan;
  scan.points = positions;
  scan.unit = px || e.positions.empty() ? "px" : "A";
  scan.title = "scan";
  scan.quantity = "counts of the pattern";
  scan.values = f.sums;
  write("scan.png", {scan});
  if (e.disc) {
    scan.title = "virtual dark field";
    scan.quantity = "counts beyond 1.1 disc radii";
    scan.values = f.dark_field;
    write("dark_field.png", {scan});
  }
  if (!found.orientation.rotations.empty())
    write("orientation.png", {orientation_chart(found.orientation)});
  if (!found.quick) return;
  draw_quick_look(folder + "/quick-look.png", *found.quick);
  print(fmt::format("wrote {}/quick-look.png", folder));
}

void take_quick_look(const Experiment& e, double thickness, Inspection& found, const Print& print) {
  QuickLook look = quick_look(e, {.thickness = thickness});
  if (!look.refusal.empty()) return print("no quick look: " + look.refusal);
  for (const auto& line : look.lines) print(line);
  found.quick = std::move(look);
}

/// All that does not ask where the frames are; `data` as they are looked at.
Inspection report(const InspectConfig& config, const DataConfig& data, const FramesSeen& frames,
                  FoundConfig completed, Experiment e, const Print& print) {
  Inspection found;
  found.config = std::move(completed);
  for (const auto& note : e.notes) print(note);
  for (const auto& warning : e.warnings) print("warning: " + warning);
  found.refusals = e.refusals;
  for (const auto& refusal : e.refusals)
    print("warning: a reconstruction is refused, as " + refusal);

  const PatternFigures figures = figures_of(e);
  report_counts(e, frames, data, figures, found, print);
  found.bad_pixels = mask_of(e.screening);
  found.skip = e.skipped;
  for (const i64 i : e.screening.left_out)
    found.skip.push_back(e.numbers[static_cast<std::size_t>(i)]);
  std::sort(found.skip.begin(), found.skip.end());
  if (config.quick) take_quick_look(e, config.thickness, found, print);
  report_scan(e, data, defocus_of(config, e, found), found, print);
  const auto positions = positions_to_draw(e, frames, data);
  if (positions.empty())
    print("orientation: not known without positions or data.scan_shape");
  else
    report_orientation(e, positions, data, found, print);
  if (e.disc && !positions.empty()) report_descan(e, positions, found, print);
  if (!config.folder.empty()) draw(config.folder, e, positions, figures, found, print);
  found.mean_pattern = std::move(e.mean_pattern);
  return found;
}

Inspection inspect_memory(const InspectConfig& config, const Print& print) {
  const auto source = frames_of(*config.patterns);
  const FramesSeen seen{source->count, source->rows, source->cols, source->bytes_a_value,
                        source->scan_shape};
  print(fmt::format("patterns in memory: {} of {} x {} px, {}, {} bytes a value", seen.count,
                    seen.rows, seen.cols, source->is_integer ? "integers" : "floats",
                    seen.bytes_a_value));
  Ledger ledger = ledger_of_process();
  const DataConfig data = bounded(config.data, seen, config.most_memory_GB, print);
  Experiment e = look_at_experiment(data, config.calibration, config.scan, config.optics, &ledger,
                                    most_kept(&ledger), nullptr, config.patterns);
  FoundConfig completed = found_config(config, e);
  return report(config, data, seen, std::move(completed), std::move(e), print);
}

}  // namespace

Inspection inspect(const InspectConfig& config, const Print& print) {
  if (config.patterns) return inspect_memory(config, print);
  Ledger ledger = ledger_of_process();
  const i64 most = std::min(most_kept(&ledger), static_cast<i64>(config.most_memory_GB * 1e9 / 4));
  // It stays open, so that what it keeps is what reading has.
  const FramesAsked asked = frames_asked(config.data);
  const h5::File file = open_data_file(asked.files.front(), asked.raw);
  const bool of_result = asked.patterns.empty() && is_result(file);
  if (of_result && config.quick)
    throw UserError(fmt::format(
        "{} is a result, without patterns: a quick look is of a measurement", file.path()));
  list_contents(file, print);
  if (of_result) {
    for (const auto& line : describe_result(file.path())) print(line);
    Inspection found;
    found.of_result = true;
    return found;
  }
  const Frames frames(file, asked, most);
  const FramesSeen seen{frames.count(), frames.rows(), frames.cols(),
                        static_cast<int>(frames.info().type.bytes), frames.scan_shape()};
  const DataConfig data = bounded(config.data, seen, config.most_memory_GB, print);
  const StatedFacts stated = read_file_facts(file, &frames);
  Experiment e = look_at_experiment(data, config.calibration, config.scan, config.optics, &ledger,
                                    most, &stated);
  FoundConfig completed = found_config(config, file, frames, stated, e);
  return report(config, data, seen, std::move(completed), std::move(e), print);
}

}  // namespace ptyle
