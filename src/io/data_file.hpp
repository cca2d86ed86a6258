#pragma once

#include <array>
#include <optional>
#include <string>

#include "io/hdf5.hpp"

namespace ptyle {

/// The layout of raw numbers, frame after frame, in a file that does not state it.
struct RawLayout {
  h5::Type type;
  bool big_endian = false;     ///< the most significant byte comes first
  std::array<i64, 2> shape{};  ///< rows, columns of a frame
  i64 offset = 0, gap = 0;     ///< bytes before the first frame; between frames
};

/// A file of patterns, positions, masks or probes, for reading: HDF5, or one of the other formats
/// (io/formats), which is then seen as an HDF5 file. Opened twice, it is unpacked once. UserError
/// where it is missing, damaged, or of no format that is known. With `raw` it is raw numbers, as
/// many frames as it has bytes for, in the dataset /data; UserError where bytes are left over.
h5::File open_data_file(const std::string& path, const std::optional<RawLayout>& raw = {});

/// There is such a file, and it is HDF5 or of a format that is known, by its content or its name.
bool reads_data_file(const std::string& path);

}  // namespace ptyle
