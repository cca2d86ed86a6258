#include "io/hdf5.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "core/pulse.hpp"
#include "io/hdf5_library.hpp"
#include "io/other_format.hpp"

namespace ptyle::h5 {
namespace fs = std::filesystem;
namespace {

DatasetInfo describe(hid_t dataset, const std::string& path) {
  DatasetInfo info;
  info.path = path.starts_with('/') ? path : "/" + path;
  const Handle space(H5Dget_space(dataset), H5Sclose), type(H5Dget_type(dataset), H5Tclose),
      plist(H5Dget_create_plist(dataset), H5Pclose);
  if (space.get() < 0 || type.get() < 0 || plist.get() < 0)
    throw UserError(fmt::format("dataset '{}' cannot be read: {}", path, library_message()));
  info.shape = shape_of_space(space.get());
  info.type = type_in_file(type.get());
  if (H5Pget_layout(plist.get()) == H5D_CHUNKED) {
    std::vector<hsize_t> chunk(info.shape.size());
    if (H5Pget_chunk(plist.get(), static_cast<int>(chunk.size()), chunk.data()) < 0)
      throw UserError(fmt::format("dataset '{}' cannot be read: {}", path, library_message()));
    info.chunk.assign(chunk.begin(), chunk.end());
  }
  info.is_virtual = H5Pget_layout(plist.get()) == H5D_VIRTUAL;
  return info;
}

/// Is there a dataset of this name, or a link that leads to one?
bool is_dataset(hid_t file, const char* name) {
  H5O_info_t object;
  return H5Oget_info_by_name2(file, name, &object, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
         object.type == H5O_TYPE_DATASET;
}

/// "'/data' in 'frames.h5'", of a soft or external link; empty: no such link.
std::string target_of_link(hid_t file, const std::string& name) {
  H5L_info_t link;
  if (H5Lget_info(file, name.c_str(), &link, H5P_DEFAULT) < 0 || link.type == H5L_TYPE_HARD)
    return "";
  std::string value(link.u.val_size, '\0');
  if (H5Lget_val(file, name.c_str(), value.data(), value.size(), H5P_DEFAULT) < 0) return "";
  if (link.type == H5L_TYPE_SOFT) return fmt::format("'{}'", value.c_str());
  unsigned flags = 0;
  const char *other = nullptr, *object = nullptr;
  if (link.type != H5L_TYPE_EXTERNAL ||
      H5Lunpack_elink_val(value.data(), value.size(), &flags, &other, &object) < 0)
    return "";
  return fmt::format("'{}' in '{}'", object, other);
}

/// Levenshtein's distance: letters to change, add or drop.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(
          row[j + 1], std::min({row[j + 1] + 1, row[j] + 1, diagonal + (a[i] != b[j] ? 1 : 0)}));
  }
  return row.back();
}

/// HDF5's answer; UserError where there is no file at all that could be one.
bool looks_like_hdf5(const std::string& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) throw UserError(fmt::format("file '{}' does not exist", path));
  if (fs::is_directory(status))
    throw UserError(fmt::format("'{}' is a folder, an HDF5 file is needed", path));
  if (!fs::is_regular_file(status))  // HDF5 would wait for a pipe for ever
    throw UserError(fmt::format("'{}' is a pipe or a device, an HDF5 file is needed", path));
  if (fs::file_size(path, error) == 0)
    throw UserError(fmt::format("file '{}' is empty, an HDF5 file is needed", path));
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 < 0)
    throw UserError(fmt::format("file '{}' cannot be opened: {}", path, library_message()));
  return is_hdf5 > 0;
}

void check_readable(const std::string& path) {
  if (!looks_like_hdf5(path))
    throw UserError(fmt::format("file '{}' is not an HDF5 file{}", path, other_format(path)));
}

}  // namespace

i64 DatasetInfo::size() const {
  return std::accumulate(shape.begin(), shape.end(), i64{1}, std::multiplies<>());
}

