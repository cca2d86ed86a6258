#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/hdf5.hpp"

namespace ptyle {

/// Which axis of a dataset is which: frames are numbered along `scan`, the last of them fastest.
struct FrameAxes {
  std::vector<int> scan;  ///< none: one frame; one: its number; two: slow, fast
  int ky = 0, kx = 1;

  /// (ky, kx), (N, ky, kx) or (slow, fast, ky, kx).
  static FrameAxes in_order(std::size_t rank);
  [[nodiscard]] bool are_in_order() const;
  bool operator==(const FrameAxes&) const = default;
};

/// "[ky, kx, y, x]", as data.axes takes it.
std::string to_string(const FrameAxes& axes);

/// The axes in data.axes: names in the dataset's order, n (or slow and fast, y and x), ky, kx; or
/// their numbers as numpy.transpose takes them. UserError where they do not fit the dataset.
FrameAxes axes_named(const std::vector<std::string>& names, const h5::DatasetInfo& info,
                     const std::string& file);

/// The object that describes axis d of a dataset, beside it: the group axis-d (HyperSpy), or EMD's
/// dataset dim(d), counted from 0 or from 1 as the first is there. Empty: there is none.
std::string object_of_axis(const h5::File& file, const h5::DatasetInfo& info, int d);

/// The axes of a dataset as the file itself says: in the dim0, dim1, … or dim1, dim2, … beside it
/// (EMD), in the dataset's attribute `ptyle_axes` ("kx ky n"), or in the groups axis-0, axis-1, …
/// (HyperSpy). The scan's axes and the detector's each keep their order. Nothing where it does not
/// say which are which.
std::optional<FrameAxes> axes_in_file(const h5::File& file, const h5::DatasetInfo& info);

}  // namespace ptyle
