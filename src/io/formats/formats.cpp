#include "io/formats/formats.hpp"

namespace ptyle::formats {

std::span<const Format> all() {
  static const std::vector<Format> formats{
      {"an array of NumPy", {".npy"}, is_npy, read_npy},
      {"an archive of NumPy", {".npz"}, is_npz, read_npz},
      {"a TIFF", {".tif", ".tiff"}, is_tiff, read_tiff},
      {"a file of MATLAB", {".mat"}, is_matlab, read_matlab},
      {"a file of a Merlin detector", {".mib"}, is_mib, read_mib},
      {"a file of an EMPAD", {}, is_empad, read_empad}};
  return formats;
}

}  // namespace ptyle::formats