// Dataset ------------------------------------------------------------------------------------

Handle Dataset::selection(const Shape& start, const Shape& count) const {
  Handle space =
      made(H5Dget_space(handle_.get()), H5Sclose, "dataset '{}' in '{}'", info_.path, file_);
  auto from = extents(start), size = extents(count);
  std::vector<hsize_t> stride(from.size(), 1), block(from.size(), 1);
  if (record_ > 0) {  // the rows of a frame, or the whole of it at once
    const auto kx = static_cast<hsize_t>(info_.shape[2]);
    const bool whole = size[2] == kx;
    from = {from[0], from[1] * kx + from[2]};
    stride = {1, whole ? size[1] * kx : kx};
    block = {1, whole ? size[1] * kx : size[2]};
    size = {size[0], whole ? 1 : size[1]};
  }
  if (!from.empty() && H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, from.data(), stride.data(),
                                           size.data(), block.data()) < 0)
    throw std::logic_error("h5: " + library_message());
  return space;
}

void Dataset::transfer(void* memory, Type type, const Shape& start, const Shape& count,
                       bool write) const {
  if ((type.kind == Kind::complex) != (info_.type.kind == Kind::complex) ||
      (type.kind != Kind::complex && !info_.type.is_real()))
    throw UserError(fmt::format("dataset '{}' in '{}' holds {}, {} numbers are needed", info_.path,
                                file_, to_string(info_.type),
                                type.kind == Kind::complex ? "complex" : "real"));
  if (start.size() != info_.shape.size() || count.size() != info_.shape.size())
    throw std::logic_error("h5: a box of another rank than " + info_.path);
  for (std::size_t d = 0; d < start.size(); ++d)
    if (start[d] < 0 || count[d] < 0 || start[d] + count[d] > info_.shape[d])
      throw UserError(fmt::format("dataset '{}' in '{}' of shape {} has no box of {} from {}",
                                  info_.path, file_, to_string(info_.shape), to_string(count),
                                  to_string(start)));
  if (std::find(count.begin(), count.end(), 0) != count.end()) return;
  const Handle file_type(H5Dget_type(handle_.get()), H5Tclose);
  const Handle memory_type = native(type, file_type.get()), box = space_of(count),
               space = selection(start, count);
  quiet();  // counts for this thread alone
  const herr_t status =
      write
          ? H5Dwrite(handle_.get(), memory_type.get(), box.get(), space.get(), H5P_DEFAULT, memory)
          : H5Dread(handle_.get(), memory_type.get(), box.get(), space.get(), H5P_DEFAULT, memory);
  if (status >= 0) return beat();
  const std::string message = library_message(), filter = message_with("required filter");
  auto missing = missing_filter(handle_.get());
  if (!missing) missing = missing_filter(filter);  // of a virtual dataset's sources
  if (missing && !write && look_for_filters()) return transfer(memory, type, start, count, write);
  if (missing && !write)
    throw UserError(
        fmt::format("dataset '{}' in '{}' is {}", info_.path, file_, describe(*missing)));
  throw UserError(fmt::format("dataset '{}' in '{}' cannot be {}, {}: {}", info_.path, file_,
                              write ? "written" : "read",
                              write ? "is the disk full?" : "the file may be damaged", message));
}

std::optional<i64> Dataset::offset() const {
  const haddr_t at = H5Dget_offset(handle_.get());
  if (at == HADDR_UNDEF) return {};
  return static_cast<i64>(at);
}

void Dataset::check_filters() const {
  if (info_.size() == 0 || (!info_.is_virtual && !missing_filter(handle_.get()))) return;
  if (info_.is_virtual) (void)missing_parts();  // refuses one that is made of itself
  double value = 0;  // filters may be optional: the first chunk shows whether it has passed them
  transfer(&value, type_of<double>(), Shape(shape().size(), 0), Shape(shape().size(), 1), false);
}

// File: opening and closing --------------------------------------------------------------------

