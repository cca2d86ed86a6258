// The parts of a virtual dataset that are nowhere.
//
// 1. Each mapping names a file and a dataset in it; HDF5 looks for them when it reads, and fills
//    with zeros what it does not find.
// 2. They are looked for in the same places here.
// 3. Rows of the first dimension that no mapping covers are missing too.
// 4. A source that is virtual itself is looked through in the same way.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <numeric>

#include "io/hdf5.hpp"
#include "io/hdf5_library.hpp"

namespace ptyle::h5 {
namespace fs = std::filesystem;
namespace {

/// A text that a function of HDF5 writes into a buffer.
template <class Get>
std::string text_from(Get&& get) {
  const auto length = get(nullptr, 0);
  if (length < 0) throw UserError("a virtual dataset cannot be read: " + library_message());
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  get(text.data(), text.size());
  text.resize(static_cast<std::size_t>(length));
  return text;
}

/// A selection, dimension by dimension; what is no regular one by its bounds.
std::vector<Strided> selected(hid_t space, const Shape& shape) {
  const std::size_t rank = shape.size();
  std::vector<Strided> all(rank);
  std::vector<hsize_t> start(rank), stride(rank), count(rank), block(rank);
  if (H5Sget_select_type(space) == H5S_SEL_ALL) {
    for (std::size_t d = 0; d < rank; ++d) all[d] = {0, 1, shape[d], 1};
  } else if (H5Sis_regular_hyperslab(space) > 0 &&
             H5Sget_regular_hyperslab(space, start.data(), stride.data(), count.data(),
                                      block.data()) >= 0) {
    for (std::size_t d = 0; d < rank; ++d) {
      const i64 from = static_cast<i64>(start[d]),
                width = block[d] == H5S_UNLIMITED ? 1 : static_cast<i64>(block[d]),
                step = std::max({static_cast<i64>(stride[d]), width, i64{1}});
      const i64 fit =
          (shape[d] - from + step - 1) / step;  // where it has no limit, or a larger one
      const bool unlimited = count[d] == H5S_UNLIMITED || block[d] == H5S_UNLIMITED;
      all[d] = block[d] == H5S_UNLIMITED
                   ? Strided{from, 1, shape[d] - from, 1}
                   : Strided{from, step, unlimited ? fit : static_cast<i64>(count[d]), width};
    }
  } else if (H5Sget_select_bounds(space, start.data(), stride.data()) >= 0) {  // first and last
    for (std::size_t d = 0; d < rank; ++d)
      all[d] = {static_cast<i64>(start[d]), 1, static_cast<i64>(stride[d] - start[d] + 1), 1};
  }
  return all;
}

/// The places where HDF5 looks for a source file.
std::vector<fs::path> places(const fs::path& name, const fs::path& beside) {
  std::vector<fs::path> all;
  if (const char* prefix = std::getenv("HDF5_VDS_PREFIX")) {
    std::string folder = prefix;
    if (const auto origin = folder.find("${ORIGIN}"); origin != std::string::npos)
      folder.replace(origin, 9, beside.string());
    all.push_back(fs::path(folder) / name.relative_path());
  }
  all.push_back(beside / name);  // the name itself where it is absolute
  all.push_back(beside / name.filename());
  all.push_back(name);
  return all;
}

/// The parts of a virtual dataset that are nowhere; `depth`: of virtual datasets that it is a
/// source of.
std::vector<MissingPart> missing_in(hid_t set, const std::string& dataset, const Shape& shape,
                                    int depth);

bool is_virtual(hid_t set) {
  const Handle plist(H5Dget_create_plist(set), H5Pclose);
  return plist.get() >= 0 && H5Pget_layout(plist.get()) == H5D_VIRTUAL;
}

/// Looks for source files and keeps what it found.
class Sources {
 public:
  Sources(hid_t here, const std::string& path, int depth)
      : here_(here), path_(path), depth_(depth) {}

  /// The fault of a source; empty: none.
  std::string fault(const std::string& file, const std::string& dataset,
                    const std::vector<i64>& needed) {
    if (file != "." && !files_.contains(file)) files_.emplace(file, opened(file));
    const hid_t id = file == "." ? here_ : files_.at(file).get();
    const std::string name =
        fmt::format("dataset '{}' in '{}'", dataset, file == "." ? path_ : file);
    if (id < 0)
      return fmt::format("they come from {}, a file that is not there or cannot be opened", name);
    const Handle set(H5Dopen2(id, dataset.c_str(), H5P_DEFAULT), H5Dclose);
    if (set.get() < 0) return fmt::format("they come from {}, which has no such dataset", name);
    const Handle space(H5Dget_space(set.get()), H5Sclose);
    const Shape shape = shape_of_space(space.get());
    for (std::size_t d = 0; d < std::min(shape.size(), needed.size()); ++d)
      if (shape[d] <= needed[d])
        return fmt::format("they come from {}, which is too small, {}", name, to_string(shape));
    return is_virtual(set.get()) && !shape.empty()
               ? fault_of_virtual(set.get(), name, dataset, shape)
               : "";
  }

