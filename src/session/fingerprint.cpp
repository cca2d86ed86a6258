#include "session/fingerprint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "core/units.hpp"
#include "io/dataset_name.hpp"
#include "session/settings.hpp"

namespace ptyle {
namespace {

/// Where the scan goes, in its order, as one number.
std::string path_of_scan(const ObjectFrame& frame) {
  double sum = 0, n = 0;
  for (const Position& at : frame.positions) sum += ++n * (at.row + pi * at.col);
  return fmt::format("{:.6g}", sum / n);
}

/// Counts of the mean pattern and where their centre lies: so few digits that the order in which
/// ranks add does not matter.
std::string figures_of(const Array<double, 2>& mean) {
  double counts = 0, row = 0, col = 0;
  for (i64 y = 0; y < mean.shape()[0]; ++y)
    for (i64 x = 0; x < mean.shape()[1]; ++x) {
      counts += mean(y, x);
      row += mean(y, x) * static_cast<double>(y);
      col += mean(y, x) * static_cast<double>(x);
    }
  return fmt::format("{:.5g} counts about ({:.3f}, {:.3f}) px", counts, row / counts, col / counts);
}

}  // namespace

Fingerprint fingerprint_of(const ReconstructConfig& c, const Experiment& experiment,
                           const ObjectFrame& frame) {
  const auto yes = [](bool is) { return std::string(is ? "true" : "false"); };
  const auto name = [](const std::string& file) {
    return std::filesystem::path(file).filename().string();
  };
  const auto start = [&](const std::string& text) {
    const auto dataset = split_dataset(text);
    return text.empty() ? "vacuum"
           : dataset    ? name(dataset->file) + ":" + dataset->dataset
                        : name(text);
  };
  return {{"data.file", name(c.data.file)},
          {"data.flip_rows", yes(c.data.flip_rows)},
          {"data.flip_cols", yes(c.data.flip_cols)},
          {"data.transpose", yes(c.data.transpose)},
          {"data.dc", c.data.dc},
          {"data.bin", std::to_string(c.data.bin)},
          {"data.crop", std::to_string(c.data.crop)},
          {"data.background", fmt::format("{:.6g}", c.data.background)},
          {"positions", std::to_string(frame.positions.size())},
          {"window", std::to_string(experiment.patterns->window())},
          {"calibration.pixel_size", fmt::format("{:.6g}", experiment.calibration.pixel)},
          {"optics.energy", fmt::format("{:.6g}", experiment.optics.energy)},
          {"the object", fmt::format("{} x {} px", frame.rows, frame.cols)},
          {"object.type", c.object.type},
          {"object.slices", std::to_string(c.object.slices)},
          {"object.slice_thickness", fmt::format("{:.6g}", c.object.slice_thickness)},
          {"object.tilt_row", fmt::format("{:.6g}", c.object.tilt_row)},
          {"object.tilt_col", fmt::format("{:.6g}", c.object.tilt_col)},
          {"object.band_limit", fmt::format("{:.6g}", c.object.band_limit)},
          {"object.start", start(c.object.start)},
          {"probe.start", start(c.probe.start)},
          {"probe.modes", std::to_string(c.probe.modes)},
          {"solver.groups", std::to_string(c.solver.groups)},
          {"solver.loss", facts_of(loss_of(c, experiment)).name},
          {"solver.hold_out", fmt::format("{:.6g}", c.solver.hold_out)},
          {"solver.seed", std::to_string(c.solver.seed)},
          {"solver.continuation", c.solver.continuation},
          {"solver.precision", c.solver.precision},
          {"the path of the scan", path_of_scan(frame)},
          {"the valid pixels",
           std::to_string(std::count(experiment.valid.begin(), experiment.valid.end(), 1.0f))},
          {"the mean pattern", figures_of(experiment.mean_pattern)}};
}

}  // namespace ptyle
