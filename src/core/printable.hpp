#pragma once

// Text of unknown origin, as a terminal may have it.

#include <string>
#include <string_view>

namespace ptyle {

/// The text with every byte that is no printable UTF-8 as \xNN (\n, \t): control characters, which
/// a terminal would obey, and bytes that are no UTF-8 at all.
std::string printable(std::string_view text);

/// The same, but line feeds stay.
std::string printable_lines(std::string_view text);

}  // namespace ptyle
