#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "io/frame_axes.hpp"
#include "io/frame_block.hpp"
#include "io/hdf5.hpp"

namespace ptyle {

/// One dataset of frames, open.
class FrameSet {
 public:
  /// If chunks hold several scan lines, those of a line are kept unpacked for the next ones, as far
  /// as `most` bytes hold them; a dataset that does not lie frame by frame is read in blocks of as
  /// many bytes (FrameBlock).
  FrameSet(const h5::File& file, const h5::DatasetInfo& info, const FrameAxes& axes, i64 most);

  [[nodiscard]] const h5::DatasetInfo& info() const { return info_; }
  [[nodiscard]] i64 count() const { return count_; }
  [[nodiscard]] i64 rows() const { return info().shape[axes_.ky]; }
  [[nodiscard]] i64 cols() const { return info().shape[axes_.kx]; }
  [[nodiscard]] std::array<i64, 2> scan_shape() const { return scan_shape_; }
  /// Bytes that reading keeps.
  [[nodiscard]] i64 kept() const { return block_ ? block_->bytes() : kept_; }
  /// Frames that lie in one chunk of the file one after the other, at least 1; 1 of a block.
  [[nodiscard]] i64 frames_a_chunk() const;
  /// No part of a virtual dataset is missing.
  [[nodiscard]] bool whole() const { return missing_.empty(); }
  /// Few frames here and there cost little beside all.
  [[nodiscard]] bool quick_to_sample() const;

  /// Frames [first, first + n), rows × cols each, converted to T. UserError where a virtual dataset
  /// has no numbers for one of them.
  template <class T>
  void read(i64 first, i64 n, T* to) {
    if (!missing_.empty()) refuse_missing(first, n);
    if (block_) return block_->read(first, n, to);
    const i64 size = rows() * cols();
    if (axes_.scan.empty()) return set_.read(to);
    if (scan_shape_[0] == 0) return set_.read({first, 0, 0}, {n, rows(), cols()}, to);
    for (i64 i = first; i < first + n;) {  // a piece of one scan line at a time
      const i64 fast = scan_shape_[1], slow = i / fast, from = i % fast;
      const i64 length = std::min(fast - from, first + n - i);
      set_.read({slow, from, 0, 0}, {1, length, rows(), cols()}, to + (i - first) * size);
      i += length;
    }
  }

 private:
  void refuse_missing(i64 first, i64 n) const;
  [[nodiscard]] bool lies_by_frames(i64 most) const;
  h5::Dataset set_;  // closed where a block is read: a dataset keeps what its first opening says
  h5::DatasetInfo info_;
  std::string file_;
  FrameAxes axes_;
  i64 count_ = 1, kept_ = 0;
  std::array<i64, 2> scan_shape_{};
  std::vector<h5::MissingPart> missing_;
  std::optional<FrameBlock> block_;
};

}  // namespace ptyle
