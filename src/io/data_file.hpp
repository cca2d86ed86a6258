#pragma once

#include <string>

#include "io/hdf5.hpp"

namespace ptyle {

/// A file of patterns, positions, masks or probes, for reading: HDF5, or one of the other formats
/// (io/formats), which is then seen as an HDF5 file. Opened twice, it is unpacked once. UserError
/// where it is missing, damaged, or of no format that is known.
h5::File open_data_file(const std::string& path);

}  // namespace ptyle
