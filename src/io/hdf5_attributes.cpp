// Attributes of an HDF5 file's objects.

#include <algorithm>
#include <functional>

#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "io/hdf5_library.hpp"

namespace ptyle::h5 {
namespace {

/// Reads one text of fixed or variable length through `read(memory type, to)`.
std::string read_one_text(hid_t type, const std::function<herr_t(hid_t, void*)>& read) {
  if (H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    const Handle memory = text_type();
    if (H5Tset_cset(memory.get(), H5Tget_cset(type)) < 0 || read(memory.get(), &text) < 0)
      throw UserError("a text cannot be read: " + library_message());
    std::string out = text ? text : "";
    H5free_memory(text);
    return out;
  }
  std::string out(H5Tget_size(type), '\0');
  if (read(type, out.data()) < 0) throw UserError("a text cannot be read: " + library_message());
  out.resize(std::min(out.find('\0'), out.size()));
  return out;
}

Handle open_attribute(const Handle& owner, const char* name, const std::string& file) {
  return made(H5Aopen(owner.get(), name, H5P_DEFAULT), H5Aclose,
              "attribute '{}' in '{}' cannot be opened", name, file);
}

void set_attribute(const Handle& owner, const std::string& file, const char* name,
                   const Handle& type, const Handle& space, const void* from) {
  if (H5Aexists(owner.get(), name) > 0 && H5Adelete(owner.get(), name) < 0)
    throw UserError(fmt::format("attribute '{}' in '{}' cannot be replaced: {}", name, file,
                                library_message()));
  const Handle attribute =
      made(H5Acreate2(owner.get(), name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
           H5Aclose, "attribute '{}' in '{}' cannot be made", name, file);
  if (H5Awrite(attribute.get(), type.get(), from) < 0)
    throw UserError(
        fmt::format("attribute '{}' in '{}' cannot be written: {}", name, file, library_message()));
}

}  // namespace

Handle File::open_object(const std::string& object) const {
  if (!has(object))
    throw UserError(fmt::format("file '{}' has no dataset or group '{}'", path_, object));
  return made(H5Oopen(handle_.get(), object.empty() ? "/" : object.c_str(), H5P_DEFAULT), H5Oclose,
              "'{}' in '{}' cannot be opened", object, path_);
}

std::optional<std::vector<double>> File::numbers(const std::string& object,
                                                 const char* name) const {
  const Handle owner = open_object(object);
  if (H5Aexists(owner.get(), name) <= 0) return {};
  const Handle attribute = open_attribute(owner, name, path_);
  const Handle type(H5Aget_type(attribute.get()), H5Tclose),
      space(H5Aget_space(attribute.get()), H5Sclose);
  if (!type_in_file(type.get()).is_real()) return {};
  const i64 size = H5Sget_simple_extent_npoints(space.get());
  std::vector<double> values(static_cast<std::size_t>(std::max<i64>(size, 0)));
  if (size > 0 && H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, values.data()) < 0)
    throw UserError(
        fmt::format("attribute '{}' in '{}' cannot be read: {}", name, path_, library_message()));
  return values;
}

std::optional<double> File::number(const std::string& object, const char* name) const {
  const auto all = numbers(object, name);
  return all && all->size() == 1 ? std::optional(all->front()) : std::nullopt;
}

std::optional<std::string> File::text(const std::string& object, const char* name) const {
  const Handle owner = open_object(object);
  if (H5Aexists(owner.get(), name) <= 0) return {};
  const Handle attribute = open_attribute(owner, name, path_);
  const Handle type(H5Aget_type(attribute.get()), H5Tclose),
      space(H5Aget_space(attribute.get()), H5Sclose);
  if (H5Tget_class(type.get()) != H5T_STRING || H5Sget_simple_extent_npoints(space.get()) != 1)
    return {};
  return read_one_text(
      type.get(), [&](hid_t memory, void* to) { return H5Aread(attribute.get(), memory, to); });
}

std::vector<std::string> File::attributes(const std::string& object) const {
  const Handle owner = open_object(object);
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5A_info_t*, void* to) -> herr_t {
    static_cast<std::vector<std::string>*>(to)->push_back(name);
    return 0;
  };
  hsize_t from = 0;
  if (H5Aiterate2(owner.get(), H5_INDEX_NAME, H5_ITER_INC, &from, visit, &names) < 0)
    throw UserError(fmt::format("the attributes of '{}' in '{}' cannot be read: {}", object, path_,
                                library_message()));
  return names;
}

void File::set(const std::string& object, const char* name, Type type, std::span<const i64> shape,
               const void* from) {
  set_attribute(open_object(object), path_, name, native(type), space_of(shape), from);
}

void File::set(const std::string& object, const char* name, double value) {
  set(object, name, type_of<double>(), {}, &value);
}

void File::set(const std::string& object, const char* name, i64 value) {
  set(object, name, type_of<i64>(), {}, &value);
}

void File::set(const std::string& object, const char* name, std::span<const double> values) {
  const Shape shape{static_cast<i64>(values.size())};
  set(object, name, type_of<double>(), shape, values.data());
}

void File::set(const std::string& object, const char* name, std::span<const i64> values) {
  const Shape shape{static_cast<i64>(values.size())};
  set(object, name, type_of<i64>(), shape, values.data());
}

void File::set(const std::string& object, const char* name, const std::string& text) {
  const char* pointer = text.c_str();
  set_attribute(open_object(object), path_, name, text_type(), space_of({}), &pointer);
}

}  // namespace ptyle::h5
