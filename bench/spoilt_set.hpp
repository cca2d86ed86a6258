#pragma once

// A simulated measurement to be spoilt, written to a file, and a reconstruction of it by defaults,
// compared with the truth.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "analysis/comparison.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "exchange/local/team.hpp"
#include "folder.hpp"
#include "io/hdf5.hpp"
#include "session/reconstruction.hpp"
#include "simulate/in_memory.hpp"

namespace ptyle::bench {

constexpr i64 slow = 16, fast = 12;

inline Recipe base_recipe() {
  Recipe r;
  r.specimen.structure = BuiltIn::MoS2;
  r.specimen.rotation = 11;
  r.optics = {.energy = 80, .semi_angle = 25, .defocus = 120};
  r.detector = {.window = 96, .pixel_size = 0.2};
  r.scan = {.shape = {slow, fast}, .step = {1, 1}};
  r.dose.electrons_per_A2 = 2e5;
  return r;
}

enum class Type { uint8, uint16, uint32, uint64, int32, float32 };

/// A measurement to be spoilt.
struct Set {
  Recipe recipe = base_recipe();
  std::vector<double> frames;  ///< (n, side, side)
  i64 side = 96, count = slow * fast;
  Type type = Type::uint16;
  std::vector<Position> positions;        ///< as the file has them
  std::vector<Position> truth_positions;  ///< of the whole scan
  std::shared_ptr<const Array<float, 3>> truth;
  bool raster = false;  ///< the run is told step and shape, not positions
  Position moved;       ///< of the file's positions against the truth's, Å

  double& at(i64 i, i64 y, i64 x) {
    return frames[static_cast<std::size_t>((i * side + y) * side + x)];
  }
  void each(const std::function<void(double&, i64 i, i64 y, i64 x)>& change) {
    for (i64 i = 0; i < count; ++i)
      for (i64 y = 0; y < side; ++y)
        for (i64 x = 0; x < side; ++x) change(at(i, y, x), i, y, x);
  }
  /// Frames in another order, by number of the old ones.
  void reorder(const std::vector<i64>& numbers) {
    std::vector<double> moved;
    for (const i64 n : numbers)
      moved.insert(moved.end(), frames.begin() + n * side * side,
                   frames.begin() + (n + 1) * side * side);
    frames = std::move(moved);
    count = static_cast<i64>(numbers.size());
  }
};

inline Set simulated(const Recipe& recipe) {
  MemorySet made = simulate_in_memory(recipe);
  Set set;
  set.recipe = recipe;
  set.side = made.patterns.shape()[1];
  set.count = made.patterns.shape()[0];
  set.frames.assign(made.patterns.begin(), made.patterns.end());
  set.positions = set.truth_positions = made.plan.positions;
  set.truth = std::make_shared<const Array<float, 3>>(std::move(made.phase));
  return set;
}

inline const Set& base() {
  static const Set set = simulated(base_recipe());
  return set;
}

template <class T>
void write_frames(h5::File& file, const Set& set) {
  std::vector<T> values(set.frames.size());
  std::transform(set.frames.begin(), set.frames.end(), values.begin(), [](double v) {
    // the largest 64-bit number is no double
    if constexpr (sizeof(T) == 8)
      if (v >= std::ldexp(1.0, 63)) return std::numeric_limits<T>::max();
    return static_cast<T>(v);
  });
  file.create_dataset<T>("/dp", {set.count, set.side, set.side}, {1, set.side, set.side})
      .write(values.data());
}

inline void write(const Set& set, const std::string& path) {
  h5::File file = h5::File::create(path, true);
  switch (set.type) {
    case Type::uint8:
      write_frames<std::uint8_t>(file, set);
      break;
    case Type::uint16:
      write_frames<std::uint16_t>(file, set);
      break;
    case Type::uint32:
      write_frames<std::uint32_t>(file, set);
      break;
    case Type::uint64:
      write_frames<std::uint64_t>(file, set);
      break;
    case Type::int32:
      write_frames<std::int32_t>(file, set);
      break;
    case Type::float32:
      write_frames<float>(file, set);
      break;
  }
  std::vector<double> at;
  for (const Position& p : set.positions) at.insert(at.end(), {p.row, p.col});
  file.write("/xy", {static_cast<i64>(set.positions.size()), 2}, at.data());
  file.commit();
}

using Change = std::function<void(ReconstructConfig&)>;

struct Outcome {
  double correlation = 0;
  std::vector<std::string> warnings;
  std::string refused;
};

inline ReconstructConfig config_of(const Set& set, const std::string& path) {
  ReconstructConfig c;
  c.data.file = path;
  c.data.patterns = "/dp";
  c.calibration.pixel_size = set.recipe.detector.pixel_size;
  c.optics.energy = set.recipe.optics.energy;
  c.optics.semi_angle = set.recipe.optics.semi_angle;
  c.optics.defocus = set.recipe.optics.defocus;
  if (set.raster) {
    c.data.scan_shape = {static_cast<int>(set.recipe.scan.shape[0]),
                         static_cast<int>(set.recipe.scan.shape[1])};
    c.scan.step = {set.recipe.scan.step[0], set.recipe.scan.step[1]};
  } else {
    c.scan.positions = "/xy";
  }
  c.solver.iterations = 12;
  if (set.recipe.specimen.thickness > 10) {
    c.object.slices = 4;
    c.object.slice_thickness = set.recipe.specimen.thickness / 4;
    c.solver.iterations = 25;
  }
  return c;
}

inline Outcome run(const Set& set, const Change& change = {}) {
  const Folder folder;
  const std::string path = folder / "set.h5";
  write(set, path);
  ReconstructConfig config = config_of(set, path);
  if (change) change(config);
  Outcome outcome;
  ReconstructCallbacks callbacks;
  callbacks.warn = [&](const std::string& line) { outcome.warnings.push_back(line); };
  try {
    const auto team = make_local_team();
    Reconstruction fit(config, *team, callbacks);
    while (!fit.finished()) fit.step();
    const Result result = fit.result();
    // A raster counts from its own first position, positions of the file from the object's.
    Position origin{-set.moved.row, -set.moved.col};
    if (set.raster) origin = set.truth_positions[0];
    const Position here{result.origin->row + origin.row, result.origin->col + origin.col};
    const Comparison c = compare_objects(
        {result.phase.view(), result.positions, result.pixel_size, result.slice_thickness, here},
        {set.truth->view(), set.truth_positions, set.recipe.detector.pixel_size,
         set.recipe.specimen.slice_thickness, Position{0, 0}},
        available_threads());
    outcome.correlation = c.summed.correlation;
  } catch (const UserError& e) {
    outcome.refused = e.what();
  }
  return outcome;
}

}  // namespace ptyle::bench
