#include "core/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace ptyle {
namespace {

/// Bytes of the printable character that the text begins with; 0: it begins with none.
std::size_t printable_bytes(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t bytes = first >= 0xf0 && first <= 0xf4   ? 4
                            : first >= 0xe0 && first <= 0xef ? 3
                            : first >= 0xc2 && first <= 0xdf ? 2
                                                             : 0;
  if (bytes == 0 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i)
    if (at(i) < 0x80 || at(i) > 0xbf) return 0;
  // The second byte's range: no longer form than needed, no surrogates, nothing beyond U+10FFFF.
  const unsigned char second = at(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
    return 0;
  return first == 0xc2 && second < 0xa0 ? 0 : bytes;  // the control characters U+0080 to U+009F
}

std::string escaped(std::string_view text, bool lines) {
  std::string out;
  while (!text.empty()) {
    const std::size_t bytes = text[0] == '\n' && lines ? 1 : printable_bytes(text);
    if (bytes > 0)
      out += text.substr(0, bytes);
    else if (text[0] == '\n')
      out += "\\n";
    else if (text[0] == '\t')
      out += "\\t";
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) { return escaped(text, false); }

std::string printable_lines(std::string_view text) { return escaped(text, true); }

}  // namespace ptyle
