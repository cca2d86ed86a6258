#include "session/fingerprint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "core/units.hpp"
#include "io/dataset_name.hpp"
#include "session/keys.hpp"
#include "session/settings.hpp"

namespace ptyle {
namespace {

/// The positions of the scan, in their order, as one number.
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

std::string file_name(const std::string& file) {
  return std::filesystem::path(file).filename().string();
}

/// So many digits that it is the same run, and files without their folders.
std::string agreed_text(const Key& key) {
  if (const auto* number = std::get_if<double*>(&key.field)) return fmt::format("{:.6g}", **number);
  const std::string text = text_of(key);
  if (key.file == FileKind::none) return text;
  const auto dataset = split_dataset(text);
  return text.empty() ? "vacuum"
         : dataset    ? file_name(dataset->file) + ":" + dataset->dataset
                      : file_name(text);
}

}  // namespace

Fingerprint fingerprint_of(const ReconstructConfig& config, const Experiment& experiment,
                           const ObjectFrame& frame) {
  Fingerprint all = with_keys(config, [](const Keys& keys, const Keys&) {
    Fingerprint agreed;
    for (const Key& key : keys.all()) {
      if (key.at_resume == AtResume::free) continue;
      agreed.emplace_back(key.path, agreed_text(key));
      // A checkpoint of before knows the key by its earlier name.
      if (!key.formerly.empty()) agreed.emplace_back(key.formerly, agreed_text(key));
    }
    return agreed;
  });
  const auto add = [&](const char* what, const std::string& value) {
    all.emplace_back(what, value);
  };
  add("positions", std::to_string(frame.positions.size()));
  add("window", std::to_string(experiment.patterns->window()));
  add("calibration.pixel_size", fmt::format("{:.6g}", experiment.calibration.pixel));
  add("optics.energy", fmt::format("{:.6g}", experiment.optics.energy));
  add("the object", fmt::format("{} x {} px", frame.rows, frame.cols));
  add("solver.loss", facts_of(loss_of(config, experiment)).name);
  add("the path of the scan", path_of_scan(frame));
  add("the valid pixels",
      std::to_string(std::count(experiment.valid.begin(), experiment.valid.end(), 1.0f)));
  add("the mean pattern", figures_of(experiment.mean_pattern));
  return all;
}

}  // namespace ptyle
