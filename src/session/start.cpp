#include "session/start.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "core/bounds.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "core/waves.hpp"
#include "device/cpu/fft.hpp"
#include "io/data_file.hpp"
#include "io/dataset_name.hpp"
#include "io/hdf5.hpp"
#include "io/result.hpp"
#include "operator/coherence.hpp"
#include "operator/operator.hpp"
#include "operator/probe.hpp"
#include "solver/variables/probe_moves.hpp"

namespace ptyle {

Aberrations aberrations_of(const OpticsConfig& o) {
  return {.C10 = -o.defocus.value_or(0),
          .C12 = o.C12,
          .phi12 = o.phi12 * degree,
          .C21 = o.C21,
          .phi21 = o.phi21 * degree,
          .C23 = o.C23,
          .phi23 = o.phi23 * degree,
          .C30 = o.C30};
}

namespace {

ProbeOptics optics_of(const Experiment& e) {
  return {e.calibration.wavelength, e.optics.semi_angle * mrad, aberrations_of(e.optics),
          e.residual_shift};
}

/// √(mean pattern) as the amplitude behind the aperture, with the phase of the aberrations.
Array<Complex<double>, 2> probe_of_mean_pattern(const Experiment& e) {
  const i64 window = e.patterns->window();
  const auto amplitude = cornered(e.mean_pattern.view());
  const ProbeOptics optics = optics_of(e);
  Array<Complex<double>, 2> wave({window, window});
  for (i64 y = 0; y < window; ++y)
    for (i64 x = 0; x < window; ++x) {
      const double ky = e.calibration.dk * (double(frequency_index(y, window)) - optics.centre[0]);
      const double kx = e.calibration.dk * (double(frequency_index(x, window)) - optics.centre[1]);
      const double chi = optics.wavelength > 0
                             ? aberration_phase(optics.aberrations, ky, kx, optics.wavelength)
                             : 0;
      wave(y, x) = std::polar(std::sqrt(std::max(0.0, amplitude(y, x))), -chi);
    }
  Fft2<double>(window, window, FftRigor::estimate).inverse(wave.data());
  return centred<Complex<double>>(wave.view());
}

/// A probe of a file: of an earlier result or a simulated set, or any complex dataset "file:/path",
/// (W, W) or (modes, W, W).
Array<Complex<double>, 3> probe_of_file(const std::string& start, i64 window) {
  const auto name = split_dataset(start);
  Array<Complex<double>, 3> probe;
  if (!name) {
    const Result earlier = read_result(start);
    probe = converted<Complex<double>, Complex<float>, 3>(earlier.probe.view());
    if (probe.empty()) throw UserError(fmt::format("probe.start: '{}' holds no probe", start));
  } else {
    const h5::File file = open_data_file(name->file);
    const auto dataset = file.dataset(name->dataset);
    auto shape = dataset.shape();
    while (shape.size() > 3 && shape[0] == 1) shape.erase(shape.begin());
    if (shape.size() != 2 && shape.size() != 3)
      throw UserError(
          fmt::format("probe.start: '{}' has {} dimensions; a probe has (y, x) or (mode, y, x)",
                      start, shape.size()));
    probe = Array<Complex<double>, 3>(
        {shape.size() == 3 ? shape[0] : 1, shape[shape.size() - 2], shape[shape.size() - 1]});
    dataset.read(probe.data());
    // MATLAB's axes are in reverse order: its (y, x, mode) lies as (mode, x, y).
    if (file.by_matlab() && probe.shape()[1] == probe.shape()[2])
      for (i64 m = 0; m < probe.shape()[0]; ++m)
        for (i64 y = 0; y < probe.shape()[1]; ++y)
          for (i64 x = 0; x < y; ++x) std::swap(probe(m, y, x), probe(m, x, y));
  }
  if (probe.shape()[1] != window || probe.shape()[2] != window)
    throw UserError(fmt::format(
        "probe.start: the probe in '{}' has {} x {} pixels, but the patterns' window has {} x {}",
        start, probe.shape()[1], probe.shape()[2], window, window));
  return probe;
}

/// The first `modes` of a probe; missing ones are spread from its first.
Array<Complex<double>, 3> with_modes(const Array<Complex<double>, 3>& probe, const ProbeConfig& c,
                                     Ledger* ledger) {
  const i64 have = probe.shape()[0], window = probe.shape()[1];
  if (have >= c.modes) {
    Array<Complex<double>, 3> first({c.modes, window, window}, ledger, "probe");
    std::copy_n(probe.begin(), first.size(), first.begin());
    return first;
  }
  constexpr double of_further_ones = 0.25;
  const double each = c.mode_power > 0 ? c.mode_power : of_further_ones / (c.modes - 1);
  std::vector<double> shares(static_cast<std::size_t>(c.modes), each);
  shares[0] = 1 - each * (c.modes - 1);
  auto spread = spread_modes(probe.view()[0], shares, ledger);
  if (have > 1) std::copy(probe.begin(), probe.end(), spread.begin());
  return spread;
}

/// "a source of 0.25 Å and a focal spread of 30 Å (standard deviations)"
std::string describe(const Incoherence& beam) {
  std::string text;
  if (beam.source_size > 0) text = fmt::format("a source of {:.4g} Å", beam.source_size);
  if (beam.focal_spread > 0)
    text +=
        fmt::format("{}a focal spread of {:.4g} Å", text.empty() ? "" : " and ", beam.focal_spread);
  return text + " (standard deviations)";
}

/// The modes of a beam that is not coherent, of one that is.
Array<Complex<double>, 3> coherence_modes(const Array<Complex<double>, 3>& probe,
                                          const ProbeConfig& config, const Experiment& e,
                                          const Incoherence& beam, Ledger* ledger,
                                          const std::function<void(const std::string&)>& log) {
  if (probe.shape()[0] > 1)
    throw UserError(
        fmt::format("probe.start: '{}' has {} modes, which a source or a focal spread has made "
                    "already: leave out optics.source_size and optics.focal_spread",
                    config.start, probe.shape()[0]));
  auto [modes, left_out] = strongest_modes(probe, e.calibration.pixel, e.calibration.wavelength,
                                           beam, config.modes, ledger);
  if (!log) return std::move(modes);
  std::string percent;
  for (const double fraction : shares_of_power<double>(modes))
    percent += fmt::format(" {:.3g}", 100 * fraction * (1 - left_out));
  log(fmt::format("probe modes start by {}, % of the power:{}; {:.3g} is in weaker ones",
                  describe(beam), percent, 100 * left_out));
  return std::move(modes);
}

/// The probe before its modes are made.
Array<Complex<double>, 3> coherent_probe(const ProbeConfig& config, const Experiment& experiment,
                                         Ledger* ledger) {
  const i64 window = experiment.patterns->window();
  const auto single = [&](const Array<Complex<double>, 2>& wave) {
    Array<Complex<double>, 3> probe({1, window, window}, ledger, "probe");
    std::copy(wave.begin(), wave.end(), probe.begin());
    return probe;
  };
  if (config.starts_from() == ProbeStart::file) return probe_of_file(config.start, window);
  if (config.starts_from() == ProbeStart::mean) return single(probe_of_mean_pattern(experiment));
  if (experiment.calibration.wavelength <= 0 || experiment.optics.semi_angle <= 0)
    throw UserError(
        "probe.start: 'optics' needs optics.energy (the accelerating voltage, kV) and "
        "optics.semi_angle (mrad); without "
        "them start from 'mean' or from a file");
  return single(form_probe(optics_of(experiment), window, experiment.calibration.pixel));
}

/// A source and a spread of the defocus, found but for a thousandth of the power, which decides
/// nothing where a fit starts.
Incoherence incoherence_of(const Experiment& experiment) {
  return {experiment.optics.source_size, experiment.optics.focal_spread, 1e-2,
          experiment.residual_shift};
}

/// The fraction of a probe's counts that fall on valid pixels, where nothing scatters.
double valid_share(const Array<Complex<double>, 3>& probe, View<const float, 2> valid) {
  const i64 window = probe.shape()[1];
  const Fft2<double> fft(window, window, FftRigor::estimate);
  Array<Complex<double>, 2> wave({window, window});
  double seen = 0, all = 0;
  for (i64 m = 0; m < probe.shape()[0]; ++m) {
    fft.forward(probe.view()[m].data, wave.data());
    for (i64 i = 0; i < wave.size(); ++i) {
      all += std::norm(wave.data()[i]);
      if (valid.data[i] != 0) seen += std::norm(wave.data()[i]);
    }
  }
  return seen / all;
}

/// A pattern's total is W² Σ|probe|² (the transform is unnormalised), of which the data show what
/// falls on valid pixels.
void scale_to_counts(Array<Complex<double>, 3>& probe, double mean_counts,
                     View<const float, 2> valid) {
  const double window2 = double(probe.shape()[1]) * double(probe.shape()[2]);
  const double power = power_of<double>(std::as_const(probe).view());
  if (!(power > 0) || !std::isfinite(power))
    throw UserError("probe.start: the probe to start from is empty or not finite");
  // Behind a beam stop most counts that are left come of scattering, which this probe has not:
  // there its share says nothing.
  const double share = valid.empty() ? 1 : valid_share(probe, valid);
  const double scale = std::sqrt(mean_counts / (window2 * power * (share > 0.1 ? share : 1)));
  for (auto& v : probe) v *= scale;
}

/// Counts of a pattern as the probe alone makes it.
double counts_of_start(const ProbeConfig& config, const Experiment& e) {
  if (config.counts == 0) return e.mean_counts;
  if (config.counts < e.mean_counts)
    throw UserError(fmt::format(
        "probe.counts: {:.6g} counts of a pattern without specimen are less than the mean "
        "pattern's {:.6g}, and a specimen adds none; give what the same detector counts of the "
        "same beam in vacuum",
        config.counts, e.mean_counts));
  return config.counts;
}

/// One of an earlier result's volumes, by slices of which only what lies in this part is read.
using EarlierSlice = std::function<void(i64 z, const Box& box, View<float, 2> to)>;

/// Adds an earlier volume of this shape into this part of the object, `row` and `col` pixels and
/// `depth` Å away: laterally by whole pixels, along z by shared thickness.
void add_earlier(const EarlierSlice& read, const std::array<i64, 3>& earlier, double earlier_dz,
                 double depth, i64 row, i64 col, View<float, 3> to, double dz) {
  const auto [slices, ny, nx] = to.shape;
  const Box seen =
      intersection(Box{{0, earlier[1]}, {0, earlier[2]}}, Box{{-row, ny - row}, {-col, nx - col}});
  if (seen.empty()) return;
  Array<float, 2> slice({seen.rows.size(), seen.cols.size()});
  for (i64 e = 0; e < earlier[0]; ++e) {
    read(e, seen, slice);
    for (i64 s = 0; s < slices; ++s) {
      // The part of the earlier slice's thickness that lies in this slice.
      const double overlap = std::min((s + 1) * dz, depth + (e + 1) * earlier_dz) -
                             std::max(s * dz, depth + e * earlier_dz);
      if (overlap <= 1e-9 * dz) continue;
      const float share = static_cast<float>(overlap / earlier_dz);
      for (i64 y = 0; y < seen.rows.size(); ++y)
        for (i64 x = 0; x < seen.cols.size(); ++x)
          to(s, seen.rows.begin + y + row, seen.cols.begin + x + col) += share * slice(y, x);
    }
  }
}

Position mean(const std::vector<Position>& all) {
  Position sum;
  for (const auto& p : all) sum = {sum.row + p.row, sum.col + p.col};
  return {sum.row / double(all.size()), sum.col / double(all.size())};
}

/// The place of pixel [0,0] of a result that does not state it: another program's positions may
/// count from its own object, but they are of the same scan.
Position origin_by_positions(const ResultFacts& earlier, const ObjectFrame& frame, double pixel) {
  if (earlier.positions.empty() || earlier.positions.size() != frame.positions.size())
    return {0, 0};
  const Position here = mean(frame.positions), there = mean(earlier.positions);
  return {frame.origin.row + here.row * pixel - there.row,
          frame.origin.col + here.col * pixel - there.col};
}

}  // namespace

// A million pixels a side are beyond any memory: such positions are in another unit.
constexpr double most_pixels = 1e6;

ObjectFrame frame_object(std::span<const Position> at, i64 window, double pixel, i64 margin) {
  const Bounds scan = bounds_of(at);
  const double rows = scan.rows() / pixel, cols = scan.cols() / pixel;
  if (!(rows < most_pixels && cols < most_pixels))
    throw UserError(fmt::format(
        "the positions span {:.4g} x {:.4g} object pixels of {:.4g}, at most {:.0g} are possible: "
        "is scan.unit right?",
        rows, cols, pixel, most_pixels));
  // Whole pixels, so that a position keeps its place within a pixel.
  const double before = double(window / 2 + margin);
  const double first_row = std::floor(scan.low.row / pixel + 0.5) - before;
  const double first_col = std::floor(scan.low.col / pixel + 0.5) - before;
  ObjectFrame frame;
  frame.origin = {first_row * pixel, first_col * pixel};
  frame.positions.reserve(at.size());
  for (const auto& p : at)
    frame.positions.push_back({p.row / pixel - first_row, p.col / pixel - first_col});
  for (const auto& p : frame.positions) {
    const Placement corner = place(p, window);
    frame.rows = std::max(frame.rows, corner.row + window + margin);
    frame.cols = std::max(frame.cols, corner.col + window + margin);
  }
  return frame;
}

Array<Complex<double>, 3> start_probe(const ProbeConfig& config, const Experiment& experiment,
                                      Ledger* ledger,
                                      const std::function<void(const std::string&)>& log) {
  auto probe = coherent_probe(config, experiment, ledger);
  const Incoherence beam = incoherence_of(experiment);
  probe = beam.any() ? coherence_modes(probe, config, experiment, beam, ledger, log)
                     : with_modes(probe, config, ledger);
  scale_to_counts(probe, counts_of_start(config, experiment), experiment.valid.view());
  return probe;
}

double start_probe_bytes(const ProbeConfig& config, const Experiment& experiment) {
  const auto window = static_cast<double>(experiment.patterns->window());
  const double wave = window * window * sizeof(Complex<double>);
  const Incoherence beam = incoherence_of(experiment);
  const bool known = config.starts_from() != ProbeStart::mean || !experiment.mean_pattern.empty();
  if (!beam.any() || !known) return wave * (1 + config.modes);
  return wave + strongest_modes_bytes(coherent_probe(config, experiment, nullptr),
                                      experiment.calibration.pixel,
                                      experiment.calibration.wavelength, beam, config.modes);
}

namespace {

/// The place of an earlier result's first voxel in a part of this object.
struct EarlierPlace {
  double dz = 1;  ///< Å, of an earlier slice
  i64 row = 0, col = 0;
};

EarlierPlace place_earlier(const ResultReader& reader, const ObjectConfig& config,
                           const ObjectFrame& frame, const Box& box, double pixel,
                           std::array<int, 2> vacuum) {
  const ResultFacts& earlier = reader.facts();
  const auto [slices, rows, cols] = reader.shape();
  if (std::abs(earlier.pixel_size / pixel - 1) > 1e-3)
    throw UserError(fmt::format(
        "object.start: '{}' has pixels of {:.5g} {}, but this run's have {:.5g}; start from a "
        "result of the same pixel size",
        config.start, earlier.pixel_size, earlier.units, pixel));
  const Position from = earlier.origin.value_or(origin_by_positions(earlier, frame, pixel));
  const double down = std::round((from.row - frame.origin.row) / pixel),
               along = std::round((from.col - frame.origin.col) / pixel);
  const auto apart = [](double first, i64 size, i64 whole) {
    return !(first + double(size) > 0 && first < double(whole));  // NaN too
  };
  if (apart(down, rows, frame.rows) || apart(along, cols, frame.cols))
    throw UserError(fmt::format(
        "object.start: '{}' lies beside this run's object, by {:.6g} rows and {:.6g} columns: is "
        "it of the same scan?",
        config.start, down, along));
  const double earlier_dz = config.slices == 1 ? 1.0 / double(slices)
                            : slices == 1
                                ? config.slice_thickness * (config.slices - vacuum[0] - vacuum[1])
                                : earlier.slice_thickness;
  if (!(earlier_dz > 0))
    throw UserError(
        fmt::format("object.start: '{}' has {} slices, but does not state how thick they are",
                    config.start, slices));
  return {earlier_dz, i64(down) - box.rows.begin, i64(along) - box.cols.begin};
}

/// The sentence about the states of an earlier result; empty: it has one. `own`: each state starts
/// from its own.
std::string describe_states(const ResultReader& reader, const std::string& path,
                            const StatesOptions& states, bool own) {
  const auto& earlier = reader.facts().occupancy;
  if (earlier.size() < 2) return {};
  if (own)
    return fmt::format(
        "object.start: each of the {} states starts from its own in '{}', which had fractions "
        "{:.3g} of the dose",
        states.states, path, fmt::join(earlier, ", "));
  const char* const all = states.states == 1 ? "the object starts" : "all start";
  if (reader.states() == 1)
    return fmt::format("object.start: '{}' holds only the mean of its {} states: {} from it", path,
                       earlier.size(), all);
  return fmt::format("object.start: '{}' has {} states, object.states is {}: {} from their mean",
                     path, earlier.size(), states.states, all);
}

}  // namespace

ObjectStart start_object(const ObjectConfig& config, const ObjectFrame& frame, const Box& box,
                         double pixel, bool absorption, std::array<int, 2> vacuum,
                         const StatesOptions& states, Ledger* ledger) {
  std::optional<ResultReader> reader;
  if (!config.start.empty()) reader.emplace(config.start);
  const bool own = reader && states.states > 1 && reader->states() == states.states;
  const i64 volumes = own ? states.states : 1;
  ObjectStart start;
  const std::array<i64, 3> shape{volumes * config.slices, box.rows.size(), box.cols.size()};
  start.phase = Array<float, 3>(shape, ledger, "object");
  if (absorption) start.absorption = Array<float, 3>(shape, ledger, "object");
  if (reader) {
    start.note = describe_states(*reader, config.start, states, own);
    const EarlierPlace at = place_earlier(*reader, config, frame, box, pixel, vacuum);
    const double dz = config.slices > 1 ? config.slice_thickness : 1;
    // By planes of the mean, or of each state.
    const auto add = [&](auto plane, Array<float, 3>& to) {
      for (i64 k = 0; k < volumes; ++k) {
        const EarlierSlice read = [&](i64 z, const Box& seen, View<float, 2> slice) {
          ((*reader).*plane)(k * reader->shape()[0] + z, seen, slice);
        };
        const View<float, 3> volume{to.view()[k * config.slices].data,
                                    {config.slices, shape[1], shape[2]}};
        add_earlier(read, reader->shape(), at.dz, vacuum[0] * dz, at.row, at.col, volume, dz);
      }
    };
    add(own ? &ResultReader::states_phase : &ResultReader::phase, start.phase);
    if (absorption && reader->has_absorption())
      add(own ? &ResultReader::states_absorption : &ResultReader::absorption, start.absorption);
    for (const auto* volume : {&start.phase, &start.absorption})
      if (!std::all_of(volume->begin(), volume->end(), [](float v) { return std::isfinite(v); }))
        throw UserError(fmt::format(
            "object.start: '{}' holds values that are not finite, a finite object is needed",
            config.start));
  }
  if (!own && states.states > 1) part_states(start, states.states, box, vacuum);
  return start;
}

void part_states(ObjectStart& start, i64 states, const Box& box, std::array<int, 2> vacuum) {
  constexpr float most = 0.01F;  // rad; what is there at all is of the order of 0.1
  const i64 slices = start.phase.shape()[0];
  const auto repeated = [states](const Array<float, 3>& one) {
    if (one.empty()) return Array<float, 3>();
    const auto [planes, rows, cols] = one.shape();
    Array<float, 3> all({states * planes, rows, cols});
    for (i64 k = 0; k < states; ++k) std::copy(one.begin(), one.end(), all.data() + k * one.size());
    return all;
  };
  start.phase = repeated(start.phase);
  start.absorption = repeated(start.absorption);
  const auto [planes, rows, cols] = start.phase.shape();
  for (i64 z = 0; z < planes; ++z) {
    if (z % slices < vacuum[0] || z % slices >= slices - vacuum[1]) continue;
    for (i64 y = 0; y < rows; ++y) {
      const auto row = static_cast<std::uint64_t>(box.rows.begin + y) << 32;
      for (i64 x = 0; x < cols; ++x) {
        const auto col = static_cast<std::uint32_t>(box.cols.begin + x);
        const auto number = Philox::at(0, static_cast<std::uint32_t>(z), row, col);
        start.phase(z, y, x) += most * static_cast<float>(2 * Philox::uniform(number) - 1);
      }
    }
  }
}

void start_above(Array<Complex<double>, 3>& probe, int slices, const ObjectConfig& config,
                 const Experiment& experiment) {
  propagate<double>(probe, experiment.calibration.pixel, experiment.calibration.wavelength,
                    -slices * config.slice_thickness, config.tilt());
}

}  // namespace ptyle
