#include "io/other_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <regex>

namespace fs = std::filesystem;

namespace ptyle {
namespace {

/// A command that makes NAME.h5 beside the file, with the dataset /data.
std::string command(const fs::path& path, const std::string& modules, const std::string& value) {
  const fs::path to = path.parent_path() / path.stem().concat(".h5");
  return fmt::format("python3 -c \"import h5py, {}; h5py.File('{}', 'w')['data'] = {}\"", modules,
                     to.string(), value);
}

/// "(16, 12, 96, 96)" of raw numbers of 4 bytes, by a name as "scan_x12_y16.raw" and the size.
std::string shape_of_raw(const fs::path& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  const std::string name = path.filename().string();
  std::smatch found;
  if (!std::regex_search(name, found, std::regex("x([0-9]{1,6})_?y([0-9]{1,6})")))
    return "(slow, fast, ky, kx)";
  const auto x = std::stoull(found[1]), y = std::stoull(found[2]);
  const auto frame = x > 0 && y > 0 && bytes % (4 * x * y) == 0 ? bytes / (4 * x * y) : 0;
  const auto side = static_cast<std::uintmax_t>(std::lround(std::sqrt(static_cast<double>(frame))));
  if (frame == 130 * 128)  // EMPAD: two rows of each frame are its head
    return fmt::format("({}, {}, 130, 128)[:, :, :128]", y, x);
  return frame > 0 && side * side == frame ? fmt::format("({}, {}, {}, {})", y, x, side, side)
                                           : fmt::format("({}, {}, ky, kx)", y, x);
}

}  // namespace

std::string other_format(const std::string& name) {
  const fs::path path(name);
  std::string start(16, '\0');
  std::ifstream(path, std::ios::binary).read(start.data(), std::streamsize(start.size()));
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (start.starts_with("\x93NUMPY"))
    return ", it is an array of NumPy; this converts it: " +
           command(path, "numpy", fmt::format("numpy.load('{}')", name));
  if (start.starts_with("MATLAB 5.0"))
    return ", it is a MATLAB file of version 5; this converts it, where dp is the name of its "
           "array: " +
           command(path, "scipy.io", fmt::format("scipy.io.loadmat('{}')['dp']", name));
  if (start.starts_with("PK\x03\x04") && extension == ".npz")
    return ", it is an archive of NumPy; this converts it, where data is the name of its array: " +
           command(path, "numpy", fmt::format("numpy.load('{}')['data']", name));
  if (start.starts_with(std::string("II*\0", 4)) || start.starts_with(std::string("MM\0*", 4)))
    return ", it is a TIFF; this converts it: " +
           command(path, "tifffile", fmt::format("tifffile.imread('{}')", name));
  for (const char* known : {".dm3", ".dm4", ".mib", ".mrc", ".blo", ".ser", ".emi", ".tvips"})
    if (extension == known)
      return fmt::format(
                 ", {} files are read by other programs; this converts it, with RosettaSciIO: ",
                 known) +
             command(path, "hyperspy.api as hs", fmt::format("hs.load('{}').data", name));
  if (extension == ".raw" || extension == ".bin" || extension == ".dat")
    return ", it is taken to be raw numbers, whose type and shape no file states; this converts "
           "it, if they are right: " +
           command(
               path, "numpy",
               fmt::format("numpy.fromfile('{}', 'float32').reshape{}", name, shape_of_raw(path)));
  return "";
}

}  // namespace ptyle
