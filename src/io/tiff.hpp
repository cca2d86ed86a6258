#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// How large a voxel is; ImageJ shows lengths in `unit`.
struct VoxelSize {
  double pixel = 1;        ///< of unit
  double slice = 0;        ///< distance of the pages, of unit; 0: not known
  std::string unit = "A";  ///< A | px
};

/// A stack (page, row, col) as float32 TIFF that ImageJ opens calibrated, made a strip of a page at
/// a time; BigTIFF where it is larger than 4 GB. Its name is path.part until finish(); dropped
/// before, it is taken away. All throw UserError where the file cannot be written.
class TiffStack {
 public:
  /// `strip`: rows of each strip, but for a page's last; 0: a page is one.
  TiffStack(const std::string& path, const std::array<i64, 3>& shape, const VoxelSize& voxel,
            i64 strip = 0);
  TiffStack(const TiffStack&) = delete;
  TiffStack& operator=(const TiffStack&) = delete;
  ~TiffStack();
  void rows(View<const float, 2> strip);  ///< the next one
  /// In place of rows(): all strips, as float32, are written by others into path.part, until
  /// finish(). Returns the byte of each, page after page.
  [[nodiscard]] std::vector<i64> hand_out();
  /// The smallest and the largest of the numbers that others have written.
  void set_range(float low, float high);
  void finish();  ///< after the last; replaces a file of that name

 private:
  class Writer;
  std::unique_ptr<Writer> writer_;
};

/// The same at once.
void write_tiff(const std::string& path, View<const float, 3> stack, const VoxelSize& voxel);

}  // namespace ptyle
