#pragma once

// Parts of the object that are known to be empty. Regions stay vacuum: voxels there start at 0, get
// no gradient, and are 0 again after every iteration, phase and absorption alike. Slices beyond the
// specimen start as vacuum, and the probe as much above it (session/start).

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/box.hpp"
#include "core/grid.hpp"
#include "solver/part_options.hpp"

namespace ptyle {

struct VacuumOptions {
  /// Å (px in pixel units), in the coordinates of the measured positions, four of each rectangle:
  /// first row, first column, last row, last column.
  std::vector<double> regions;
  std::array<int, 2> slices{};  ///< at the top and at the bottom

  // No key: what the session knows.
  std::vector<Box> boxes;  ///< the regions' pixels of the object

  /// No part of its own: the workspace keeps the regions empty.
  template <class T>
  void add_to(Parts<T>& /*parts*/) const {}
};

template <class V>
void keys(V& v, VacuumOptions& o) {
  v.section("object");
  v("vacuum", o.regions, "Å",
    "rectangles that are known to be empty, in the coordinates of the positions: first row, first "
    "column, last row, last column of each, one after the other")
      .example("[0, 0, 15, 80]")
      .also_called("empty vacuum_mask")
      .reported_if_set();
  v("vacuum_slices", o.slices, between(0, 10000),
    "of object.slices, those at the top and at the bottom that start as vacuum beyond the "
    "specimen: "
    "object.start lies between them, and the probe starts as given where the specimen begins")
      .example("[2, 2]")
      .also_called("z_pad obj_z_pad")
      .same_at_resume()
      .reported_if_set();
}

/// The fault of object.vacuum.
std::optional<std::string> fault_of_regions(const std::vector<double>& regions);

/// The pixels of an object of `pixel` whose centres lie in the regions; pixel [0,0] is at `origin`.
/// Throws UserError for a region that holds no pixel of the object.
std::vector<Box> boxes_of_regions(const std::vector<double>& regions, const Box& object,
                                  Position origin, double pixel);

}  // namespace ptyle
