#include "session/fingerprint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

/// Without a sign of 0.
double hundredths(double value) { return std::round(100 * value) / 100 + 0.0; }

std::string file_name(const std::string& file) {
  return std::filesystem::path(file).filename().string();
}

/// So many digits that it is the same run, and files without their folders.
std::string agreed_text(const Key& key) {
  if (const auto* number = std::get_if<double*>(&key.field)) return fmt::format("{:.6g}", **number);
  if (const auto* given = std::get_if<std::optional<double>*>(&key.field); given && **given)
    return fmt::format("{:.6g}", ***given);
  const std::string text = text_of(key);
  if (key.file == FileKind::none) return text;
  const auto dataset = split_dataset(text);
  return text.empty() ? "vacuum"
         : dataset    ? file_name(dataset->file) + ":" + dataset->dataset
                      : file_name(text);
}

/// With what is chosen in the place of auto and 0.
ReconstructConfig settled(ReconstructConfig config, const Experiment& experiment,
                          const Division& division) {
  const FitOptions chosen = fit_options(config, experiment, division, 1);
  config.object.type = config.object.absorbs() ? ObjectType::complex : ObjectType::potential;
  config.solver.batches = static_cast<int>(chosen.batches);
  config.ranks.of = division.of;
  config.solver.hold_out_pixels = chosen.hold_out_pixels;
  config.solver.continuation = chosen.continuation.finished() ? Switch::off : Switch::on;
  config.parts = chosen.parts;
  return config;
}

/// The keys that have to agree; an earlier name counts as a key.
Fingerprint agreed_keys(const ReconstructConfig& config) {
  return with_keys(config, [](const Keys& keys, const Keys&) {
    Fingerprint agreed;
    for (const Key& key : keys.all()) {
      if (key.at_resume == AtResume::free) continue;
      for (const auto& name : {key.path, key.formerly})
        if (!name.empty())
          agreed.push_back({.key = name, .value = agreed_text(key), .any_order = key.any_order});
    }
    return agreed;
  });
}

/// The beam as it was taken, be it from the configuration or the file: it makes the starting probe,
/// which a resumed run has already left behind.
void add_optics(OpticsConfig optics, Fingerprint& all) {
  optics.defocus = optics.defocus.value_or(0);
  Keys its_keys;
  keys(its_keys, optics);
  for (const Key& key : its_keys.all()) all.push_back({key.path, agreed_text(key)});
}

/// The other keys, which act from iteration to iteration or show in the facts above, but for those
/// of the files that are written.
void add_what_may_change(const ReconstructConfig& config, Fingerprint& all) {
  with_keys(config, [&all](const Keys& keys, const Keys&) {
    for (const Key& key : keys.all()) {
      const bool there = std::any_of(all.begin(), all.end(),
                                     [&](const Agreed& one) { return one.key == key.path; });
      if (there || section_of(key.path) == "output") continue;
      Agreed& one = all.emplace_back();
      one.key = key.path;
      one.value = text_of(key).empty() ? "left out" : agreed_text(key);
      one.may_change = true;
      one.any_order = key.any_order;
    }
  });
}

constexpr const char* object = "the object";

/// The reason where two objects differ by what positions may move on every side; else nothing.
std::string by_moves(const Box& was, const Division& now) {
  const i64 wider = was.rows.size() - now.frame.rows;
  const i64 margin = now.margin + wider / 2;
  if (wider % 2 != 0 || wider != was.cols.size() - now.frame.cols || margin < 0) return {};
  return fmt::format(
      ", since positions.refine and positions.largest_move let positions move by {} px, where it "
      "was {} px",
      now.margin, margin);
}

}  // namespace

Fingerprint fingerprint_of(const ReconstructConfig& config, const Experiment& experiment,
                           const Division& division) {
  const ObjectFrame& frame = division.frame;
  Fingerprint all;
  const auto add = [&](const char* what, const std::string& value) {
    all.push_back({what, value});
  };
  const auto given = agreed_keys(config),
             chosen = agreed_keys(settled(config, experiment, division));
  const auto add_keys = [&](bool by_data, bool of_positions) {
    for (std::size_t i = 0; i < given.size(); ++i) {
      Agreed one = chosen[i];
      one.formerly = given[i].value;
      const bool positions = section_of(one.key) == "positions";
      const bool left_to_us = one.value != one.formerly || positions;
      if (left_to_us == by_data && positions == of_positions) all.push_back(std::move(one));
    }
  };
  add_keys(false, false);
  add("positions", std::to_string(frame.positions.size()));
  add("window", std::to_string(experiment.patterns->window()));
  add("calibration.pixel_size", fmt::format("{:.6g}", experiment.calibration.pixel));
  add_optics(experiment.optics, all);
  add("solver.loss", facts_of(loss_of(config, experiment)).name);
  add("the valid pixels",
      std::to_string(std::count(experiment.valid.begin(), experiment.valid.end(), 1.0f)));
  add("the mean pattern", figures_of(experiment.mean_pattern));
  add("the patterns' centre",
      fmt::format("({:.2f}, {:.2f}) px off [W/2, W/2]", hundredths(experiment.residual_shift[0]),
                  hundredths(experiment.residual_shift[1])));
  add_keys(true, true);   // which depend on all of these; and, where positions are refined,
  add_keys(true, false);  // what is held out does
  add(object, fmt::format("{} x {} px", frame.rows, frame.cols));
  add("the path of the scan", path_of_scan(frame));
  add_what_may_change(config, all);
  return all;
}

std::vector<std::string> check_same_run(const Checkpoint& checkpoint,
                                        const ReconstructConfig& config,
                                        const Experiment& experiment, const Division& division) {
  Fingerprint now = fingerprint_of(config, experiment, division);
  for (Agreed& one : now)
    if (one.key == object) one.if_differs = by_moves(checkpoint.object(), division);
  return checkpoint.check(now);
}

}  // namespace ptyle
