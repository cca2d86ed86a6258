#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/array.hpp"

namespace ptyle {

// Names of datasets and files that differ in a number, and patterns for them, in which '*' stands
// for any letters.

[[nodiscard]] bool has_star(std::string_view pattern);
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

/// Before another where a number in it is smaller: "data_9" before "data_10".
[[nodiscard]] bool natural_less(const std::string& a, const std::string& b);

/// The number that stands for the pattern's only '*'; nothing where it is no number.
[[nodiscard]] std::optional<i64> number_at_star(const std::string& pattern,
                                                const std::string& name);

/// The names of numbers alone where there are any, else all, in natural order.
[[nodiscard]] std::vector<std::string> in_order(const std::string& pattern,
                                                std::vector<std::string> names);

/// The first name that lacks between these (in order) of a pattern. Numbers that rise by the same
/// step lack nothing if they are four or more.
[[nodiscard]] std::optional<std::string> missing_between(const std::string& pattern,
                                                         std::span<const std::string> names);

/// The patterns that a name fits, one for each of its numbers: "/entry_*/data_1",
/// "/entry_1/data_*".
[[nodiscard]] std::vector<std::string> patterns_of(const std::string& name);

/// "a, b, c and 5 more", of at most eight.
[[nodiscard]] std::string short_list(std::span<const std::string> names);

/// The files that `data.file` names: itself, or those in its folder that fit a pattern
/// ("scan_*.h5") in natural order. UserError where none fits or a number is missing between them.
[[nodiscard]] std::vector<std::string> data_files(const std::string& name);

/// The first of them; the name itself where there are none.
[[nodiscard]] std::string first_data_file(const std::string& name);

}  // namespace ptyle
