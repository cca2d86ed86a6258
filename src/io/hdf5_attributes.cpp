// Attributes of an HDF5 file's objects.

#include <algorithm>

#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "io/hdf5_library.hpp"

namespace ptyle::h5 {
namespace {

/// An open attribute, or a dataset of a few values, with its type and the number of its values.
struct OpenAttribute {
  Handle handle, type;
  i64 size = 0;
  std::string name;  ///< "attribute 'energy_kV' in 'a.h5'"
  bool dataset = false;

  void read(hid_t memory, void* to) const {
    const hid_t id = handle.get();
    if (size > 0 && (dataset ? H5Dread(id, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, to)
                             : H5Aread(id, memory, to)) < 0)
      throw UserError(fmt::format("{} cannot be read: {}", name, library_message()));
  }
};

std::vector<double> read_numbers(const OpenAttribute& attribute) {
  std::vector<double> values(static_cast<std::size_t>(attribute.size));
  attribute.read(H5T_NATIVE_DOUBLE, values.data());
  return values;
}

/// Texts of fixed or variable length.
std::vector<std::string> read_texts(const OpenAttribute& attribute) {
  std::vector<std::string> texts;
  const hid_t type = attribute.type.get();
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> all(static_cast<std::size_t>(attribute.size), nullptr);
    const Handle memory = text_type();
    if (H5Tset_cset(memory.get(), H5Tget_cset(type)) < 0)
      throw UserError("a text cannot be read: " + library_message());
    attribute.read(memory.get(), all.data());
    for (char* text : all) {
      texts.emplace_back(text ? text : "");
      H5free_memory(text);
    }
    return texts;
  }
  const std::size_t length = H5Tget_size(type);
  std::string all(static_cast<std::size_t>(attribute.size) * length, '\0');
  attribute.read(type, all.data());
  for (std::size_t from = 0; from < all.size(); from += length) {
    const std::string text = all.substr(from, length);
    texts.push_back(text.substr(0, text.find('\0')));
  }
  return texts;
}

Attribute contents(const OpenAttribute& open) {
  Attribute attribute;
  attribute.type = type_in_file(open.type.get());
  if (attribute.type.is_real()) attribute.numbers = read_numbers(open);
  if (attribute.type.kind == Kind::text) attribute.texts = read_texts(open);
  return attribute;
}

/// Nothing where there is none of the name.
std::optional<OpenAttribute> open_attribute(const Handle& owner, const char* name,
                                            const std::string& file) {
  if (H5Aexists(owner.get(), name) <= 0) return {};
  OpenAttribute open;
  open.name = fmt::format("attribute '{}' in '{}'", name, file);
  open.handle =
      made(H5Aopen(owner.get(), name, H5P_DEFAULT), H5Aclose, "{} cannot be opened", open.name);
  open.type = made(H5Aget_type(open.handle.get()), H5Tclose, "{} cannot be read", open.name);
  const Handle space =
      made(H5Aget_space(open.handle.get()), H5Sclose, "{} cannot be read", open.name);
  open.size = std::max<i64>(0, H5Sget_simple_extent_npoints(space.get()));
  return open;
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
  const auto open = open_attribute(open_object(object), name, path_);
  if (!open || !type_in_file(open->type.get()).is_real()) return {};
  return read_numbers(*open);
}

std::optional<double> File::number(const std::string& object, const char* name) const {
  const auto all = numbers(object, name);
  return all && all->size() == 1 ? std::optional(all->front()) : std::nullopt;
}

std::optional<std::string> File::text(const std::string& object, const char* name) const {
  const auto open = open_attribute(open_object(object), name, path_);
  if (!open || type_in_file(open->type.get()).kind != Kind::text || open->size != 1) return {};
  return read_texts(*open).front();
}

std::optional<Attribute> File::attribute(const std::string& object, const char* name) const {
  const auto open = open_attribute(open_object(object), name, path_);
  return open ? std::optional(contents(*open)) : std::nullopt;
}

std::optional<Attribute> File::value(const std::string& dataset) const {
  constexpr i64 few = 8;
  if (!has_dataset(dataset)) return {};
  OpenAttribute open;
  open.dataset = true;
  open.name = fmt::format("dataset '{}' in '{}'", dataset, path_);
  open.handle = made(H5Dopen2(handle_.get(), dataset.c_str(), H5P_DEFAULT), H5Dclose,
                     "{} cannot be opened", open.name);
  open.type = made(H5Dget_type(open.handle.get()), H5Tclose, "{} cannot be read", open.name);
  const Handle space =
      made(H5Dget_space(open.handle.get()), H5Sclose, "{} cannot be read", open.name);
  open.size = std::max<i64>(0, H5Sget_simple_extent_npoints(space.get()));
  return open.size <= few ? std::optional(contents(open)) : std::nullopt;
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