namespace {

/// The sentence where the system refuses the lock by which HDF5 keeps other programs out; else
/// empty.
std::string refused_lock(const std::string& path) {
  if (message_with("unable to lock").empty()) return "";
  const std::string reason = library_message();
  return fmt::format(
      "file '{}' cannot be locked ({}): {} HDF5_USE_FILE_LOCKING=FALSE in the "
      "environment opens it without a lock",
      path, reason,
      reason == std::strerror(EAGAIN)
          ? "another program has it open; close it there, or, if it does not write,"
          : "file systems of networks, or such that are read-only, may have none;");
}

Handle opened(const std::string& path, unsigned flags) {
  quiet();
  check_readable(path);
  const hid_t file = H5Fopen(path.c_str(), flags, H5P_DEFAULT);
  if (file >= 0) return {file, H5Fclose};
  if (const std::string refused = refused_lock(path); !refused.empty()) throw UserError(refused);
  if (!message_with("already open for write").empty())
    throw UserError(fmt::format(
        "file '{}' is marked as being written: another program has it open, or has ended without "
        "closing it; if none writes it any more, h5clear -s '{}' takes the mark away",
        path, path));
  throw UserError(
      fmt::format("file '{}' is a truncated or damaged HDF5 file: {}", path, library_message()));
}

}  // namespace

bool File::is_hdf5(const std::string& path) {
  quiet();
  return looks_like_hdf5(path);
}

File File::open(const std::string& path) { return {opened(path, H5F_ACC_RDONLY), path}; }

File File::of_bytes(std::span<const char> bytes, const std::string& path) {
  quiet();
  const Handle access =
      made(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "file '{}' cannot be opened", path);
  constexpr std::size_t step = 1 << 16;  // by which the copy would grow
  // HDF5 copies them.
  auto* const from = const_cast<char*>(bytes.data());
  const bool ok = H5Pset_fapl_core(access.get(), step, 0) >= 0 &&
                  H5Pset_file_image(access.get(), from, bytes.size()) >= 0;
  // HDF5 refuses the name of a file that is there, and takes those of one name for one.
  const std::string none = "/dev/null/" + path;
  const hid_t file = ok ? H5Fopen(none.c_str(), H5F_ACC_RDONLY, access.get()) : -1;
  if (file < 0)
    throw UserError(
        fmt::format("file '{}' is a truncated or damaged HDF5 file: {}", path, library_message()));
  return {Handle(file, H5Fclose), path};
}

File File::again() const {
  File file{made(H5Freopen(handle_.get()), H5Fclose, "file '{}' cannot be opened again", path_),
            path_};
  file.memory_ = memory_;
  return file;
}

File File::update(const std::string& path) { return {opened(path, H5F_ACC_RDWR), path}; }

File File::create(const std::string& path, bool overwrite) {
  quiet();
  std::error_code error;
  if (!overwrite && fs::exists(path, error))
    throw UserError(fmt::format("file '{}' exists already and is not overwritten unasked", path));
  const std::string part = path + ".part";
  const Handle access =
      made(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "file '{}' cannot be written", path);
  // Else small datasets are written only when they are closed, whose failure nobody names.
  H5Pset_sieve_buf_size(access.get(), 0);
  const i64 failures = Handle::failures;
  const bool there = fs::exists(part, error);
  const hid_t id = H5Fcreate(part.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get());
  if (id < 0) {
    const std::string refused = refused_lock(part);
    const UserError fault(
        refused.empty() ? fmt::format("file '{}' cannot be written: {}", path, library_message())
                        : refused);
    if (!there) fs::remove(part, error);
    throw fault;
  }
  File file(Handle(id, H5Fclose), path);
  file.part_ = part;
  file.failures_before_ = failures;
  return file;
}

File::~File() {
  if (handle_.get() < 0 || part_.empty()) return;
  // The rest that HDF5 has to write needs space on a disk that may be full.
  std::error_code ignored;
  fs::resize_file(part_, 0, ignored);
  handle_ = {};
  fs::remove(part_, ignored);
}

