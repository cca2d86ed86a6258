#pragma once

#include <string>

#include "core/array.hpp"

namespace ptyle {

/// How large a voxel is; ImageJ shows lengths in `unit`.
struct VoxelSize {
  double pixel = 1;        ///< of unit
  double slice = 0;        ///< distance of the pages, of unit; 0: not known
  std::string unit = "A";  ///< A | px
};

/// Writes a stack (page, row, col) as float32 TIFF that ImageJ opens calibrated; BigTIFF where it
/// is larger than 4 GB. Replaces a file of that name (first under path.part). Throws UserError
/// where the file cannot be written.
void write_tiff(const std::string& path, View<const float, 3> stack, const VoxelSize& voxel);

}  // namespace ptyle
