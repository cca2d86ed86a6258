#include "prepare/pattern_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <type_traits>

namespace ptyle {
namespace {

template <class Held>
class Store final : public FillablePatternStore {
 public:
  Store(i64 count, i64 window, double background, Ledger* ledger)
      : patterns_({count, window, window}, ledger, "patterns"), background_(background) {}
  [[nodiscard]] i64 count() const override { return patterns_.shape()[0]; }
  [[nodiscard]] i64 window() const override { return patterns_.shape()[1]; }
  [[nodiscard]] std::string type() const override {
    return fmt::format("{}{}", std::is_integral_v<Held> ? "uint" : "float", 8 * sizeof(Held));
  }
  void load(i64 i, float* to) const override { load_as(i, to); }
  void load(i64 i, double* to) const override { load_as(i, to); }
  void put(i64 i, std::span<const std::int64_t> pattern) override { put_from(i, pattern); }
  void put(i64 i, std::span<const float> pattern) override { put_from(i, pattern); }

 private:
  template <class T>
  void load_as(i64 i, T* to) const {
    const auto from = patterns_.view()[i];
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
    std::transform(pattern.begin(), pattern.end(), patterns_.view()[i].begin(),
                   [](T v) { return static_cast<Held>(v); });
  }
  Array<Held, 3> patterns_;
  double background_;
};

}  // namespace

std::unique_ptr<FillablePatternStore> make_pattern_store(i64 count, i64 window, double largest,
                                                         double background, Ledger* ledger) {
  const auto fits = [largest](auto limit) { return largest > 0 && largest <= double(limit); };
  if (fits(std::numeric_limits<std::uint8_t>::max()))
    return std::make_unique<Store<std::uint8_t>>(count, window, background, ledger);
  if (fits(std::numeric_limits<std::uint16_t>::max()))
    return std::make_unique<Store<std::uint16_t>>(count, window, background, ledger);
  if (fits(std::numeric_limits<std::uint32_t>::max()))
    return std::make_unique<Store<std::uint32_t>>(count, window, background, ledger);
  return std::make_unique<Store<float>>(count, window, background, ledger);
}

}  // namespace ptyle
