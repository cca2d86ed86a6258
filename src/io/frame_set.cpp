#include "io/frame_set.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace ptyle {
namespace {

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

FrameSet::FrameSet(const h5::File& file, const h5::DatasetInfo& info, const FrameAxes& axes,
                   i64 most)
    : set_(file.dataset(info.path)),
      info_(info),
      file_(file.path()),
      axes_(axes),
      missing_(set_.missing_parts()) {
  for (const int d : axes.scan) count_ *= info.shape[d];
  if (axes.scan.size() == 2) scan_shape_ = {info.shape[axes.scan[0]], info.shape[axes.scan[1]]};
  if (!lies_by_frames(most)) {
    set_ = {};
    block_.emplace(file, info, axes, most);
    return;
  }
  const h5::KeptChunks line = chunks_of_a_line(info);
  if (line.bytes == 0 || line.bytes > most) return;
  kept_ = line.bytes;
  set_ = {};  // else what it keeps stays as it is
  set_ = file.dataset(info.path, line);
}

/// Whoever reads holds two runs of whole chunks as 64-bit numbers. Where these are large, or a scan
/// line's chunks are and cannot be kept, blocks are read.
bool FrameSet::lies_by_frames(i64 most) const {
  if (!axes_.are_in_order()) return false;
  const i64 run = frames_a_chunk() * rows() * cols() * i64{8};
  if (run <= i64{16} << 20) return chunks_of_a_line(info()).bytes <= std::max(most, i64{16} << 20);
  return run <= std::min(most / 2, i64{64} << 20);
}

i64 FrameSet::frames_a_chunk() const {
  const auto& chunk = info().chunk;
  if (block_ || chunk.empty() || axes_.scan.empty()) return 1;
  if (chunk.size() < 4) return std::min(chunk[0], std::max<i64>(count_, 1));
  return chunk[1] >= scan_shape_[1] ? chunk[0] * scan_shape_[1] : chunk[1];
}

bool FrameSet::quick_to_sample() const {
  if (block_) return block_->holds_all();
  const auto& chunk = info().chunk;
  const i64 all = info().size() * info().type.bytes;
  if (all <= i64{16} << 20) return true;
  i64 together = rows() * cols() * info().type.bytes;  // bytes of the chunks that a frame crosses
  for (const int d : axes_.scan)
    if (!chunk.empty()) together *= std::min(chunk[d], info().shape[d]);
  return 64 * together <= std::max(all / 20, i64{64} << 20);
}

void FrameSet::refuse_missing(i64 first, i64 n) const {
  const auto in = [&](const h5::MissingPart& part, i64 frame) {
    if (axes_.scan.empty()) return true;
    if (axes_.scan.size() == 1) return part.at[axes_.scan[0]].contains(frame);
    return part.at[axes_.scan[0]].contains(frame / scan_shape_[1]) &&
           part.at[axes_.scan[1]].contains(frame % scan_shape_[1]);
  };
  for (i64 frame = first; frame < first + n; ++frame)
    for (const auto& part : missing_) {
      if (!in(part, frame)) continue;
      i64 from = frame, to = frame;
      while (from > 0 && in(part, from - 1)) --from;
      while (to + 1 < count_ && in(part, to + 1)) ++to;
      const auto& rows = part.at[axes_.scan.empty() ? 0 : axes_.scan[0]];
      const bool scattered = axes_.scan.size() == 1 && rows.count > 1 && rows.stride > rows.block;
      throw UserError(fmt::format(
          "frame{} of the virtual dataset '{}' in '{}' {} no numbers{}: {}; copy the missing file "
          "beside it{}",
          scattered    ? fmt::format("s {}, {}, ...", from, from + rows.stride)
          : from == to ? fmt::format(" {}", from)
                       : fmt::format("s {} to {}", from, to),
          info().path, file_, from == to && !scattered ? "has" : "have",
          missing_.size() > 1
              ? fmt::format(", nor have those of {} more parts", missing_.size() - 1)
              : "",
          part.why,
          from == 0 && to == count_ - 1
              ? ""
              : fmt::format(", or leave {} out with data.skip=[{}]",
                            from == to && !scattered ? "that frame" : "those frames",
                            from != to  ? fmt::format("{}-{}", from, to)
                            : scattered ? fmt::format("{}, {}, ...", from, from + rows.stride)
                                        : fmt::format("{}", from))));
    }
}

}  // namespace ptyle
