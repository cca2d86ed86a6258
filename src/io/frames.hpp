#pragma once

#include <algorithm>
#include <array>
#include <string>

#include "core/array.hpp"
#include "io/hdf5.hpp"

namespace ptyle {

/// The patterns' dataset of a file: (N, ky, kx) or (slow, fast, ky, kx), of any real type.
class Frames {
 public:
  /// `dataset` empty: the one of the known layouts ("/patterns", "/data", "/dp",
  /// "/datacube_root/datacube/data", "/entry_1/data_1/data") that is there, else the largest real
  /// 3-D or 4-D dataset. UserError where there is none, it has another shape or type, or a
  /// compression that is not known here. If chunks hold several scan lines, those of a line are
  /// kept unpacked for the next ones, as far as `most` bytes hold them.
  Frames(const h5::File& file, const std::string& dataset, i64 most = 0);
  /// Bytes of chunks that are kept.
  [[nodiscard]] i64 kept() const { return kept_; }
  [[nodiscard]] const h5::DatasetInfo& info() const { return set_.info(); }
  [[nodiscard]] i64 count() const { return count_; }
  [[nodiscard]] i64 rows() const { return *(info().shape.end() - 2); }
  [[nodiscard]] i64 cols() const { return info().shape.back(); }
  /// (slow, fast) of a 4-D dataset; else 0.
  [[nodiscard]] std::array<i64, 2> scan_shape() const { return scan_shape_; }
  [[nodiscard]] bool is_integer() const { return info().type.kind != h5::Kind::real; }
  /// The integer type's largest value; 0 for floats.
  [[nodiscard]] double largest() const;
  /// Frames that lie in one chunk of the file one after the other, at least 1.
  [[nodiscard]] i64 frames_a_chunk() const;

  /// Frames [first, first + n), rows × cols each, converted to T.
  template <class T>
  void read(i64 first, i64 n, T* to) const {
    const i64 size = rows() * cols();
    if (scan_shape_[0] == 0) return set_.read({first, 0, 0}, {n, rows(), cols()}, to);
    for (i64 i = first; i < first + n;) {  // a piece of one scan line at a time
      const i64 fast = scan_shape_[1], slow = i / fast, from = i % fast;
      const i64 length = std::min(fast - from, first + n - i);
      set_.read({slow, from, 0, 0}, {1, length, rows(), cols()}, to + (i - first) * size);
      i += length;
    }
  }

 private:
  h5::Dataset set_;
  i64 count_ = 0, kept_ = 0;
  std::array<i64, 2> scan_shape_{};
};

}  // namespace ptyle
