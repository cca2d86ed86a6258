#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "io/frame_axes.hpp"
#include "io/hdf5.hpp"

namespace ptyle {

/// Frames of a dataset that does not lie frame by frame: its axes are in another order, or its
/// chunks reach across many frames. A block of them, as many as the memory allows, is read the way
/// the file lies and kept until a frame of another is asked for.
///
///   1. A block is as many whole chunks' frames as `most` bytes hold in the file's type; less than
///      a chunk's where not even those fit: then the chunk is unpacked for every block.
///   2. It is read chunk by chunk (a contiguous dataset: piece by piece) and laid out by frames.
class FrameBlock {
 public:
  /// UserError where the chunks are too large for `most`, or would be unpacked over and over
  /// (0: a frame at a time, and nothing is refused).
  FrameBlock(const h5::File& file, const h5::DatasetInfo& info, const FrameAxes& axes, i64 most);
  [[nodiscard]] i64 bytes() const;  ///< of memory that reading takes
  /// All frames are in one block.
  [[nodiscard]] bool holds_all() const { return length_ >= count_; }

  template <class T>
  void read(i64 first, i64 n, T* to) {
    for (i64 i = first; i < first + n;) {
      if (i < from_ || i >= to_) load(i);
      const i64 length = std::min(to_, first + n) - i;
      copy((i - from_) * frame_, length * frame_, to + (i - first) * frame_);
      i += length;
    }
  }

 private:
  void check(const h5::File& file, i64 most) const;
  void load(i64 frame);
  template <class Raw>
  void read_cells(const h5::Shape& from, const h5::Shape& count);
  template <class Raw>
  void read_cell(const h5::Shape& box, const h5::Shape& from, const h5::Shape& count);
  template <class T>
  void copy(i64 from, i64 n, T* to) const;
  [[nodiscard]] int value_bytes() const;

  h5::Dataset set_;
  FrameAxes axes_;
  h5::Shape shape_;  // of which frames are read; the dataset may have more rows
  i64 frame_ = 0, count_ = 0, fast_ = 1;  // values of a frame, frames, frames of a line
  i64 length_ = 0;                        // frames of a block
  i64 along_ = 1, across_ = 1;  // that a chunk reaches across: lines (or frames), of a line
  i64 from_ = 0, to_ = 0;       // frames in the block
  h5::Shape cell_;              // read at a time: chunks
  std::vector<std::byte> block_, buffer_;
};

}  // namespace ptyle