void File::flush() {
  if (H5Fflush(handle_.get(), H5F_SCOPE_LOCAL) < 0)
    throw UserError(fmt::format("file '{}' cannot be written: {}", path_, library_message()));
}

void File::commit() {
  flush();
  handle_ = {};
  if (Handle::failures != failures_before_) {
    std::error_code ignored;
    fs::remove(part_, ignored);
    throw UserError(fmt::format("file '{}' cannot be written: the end of it was refused", path_));
  }
  std::error_code error;
  fs::rename(part_, path_, error);
  if (error)
    throw UserError(
        fmt::format("'{}' cannot be renamed to '{}': {}", part_, path_, error.message()));
  part_.clear();
}

// File: datasets -------------------------------------------------------------------------------

bool File::has(const std::string& object) const {
  if (object.empty() || object == "/") return true;
  // H5Lexists fails, rather than saying no, where a group on the way is missing.
  for (std::size_t end = object.find('/', 1); end != std::string::npos;
       end = object.find('/', end + 1))
    if (H5Lexists(handle_.get(), object.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
  return H5Lexists(handle_.get(), object.c_str(), H5P_DEFAULT) > 0;
}

bool File::has_dataset(const std::string& path) const {
  return has(path) && is_dataset(handle_.get(), path.c_str());
}

void File::no_such_dataset(const std::string& dataset) const {
  auto all = datasets();
  const std::string wanted = dataset.starts_with('/') ? dataset : "/" + dataset;
  std::stable_sort(all.begin(), all.end(), [&](const DatasetInfo& a, const DatasetInfo& b) {
    return edit_distance(wanted, a.path) < edit_distance(wanted, b.path);
  });
  std::vector<std::string> names;
  for (const auto& one : all)
    if (names.size() < 4) names.push_back(fmt::format("{} ({})", one.path, to_string(one.shape)));
  throw UserError(fmt::format(
      "file '{}' has no dataset '{}'; {}", path_, dataset,
      names.empty()
          ? "it has none at all"
          : fmt::format("{}: {}", all.size() <= 4 ? "it has" : "nearest", fmt::join(names, ", "))));
}

Dataset File::dataset(const std::string& name, const KeptChunks& kept) const {
  if (!has_dataset(name)) {
    if (const std::string target = has(name) ? target_of_link(handle_.get(), name) : "";
        !target.empty())
      throw UserError(fmt::format(
          "'{}' in '{}' is a link to {}, where no dataset can be opened{}", name, path_, target,
          target.find("' in '") == std::string::npos ? ""
                                                     : ": that file has to lie beside this one"));
    no_such_dataset(name);
  }
  const Handle access =
      made(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, "dataset '{}' in '{}'", name, path_);
  // Chunks share slots by their number: with a hundred for each, hardly two want the same. The
  // table is to be small beside them.
  const i64 slots = std::min(100 * kept.chunks, kept.bytes / 64) + 1;
  if (kept.bytes > 0 && H5Pset_chunk_cache(access.get(), static_cast<std::size_t>(slots),
                                           static_cast<std::size_t>(kept.bytes), 0) < 0)
    throw std::logic_error("h5: " + library_message());
  Dataset set;
  set.handle_ = made(H5Dopen2(handle_.get(), name.c_str(), access.get()), H5Dclose,
                     "dataset '{}' in '{}' cannot be opened", name, path_);
  set.info_ = describe(set.handle_.get(), name);
  set.file_ = path_;
  if (const Records* records = this->records(set.info_.path)) {
    set.info_.shape = records->shape;
    set.record_ = records->words;
  }
  return set;
}

std::vector<std::string> File::names(const std::string& group) const {
  std::vector<std::string> names;
  const char* path = group.empty() ? "/" : group.c_str();
  H5O_info_t object;
  if (H5Oget_info_by_name2(handle_.get(), path, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0 ||
      object.type != H5O_TYPE_GROUP)
    return names;
  const auto visit = [](hid_t, const char* name, const H5L_info_t*, void* to) -> herr_t {
    static_cast<std::vector<std::string>*>(to)->push_back(name);
    return 0;
  };
  if (H5Literate_by_name(handle_.get(), path, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &names,
                         H5P_DEFAULT) < 0)
    throw UserError(
        fmt::format("group '{}' in '{}' cannot be read: {}", path, path_, library_message()));
  return names;
}

bool File::leads_somewhere(const std::string& object) const {
  return has(object) && H5Oexists_by_name(handle_.get(), object.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> File::dead_links() const {
  std::vector<std::string> names;
  const auto visit = [](hid_t root, const char* name, const H5L_info_t* link, void* to) -> herr_t {
    if (link->type != H5L_TYPE_HARD && H5Oexists_by_name(root, name, H5P_DEFAULT) <= 0)
      static_cast<std::vector<std::string>*>(to)->push_back(std::string("/") + name);
    return 0;
  };
  if (H5Lvisit(handle_.get(), H5_INDEX_NAME, H5_ITER_INC, visit, &names) < 0)
    throw UserError(
        fmt::format("file '{}' is a truncated or damaged HDF5 file: {}", path_, library_message()));
  return names;
}

bool File::by_matlab() const {
  char start[10] = "";  // of the block before HDF5's own
  std::ifstream(path_, std::ios::binary).read(start, sizeof start);
  const std::string_view text(start, sizeof start);
  return text == "MATLAB 7.3" || (memory_ && text == "MATLAB 5.0");
}

DatasetInfo File::info(const std::string& name) const { return dataset(name).info(); }

std::vector<DatasetInfo> File::datasets() const {
  std::vector<std::string> names;
  const auto visit = [](hid_t root, const char* name, const H5L_info_t*, void* to) -> herr_t {
    if (is_dataset(root, name)) static_cast<std::vector<std::string>*>(to)->push_back(name);
    return 0;
  };
  if (H5Lvisit(handle_.get(), H5_INDEX_NAME, H5_ITER_INC, visit, &names) < 0)
    throw UserError(
        fmt::format("file '{}' is a truncated or damaged HDF5 file: {}", path_, library_message()));
  std::vector<DatasetInfo> all;
  for (const auto& name : names) {
    const Handle one = made(H5Dopen2(handle_.get(), name.c_str(), H5P_DEFAULT), H5Dclose,
                            "dataset '{}' in '{}' cannot be opened", name, path_);
    all.push_back(describe(one.get(), name));
    if (const Records* records = this->records(all.back().path)) all.back().shape = records->shape;
  }
  return all;
}

Dataset File::create_dataset(const std::string& path, Type type, const Shape& shape,
                             const Shape& chunk, int deflate) {
  Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  bool ok = true;
  if (!chunk.empty()) {
    const auto size = extents(chunk);
    ok = H5Pset_chunk(layout.get(), static_cast<int>(size.size()), size.data()) >= 0;
    if (deflate > 0) ok = ok && H5Pset_deflate(layout.get(), static_cast<unsigned>(deflate)) >= 0;
  }
  return make_dataset(path, type, shape, ok ? std::move(layout) : Handle());
}

Dataset File::reserve_dataset(const std::string& path, Type type, const Shape& shape) {
  Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const bool ok = H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY) >= 0 &&
                  H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER) >= 0;
  return make_dataset(path, type, shape, ok ? std::move(layout) : Handle());
}

Dataset File::make_dataset(const std::string& path, Type type, const Shape& shape, Handle layout) {
  Dataset set;
  set.handle_ = made(new_dataset(handle_.get(), path, native(type), space_of(shape), layout.get()),
                     H5Dclose, "dataset '{}' in '{}' cannot be made", path, path_);
  set.info_ = describe(set.handle_.get(), path);
  set.file_ = path_;
  return set;
}

}  // namespace ptyle::h5
