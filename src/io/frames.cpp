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

}  // namespace

Frames::Frames(const h5::File& file, const FramesAsked& asked, i64 most) : most_(most) {
  add(file, asked);
  if (asked.files.size() > 1) {
    FramesAsked same = asked;
    same.patterns = pattern_;
    for (std::size_t i = 1; i < asked.files.size(); ++i) add(open_data_file(asked.files[i]), same);
  }
  settle_axes(file, asked);
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
  if (const auto others = others_like(file, info()); others.count > 0)
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
  const h5::Shape& shape = info().shape;
  if (info().type == h5::Type{h5::Kind::real, 4} && shape[shape.size() - 2] == 130 &&
      shape.back() == 128)
    notes_.push_back(fmt::format(
        "frames of 130 x 128 float32, as in dataset '{}', are an EMPAD's, whose last two rows are "
        "no counts: data.centre: [64, 64] with data.crop: 128 leaves them out",
        info().path));
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
    file_.emplace(open_data_file(member.file));
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
