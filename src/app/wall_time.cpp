#include "app/wall_time.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>

#include "core/error.hpp"

namespace ptyle {
namespace {

/// Seconds of "90" (minutes) or "1:30:00".
double wall_seconds(const std::string& text) {
  std::array<double, 3> parts{};
  std::size_t count = 0;
  bool good = true;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ':'); ++count) {
    std::size_t used = 0;
    try {
      if (count < 3) parts[count] = std::stod(word, &used);
    } catch (const std::exception&) {
      good = false;
    }
    good = good && count < 3 && used == word.size() && parts[count] >= 0;
  }
  const double seconds = count == 1 ? 60 * parts[0] : 3600 * parts[0] + 60 * parts[1] + parts[2];
  if (!good || count == 2 || !(seconds > 0))
    throw UserError(fmt::format(
        "--wall-time '{}' should be minutes, e.g. 90, or hours:minutes:seconds, e.g. 1:30:00",
        text));
  return seconds;
}

/// Unix time of the job's end; 0: none that is to come, or a job without a limit.
std::time_t end_of_job(std::time_t now) {
  constexpr std::time_t year = 366 * 86400;
  const char* const text = std::getenv("SLURM_JOB_END_TIME");
  if (!text) return 0;
  char* rest = nullptr;
  const std::time_t end = std::strtoll(text, &rest, 10);
  return *text != '\0' && *rest == '\0' && end > now && end - now < year ? end : 0;
}

}  // namespace

WallTime wall_time(const std::optional<std::string>& given, std::time_t now) {
  if (given) return {wall_seconds(*given), {}};
  const std::time_t end = end_of_job(now);
  if (end == 0) return {};
  const auto left = static_cast<double>(end - now);
  const double margin = std::min(std::clamp(left / 20, 30.0, 600.0), left / 2);
  const auto stop = end - static_cast<std::time_t>(margin);
  return {left - margin,
          fmt::format("the Slurm job ends at {:%H:%M:%S} on {:%Y-%m-%d}: the run stops at "
                      "{:%H:%M:%S}, with a checkpoint (--wall-time sets another time)",
                      fmt::localtime(end), fmt::localtime(end), fmt::localtime(stop))};
}

}  // namespace ptyle
