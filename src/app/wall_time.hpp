#pragma once

#include <ctime>
#include <optional>
#include <string>

namespace ptyle {

/// The time after which a run is to end by itself.
struct WallTime {
  double seconds = 0;    ///< from the program's start; 0: none
  std::string of_job{};  ///< where the batch system gave it: the line that says so
};

/// As --wall-time says, "90" (minutes) or "1:30:00"; UserError for anything else. Where it was not
/// given, the end of the Slurm job (SLURM_JOB_END_TIME) less a twentieth of the time that is left,
/// half a minute at least and ten at most, for the last mini-batch, the checkpoint and the result.
WallTime wall_time(const std::optional<std::string>& given, std::time_t now);

/// Minutes between the checkpoints of a run that is to end by a time, where the configuration asks
/// for none; 0: it is not.
inline double minutes_by_default(const WallTime& time) { return time.seconds > 0 ? 30 : 0; }

}  // namespace ptyle
