#pragma once

#include <string>

namespace ptyle {

/// The end of a sentence on a file that is no HDF5 file: what it is, by its name, and the line that
/// converts it, or the keys that read it. Empty where that cannot be told. Formats that are read
/// (io/formats) are not named.
std::string other_format(const std::string& path);

}  // namespace ptyle
