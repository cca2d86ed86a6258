#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "io/data_file.hpp"
#include "io/frame_set.hpp"
#include "io/hdf5.hpp"

namespace ptyle {

/// Which frames: as the configuration says.
struct FramesAsked {
  std::string patterns;            ///< a dataset, or a pattern ("/entry/data/data_*"); empty: found
  std::vector<std::string> axes;   ///< of the dataset (frame_axes.hpp); empty: as the file says
  std::vector<std::string> files;  ///< that follow each other; empty: the file alone
  std::optional<RawLayout> raw{};  ///< they are raw numbers
};

/// The frames of a file or of several: a dataset of real numbers, (N, ky, kx) or (slow, fast, ky,
/// kx) unless its axes are said to lie otherwise, or a series of them.
class Frames {
 public:
  /// With nothing asked for, find_patterns (series.hpp). UserError where there are none, one of a
  /// series is missing or differs, or has another shape or type. `most`: bytes that reading may
  /// keep (FrameSet).
  Frames(const h5::File& file, const FramesAsked& asked, i64 most = 0);
  Frames(const h5::File& file, const std::string& dataset, i64 most = 0)
      : Frames(file, FramesAsked{dataset, {}, {}}, most) {}
  /// Bytes that reading keeps.
  [[nodiscard]] i64 kept() const { return kept_; }
  /// "/data", or of several datasets "/entry/data_*".
  [[nodiscard]] const std::string& pattern() const { return pattern_; }
  /// The first dataset's.
  [[nodiscard]] const h5::DatasetInfo& info() const { return members_.front().info; }
  [[nodiscard]] const FrameAxes& axes() const { return axes_; }
  [[nodiscard]] i64 count() const { return count_; }
  [[nodiscard]] i64 rows() const { return rows_; }
  [[nodiscard]] i64 cols() const { return cols_; }
  /// (slow, fast) of a 4-D dataset; else 0.
  [[nodiscard]] std::array<i64, 2> scan_shape() const { return scan_shape_; }
  [[nodiscard]] bool is_integer() const { return info().type.kind != h5::Kind::real; }
  /// The integer type's largest value; 0 for floats.
  [[nodiscard]] double largest() const;
  /// Frames that lie in one chunk of the file one after the other, at least 1.
  [[nodiscard]] i64 frames_a_chunk() const { return run_; }
  /// "dataset '/data' in 'a.h5'", "the series of 3 datasets '/entry/data/data_*' in 'a.h5'"
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Does a key or the file say what the axes are? Else they are taken to lie in order.
  [[nodiscard]] bool axes_said() const { return axes_said_; }
  /// Findings and assumptions, a line each.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  /// Do the frames look like a scan's images, one a detector pixel, and the other way round? A look
  /// at some of them; `sure` where hardly anything else explains it. Nothing where the axes were
  /// said, or all looks well.
  struct Doubt {
    std::string text;
    bool sure = false;
  };
  [[nodiscard]] std::optional<Doubt> doubt() const;

  /// Frames [first, first + n), rows × cols each, converted to T.
  template <class T>
  void read(i64 first, i64 n, T* to) const {
    for (i64 i = first; i < first + n;) {
      const Member& member = open_for(i);
      const i64 length = std::min(member.first + member.count, first + n) - i;
      set_->read(i - member.first, length, to + (i - first) * rows_ * cols_);
      i += length;
    }
  }

 private:
  struct Member {
    std::string file;
    h5::DatasetInfo info;
    i64 first, count;
  };
  void add(const h5::File& file, const FramesAsked& asked);
  void settle_axes(const h5::File& file, const FramesAsked& asked);
  void leave_out_rows_of_empad(const h5::File& file);
  void count_up();
  void note_series(const FramesAsked& asked);
  const Member& open_for(i64 frame) const;

  std::vector<Member> members_;
  std::string pattern_, name_;
  FrameAxes axes_;
  bool axes_said_ = false;
  i64 most_ = 0;
  std::optional<RawLayout> raw_;
  i64 count_ = 0, rows_ = 0, cols_ = 0, run_ = 1, kept_ = 0;
  std::array<i64, 2> scan_shape_{};
  std::vector<std::string> notes_;
  mutable std::optional<h5::File> file_;  // of the set that is open; of one file: that file
  mutable std::string file_path_;
  mutable std::optional<FrameSet> set_;
  mutable std::size_t open_ = 0;
};

}  // namespace ptyle
