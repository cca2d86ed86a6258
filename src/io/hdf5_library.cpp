#include "io/hdf5_library.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

namespace ptyle::h5 {

void quiet() {
  H5dont_atexit();  // counts only before any other call
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string library_message() {
  std::string message;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned n, const H5E_error2_t* error, void* to) -> herr_t {
        if (n == 0 && error->desc) *static_cast<std::string*>(to) = error->desc;
        return 0;
      },
      &message);
  // If the system refused, its reason stands quoted among addresses and sizes.
  constexpr std::string_view reason = "error message = '";
  if (const auto at = message.find(reason); at != std::string::npos) {
    const auto from = at + reason.size();
    return message.substr(from, message.find('\'', from) - from);
  }
  return message.empty() ? "no further message" : message.substr(0, message.find('\n'));
}

std::string message_with(std::string_view text) {
  std::pair<std::string_view, std::string> search{text, ""};
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned, const H5E_error2_t* error, void* to) -> herr_t {
        auto& [wanted, found] = *static_cast<std::pair<std::string_view, std::string>*>(to);
        const std::string_view message = error->desc ? error->desc : "";
        if (found.empty() && message.find(wanted) != std::string_view::npos) found = message;
        return 0;
      },
      &search);
  return search.second;
}

namespace {
/// The names of a complex number's parts: h5py's, MATLAB's, others'.
constexpr std::array<std::array<const char*, 2>, 3> complex_parts{
    {{"r", "i"}, {"real", "imag"}, {"re", "im"}}};

/// Those of a compound type; none: it is no complex number.
std::optional<std::array<const char*, 2>> parts_of(hid_t type) {
  if (type < 0 || H5Tget_class(type) != H5T_COMPOUND || H5Tget_nmembers(type) != 2) return {};
  if (H5Tget_member_class(type, 0) != H5T_FLOAT || H5Tget_member_class(type, 1) != H5T_FLOAT)
    return {};
  for (const auto& names : complex_parts)
    if (H5Tget_member_index(type, names[0]) == 0 && H5Tget_member_index(type, names[1]) == 1)
      return names;
  return {};
}

/// A complex number of so many bytes, its parts of type `part`.
Handle complex_of(int bytes, hid_t part, const std::array<const char*, 2>& parts) {
  const auto size = static_cast<std::size_t>(bytes);
  Handle pair = made(H5Tcreate(H5T_COMPOUND, size), H5Tclose, "cannot make an HDF5 type");
  if (H5Tinsert(pair.get(), parts[0], 0, part) < 0 ||
      H5Tinsert(pair.get(), parts[1], size / 2, part) < 0)
    throw UserError("cannot make an HDF5 type: " + library_message());
  return pair;
}
}  // namespace

Handle native(Type type, hid_t like) {
  auto copy = [](hid_t t) { return made(H5Tcopy(t), H5Tclose, "cannot make an HDF5 type"); };
  const int b = type.bytes;
  switch (type.kind) {
    case Kind::integer:
      return copy(b == 1   ? H5T_NATIVE_INT8
                  : b == 2 ? H5T_NATIVE_INT16
                  : b == 4 ? H5T_NATIVE_INT32
                           : H5T_NATIVE_INT64);
    case Kind::natural:
      return copy(b == 1   ? H5T_NATIVE_UINT8
                  : b == 2 ? H5T_NATIVE_UINT16
                  : b == 4 ? H5T_NATIVE_UINT32
                           : H5T_NATIVE_UINT64);
    case Kind::real:
      return copy(b == 4 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE);
    case Kind::complex: {
      const hid_t part = b == 8 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
      return complex_of(b, part, parts_of(like).value_or(complex_parts[0]));
    }
    default:
      throw std::logic_error("h5: a type that has no numbers");
  }
}

namespace {
/// IEEE's number of two bytes: a sign, 5 bits of exponent, 10 of mantissa.
Handle half_float() {
  Handle half = made(H5Tcopy(H5T_IEEE_F32LE), H5Tclose, "cannot make an HDF5 type");
  if (H5Tset_fields(half.get(), 15, 10, 5, 0, 10) < 0 || H5Tset_size(half.get(), 2) < 0 ||
      H5Tset_ebias(half.get(), 15) < 0)
    throw UserError("cannot make an HDF5 type: " + library_message());
  return half;
}
}  // namespace

Handle stored(Type type, bool big_endian) {
  const H5T_order_t order = big_endian ? H5T_ORDER_BE : H5T_ORDER_LE;
  if (type.kind == Kind::complex) {
    const Handle part = stored({Kind::real, type.bytes / 2}, big_endian);
    return complex_of(type.bytes, part.get(), complex_parts[0]);
  }
  Handle one = type == Type{Kind::real, 2} ? half_float() : native(type);
  if (H5Tset_order(one.get(), order) < 0)
    throw UserError("cannot make an HDF5 type: " + library_message());
  return one;
}

Type type_in_file(hid_t type) {
  const int bytes = static_cast<int>(H5Tget_size(type));
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return {H5Tget_sign(type) == H5T_SGN_NONE ? Kind::natural : Kind::integer, bytes};
    case H5T_ENUM:  // h5py's bool
      return {Kind::integer, bytes};
    case H5T_FLOAT:
      return {Kind::real, bytes};
    case H5T_STRING:
      return {Kind::text, bytes};
    case H5T_COMPOUND:
      return {parts_of(type) ? Kind::complex : Kind::other, bytes};
    default:
      return {Kind::other, bytes};
  }
}

Handle text_type() {
  Handle type = made(H5Tcopy(H5T_C_S1), H5Tclose, "cannot make an HDF5 type");
  if (H5Tset_size(type.get(), H5T_VARIABLE) < 0 || H5Tset_cset(type.get(), H5T_CSET_UTF8) < 0)
    throw UserError("cannot make an HDF5 type: " + library_message());
  return type;
}

std::vector<hsize_t> extents(std::span<const i64> shape) { return {shape.begin(), shape.end()}; }

Handle space_of(std::span<const i64> shape) {
  const auto dims = extents(shape);
  return made(shape.empty() ? H5Screate(H5S_SCALAR)
                            : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
              H5Sclose, "cannot make an array of {}", to_string(shape));
}

Shape shape_of_space(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> dims(static_cast<std::size_t>(std::max(rank, 0)));
  if (rank < 0 || H5Sget_simple_extent_dims(space, dims.data(), nullptr) < 0)
    throw UserError("a shape cannot be read: " + library_message());
  Shape shape(dims.begin(), dims.end());
  if (H5Sget_simple_extent_type(space) == H5S_NULL) shape = {0};
  return shape;
}

std::string to_string(Type type) {
  switch (type.kind) {
    case Kind::integer:
      return fmt::format("int{}", 8 * type.bytes);
    case Kind::natural:
      return fmt::format("uint{}", 8 * type.bytes);
    case Kind::real:
      return fmt::format("float{}", 8 * type.bytes);
    case Kind::complex:
      return fmt::format("complex{}", 8 * type.bytes);
    case Kind::text:
      return "text";
    default:
      return "a compound or other type";
  }
}

std::string to_string(std::span<const i64> shape) {
  return shape.empty() ? "one value" : fmt::format("{}", fmt::join(shape, " x "));
}

hid_t new_dataset(hid_t file, const std::string& path, const Handle& type, const Handle& space,
                  hid_t layout) {
  const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  if (layout < 0 || H5Pset_create_intermediate_group(links.get(), 1) < 0) return -1;
  return H5Dcreate2(file, path.c_str(), type.get(), space.get(), links.get(), layout, H5P_DEFAULT);
}

}  // namespace ptyle::h5
