// 1. The datasets: those that are asked for, or found; of one file or of several.
// 2. Their axes: as asked for, as the file says, or in order.
// 3. They are read as one, one dataset open at a time.

#include "io/frames.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "io/data_file.hpp"
#include "io/name_pattern.hpp"
#include "io/series.hpp"

namespace ptyle {
namespace {

/// The datasets that are asked for.
Series asked_for(const h5::File& file, const std::string& patterns) {
  if (patterns.empty()) return find_patterns(file);
  if (has_star(patterns) && !file.has_dataset(patterns)) return series_of(file, patterns);
  const auto info = file.info(patterns);
  return {info.path, {info}};
}

/// ": 80, 80 and 32", ": 1 each"; nothing of many that differ.
std::string counts_text(const std::vector<i64>& counts) {
  if (std::count(counts.begin(), counts.end(), counts[0]) == i64(counts.size()))
    return fmt::format(": {} each", counts[0]);
  if (counts.size() > 8) return "";
  std::string text = fmt::format(": {}", counts[0]);
  for (std::size_t i = 1; i < counts.size(); ++i)
    text += fmt::format("{}{}", i + 1 == counts.size() ? " and " : ", ", counts[i]);
  return text;
}

/// Do rows 128 and 129 of some frames all over a dataset hold what no detector counts: no numbers,
/// or others than those of any count?
bool rows_hold_no_counts(const h5::File& file, const h5::DatasetInfo& info) {
  constexpr i64 looks = 16, first_row = 128, rows = 2;
  const h5::Dataset set = file.dataset(info.path);
  const h5::Shape& shape = info.shape;
  i64 frames = 1;
  for (std::size_t d = 0; d + 2 < shape.size(); ++d) frames *= shape[d];
  for (i64 look = 0; look < std::min(looks, frames); ++look) {
    h5::Shape start(shape.size(), 0), count(shape.size(), 1);
    i64 frame = look * (frames / std::min(looks, frames));
    for (std::size_t d = shape.size() - 2; d-- > 0; frame /= shape[d]) start[d] = frame % shape[d];
    start[shape.size() - 2] = first_row;
    count[shape.size() - 2] = rows;
    count.back() = shape.back();
    std::vector<float> values(static_cast<std::size_t>(rows * shape.back()));
    set.read(start, count, values.data());
    if (std::none_of(values.begin(), values.end(), [](float v) {
          const float size = std::abs(v);
          return !std::isfinite(v) || size > 1e12F || (size > 0 && size < 1e-12F);
        }))
      return false;
  }
  return frames > 0;
}

}  // namespace

Frames::Frames(const h5::File& file, const FramesAsked& asked, i64 most)
    : most_(most), raw_(asked.raw) {
  add(file, asked);
  if (asked.files.size() > 1) {
    FramesAsked same = asked;
    same.patterns = pattern_;
    for (std::size_t i = 1; i < asked.files.size(); ++i)
      add(open_data_file(asked.files[i], raw_), same);
  }
  settle_axes(file, asked);
  leave_out_rows_of_empad(file);
  count_up();
  file_path_ = file.path();
  file_.emplace(file.again());
  set_.emplace(*file_, info(), axes_, most_);
  rows_ = set_->rows();
  cols_ = set_->cols();
  kept_ = set_->kept() + file.held();
  for (auto& note : file.notes()) notes_.push_back(std::move(note));
  run_ = set_->frames_a_chunk();
  note_series(asked);
  if (members_.size() > 1) return;
  if (const auto others = others_like(file, file.info(info().path)); others.count > 0)
    notes_.push_back(fmt::format(
        "'{}' holds {} more dataset{} like '{}'; data.patterns={} reads all", file.path(),
        others.count, others.count == 1 ? "" : "s", info().path, others.pattern));
}

/// Appends the datasets of a file.
void Frames::add(const h5::File& file, const FramesAsked& asked) {
  const Series series = asked_for(file, asked.patterns);
  if (pattern_.empty()) pattern_ = series.pattern;
  for (const auto& one : series.members) {
    const std::size_t rank = one.shape.size();
    const bool one_frame = rank == 2 && !series.single();
    if (!one.type.is_real() || (rank != 3 && rank != 4 && !one_frame))
      throw UserError(fmt::format(
          "dataset '{}' in '{}' is {} of {}, patterns are real numbers of shape (N, ky, "
          "kx) or (slow, fast, ky, kx)",
          one.path, file.path(), h5::to_string(one.shape), h5::to_string(one.type)));
    members_.push_back({file.path(), one, 0, 0});
  }
}

void Frames::settle_axes(const h5::File& file, const FramesAsked& asked) {
  file.dataset(info().path).check_filters();
  axes_ = FrameAxes::in_order(info().shape.size());
  axes_said_ = !asked.axes.empty();
  if (axes_said_) {
    axes_ = axes_named(asked.axes, info(), file.path());
  } else if (const auto said = axes_in_file(file, info()); said && !said->are_in_order()) {
    axes_ = *said;
    axes_said_ = true;
    notes_.push_back(fmt::format("the axes of dataset '{}' are {}, as the file says", info().path,
                                 to_string(axes_)));
  }
}

/// An EMPAD's frames have two rows of what is no count, of which some programs keep a copy.
void Frames::leave_out_rows_of_empad(const h5::File& file) {
  constexpr i64 stored = 130, rows = 128, cols = 128;
  const auto& [path, shape, type, chunk, is_virtual] = info();
  if (type != h5::Type{h5::Kind::real, 4} || shape.size() < 3 || !axes_.are_in_order() ||
      shape[shape.size() - 2] != stored || shape.back() != cols ||
      !rows_hold_no_counts(file, info()))
    return;
  for (auto& member : members_) *(member.info.shape.end() - 2) = rows;
  notes_.push_back(fmt::format(
      "the last 2 of 130 rows of each frame of dataset '{}' are left out: they are those "
      "of an EMPAD, which are no counts",
      info().path));
}

/// Numbers the frames through.
void Frames::count_up() {
  const bool lines = axes_.scan.size() == 2;
  const auto refuse = [&](const Member& one, const char* what) {
    throw UserError(fmt::format("dataset '{}' in '{}' is {} of {}, '{}' in '{}' is {} of {}: {}",
                                info().path, members_.front().file, h5::to_string(info().shape),
                                h5::to_string(info().type), one.info.path, one.file,
                                h5::to_string(one.info.shape), h5::to_string(one.info.type), what));
  };
  for (auto& member : members_) {
    const auto& shape = member.info.shape;
    if (shape.size() != info().shape.size() || member.info.type != info().type ||
        shape[axes_.ky] != info().shape[axes_.ky] || shape[axes_.kx] != info().shape[axes_.kx])
      refuse(member, "to be read as one, their frames must be of one shape and type");
    member.first = count_;
    member.count = 1;
    for (const int d : axes_.scan) member.count *= shape[d];
    count_ += member.count;
    if (!lines) continue;
    const i64 fast = shape[axes_.scan[1]];
    if (scan_shape_[1] != 0 && fast != scan_shape_[1])
      refuse(member, "to be read as one, their scan lines must be of one length");
    scan_shape_[0] += shape[axes_.scan[0]];
    scan_shape_[1] = fast;
  }
}

void Frames::note_series(const FramesAsked& asked) {
  const std::size_t files = std::max<std::size_t>(1, asked.files.size());
  const std::size_t n = members_.size();
  if (n == 1) {
    name_ = fmt::format("dataset '{}' in '{}'", info().path, members_.front().file);
    return;
  }
  std::vector<i64> counts;
  for (const auto& member : members_) counts.push_back(member.count);
  name_ = files == 1 ? fmt::format("the series of {} datasets '{}' in '{}'", n, pattern_,
                                   members_.front().file)
                     : fmt::format("the series of {} dataset{} '{}' in {} files from '{}' to '{}'",
                                   n, n == 1 ? "" : "s", pattern_, files, asked.files.front(),
                                   asked.files.back());
  notes_.push_back(fmt::format("{} holds {} frames{}", name_, count_, counts_text(counts)));
}

/// Opens the dataset of a frame, if it is not open yet.
const Frames::Member& Frames::open_for(i64 frame) const {
  const auto next = std::upper_bound(members_.begin(), members_.end(), frame,
                                     [](i64 i, const Member& m) { return i < m.first; });
  const auto at = static_cast<std::size_t>(next - members_.begin()) - 1;
  const Member& member = members_[at];
  if (at == open_ && set_) return member;
  set_.reset();
  if (file_path_ != member.file) {
    file_.emplace(open_data_file(member.file, raw_));
    file_path_ = member.file;
  }
  set_.emplace(*file_, member.info, axes_, most_);
  open_ = at;
  return member;
}

double Frames::largest() const {
  const auto type = info().type;
  if (type.kind == h5::Kind::real) return 0;
  return std::ldexp(1.0, 8 * type.bytes - (type.kind == h5::Kind::integer ? 1 : 0)) - 1;
}

}  // namespace ptyle
