#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "exchange/local/team.hpp"
#include "io/hdf5.hpp"
#include "session/reconstruction.hpp"
#include "simulate/in_memory.hpp"

namespace ptyle::testing {

/// A simulated scan of 6 × 6 positions and windows of 32², as counts (uint16) or as their halves
/// (float), in memory and as a file.
class MemoryScan {
 public:
  static constexpr i64 window = 32;

  explicit MemoryScan(bool floats = false) : floats_(floats) {
    recipe_.specimen.thickness = 5;
    recipe_.optics.defocus = 60;
    recipe_.detector.window = window;
    recipe_.detector.pixel_size = 0.2;
    recipe_.scan.shape = {6, 6};
    recipe_.scan.step = {0.8, 0.9};
    recipe_.scan.jitter = 0.05;
    recipe_.dose.electrons_per_A2 = 1e5;
    recipe_.threads = 1;
    recipe_.seed = 7;
    const MemorySet set = simulate_in_memory(recipe_);
    positions_ = set.plan.positions;
    halves_ = Array<float, 3>(set.patterns.shape());
    counts_ = Array<std::uint16_t, 3>(set.patterns.shape());
    for (i64 i = 0; i < counts_.size(); ++i) {
      counts_.data()[i] = static_cast<std::uint16_t>(set.patterns.data()[i]);
      halves_.data()[i] = 0.5F * set.patterns.data()[i];
    }
  }

  [[nodiscard]] const std::vector<Position>& positions() const { return positions_; }
  [[nodiscard]] PatternsInMemory patterns() const {
    if (floats_) return {halves_.view(), positions_};
    return {counts_.view(), positions_};
  }
  void set(i64 pattern, i64 y, i64 x, std::uint16_t count) { counts_(pattern, y, x) = count; }

  /// Three iterations on two slices, the same with the scan in memory and in a file.
  [[nodiscard]] ReconstructConfig config() const {
    ReconstructConfig config;
    config.calibration.pixel_size = recipe_.detector.pixel_size;
    config.optics.energy = recipe_.optics.energy;
    config.optics.semi_angle = recipe_.optics.semi_angle;
    config.optics.defocus = recipe_.optics.defocus;
    config.object.slices = 2;
    config.object.slice_thickness = 2.5;
    config.solver.iterations = 3;
    config.solver.batches = 5;
    config.solver.threads = 1;
    return config;
  }

  /// Writes /patterns and /positions; the file's name.
  std::string write(const std::string& path) const {
    h5::File file = h5::File::create(path);
    if (floats_)
      file.write("/patterns", halves_.view());
    else
      file.write("/patterns", counts_.view());
    std::vector<double> values;
    for (const Position& at : positions_) {
      values.push_back(at.row);
      values.push_back(at.col);
    }
    file.write("/positions", {static_cast<i64>(positions_.size()), 2}, values.data());
    file.commit();
    return path;
  }

 private:
  bool floats_;
  Recipe recipe_;
  std::vector<Position> positions_;
  Array<float, 3> halves_;
  Array<std::uint16_t, 3> counts_;
};

/// One for all tests that change nothing in it.
inline const MemoryScan& memory_scan() {
  static const MemoryScan scan;
  return scan;
}

/// The result of the scan on so many ranks.
inline Result result_of(const ReconstructConfig& config, int ranks = 1) {
  const auto team = make_local_team(ranks);
  Reconstruction run(config, memory_scan().patterns(), *team);
  while (!run.finished()) run.step();
  return run.result();
}

/// Runs the scan on so many ranks for so many iterations and into the next one, in whose middle it
/// stops, and saves that into output.folder.
inline void save_in_the_middle(const ReconstructConfig& config, int ranks, int iterations) {
  const auto team = make_local_team(ranks);
  Reconstruction run(config, memory_scan().patterns(), *team);
  for (int i = 0; i < iterations; ++i) run.step();
  int asked = 0;
  EXPECT_FALSE(run.step([&] { return ++asked == 3; }).whole);
  run.save(config.output.folder);
}

}  // namespace ptyle::testing
