#include "session/patterns_in_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "io/dataset_name.hpp"

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

/// A source that stays the program's.
class LentFrames final : public FrameSource {
 public:
  explicit LentFrames(FrameSource& source) : FrameSource(source), source_(source) {}
  void read(i64 first, i64 n, std::int64_t* to) override { source_.read(first, n, to); }
  void read(i64 first, i64 n, float* to) override { source_.read(first, n, to); }
  [[nodiscard]] i64 preferred_run() const override { return source_.preferred_run(); }

 private:
  FrameSource& source_;
};

std::unique_ptr<FrameSource> source_of(const std::shared_ptr<FrameSource>& source) {
  return std::make_unique<LentFrames>(*source);
}
template <class Value>
std::unique_ptr<FrameSource> source_of(View<const Value, 3> frames) {
  return std::make_unique<MemoryFrames<Value>>(frames);
}

bool is_empty(const std::shared_ptr<FrameSource>& source) { return !source || source->count == 0; }
template <class Value>
bool is_empty(View<const Value, 3> frames) {
  return frames.empty();
}

}  // namespace

std::unique_ptr<FrameSource> frames_of(const PatternsInMemory& patterns) {
  auto source = std::visit([](const auto& frames) { return source_of(frames); }, patterns.frames);
  source->scan_shape = patterns.scan_shape;
  return source;
}

std::optional<RawPositions> positions_of(const PatternsInMemory& patterns, const ScanConfig& scan) {
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

std::vector<KeyFault> faults_of(const PatternsInMemory& patterns, const DataConfig& data,
                                const ScanConfig& scan) {
  std::vector<KeyFault> faults;
  const auto twice = [&](const char* key, const char* what, bool given) {
    if (given)
      faults.push_back(
          {key, fmt::format("{} in memory are given too; one of the two is needed", what)});
  };
  twice("data.file", "patterns", !data.file.empty());
  twice("data.patterns", "patterns", !data.patterns.empty());
  if (std::visit([](const auto& frames) { return is_empty(frames); }, patterns.frames))
    faults.push_back({"data", "the patterns in memory are empty: (N, ky, kx) counts are needed"});
  for (const auto& [key, text] :
       {std::pair("scan.positions", &scan.positions), std::pair("scan.file", &scan.file)})
    if (!text->empty())
      faults.push_back({key, "is of data files; patterns in memory bring their positions"});
  twice("scan.step", "positions", scan.gives_step() && !patterns.positions.empty());
  twice("data.mask", "bad pixels", !data.mask.empty() && !patterns.bad.empty());
  if (!data.mask.empty() && !split_dataset(data.mask))
    faults.push_back({"data.mask", fmt::format("{} is in no file; beside patterns in memory "
                                               "file.h5:/dataset is needed",
                                               data.mask)});
  return faults;
}

}  // namespace ptyle
