#include "session/standstill.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace ptyle {
namespace {

std::pair<const char*, const std::vector<double>*> watched(const History& history) {
  if (!history.r_held_out_pixels.empty()) return {"held-out pixels R", &history.r_held_out_pixels};
  if (!history.r_held_out.empty()) return {"held-out R", &history.r_held_out};
  return {"R", &history.r_factor};
}

std::string percent(double share) {
  return fmt::format("{:.{}g} %", 100 * share, share < 0.995 ? 2 : 4);
}

/// "fell by 1.2 %", "rose by 3 %"
std::string moved(double fall) {
  return fmt::format("{} by {}", fall < 0 ? "rose" : "fell", percent(std::abs(fall)));
}

}  // namespace

Standstill standstill_of(const History& history, int first, const Until& until) {
  const auto [name, r] = watched(history);
  Standstill now{until, name, {}};
  if (!now.asked() || std::ssize(*r) < first + until.over) return now;
  const auto last = r->end() - until.over;
  const double before = *std::min_element(r->begin() + first - 1, last),
               after = *std::min_element(last, r->end());
  now.fall = before > 0 ? 1 - after / before : 0;
  return now;
}

std::string describe(const Standstill& standstill) {
  return fmt::format("until {} falls < {} in {}: {}", standstill.of,
                     percent(standstill.until.share), standstill.until.over,
                     standstill.fall ? percent(*standstill.fall) : "too early");
}

std::string reason_of_end(const Standstill& standstill, int iterations) {
  const auto& [until, of, fall] = standstill;
  std::string reason =
      fmt::format("ended after {} iteration{}", iterations, iterations == 1 ? "" : "s");
  if (standstill.reached())
    return reason + fmt::format(": {} {} in the last {}, {} {} (solver.until)", of, moved(*fall),
                                until.over, *fall < 0 ? "when it was to fall by" : "less than",
                                percent(until.share));
  reason += ", the limit (solver.iterations)";
  if (standstill.asked())
    reason += fall ? fmt::format(", before solver.until: {} {} in the last {}", of, moved(*fall),
                                 until.over)
                   : fmt::format(", too early for solver.until to judge {}", of);
  return reason;
}

}  // namespace ptyle
