#include "io/frame_block.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstring>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <type_traits>

#include "core/error.hpp"

namespace ptyle {
namespace {

constexpr i64 piece = i64{1} << 20;   // bytes read at a time of a large chunk, or without chunks
constexpr i64 little = i64{1} << 14;  // smaller chunks are read several at a time

i64 product(const h5::Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), i64{1}, std::multiplies<>());
}

i64 round_up(i64 value, i64 to) { return (value + to - 1) / to * to; }

/// Calls with a value of the type in memory: the file's, or what it is converted to on reading.
template <class Call>
void with_type(h5::Type type, Call&& call) {
  using h5::Kind;
  if (type.kind == Kind::real) return call(float{});
  const bool natural = type.kind == Kind::natural;
  switch (type.bytes) {
    case 1:
      return natural ? call(std::uint8_t{}) : call(std::int8_t{});
    case 2:
      return natural ? call(std::uint16_t{}) : call(std::int16_t{});
    case 3:
    case 4:
      return natural ? call(std::uint32_t{}) : call(std::int32_t{});
    default:
      return call(std::int64_t{});  // larger ones are cut as they are elsewhere
  }
}

}  // namespace

int FrameBlock::value_bytes() const {
  int bytes = 0;
  with_type(set_.info().type, [&](auto value) { bytes = sizeof value; });
  return bytes;
}

FrameBlock::FrameBlock(const h5::File& file, const h5::DatasetInfo& info, const FrameAxes& axes,
                       i64 most)
    : axes_(axes), shape_(info.shape) {
  const auto chunk_bytes = product(info.chunk) * info.type.bytes;
  set_ = file.dataset(info.path, {1, info.chunk.empty() ? 0 : std::max(piece, chunk_bytes)});
  const h5::Shape& shape = shape_;
  frame_ = shape[axes_.ky] * shape[axes_.kx];
  count_ = 1;
  for (const int d : axes_.scan) count_ *= shape[d];
  fast_ = axes_.scan.size() == 2 ? shape[axes_.scan[1]] : 1;

  const auto chunk = [&](int d) {
    return info.chunk.empty() ? 1 : std::min(info.chunk[d], shape[d]);
  };
  if (!axes_.scan.empty()) along_ = chunk(axes_.scan[0]);
  if (axes_.scan.size() == 2) across_ = chunk(axes_.scan[1]);
  const i64 room = std::max<i64>(1, most / std::max<i64>(1, frame_ * value_bytes()));
  if (room >= along_ * fast_)
    length_ = room / (along_ * fast_) * (along_ * fast_);
  else if (room >= fast_)
    length_ = room / fast_ * fast_;
  else
    length_ = room >= across_ ? room / across_ * across_ : room;
  length_ = std::max<i64>(1, std::min(length_, count_));

  cell_ = info.chunk.empty() ? shape : info.chunk;
  for (std::size_t d = shape.size(); !info.chunk.empty() && d-- > 0;)
    while (product(cell_) * value_bytes() < little && cell_[d] < shape[d])
      cell_[d] = std::min(2 * cell_[d], round_up(shape[d], info.chunk[d]));
  if (most > 0) check(file, most);
}

void FrameBlock::check(const h5::File& file, i64 most) const {
  const auto& info = set_.info();
  const i64 chunk = product(info.chunk) * info.type.bytes;
  // How often each chunk is unpacked.
  const i64 lines = std::max<i64>(1, length_ / fast_);
  i64 times = (along_ + lines - 1) / lines;
  if (length_ < fast_) times *= (across_ + length_ - 1) / length_;
  if (info.chunk.empty())  // what lies between pieces is read with them
    times =
        std::min((count_ + length_ - 1) / length_, 1 + (i64{1} << 16) / (length_ * value_bytes()));
  const double all = static_cast<double>(info.size()) * info.type.bytes;
  const bool too_large = !info.chunk.empty() && chunk > std::max(4 * most, i64{64} << 20);
  const bool too_often = times > 16 && static_cast<double>(times) * all > 16e9;
  if (!too_large && !too_often) return;
  h5::Shape better(info.shape.size(), 1);
  better[axes_.ky] = info.shape[axes_.ky];
  better[axes_.kx] = info.shape[axes_.kx];
  const std::string chunks = "chunks of " + h5::to_string(info.chunk);
  const std::string why =
      info.chunk.empty() ? fmt::format("no frames in a row and would be read {} times", times)
      : too_large ? fmt::format("{}, {:.3g} GB, which do not fit into the memory allowed", chunks,
                                static_cast<double>(chunk) / 1e9)
                  : fmt::format("{}, which reach across {} frames and would be unpacked {} times",
                                chunks, along_ * across_, times);
  throw UserError(fmt::format(
      "dataset '{}' in '{}' has {}; h5repack -l {}:CHUNK={} {} NEW.h5 writes it frame by "
      "frame",
      info.path, file.path(), why, info.path, fmt::join(better, "x"), file.path()));
}

i64 FrameBlock::bytes() const {
  const auto& info = set_.info();
  const i64 cell = std::min(std::max(piece, little * 2), product(cell_) * value_bytes());
  const i64 chunk = product(info.chunk) * info.type.bytes;
  return length_ * frame_ * value_bytes() + cell + (info.chunk.empty() ? 0 : 2 * chunk);
}

