#include "prepare/screening.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "prepare/selection.hpp"

namespace ptyle {

i64 Screening::count(PixelFault fault) const {
  return std::count(pixels.begin(), pixels.end(), fault);
}

Array<std::uint8_t, 2> mask_of(const Screening& found) {
  const auto is_bad = [](PixelFault fault) { return fault != PixelFault::none; };
  if (std::none_of(found.pixels.begin(), found.pixels.end(), is_bad)) return {};
  Array<std::uint8_t, 2> mask({found.rows, found.cols});
  std::transform(found.pixels.begin(), found.pixels.end(), mask.begin(),
                 [&](PixelFault fault) { return is_bad(fault) ? 1 : 0; });
  return mask;
}

std::string places_of(const Screening& found, PixelFault fault) {
  std::vector<std::uint8_t> left(found.pixels.size(), 0);
  for (std::size_t k = 0; k < left.size(); ++k) left[k] = found.pixels[k] == fault ? 1 : 0;
  std::vector<std::string> parts;
  for (const bool columns : {false, true}) {
    const i64 count = columns ? found.cols : found.rows, length = columns ? found.rows : found.cols;
    const auto at = [&](i64 line, i64 k) {
      return static_cast<std::size_t>(columns ? k * found.cols + line : line * found.cols + k);
    };
    std::vector<i64> whole;
    for (i64 i = 0; i < count; ++i) {
      i64 here = 0;
      for (i64 k = 0; k < length; ++k) here += left[at(i, k)];
      if (length < 8 || 5 * here < 4 * length) continue;
      whole.push_back(i);
      for (i64 k = 0; k < length; ++k) left[at(i, k)] = 0;
    }
    if (!whole.empty())
      parts.push_back(fmt::format("{}{} {}", columns ? "column" : "row",
                                  whole.size() == 1 ? "" : "s", listed(whole)));
  }
  constexpr std::size_t most = 6;
  i64 more = 0;
  for (std::size_t k = 0; k < left.size(); ++k) {
    if (left[k] == 0) continue;
    const i64 row = static_cast<i64>(k) / found.cols, first = static_cast<i64>(k) % found.cols;
    i64 last = first;
    while (last + 1 < found.cols && left[k + 1] != 0) ++last, ++k;
    if (parts.size() < most)
      parts.push_back(last == first ? fmt::format("({}, {})", row, first)
                                    : fmt::format("({}, {}-{})", row, first, last));
    else
      more += last - first + 1;
  }
  const std::string text = fmt::format("{}", fmt::join(parts, ", "));
  return more == 0 ? text : fmt::format("{} and {} more", text, more);
}

std::string describe_pixels(const Screening& found) {
  constexpr std::array<std::pair<PixelFault, const char*>, 7> kinds{
      {{PixelFault::missing, "no numbers (NaN)"},
       {PixelFault::full, "full in every frame, as gaps are marked"},
       {PixelFault::stuck, "the same in every frame"},
       {PixelFault::dead, "dead"},
       {PixelFault::hot, "hot"},
       {PixelFault::flashed, "with a flash in a single frame"},
       {PixelFault::flickering, "that flicker"}}};
  std::vector<std::string> parts;
  for (const auto& [fault, word] : kinds)
    if (const i64 n = found.count(fault); n > 0)
      parts.push_back(fmt::format("{} {}: {}", n, word, places_of(found, fault)));
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace ptyle
