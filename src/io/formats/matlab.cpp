// MATLAB's files of version 5 (-v6, -v7), by matio: each numeric array becomes a dataset, with its
// axes in reverse order, as MATLAB 7.3 writes them into HDF5; those of a structure lie in a group.
// Sparse arrays, cells, texts are left out.

#include <fmt/format.h>
#include <matio.h>

#include <algorithm>
#include <complex>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/printable.hpp"
#include "io/formats/formats.hpp"

namespace ptyle::formats {
namespace {

using Opened = std::unique_ptr<mat_t, int (*)(mat_t*)>;
using Variable = std::unique_ptr<matvar_t, void (*)(matvar_t*)>;

std::optional<h5::Type> type_of(const matvar_t& v) {
  const auto bytes = [&](h5::Kind kind, int n) {
    return v.isComplex != 0 ? h5::Type{h5::Kind::complex, 2 * n} : h5::Type{kind, n};
  };
  if (v.isComplex != 0 && v.class_type != MAT_C_DOUBLE && v.class_type != MAT_C_SINGLE) return {};
  switch (v.class_type) {
    case MAT_C_DOUBLE:
      return bytes(h5::Kind::real, 8);
    case MAT_C_SINGLE:
      return bytes(h5::Kind::real, 4);
    case MAT_C_INT8:
      return h5::Type{h5::Kind::integer, 1};
    case MAT_C_UINT8:
      return h5::Type{h5::Kind::natural, 1};
    case MAT_C_INT16:
      return h5::Type{h5::Kind::integer, 2};
    case MAT_C_UINT16:
      return h5::Type{h5::Kind::natural, 2};
    case MAT_C_INT32:
      return h5::Type{h5::Kind::integer, 4};
    case MAT_C_UINT32:
      return h5::Type{h5::Kind::natural, 4};
    case MAT_C_INT64:
      return h5::Type{h5::Kind::integer, 8};
    case MAT_C_UINT64:
      return h5::Type{h5::Kind::natural, 8};
    default:
      return {};
  }
}

h5::Shape reversed_shape(const matvar_t& v) {
  h5::Shape shape(v.dims, v.dims + v.rank);
  std::reverse(shape.begin(), shape.end());
  return shape;
}

[[noreturn]] void damaged(const Source& source, const std::string& name) {
  throw UserError(fmt::format(
      "'{}' in the MATLAB file '{}' cannot be read, the file may be truncated or damaged",
      printable(name), source.path()));
}

/// The numbers of a variable that has been read, its parts one after the other where it is complex.
void add(const Source& source, const std::string& path, const matvar_t& v, h5::File& to) {
  if (v.class_type == MAT_C_STRUCT && v.data && v.rank == 2 && v.dims[0] == 1 && v.dims[1] == 1) {
    char* const* names = Mat_VarGetStructFieldnames(&v);
    const unsigned fields = Mat_VarGetNumberOfFields(const_cast<matvar_t*>(&v));
    for (unsigned i = 0; i < fields; ++i)
      if (const matvar_t* field = Mat_VarGetStructFieldByIndex(const_cast<matvar_t*>(&v), i, 0))
        add(source, path + "/" + names[i], *field, to);
    return;
  }
  const auto type = type_of(v);
  if (!type || v.rank < 1) return;
  const h5::Shape shape = reversed_shape(v);
  const i64 bytes = bytes_of(source, shape, type->bytes);
  if (bytes > 0 && !v.data) damaged(source, path.substr(1));
  if (type->kind != h5::Kind::complex) {
    const char* from = static_cast<const char*>(v.data);
    to.store_dataset(path, *type, shape, false, [&](i64 n, char* part) {
      std::memcpy(part, from, static_cast<std::size_t>(n));
      from += n;
    });
    return;
  }
  const auto& split = *static_cast<const mat_complex_split_t*>(v.data);
  const i64 half = type->bytes / 2;
  const char *re = static_cast<const char*>(split.Re), *im = static_cast<const char*>(split.Im);
  to.store_dataset(path, *type, shape, false, [&](i64 n, char* part) {
    for (i64 at = 0; at < n; at += 2 * half, re += half, im += half) {
      std::memcpy(part + at, re, static_cast<std::size_t>(half));
      std::memcpy(part + at + half, im, static_cast<std::size_t>(half));
    }
  });
}

/// The elements behind the file's header of 128 bytes: kind, bytes, content.
void check_elements(const Source& source) {
  const bool is_little = source.start().compare(126, 2, "IM") == 0;
  for (i64 at = 128; at < source.size();) {
    const std::string tag = source.read(at, std::min<i64>(8, source.size() - at));
    if (tag.size() < 8) source.check_end(at + 8, "the head of an array ends");
    at += 8 + static_cast<i64>(is_little ? little(tag, 4, 4) : big(tag, 4, 4));
    source.check_end(at, "an array in it ends");
  }
}

/// Bytes that reading a variable takes, by what its header says.
i64 bytes_to_read(const Source& source, const matvar_t& v) {
  const auto type = type_of(v);
  return type ? bytes_of(source, reversed_shape(v), type->bytes) : 0;
}

}  // namespace

bool is_matlab(const Source& source) {
  // Version 1 of the file stands in the two bytes before the mark of the order of bytes.
  const std::string& start = source.start();
  return start.size() >= 128 && start.starts_with("MATLAB 5.0") &&
         (start.compare(126, 2, "IM") == 0 || start.compare(126, 2, "MI") == 0);
}

void read_matlab(const Source& source, h5::File& to) {
  check_elements(source);
  Mat_LogInitFunc("ptyle", [](int, char*) {});  // else it prints its own messages
  const Opened file(Mat_Open(source.path().c_str(), MAT_ACC_RDONLY), Mat_Close);
  if (!file) damaged(source, "its beginning");
  bool any = false;
  for (;;) {
    const Variable info(Mat_VarReadNextInfo(file.get()), Mat_VarFree);
    if (!info) break;
    const std::string name = info->name ? info->name : "";
    if (name.empty()) continue;
    check_room(
        source, name, 2 * bytes_to_read(source, *info),
        fmt::format("in MATLAB, load('{0}'); save('{0}','-v7.3') writes it so that it is read "
                    "piece by piece",
                    source.path()));
    if (!type_of(*info) && info->class_type != MAT_C_STRUCT) continue;
    if (Mat_VarReadDataAll(file.get(), info.get()) != 0) damaged(source, name);
    add(source, "/" + name, *info, to);
    any = true;
  }
  if (!any)
    throw UserError(fmt::format("the MATLAB file '{}' holds no array of numbers, or is truncated",
                                source.path()));
}

}  // namespace ptyle::formats