void FrameBlock::load(i64 frame) {
  const h5::Shape& shape = shape_;
  if (length_ >= fast_ || axes_.scan.size() < 2) {
    from_ = frame / length_ * length_;
    to_ = std::min(from_ + length_, count_);
  } else {  // a part of a line
    const i64 line = frame / fast_ * fast_;
    from_ = line + (frame - line) / length_ * length_;
    to_ = std::min(from_ + length_, line + fast_);
  }
  h5::Shape from(shape.size(), 0), count = shape;
  if (axes_.scan.size() == 1) {
    from[axes_.scan[0]] = from_;
    count[axes_.scan[0]] = to_ - from_;
  } else if (axes_.scan.size() == 2) {
    const bool lines = length_ >= fast_;
    from[axes_.scan[0]] = from_ / fast_;
    count[axes_.scan[0]] = lines ? (to_ - from_) / fast_ : 1;
    from[axes_.scan[1]] = lines ? 0 : from_ % fast_;
    count[axes_.scan[1]] = lines ? fast_ : to_ - from_;
  }
  const i64 begin = from_, end = to_;
  from_ = to_ = 0;  // nothing, if reading fails
  block_.resize(static_cast<std::size_t>((end - begin) * frame_ * value_bytes()));
  with_type(set_.info().type,
            [&](auto value) { read_cells<std::remove_cvref_t<decltype(value)>>(from, count); });
  from_ = begin;
  to_ = end;
}

/// Reads the box [from, from + count) of the dataset into the block, cell by cell; of a large cell
/// a piece at a time, while HDF5 keeps the chunk unpacked.
template <class Raw>
void FrameBlock::read_cells(const h5::Shape& from, const h5::Shape& count) {
  const std::size_t rank = from.size();
  const bool chunked = !set_.info().chunk.empty();
  h5::Shape cell(rank);  // first number of the cell
  for (std::size_t d = 0; d < rank; ++d)
    cell[d] = chunked ? from[d] / cell_[d] * cell_[d] : from[d];
  const h5::Shape first = cell;
  for (;;) {
    h5::Shape begin(rank), size(rank);
    for (std::size_t d = 0; d < rank; ++d) {
      begin[d] = std::max(cell[d], from[d]);
      size[d] = std::min(cell[d] + cell_[d], from[d] + count[d]) - begin[d];
    }
    h5::Shape part = size;  // of the cell, at most a piece
    for (std::size_t d = 0; d < rank; ++d) {
      const i64 rest = product(part) / part[d] * static_cast<i64>(sizeof(Raw));
      part[d] = std::clamp<i64>(piece / rest, 1, part[d]);
    }
    h5::Shape at = begin;
    for (;;) {
      h5::Shape now(rank);
      for (std::size_t d = 0; d < rank; ++d) now[d] = std::min(part[d], begin[d] + size[d] - at[d]);
      read_cell<Raw>(from, at, now);
      std::size_t d = rank;
      while (d-- > 0 && (at[d] += part[d]) >= begin[d] + size[d]) at[d] = begin[d];
      if (d == std::size_t(-1)) break;
    }
    std::size_t d = rank;
    while (d-- > 0 && (cell[d] += cell_[d]) >= from[d] + count[d]) cell[d] = first[d];
    if (d == std::size_t(-1)) return;
  }
}

/// Reads [from, from + count), which lies in the box that begins at `box`, and lays it out by
/// frames: value (i, j, …) goes to Σ index · stride.
template <class Raw>
void FrameBlock::read_cell(const h5::Shape& box, const h5::Shape& from, const h5::Shape& count) {
  const std::size_t rank = from.size();
  buffer_.resize(std::max(buffer_.size(), static_cast<std::size_t>(product(count)) * sizeof(Raw)));
  Raw* const read = reinterpret_cast<Raw*>(buffer_.data());
  set_.read(from, count, read);
  const h5::Shape& shape = shape_;
  h5::Shape stride(rank);
  stride[axes_.ky] = shape[axes_.kx];
  stride[axes_.kx] = 1;
  if (!axes_.scan.empty()) stride[axes_.scan.back()] = frame_;
  if (axes_.scan.size() == 2) stride[axes_.scan[0]] = length_ >= fast_ ? fast_ * frame_ : 0;
  Raw* to = reinterpret_cast<Raw*>(block_.data());
  std::array<i64, 4> n{1, 1, 1, 1}, by{};  // axes of one number left out
  std::size_t axis = 4;
  for (std::size_t d = rank; d-- > 0;) {
    to += (from[d] - box[d]) * stride[d];
    if (count[d] == 1) continue;
    --axis;
    n[axis] = count[d];
    by[axis] = stride[d];
  }
  const Raw* value = read;
  for (i64 i = 0; i < n[0]; ++i)
    for (i64 j = 0; j < n[1]; ++j)
      for (i64 k = 0; k < n[2]; ++k) {
        Raw* line = to + i * by[0] + j * by[1] + k * by[2];
        if (by[3] == 1) {
          value = (std::copy(value, value + n[3], line), value + n[3]);
        } else {
          for (i64 l = 0; l < n[3]; ++l) line[l * by[3]] = *value++;
        }
      }
}

template <class T>
void FrameBlock::copy(i64 from, i64 n, T* to) const {
  with_type(set_.info().type, [&](auto value) {
    const auto* values = reinterpret_cast<const decltype(value)*>(block_.data()) + from;
    std::transform(values, values + n, to, [](auto v) { return static_cast<T>(v); });
  });
}

template void FrameBlock::copy(i64, i64, std::int64_t*) const;
template void FrameBlock::copy(i64, i64, float*) const;

}  // namespace ptyle
