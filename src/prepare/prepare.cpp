// 1. Which patterns: data.positions of all.
// 2. Where the bright disc's centre is, if it is to be found: from some frames' mean.
// 3. Layout: flips, transpose, centre, crop, bin, pad as one table.
// 4. Every pattern through the table into the store; mask, saturation, mean on the way.
// 5. The disc on the mean pattern, the calibration, the positions.

#include "prepare/prepare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/error.hpp"
#include "core/units.hpp"
#include "prepare/calibration.hpp"
#include "prepare/disc.hpp"
#include "prepare/layout.hpp"
#include "prepare/pattern_store.hpp"
#include "prepare/positions.hpp"

namespace ptyle {
namespace {

/// Numbers of the patterns to use, data.positions = [first, last) or [first, last, stride].
std::vector<i64> chosen(const DataConfig& data, const FrameSource& frames) {
  std::vector<i64> numbers;
  const auto& p = data.positions;
  const i64 first = p.empty() ? 0 : p[0], last = p.size() > 1 ? p[1] : frames.count,
            stride = p.size() > 2 ? p[2] : 1;
  if (p.size() == 1 || p.size() > 3 || first < 0 || stride < 1 || last > frames.count ||
      (first >= last && frames.count > 0))
    throw UserError(fmt::format(
        "data.positions [{}] is no part of the {} patterns of {}: [first, last, stride] is needed, "
        "last not included",
        fmt::join(p, ", "), frames.count, frames.name));
  for (i64 i = first; i < last; i += stride) numbers.push_back(i);
  return numbers;
}

/// Calls use(position in `numbers`, frame) for each of them; runs are read together, up to 32 MB.
template <class Raw, class Use>
void for_each_frame(FrameSource& frames, const std::vector<i64>& numbers, Use&& use) {
  const i64 size = frames.rows * frames.cols, n = static_cast<i64>(numbers.size());
  const i64 fit = std::max<i64>(1, (i64{32} << 20) / (size * static_cast<i64>(sizeof(Raw))));
  // Whole chunks of the file at a time: half a chunk would be unpacked twice.
  const i64 run =
      std::max<i64>(1, std::max(fit / frames.preferred_run(), i64{1}) * frames.preferred_run());
  std::vector<Raw> buffer;
  for (i64 i = 0; i < n;) {
    i64 length = 1;
    while (length < run && i + length < n && numbers[i + length] == numbers[i] + length) ++length;
    buffer.resize(static_cast<std::size_t>(length * size));
    frames.read(numbers[i], length, buffer.data());
    for (i64 j = 0; j < length; ++j) use(i + j, buffer.data() + j * size);
    i += length;
  }
}

/// What is gathered while patterns go through the layout.
struct Gathered {
  std::vector<double> mean;  ///< W·W, DC at [0,0]; sums, then the mean
  std::vector<bool> bad;     ///< raw pixels: masked or ever saturated
  i64 saturated = 0, negative = 0, empty_patterns = 0;
};

/// One pattern out of one raw frame.
template <class Raw>
void gather(const Layout& l, const Raw* frame, std::vector<Raw>& pattern) {
  const i64 n = l.window * l.window, b2 = l.bin * l.bin;
  for (i64 i = 0; i < n; ++i) {
    Raw sum = 0;
    for (i64 j = 0; j < b2; ++j) {
      const i64 from = l.source[i * b2 + j];
      if (from >= 0) sum += frame[from];
    }
    pattern[i] = sum;
  }
}

/// Makes a raw frame fit to be summed: bad pixels and negative values are 0, NaN is refused.
template <class Raw>
void clean(const FrameSource& f, i64 number, double saturation, Raw* frame, Gathered& g) {
  const i64 size = f.rows * f.cols;
  for (i64 p = 0; p < size; ++p) {
    Raw& v = frame[p];
    if (g.bad[p]) {
      v = 0;
    } else if (!(v >= 0)) {
      if constexpr (std::is_floating_point_v<Raw>)
        if (std::isnan(v))
          throw UserError(
              fmt::format("pattern {} of {} is not a number (NaN) at pixel ({}, {}): mask that "
                          "pixel with data.mask",
                          number, f.name, p / f.cols, p % f.cols));
      v = 0;
      ++g.negative;
    } else if (saturation > 0 && static_cast<double>(v) >= saturation) {
      g.bad[p] = true;
      ++g.saturated;
      v = 0;
    } else if (std::is_floating_point_v<Raw> && static_cast<double>(v) > 3e38) {
      throw UserError(fmt::format(
          "pattern {} of {} is infinite at pixel ({}, {}): mask that pixel with data.mask", number,
          f.name, p / f.cols, p % f.cols));
    }
  }
}

template <class Raw>
void fill_store(FrameSource& frames, const std::vector<i64>& numbers, const Layout& l,
                double saturation, FillablePatternStore& store, Gathered& g) {
  std::vector<Raw> pattern(static_cast<std::size_t>(l.window * l.window));
  std::vector<double> loaded(pattern.size());
  g.mean.assign(pattern.size(), 0);
  for_each_frame<Raw>(frames, numbers, [&](i64 i, Raw* frame) {
    clean(frames, numbers[i], saturation, frame, g);
    gather(l, frame, pattern);
    store.put(i, std::span<const Raw>(pattern));
    store.load(i, loaded.data());
    double sum = 0;
    for (std::size_t k = 0; k < loaded.size(); ++k) {
      g.mean[k] += loaded[k];
      sum += loaded[k];
    }
    if (!(sum > 0)) ++g.empty_patterns;
  });
  for (double& m : g.mean) m /= static_cast<double>(numbers.size());
}

Gathered start_gathering(const Measurement& m) {
  const FrameSource& f = *m.frames;
  Gathered g;
  g.bad.assign(static_cast<std::size_t>(f.rows * f.cols), false);
  if (!m.mask) return g;
  if (m.mask->shape != std::vector<i64>{f.rows, f.cols})
    throw UserError(fmt::format("mask {} has the shape {}, the frames of {} are {} x {}",
                                m.mask->name, fmt::join(m.mask->shape, " x "), f.name, f.rows,
                                f.cols));
  std::transform(m.mask->bad.begin(), m.mask->bad.end(), g.bad.begin(),
                 [](std::uint8_t bad) { return bad != 0; });
  if (std::find(g.bad.begin(), g.bad.end(), false) == g.bad.end())
    throw UserError(fmt::format("mask {} leaves no pixel: nonzero means bad", m.mask->name));
  return g;
}

/// The window's valid pixels, DC at [0,0]: neither padding nor any bad raw pixel in them.
Array<float, 2> validity(const Layout& l, const Gathered& g) {
  Array<float, 2> valid({l.window, l.window});
  const i64 b2 = l.bin * l.bin;
  for (i64 i = 0; i < valid.size(); ++i) {
    bool good = !l.padded[i];
    for (i64 j = 0; j < b2 && good; ++j) good = !g.bad[l.source[i * b2 + j]];
    valid.data()[i] = good ? 1.0F : 0.0F;
  }
  return valid;
}

/// The bright disc's centre on the turned frame, from the mean of up to 200 frames over the scan.
template <class Raw>
std::array<double, 2> find_centre(const Measurement& m, const std::vector<i64>& numbers) {
  DataConfig whole = m.data;  // turned, but not shifted, cropped or binned
  whole.crop = 0;
  whole.bin = 1;
  whole.window = static_cast<int>(std::max(m.frames->rows, m.frames->cols));
  const Layout l = lay_out(*m.frames, whole, {});
  Gathered g = start_gathering(m);
  const i64 n = static_cast<i64>(numbers.size()), stride = (n + 199) / 200;
  std::vector<i64> some;
  for (i64 i = 0; i < n; i += stride) some.push_back(numbers[i]);
  std::vector<Raw> pattern(static_cast<std::size_t>(l.window * l.window));
  Array<double, 2> mean({l.window, l.window});
  for_each_frame<Raw>(*m.frames, some, [&](i64 i, Raw* frame) {
    clean(*m.frames, some[i], m.data.saturation, frame, g);
    gather(l, frame, pattern);
    for (i64 k = 0; k < mean.size(); ++k) mean.data()[k] += static_cast<double>(pattern[k]);
  });
  const auto disc =
      fit_disc(centred<double>(mean.view()).view(), centred<float>(validity(l, g).view()).view());
  if (!disc)
    throw UserError(
        fmt::format("data.find_centre finds no bright disc in the mean of {}, give data.centre",
                    m.frames->name));
  // From the square window back to the turned frame, whose pixel [N/2] is the window's [W/2].
  const i64 rows = m.data.transpose ? m.frames->cols : m.frames->rows,
            cols = m.data.transpose ? m.frames->rows : m.frames->cols;
  return {disc->row - static_cast<double>(l.window / 2 - rows / 2),
          disc->col - static_cast<double>(l.window / 2 - cols / 2)};
}

void note_patterns(const Measurement& m, const Layout& l, const Gathered& g, i64 n, Experiment& e) {
  const FrameSource& f = *m.frames;
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
  if (g.negative > 0)
    e.warnings.push_back(fmt::format("{} negative values were set to 0", g.negative));
  if (g.saturated > f.rows * f.cols / 100)
    e.warnings.push_back(fmt::format(
        "{} of {} detector pixels reach data.saturation in some pattern and are left out",
        g.saturated, f.rows * f.cols));
  if (g.empty_patterns > 0)
    e.warnings.push_back(
        fmt::format("{} of {} patterns have no counts at all", g.empty_patterns, n));
}

/// Completes the optics by what the file says, with a note for each.
OpticsConfig completed(OpticsConfig optics, const FileFacts& file,
                       std::vector<std::string>& notes) {
  const auto take = [&notes](double& to, const std::optional<double>& from, const char* name,
                             const char* unit) {
    if (to != 0 || !from || *from == 0) return;
    to = *from;
    notes.push_back(
        fmt::format("optics.{} {:.6g} {} taken from the file's attributes", name, to, unit));
  };
  const bool same_beam = optics.energy == 0 || !file.energy || optics.energy == *file.energy;
  if (optics.xray_energy == 0) take(optics.energy, file.energy, "energy", "kV");
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

std::array<i64, 2> scan_shape(const Measurement& m) {
  const i64 n = m.frames->count;
  const std::array<i64, 2> said{m.data.scan_shape[0], m.data.scan_shape[1]};
  for (const auto& shape : {said, m.frames->scan_shape, m.file.scan_shape}) {
    if (shape[0] == 0 && shape[1] == 0) continue;
    if (shape[0] * shape[1] != n)
      throw UserError(fmt::format("a scan of {} x {} is {} positions but {} has {} patterns",
                                  shape[0], shape[1], shape[0] * shape[1], m.frames->name, n));
    return shape;
  }
  throw UserError(
      fmt::format("{} has {} patterns in one row: scan.step needs data.scan_shape (slow, fast) too",
                  m.frames->name, n));
}

std::vector<Position> all_positions(const Measurement& m, const Calibration& c, Experiment& e) {
  ScanConfig scan = m.scan;
  const bool step_given = scan.step[0] > 0 || scan.step[1] > 0;
  if (m.positions && !step_given) {
    if (scan.positions.empty()) {  // found, not asked for: its own unit holds
      const std::string unit = unit_named(m.positions->unit);
      if (!unit.empty()) scan.unit = unit;
      e.notes.push_back(
          fmt::format("positions taken from {}, unit {}", m.positions->name, scan.unit));
    }
    return positions_from(*m.positions, scan, m.frames->count, m.frames->name, c.pixel,
                          c.in_pixels(), e.warnings);
  }
  if (!step_given && m.file.scan_step[0] > 0) {
    scan.step = m.file.scan_step;
    if (scan.rotation == 0) scan.rotation = m.file.scan_rotation;
    e.notes.push_back(fmt::format(
        "scan step {:.5g} x {:.5g} Å, rotation {:.5g} degrees taken from the file's attributes",
        scan.step[0], scan.step[1], scan.rotation));
  }
  if (!(scan.step[0] > 0 && scan.step[1] > 0))
    throw UserError(
        "no positions are given: scan.positions (a dataset) or scan.step (slow, fast) is needed");
  const auto shape = scan_shape(m);
  if (step_given)  // a file's own step is in Å
    for (double& s : scan.step) s *= scan.unit == "px" ? c.pixel : scan.unit == "m" ? metre : 1;
  e.notes.push_back(fmt::format("raster of {} x {}, rotation {:.5g} degrees{}", shape[0], shape[1],
                                scan.rotation, scan.snake ? ", every second line backwards" : ""));
  return raster(shape, scan);
}

/// A wrong unit or calibration shows: all probes on one pixel, or each alone in its window.
void warn_of_spread(const std::vector<Position>& at, double pixel, i64 window,
                    std::vector<std::string>& warnings) {
  if (at.size() < 2) return;
  Position low = at[0], high = at[0];
  std::vector<double> steps;
  for (std::size_t i = 1; i < at.size(); ++i) {
    low = {std::min(low.row, at[i].row), std::min(low.col, at[i].col)};
    high = {std::max(high.row, at[i].row), std::max(high.col, at[i].col)};
    steps.push_back(std::hypot(at[i].row - at[i - 1].row, at[i].col - at[i - 1].col) / pixel);
  }
  const double rows = (high.row - low.row) / pixel, cols = (high.col - low.col) / pixel;
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  if (std::max(rows, cols) < 1)
    warnings.push_back(fmt::format(
        "all positions lie within {:.2g} x {:.2g} object pixels: is scan.unit right?", rows, cols));
  else if (*middle > static_cast<double>(window))
    warnings.push_back(fmt::format(
        "a position lies {:.4g} object pixels from the next, beyond its window of {}: are "
        "scan.unit and the calibration right?",
        *middle, window));
}

void note_disc(const Layout& l, bool centre_known, Experiment& e) {
  if (!e.disc) return;
  const auto middle = static_cast<double>(l.window / 2);
  const double off = std::hypot(e.disc->row - middle, e.disc->col - middle);
  e.notes.push_back(
      fmt::format("bright disc on the mean pattern: centre ({:.2f}, {:.2f}), {:.2f} px from [W/2, "
                  "W/2], radius {:.2f} px, {:.3g} counts a pixel",
                  e.disc->row, e.disc->col, off, e.disc->radius, e.disc->level));
  if (!centre_known && off > 1)
    e.warnings.push_back(
        fmt::format("the bright disc's centre lies ({:+.2f}, {:+.2f}) px off the window's middle: "
                    "data.find_centre would shift it there",
                    e.disc->row - middle, e.disc->col - middle));
}

/// Step 4 and the disc: patterns, valid pixels and mean into the experiment.
void read_patterns(const Measurement& m, const Layout& l, const std::vector<i64>& numbers,
                   Ledger* ledger, Experiment& e) {
  FrameSource& frames = *m.frames;
  const auto b2 = static_cast<double>(l.bin * l.bin);
  const i64 n = static_cast<i64>(numbers.size());
  auto store = make_pattern_store(n, l.window, frames.is_integer ? frames.largest * b2 : 0,
                                  m.data.background * b2, ledger);
  Gathered g = start_gathering(m);
  if (frames.is_integer)
    fill_store<std::int64_t>(frames, numbers, l, m.data.saturation, *store, g);
  else
    fill_store<float>(frames, numbers, l, m.data.saturation, *store, g);
  e.patterns = std::move(store);
  e.valid = validity(l, g);
  if (std::count(e.valid.begin(), e.valid.end(), 1.0F) == 0)
    throw UserError(
        fmt::format("no pixel of the patterns of {} is left: padding, mask and saturation take all",
                    frames.name));
  if (g.empty_patterns == n)
    throw UserError(
        fmt::format("all {} patterns of {} are zero: is it the right dataset?", n, frames.name));
  for (i64 i = 0; i < e.valid.size(); ++i) e.mean_counts += e.valid.data()[i] * g.mean[i];
  e.mean_pattern = centred<double>(View<const double, 2>{g.mean.data(), {l.window, l.window}});
  e.disc = fit_disc(e.mean_pattern, centred<float>(e.valid.view()).view());
  note_patterns(m, l, g, n, e);
}

}  // namespace

Experiment prepare(const Measurement& m, Ledger* ledger) {
  FrameSource& frames = *m.frames;
  if (frames.count == 0 || frames.rows == 0 || frames.cols == 0)
    throw UserError(fmt::format("{} holds no patterns", frames.name));
  Experiment e;
  e.optics = completed(m.optics, m.file, e.notes);
  const auto numbers = chosen(m.data, frames);

  auto centre = m.data.centre;
  if (m.data.find_centre && !centre) {
    (void)lay_out(frames, m.data, {});  // its faults first
    centre =
        frames.is_integer ? find_centre<std::int64_t>(m, numbers) : find_centre<float>(m, numbers);
  }
  const Layout l = lay_out(frames, m.data, centre);
  if (centre)
    e.notes.push_back(
        fmt::format("disc centre {} ({:.2f}, {:.2f}) px of the turned frame, shifted to [W/2, W/2] "
                    "but for ({:+.2f}, {:+.2f}) px",
                    m.data.centre ? "given" : "found", (*centre)[0], (*centre)[1], l.residual[0],
                    l.residual[1]));
  e.residual_shift = l.residual;

  read_patterns(m, l, numbers, ledger, e);
  note_disc(l, centre.has_value() || m.data.dc == "corner", e);

  const i64 side = frames.rows == frames.cols ? frames.rows : 0;
  const auto attempt = [&](auto&& work) {
    try {
      work();
    } catch (const UserError& error) {
      if (!m.looking) throw;
      e.warnings.emplace_back(error.what());
    }
  };
  e.calibration.dk = 1 / static_cast<double>(l.window);
  attempt([&] {
    e.calibration = calibrate(
        {m.calibration, e.optics, l.window, l.extent, l.bin, side, e.disc, m.file.pixel_size},
        e.notes, e.warnings);
  });
  attempt([&] {
    const auto all = all_positions(m, e.calibration, e);
    for (i64 i : numbers) e.positions.push_back(all[i]);
    warn_of_spread(e.positions, e.calibration.pixel, l.window, e.warnings);
  });
  return e;
}

}  // namespace ptyle
