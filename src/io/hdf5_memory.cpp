// Files of other formats, seen as an HDF5 file that lies in memory:
//   1. it is made by HDF5's driver "core" and never written;
//   2. numbers that lie in the other file as HDF5 could have them stay there, as "external
//   storage";
//   3. frames with something between them are a dataset of records, of which Dataset shows the
//      frames alone.

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "io/hdf5_library.hpp"

namespace ptyle::h5 {

struct InMemory {
  Handle file;
  std::string path;
  std::map<std::string, Records> records;
  std::vector<std::string> mapped, notes;
};

File File::in_memory(const std::string& path) {
  quiet();
  const Handle access =
      made(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "file '{}' cannot be opened", path);
  constexpr std::size_t step = 1 << 22;  // by which it grows
  if (H5Pset_fapl_core(access.get(), step, 0) < 0)
    throw UserError(fmt::format("file '{}' cannot be opened: {}", path, library_message()));
  // HDF5 takes files of one name for one, and refuses the name of one that is there.
  static i64 number = 0;
  const std::string name = fmt::format("/dev/null/{}", number++);
  auto memory = std::make_shared<InMemory>();
  memory->file = made(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose,
                      "file '{}' cannot be opened", path);
  memory->path = path;
  return of_memory(std::move(memory));
}

File File::of_memory(std::shared_ptr<InMemory> memory) {
  File file{made(H5Freopen(memory->file.get()), H5Fclose, "file '{}' cannot be opened again",
                 memory->path),
            memory->path};
  file.memory_ = std::move(memory);
  return file;
}

void File::map_dataset(const std::string& path, Type type, const Shape& shape, const Place& place) {
  Shape words = shape;
  if (place.stride > 0) {
    words = {shape.at(0), place.stride / type.bytes};
    memory_->records[path] = {shape, words[1]};
  }
  i64 bytes = type.bytes;
  for (const i64 n : words) bytes *= n;
  if (bytes == 0) return (void)create_dataset(path, type, shape);
  const Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const std::string file = std::filesystem::absolute(place.file).string();
  const bool ok = H5Pset_external(layout.get(), file.c_str(), static_cast<off_t>(place.offset),
                                  static_cast<hsize_t>(bytes)) >= 0;
  const Handle set = made(new_dataset(handle_.get(), path, stored(type, place.big_endian),
                                      space_of(words), ok ? layout.get() : -1),
                          H5Dclose, "dataset '{}' in '{}' cannot be opened", path, path_);
  memory_->mapped.push_back(path);
}

void File::store_dataset(const std::string& path, Type type, const Shape& shape, bool big_endian,
                         const std::function<void(i64 bytes, char* to)>& next) {
  const Handle space = space_of(shape), kind = stored(type, big_endian);
  const Handle set = made(new_dataset(handle_.get(), path, kind, space, H5P_DEFAULT), H5Dclose,
                          "dataset '{}' in '{}' cannot be unpacked", path, path_);
  i64 each = type.bytes;  // bytes of a number of the first axis
  for (std::size_t d = 1; d < shape.size(); ++d) each *= shape[d];
  const i64 count = shape.empty() ? 1 : shape[0];
  if (each == 0 || count == 0) return;
  constexpr i64 piece = i64{16} << 20;
  const i64 step = std::clamp<i64>(piece / each, 1, count);
  std::vector<char> bytes(static_cast<std::size_t>(step * each));
  for (i64 first = 0; first < count; first += step) {
    Shape box = shape, start(shape.size(), 0);
    if (!shape.empty()) {
      box[0] = std::min(step, count - first);
      start[0] = first;
    }
    next((shape.empty() ? 1 : box[0]) * each, bytes.data());
    const auto from = extents(start), size = extents(box);
    const Handle memory = space_of(box);
    const bool chosen =
        shape.empty() || H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, from.data(), nullptr,
                                             size.data(), nullptr) >= 0;
    if (!chosen ||
        H5Dwrite(set.get(), kind.get(), memory.get(), space.get(), H5P_DEFAULT, bytes.data()) < 0)
      throw UserError(fmt::format("dataset '{}' in '{}' cannot be unpacked: {}", path, path_,
                                  library_message()));
  }
}

const Records* File::records(const std::string& dataset) const {
  if (!memory_) return nullptr;
  const auto found = memory_->records.find(dataset);
  return found == memory_->records.end() ? nullptr : &found->second;
}

i64 File::held() const {
  if (!memory_) return 0;
  i64 bytes = 0;
  for (const auto& one : datasets())
    if (std::find(memory_->mapped.begin(), memory_->mapped.end(), one.path) ==
        memory_->mapped.end())
      bytes += one.size() * one.type.bytes;
  return bytes;
}

void File::note(std::string text) { memory_->notes.push_back(std::move(text)); }

std::vector<std::string> File::notes() const {
  return memory_ ? memory_->notes : std::vector<std::string>{};
}

}  // namespace ptyle::h5
