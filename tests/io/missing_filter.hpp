#pragma once

#include <hdf5.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace ptyle {

/// A compression that only the writing of a test's file knows: it changes nothing.
class TestFilter {
 public:
  TestFilter(H5Z_filter_t number, const char* name)
      : filter_{H5Z_CLASS_T_VERS,
                number,
                1,
                1,
                name,
                nullptr,
                nullptr,
                [](unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*,
                   void**) { return bytes; }} {
    setenv("HDF5_PLUGIN_PATH", "/dev/null", 1);  // ptyle is not to find the true filter
  }

  /// False where this HDF5 finds the true filter.
  [[nodiscard]] bool is_missing() const { return H5Zfilter_avail(filter_.id) == 0; }

  /// A new file of one float dataset, all zeros, in chunks of a frame. `skipped`: each was written
  /// without the filter, which is optional.
  void write(const std::string& path, const char* dataset, std::vector<hsize_t> shape,
             bool skipped = false) const {
    H5Zregister(&filter_);
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                space = H5Screate_simple(int(shape.size()), shape.data(), nullptr),
                layout = H5Pcreate(H5P_DATASET_CREATE);
    std::vector<hsize_t> chunk = shape, at(shape.size(), 0);
    chunk[0] = 1;
    H5Pset_chunk(layout, int(chunk.size()), chunk.data());
    H5Pset_filter(layout, filter_.id, H5Z_FLAG_OPTIONAL, 0, nullptr);
    const hid_t set =
        H5Dcreate2(file, dataset, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, layout, H5P_DEFAULT);
    std::size_t pixels = 1;
    for (std::size_t d = 1; d < chunk.size(); ++d) pixels *= chunk[d];
    const std::vector<float> zeros(pixels);
    for (; at[0] < shape[0]; ++at[0])
      H5Dwrite_chunk(set, H5P_DEFAULT, skipped ? 1 : 0, at.data(), pixels * sizeof(float),
                     zeros.data());
    H5Dclose(set);
    H5Pclose(layout);
    H5Sclose(space);
    H5Fclose(file);
    H5Zunregister(filter_.id);
  }

 private:
  H5Z_class2_t filter_;
};

}  // namespace ptyle