 private:
  /// Any part that is missing, as it is not known which are needed.
  [[nodiscard]] std::string fault_of_virtual(hid_t set, const std::string& name,
                                             const std::string& dataset, const Shape& shape) const {
    constexpr int deepest = 8;
    if (depth_ == deepest)  // HDF5 itself would follow them until its stack is used up
      throw UserError(
          fmt::format("{} is made of virtual datasets that are made of each other, more than {} "
                      "deep: it has to be copied as numbers",
                      name, deepest));
    const auto missing = missing_in(set, dataset, shape, depth_ + 1);
    return missing.empty() ? ""
                           : fmt::format("they come from {}, which is virtual itself: {}", name,
                                         missing.front().why);
  }
  [[nodiscard]] Handle opened(const std::string& file) const {
    for (const auto& place : places(file, fs::path(path_).parent_path())) {
      std::error_code error;
      if (!fs::is_regular_file(place, error)) continue;
      Handle one(H5Fopen(place.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
      if (one.get() >= 0) return one;
    }
    return {};
  }
  hid_t here_;
  std::string path_;
  int depth_;
  std::map<std::string, Handle> files_;
};

/// The last number along each dimension that a mapping takes of its source; empty: not known.
std::vector<i64> last_needed(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> first(static_cast<std::size_t>(std::max(rank, 0))), last(first);
  if (rank < 1 || H5Sget_select_type(space) == H5S_SEL_ALL ||
      H5Sget_select_bounds(space, first.data(), last.data()) < 0)
    return {};
  return {last.begin(), last.end()};
}

/// Rows of the first dimension that are covered by none; where a part holds only some of a row's
/// numbers, nothing is said.
std::vector<MissingPart> uncovered(const std::vector<std::vector<Strided>>& parts,
                                   const Shape& shape) {
  std::vector<bool> covered(static_cast<std::size_t>(shape[0]), false);
  for (const auto& part : parts) {
    for (std::size_t d = 1; d < shape.size(); ++d)
      if (part[d].start != 0 || part[d].last() + 1 < shape[d]) return {};
    for (i64 k = 0; k < part[0].count; ++k)
      for (i64 b = 0; b < part[0].block; ++b)
        if (const i64 i = part[0].start + k * part[0].stride + b; i < shape[0]) covered[i] = true;
  }
  std::vector<MissingPart> all;
  for (i64 i = 0; i < shape[0]; ++i) {
    if (covered[i]) continue;
    if (all.empty() || all.back().at[0].last() != i - 1) {
      all.push_back({"nothing is mapped there", {}});
      for (const i64 size : shape) all.back().at.push_back({0, 1, size, 1});
      all.back().at[0] = {i, 1, 0, 1};
    }
    ++all.back().at[0].count;
  }
  return all;
}

std::vector<MissingPart> missing_in(hid_t set, const std::string& dataset, const Shape& shape,
                                    int depth) {
  const std::string path =
      text_from([&](char* to, std::size_t n) { return H5Fget_name(set, to, n); });
  const Handle plist =
      made(H5Dget_create_plist(set), H5Pclose, "dataset '{}' in '{}'", dataset, path);
  std::size_t count = 0;
  if (H5Pget_virtual_count(plist.get(), &count) < 0)
    throw UserError(fmt::format("the virtual dataset '{}' in '{}' cannot be read: {}", dataset,
                                path, library_message()));
  const Handle here(H5Iget_file_id(set), H5Fclose);
  Sources sources(here.get(), path, depth);
  std::vector<MissingPart> missing;
  std::vector<std::vector<Strided>> parts;
  for (std::size_t i = 0; i < count; ++i) {
    const Handle to(H5Pget_virtual_vspace(plist.get(), i), H5Sclose),
        from(H5Pget_virtual_srcspace(plist.get(), i), H5Sclose);
    const auto file = text_from([&](char* text, std::size_t n) {
      return H5Pget_virtual_filename(plist.get(), i, text, n);
    });
    const auto source = text_from([&](char* text, std::size_t n) {
      return H5Pget_virtual_dsetname(plist.get(), i, text, n);
    });
    parts.push_back(selected(to.get(), shape));
    if (file.find("%b") != std::string::npos || source.find("%b") != std::string::npos)
      continue;  // a number to be filled in, and as many files as there are
    if (auto fault = sources.fault(file, source, last_needed(from.get())); !fault.empty())
      missing.push_back({std::move(fault), parts.back()});
  }
  const auto rest = uncovered(parts, shape);
  missing.insert(missing.end(), rest.begin(), rest.end());
  return missing;
}

}  // namespace

std::vector<MissingPart> Dataset::missing_parts() const {
  if (!info_.is_virtual || info_.shape.empty()) return {};
  return missing_in(handle_.get(), info_.path, info_.shape, 0);
}

}  // namespace ptyle::h5
