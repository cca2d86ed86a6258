#include "prepare/pattern_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <type_traits>

namespace ptyle {
namespace {

template <class Held>
class Store final : public FillablePatternStore {
 public:
  Store(std::vector<i64> held, i64 count, i64 window, double background, Ledger* ledger)
      : held_(std::move(held)),
        count_(count),
        patterns_({static_cast<i64>(held_.size()), window, window}, ledger, "patterns"),
        background_(background) {}
  [[nodiscard]] i64 count() const override { return count_; }
  [[nodiscard]] std::span<const i64> held() const override { return held_; }
  [[nodiscard]] i64 window() const override { return patterns_.shape()[1]; }
  [[nodiscard]] std::size_t bytes_a_pattern() const override {
    return static_cast<std::size_t>(window() * window()) * sizeof(Held);
  }
  [[nodiscard]] std::string type() const override {
    return fmt::format("{}{}", std::is_integral_v<Held> ? "uint" : "float", 8 * sizeof(Held));
  }
  void load(i64 i, float* to) const override { load_as(i, to); }
  void load(i64 i, double* to) const override { load_as(i, to); }
  [[nodiscard]] RawPattern raw(i64 i) const override {
    return {patterns_.view()[slot(i)].data, raw_type(), background_, i};
  }
  void put(i64 i, std::span<const std::int64_t> pattern) override { put_from(i, pattern); }
  void put(i64 i, std::span<const float> pattern) override { put_from(i, pattern); }

 private:
  static constexpr PatternType raw_type() {
    if constexpr (std::is_same_v<Held, std::uint8_t>) return PatternType::uint8;
    if constexpr (std::is_same_v<Held, std::uint16_t>) return PatternType::uint16;
    if constexpr (std::is_same_v<Held, std::uint32_t>) return PatternType::uint32;
    return PatternType::float32;
  }
  /// The place of pattern i in memory.
  [[nodiscard]] i64 slot(i64 i) const {
    const auto at = std::lower_bound(held_.begin(), held_.end(), i);
    if (at == held_.end() || *at != i)
      throw std::logic_error(fmt::format("pattern {} is not held here", i));
    return at - held_.begin();
  }
  template <class T>
  void load_as(i64 i, T* to) const {
    const auto from = patterns_.view()[slot(i)];
    const T background = static_cast<T>(background_);
    if (background == 0)
      std::transform(from.begin(), from.end(), to, [](Held v) { return static_cast<T>(v); });
    else
      std::transform(from.begin(), from.end(), to, [background](Held v) {
        return std::max(T{0}, static_cast<T>(v) - background);
      });
  }
  template <class T>
  void put_from(i64 i, std::span<const T> pattern) {
    std::transform(pattern.begin(), pattern.end(), patterns_.view()[slot(i)].begin(),
                   [](T v) { return static_cast<Held>(v); });
  }
  std::vector<i64> held_;
  i64 count_;
  Array<Held, 3> patterns_;
  double background_;
};

}  // namespace

std::unique_ptr<FillablePatternStore> make_pattern_store(std::vector<i64> held, i64 count,
                                                         i64 window, double largest,
                                                         double background, Ledger* ledger) {
  const auto fits = [largest](auto limit) { return largest > 0 && largest <= double(limit); };
  const auto of = [&]<class Held>(Held) -> std::unique_ptr<FillablePatternStore> {
    return std::make_unique<Store<Held>>(std::move(held), count, window, background, ledger);
  };
  if (fits(std::numeric_limits<std::uint8_t>::max())) return of(std::uint8_t{});
  if (fits(std::numeric_limits<std::uint16_t>::max())) return of(std::uint16_t{});
  if (fits(std::numeric_limits<std::uint32_t>::max())) return of(std::uint32_t{});
  return of(float{});
}

}  // namespace ptyle
