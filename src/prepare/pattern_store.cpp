#include "prepare/pattern_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "core/stop.hpp"

namespace ptyle {
namespace {

/// Patterns of the start lie in one block. One that comes later takes the place of one that has
/// gone, or a place in a further block.
template <class Held>
class Store final : public FillablePatternStore {
 public:
  Store(std::vector<i64> held, i64 count, i64 window, double background, Ledger* ledger,
        std::shared_ptr<Scratch> disk)
      : held_(std::move(held)),
        count_(count),
        window_(window),
        background_(background),
        ledger_(ledger),
        disk_(std::move(disk)) {
    if (disk_ && ledger_) resident_ = ledger_->book("patterns", Scratch::resident);
    add_block(static_cast<i64>(held_.size()));
    places_.assign(free_.rbegin(), free_.rend());
    free_.clear();
  }
  [[nodiscard]] i64 count() const override { return count_; }
  [[nodiscard]] std::span<const i64> held() const override { return held_; }
  [[nodiscard]] i64 window() const override { return window_; }
  [[nodiscard]] std::size_t bytes_a_pattern() const override {
    return static_cast<std::size_t>(window() * window()) * sizeof(Held);
  }
  [[nodiscard]] std::string type() const override {
    return fmt::format("{}{}", std::is_integral_v<Held> ? "uint" : "float", 8 * sizeof(Held));
  }
  void load(i64 i, float* to) const override { load_as(i, to); }
  void load(i64 i, double* to) const override { load_as(i, to); }
  [[nodiscard]] RawPattern raw(i64 i) const override {
    const Held* const at = pattern(i).data;
    look_at(at);
    return {at, raw_type(), background_, i};
  }
  void will_load(std::span<const i64> numbers) const override {
    if (!disk_) return;
    for (const i64 i : numbers)
      Scratch::will_look_at(bytes_of(places_[static_cast<std::size_t>(number_here(i))]));
  }
  void put(i64 i, std::span<const std::int64_t> pattern) override { put_from(i, pattern); }
  void put(i64 i, std::span<const float> pattern) override { put_from(i, pattern); }

  void* take(i64 i) override {
    const auto at = std::lower_bound(held_.begin(), held_.end(), i);
    if (at != held_.end() && *at == i)
      throw std::logic_error(fmt::format("pattern {} is held here already", i));
    if (free_.empty()) add_block(patterns_a_block);
    const auto place = places_.insert(places_.begin() + (at - held_.begin()), free_.back());
    held_.insert(at, i);
    free_.pop_back();
    return *place;
  }
  void drop(i64 i) override {
    const i64 k = number_here(i);
    free_.push_back(places_[static_cast<std::size_t>(k)]);
    places_.erase(places_.begin() + k);
    held_.erase(held_.begin() + k);
  }

 private:
  static constexpr PatternType raw_type() {
    if constexpr (std::is_same_v<Held, std::uint8_t>) return PatternType::uint8;
    if constexpr (std::is_same_v<Held, std::uint16_t>) return PatternType::uint16;
    if constexpr (std::is_same_v<Held, std::uint32_t>) return PatternType::uint32;
    return PatternType::float32;
  }
  /// Among those that are held.
  [[nodiscard]] i64 number_here(i64 i) const {
    const auto at = std::lower_bound(held_.begin(), held_.end(), i);
    if (at == held_.end() || *at != i)
      throw std::logic_error(fmt::format("pattern {} is not held here", i));
    return at - held_.begin();
  }
  [[nodiscard]] std::span<const std::byte> bytes_of(const Held* pattern) const {
    return std::as_bytes(std::span(pattern, static_cast<std::size_t>(window_ * window_)));
  }
  void look_at(const Held* pattern) const {
    if (disk_) disk_->looks_at(bytes_of(pattern));
  }
  [[nodiscard]] View<Held, 2> pattern(i64 i) const {
    return {places_[static_cast<std::size_t>(number_here(i))], {window_, window_}};
  }
  void add_block(i64 patterns) {
    Array<Held, 3>& block =
        blocks_.emplace_back(std::array<i64, 3>{patterns, window_, window_},
                             disk_ ? nullptr : ledger_, "patterns", disk_.get());
    for (i64 k = patterns; k-- > 0;) free_.push_back(block.view()[k].data);  // the first comes last
  }
  template <class T>
  void load_as(i64 i, T* to) const {
    stop_point();
    const auto from = pattern(i);
    const T background = static_cast<T>(background_);
    if (background == 0)
      std::transform(from.begin(), from.end(), to, [](Held v) { return static_cast<T>(v); });
    else
      std::transform(from.begin(), from.end(), to, [background](Held v) {
        return std::max(T{0}, static_cast<T>(v) - background);
      });
    look_at(from.data);
  }
  template <class T>
  void put_from(i64 i, std::span<const T> from) {
    const auto to = pattern(i);
    std::transform(from.begin(), from.end(), to.begin(), [](T v) { return static_cast<Held>(v); });
    look_at(to.data);
  }
  std::vector<i64> held_;
  i64 count_, window_;
  double background_;
  Ledger* ledger_;
  std::shared_ptr<Scratch> disk_;  // of the blocks; null: they are in memory
  Ledger::Booking resident_;
  std::vector<Array<Held, 3>> blocks_;
  std::vector<Held*> places_, free_;  // of those that are held, in their order; and the others
};

/// Calls of(value of the type) for the narrowest type that holds integers up to `largest`.
template <class Of>
auto with_type_for(double largest, Of&& of) {
  const auto fits = [largest](auto limit) { return largest > 0 && largest <= double(limit); };
  if (fits(std::numeric_limits<std::uint8_t>::max())) return of(std::uint8_t{});
  if (fits(std::numeric_limits<std::uint16_t>::max())) return of(std::uint16_t{});
  if (fits(std::numeric_limits<std::uint32_t>::max())) return of(std::uint32_t{});
  return of(float{});
}

}  // namespace

std::unique_ptr<FillablePatternStore> make_pattern_store(std::vector<i64> held, i64 count,
                                                         i64 window, double largest,
                                                         double background, Ledger* ledger,
                                                         std::shared_ptr<Scratch> disk) {
  return with_type_for(largest,
                       [&]<class Held>(Held /*type*/) -> std::unique_ptr<FillablePatternStore> {
                         return std::make_unique<Store<Held>>(std::move(held), count, window,
                                                              background, ledger, std::move(disk));
                       });
}

std::size_t bytes_a_pattern(i64 window, double largest) {
  return with_type_for(largest, [window]<class Held>(Held /*type*/) {
    return static_cast<std::size_t>(window * window) * sizeof(Held);
  });
}

}  // namespace ptyle
