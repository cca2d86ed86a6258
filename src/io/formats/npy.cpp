// An array of NumPy (numpy.lib.format): \x93NUMPY, version, length of the header, the header as a
// Python dictionary {'descr': '<u2', 'fortran_order': False, 'shape': (4, 96, 96), }, the numbers.

#include "io/formats/npy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <vector>

#include "core/error.hpp"
#include "core/printable.hpp"
#include "io/formats/formats.hpp"

namespace ptyle::formats {
namespace {

constexpr std::string_view magic = "\x93NUMPY";

[[noreturn]] void damaged(const Source& source, const std::string& name, const std::string& what) {
  throw UserError(fmt::format("{} in '{}' is damaged: its header {}", name, source.path(), what));
}

/// The text behind 'key': in the header.
std::string_view value_of(const Source& source, const std::string& name, std::string_view header,
                          const std::string& key) {
  auto at = header.find("'" + key + "'");
  if (at == std::string_view::npos) at = header.find("\"" + key + "\"");
  if (at == std::string_view::npos) damaged(source, name, fmt::format("has no '{}'", key));
  at = header.find(':', at);
  at = at == std::string_view::npos ? at : header.find_first_not_of(' ', at + 1);
  if (at == std::string_view::npos) damaged(source, name, fmt::format("ends after '{}'", key));
  return header.substr(at);
}

h5::Shape shape_in(const Source& source, const std::string& name, std::string_view text) {
  h5::Shape shape;
  const auto end = text.find(')');
  if (!text.starts_with('(') || end == std::string_view::npos)
    damaged(source, name, "has no tuple as its shape");
  for (std::size_t at = 1; at < end;) {
    at = text.find_first_not_of(" ,", at);
    if (at >= end) break;
    i64 number = 0;
    const auto [rest, error] = std::from_chars(text.data() + at, text.data() + end, number);
    if (error != std::errc() || number < 0) damaged(source, name, "has no whole numbers as shape");
    shape.push_back(number);
    at = static_cast<std::size_t>(rest - text.data());
    if (at < end && text[at] == 'L') ++at;  // of Python 2
  }
  if (shape.size() > 32) damaged(source, name, "has more than 32 axes");
  return shape;
}

/// '<u2', '|b1', '>f8', …; of others why they are none of ours.
void set_type(NpyHeader& header, std::string_view text) {
  if (text.starts_with('[')) {
    header.no_array = "is an array of structures";
    return;
  }
  const auto end = text.find(text.front(), 1);
  const std::string_view type = end == std::string_view::npos ? text : text.substr(1, end - 1);
  int bytes = 0;
  if (type.size() >= 3) std::from_chars(type.data() + 2, type.data() + type.size(), bytes);
  const char kind = type.size() >= 2 ? type[1] : ' ';
  const bool whole = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  header.big_endian = type.starts_with('>');
  if (kind == 'b' && bytes == 1)
    header.type = {h5::Kind::natural, 1};
  else if ((kind == 'u' || kind == 'i') && whole)
    header.type = {kind == 'u' ? h5::Kind::natural : h5::Kind::integer, bytes};
  else if (kind == 'f' && whole && bytes > 1)
    header.type = {h5::Kind::real, bytes};
  else if (kind == 'c' && (bytes == 8 || bytes == 16))
    header.type = {h5::Kind::complex, bytes};
  else
    header.no_array = fmt::format("is an array of NumPy's type '{}'", printable(std::string(type)));
}

template <class T>
void turn_round(std::vector<char>& bytes, const h5::Shape& shape) {
  std::vector<char> turned(bytes.size());
  const std::size_t rank = shape.size(), n = bytes.size() / sizeof(T);
  std::vector<std::size_t> step(rank, 1);  // in Fortran's order
  for (std::size_t d = 1; d < rank; ++d)
    step[d] = step[d - 1] * static_cast<std::size_t>(shape[d - 1]);
  h5::Shape at(rank, 0);
  for (std::size_t i = 0, from = 0; i < n; ++i) {
    std::memcpy(turned.data() + i * sizeof(T), bytes.data() + from * sizeof(T), sizeof(T));
    for (std::size_t d = rank; d-- > 0;) {
      from += step[d];
      if (++at[d] < shape[d]) break;
      from -= step[d] * static_cast<std::size_t>(shape[d]);
      at[d] = 0;
    }
  }
  bytes = std::move(turned);
}

/// From Fortran's order to C's.
void turn_round(std::vector<char>& bytes, const h5::Shape& shape, int bytes_each) {
  struct Pair {
    std::uint64_t a, b;
  };
  switch (bytes_each) {
    case 1:
      return turn_round<std::uint8_t>(bytes, shape);
    case 2:
      return turn_round<std::uint16_t>(bytes, shape);
    case 4:
      return turn_round<std::uint32_t>(bytes, shape);
    case 8:
      return turn_round<std::uint64_t>(bytes, shape);
    default:
      return turn_round<Pair>(bytes, shape);
  }
}

/// All numbers of an array in Fortran's order, to be taken in C's.
NextBytes turned_round(i64 bytes, const h5::Shape& shape, int bytes_each, const NextBytes& next) {
  auto all = std::make_shared<std::vector<char>>(static_cast<std::size_t>(bytes));
  next(bytes, all->data());
  turn_round(*all, shape, bytes_each);
  return [all, at = i64{0}](i64 n, char* to) mutable {
    std::copy_n(all->begin() + at, n, to);
    at += n;
  };
}

/// The names, in the order of the file, of axes that lie in reverse order.
std::string reversed_axes(std::size_t rank) { return rank == 3 ? "kx ky n" : "kx ky x y"; }

}  // namespace

NpyHeader npy_header(const Source& source, const std::string& name, const NextBytes& next) {
  std::string start(8, '\0');
  next(8, start.data());
  const int version = static_cast<unsigned char>(start[6]);
  if (!start.starts_with(magic) || version < 1 || version > 3)
    damaged(source, name, "is none of NumPy's versions 1 to 3");
  std::string length(version == 1 ? 2 : 4, '\0');
  next(static_cast<i64>(length.size()), length.data());
  const auto size = little(length, 0, static_cast<int>(length.size()));
  if (size > std::uint64_t{1} << 24U) damaged(source, name, "is longer than any");
  std::string text(size, '\0');
  next(static_cast<i64>(size), text.data());
  NpyHeader header;
  header.bytes = static_cast<i64>(8 + length.size() + size);
  set_type(header, value_of(source, name, text, "descr"));
  header.fortran = value_of(source, name, text, "fortran_order").starts_with("True");
  header.shape = shape_in(source, name, value_of(source, name, text, "shape"));
  return header;
}

void add_npy(const Source& source, h5::File& to, const std::string& dataset,
             const NpyHeader& header, std::optional<i64> offset, const NextBytes& next) {
  constexpr i64 little_memory = i64{64} << 20;
  const i64 bytes = bytes_of(source, header.shape, header.type.bytes);
  const std::size_t rank = header.shape.size();
  const bool turned = header.fortran && rank > 1, in_memory = bytes <= little_memory;
  if (turned && !in_memory && rank != 3 && rank != 4)
    throw UserError(fmt::format(
        "'{}' in '{}' is an array of {} in Fortran's order, of which only frames of three or four "
        "axes are read; numpy.save with numpy.ascontiguousarray writes it in C's",
        dataset, source.path(), h5::to_string(header.shape)));
  h5::Shape shape = header.shape;
  if (turned && !in_memory) std::reverse(shape.begin(), shape.end());
  if (offset && !(turned && in_memory)) {
    to.map_dataset(dataset, header.type, shape, {source.path(), *offset, header.big_endian, 0});
  } else {
    check_room(source, dataset, bytes,
               fmt::format("this writes it so that it is read where it lies: python3 -c \"import "
                           "numpy; numpy.save('{}.npy', numpy.load('{}')['{}'])\"",
                           dataset.substr(1), source.path(), dataset.substr(1)));
    to.store_dataset(
        dataset, header.type, shape, header.big_endian,
        turned && in_memory ? turned_round(bytes, shape, header.type.bytes, next) : next);
  }
  if (turned && !in_memory) to.set(dataset, "ptyle_axes", reversed_axes(rank));
}

bool is_npy(const Source& source) { return source.start().starts_with(magic); }

void read_npy(const Source& source, h5::File& to) {
  i64 at = 0;
  const NextBytes next = [&](i64 bytes, char* part) {
    source.read(at, bytes, part);
    at += bytes;
  };
  const NpyHeader header = npy_header(source, "the array", next);
  if (!header.no_array.empty())
    throw UserError(fmt::format("the array in '{}' {}; patterns, positions and masks are numbers",
                                source.path(), header.no_array));
  const i64 end = header.bytes + bytes_of(source, header.shape, header.type.bytes);
  source.check_end(end, fmt::format("its header says {} of {}, which would end",
                                    h5::to_string(header.shape), h5::to_string(header.type)));
  add_npy(source, to, "/data", header, header.bytes, next);
}

}  // namespace ptyle::formats
