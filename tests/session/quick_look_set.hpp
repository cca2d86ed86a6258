#pragma once

#include <string>
#include <vector>

#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/config.hpp"
#include "simulate/in_memory.hpp"

namespace ptyle::testing {

/// A simulated set of MoS2, every pattern of which is transposed in the file: /dp, and positions
/// along a line, /line, and on the true raster for patterns as they are, /positions_true. Of flips,
/// rotation and defocus the keys say nothing.
struct TransposedSet {
  static constexpr double rotation = 33, middle = 194;  // Å: of 200, a cell of 12.3 Å

  static Recipe recipe(double electrons, double C30) {
    Recipe r;
    r.specimen.structure = BuiltIn::MoS2;
    r.specimen.rotation = 11;
    r.specimen.substitutions = {"Mo=W share=0.3 at=(3 -4) radius=4"};
    r.optics = {.energy = 80, .semi_angle = 25, .defocus = 200};
    r.optics.C30 = C30;
    r.detector = {.window = 72, .pixel_size = 0.2};
    r.scan = {.shape = {30, 28}, .step = {0.6, 0.6}, .rotation = rotation};
    r.dose.electrons_per_A2 = electrons;
    return r;
  }

  explicit TransposedSet(double electrons = 1e4, double C30 = 0) {
    data.file = folder / "set.h5";
    data.patterns = "/dp";
    data.scan_shape = {30, 28};
    const MemorySet set = simulate_in_memory(recipe(electrons, C30));
    const auto [count, side, width] = set.patterns.shape();
    Array<float, 3> frames({count, side, width});
    for (i64 i = 0; i < count; ++i)
      for (i64 y = 0; y < side; ++y)
        for (i64 x = 0; x < side; ++x) frames(i, x, y) = set.patterns(i, y, x);
    h5::File file = h5::File::create(data.file);
    file.write("/dp", frames.view());
    std::vector<double> line, places;
    for (i64 i = 0; i < count; ++i) line.insert(line.end(), {0.6 * double(i), 0});
    for (const Position& at : set.plan.positions) places.insert(places.end(), {at.row, at.col});
    file.write("/line", {count, 2}, line.data());
    file.write("/positions_true", {count, 2}, places.data());
    file.commit();
    calibration.pixel_size = 0.2;
    optics.energy = 80;
    optics.semi_angle = 25;
    scan.step = {0.6, 0.6};
  }
  TemporaryFolder folder;
  DataConfig data;
  CalibrationConfig calibration;
  ScanConfig scan;
  OpticsConfig optics;
};

}  // namespace ptyle::testing
