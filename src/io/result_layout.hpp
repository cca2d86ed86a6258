#pragma once

// Names within a result file that both its reader and its writer go by (io/result.hpp).

#include <array>
#include <utility>

namespace ptyle {

inline constexpr const char* geometry_group = "/history/geometry/";
inline constexpr const char* ranks_group = "/ranks/";

/// Lists of rows and numbers, each under its path.
template <class Facts>
auto numbers_of(Facts& facts) {
  return std::array{std::pair{"/position_numbers", &facts.position_numbers},
                    std::pair{"/frame_numbers", &facts.frame_numbers},
                    std::pair{"/left_out/patterns", &facts.left_out},
                    std::pair{"/left_out/positions", &facts.left_out_positions},
                    std::pair{"/held_out/patterns", &facts.held_out},
                    std::pair{"/shown/rows", &facts.pattern_rows}};
}

template <class Facts>
auto gains_of(Facts& facts) {
  return std::array{std::pair{"/detector/gain", &facts.gain},
                    std::pair{"/detector/gain_error", &facts.gain_error}};
}

/// Texts that are attributes of the file.
template <class Facts>
auto texts_of(Facts& facts) {
  return std::array{std::pair{"version", &facts.version}, std::pair{"date", &facts.date},
                    std::pair{"host", &facts.host},       std::pair{"command", &facts.command},
                    std::pair{"config", &facts.config},   std::pair{"ended", &facts.ended}};
}

}  // namespace ptyle
