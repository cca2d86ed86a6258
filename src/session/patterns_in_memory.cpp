#include "session/patterns_in_memory.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "core/error.hpp"

namespace ptyle {
namespace {

template <class Value>
class MemoryFrames final : public FrameSource {
 public:
  explicit MemoryFrames(View<const Value, 3> frames) : frames_(frames) {
    count = frames.shape[0];
    rows = frames.shape[1];
    cols = frames.shape[2];
    is_integer = std::is_integral_v<Value>;
    largest = is_integer ? double(std::numeric_limits<Value>::max()) : 0;
    bytes_a_value = sizeof(Value);
    name = "the patterns in memory";
  }
  void read(i64 first, i64 n, std::int64_t* to) override { copy(first, n, to); }
  void read(i64 first, i64 n, float* to) override { copy(first, n, to); }

 private:
  template <class To>
  void copy(i64 first, i64 n, To* to) const {
    const i64 size = rows * cols;
    std::transform(frames_.data + first * size, frames_.data + (first + n) * size, to,
                   [](Value v) { return static_cast<To>(v); });
  }
  View<const Value, 3> frames_;
};

}  // namespace

std::unique_ptr<FrameSource> frames_of(const PatternsInMemory& patterns) {
  return std::visit(
      [](auto frames) -> std::unique_ptr<FrameSource> {
        using Value = std::remove_const_t<std::remove_pointer_t<decltype(frames.data)>>;
        return std::make_unique<MemoryFrames<Value>>(frames);
      },
      patterns.frames);
}

std::optional<RawPositions> positions_of(const PatternsInMemory& patterns, const ScanConfig& scan) {
  if (!scan.positions.empty() || !scan.file.empty())
    throw UserError(
        "scan.positions and scan.file are of data files: patterns in memory bring their positions");
  if (patterns.positions.empty()) return {};
  RawPositions raw;
  raw.shape = {static_cast<i64>(patterns.positions.size()), 2};
  const bool rows_first = scan.order == ScanConfig{}.order;
  for (const Position& at : patterns.positions) {
    raw.values.push_back(rows_first ? at.row : at.col);
    raw.values.push_back(rows_first ? at.col : at.row);
  }
  raw.name = "the positions in memory";
  return raw;
}

void check_patterns(const PatternsInMemory& patterns, const DataConfig& data) {
  if (!data.file.empty() || !data.patterns.empty())
    throw UserError(
        "data.file and data.patterns are given, and patterns in memory too: one of the two is "
        "needed");
  if (std::visit([](auto frames) { return frames.empty(); }, patterns.frames))
    throw UserError("the patterns in memory are empty: (N, ky, kx) counts are needed");
}

}  // namespace ptyle
