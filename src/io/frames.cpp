#include "io/frames.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace ptyle {
namespace {

bool may_be_patterns(const h5::DatasetInfo& info) {
  return (info.shape.size() == 3 || info.shape.size() == 4) && info.type.is_real();
}

std::string find_patterns(const h5::File& file) {
  for (const char* known :
       {"/patterns", "/data", "/dp", "/datacube_root/datacube/data", "/entry_1/data_1/data"})
    if (file.has_dataset(known) && may_be_patterns(file.info(known))) return known;
  std::optional<h5::DatasetInfo> largest;
  std::string there;
  for (const auto& one : file.datasets()) {
    there += fmt::format("{}{} ({}, {})", there.empty() ? "" : ", ", one.path,
                         h5::to_string(one.shape), h5::to_string(one.type));
    if (may_be_patterns(one) && (!largest || one.size() > largest->size())) largest = one;
  }
  if (!largest)
    throw UserError(
        fmt::format("file '{}' has no dataset of patterns, of shape (N, ky, kx) or (slow, fast, "
                    "ky, kx); it has {}",
                    file.path(), there.empty() ? "none at all" : there));
  return largest->path;
}

/// The chunks that a scan line crosses, where they hold more lines; else none.
h5::KeptChunks chunks_of_a_line(const h5::DatasetInfo& info) {
  if (info.shape.size() != 4 || info.chunk.empty() || info.chunk[0] == 1) return {};
  i64 chunks = 1, bytes = info.chunk[0] * info.type.bytes;
  for (std::size_t d = 1; d < 4; ++d) {
    const i64 across = (info.shape[d] + info.chunk[d] - 1) / info.chunk[d];
    chunks *= across;
    bytes *= across * info.chunk[d];
  }
  return {chunks, bytes};
}

}  // namespace

Frames::Frames(const h5::File& file, const std::string& dataset, i64 most)
    : set_(file.dataset(dataset.empty() ? find_patterns(file) : dataset)) {
  const auto& s = info().shape;
  if (!may_be_patterns(info()))
    throw UserError(
        fmt::format("dataset '{}' in '{}' is {} of {}, patterns are real numbers of shape (N, ky, "
                    "kx) or (slow, fast, ky, kx)",
                    info().path, file.path(), h5::to_string(s), h5::to_string(info().type)));
  set_.check_filters();
  if (s.size() == 4) scan_shape_ = {s[0], s[1]};
  count_ = s.size() == 4 ? s[0] * s[1] : s[0];
  const h5::KeptChunks line = chunks_of_a_line(info());
  if (line.bytes == 0 || line.bytes > most) return;
  kept_ = line.bytes;
  const std::string path = info().path;
  set_ = {};  // else what it keeps stays as it is
  set_ = file.dataset(path, line);
}

double Frames::largest() const {
  const auto type = info().type;
  if (type.kind == h5::Kind::real) return 0;
  return std::ldexp(1.0, 8 * type.bytes - (type.kind == h5::Kind::integer ? 1 : 0)) - 1;
}

i64 Frames::frames_a_chunk() const {
  const auto& chunk = info().chunk;
  if (chunk.empty()) return 1;
  if (chunk.size() < 4) return chunk[0];
  return chunk[1] >= scan_shape_[1] ? chunk[0] * scan_shape_[1] : chunk[1];
}

}  // namespace ptyle
