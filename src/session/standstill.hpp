#pragma once

// solver.until: a run ends once R hardly falls any more.
//
// R is that of the held-out detector pixels, where there are any; else of the held-out patterns;
// else of the fit. Its fall is counted from the least R of the iterations before to the least of
// the last solver.until_over ones, so that an iteration that is worse by chance does not count.
// Iterations before everything moves (Fit::all_moves_from) are left out: R stands still at the end
// of a stage, and rises when something is freed.

#include <optional>
#include <string>

#include "io/result.hpp"

namespace ptyle {

/// R has fallen by less than `share` of itself over so many iterations.
struct Until {
  double share = 0;  ///< 0: the run does not end by it
  int over = 1;
};

/// The standstill that the run waits for, after an iteration.
struct Standstill {
  Until until;
  std::string of;              ///< "R", "held-out R" or "held-out pixels R"
  std::optional<double> fall;  ///< of R, as a share of it; none: too early to say
  [[nodiscard]] bool asked() const { return until.share > 0; }
  [[nodiscard]] bool reached() const { return asked() && fall && *fall < until.share; }
};

/// `first`: the iteration (1, 2, …) from which on R counts. A fall is there once more than
/// `until.over` of them are done.
Standstill standstill_of(const History& history, int first, const Until& until);

/// "until R falls < 0.5 % in 5: 1.2 %"
std::string describe(const Standstill& standstill);

/// The sentence that says why a run has ended after so many iterations.
std::string reason_of_end(const Standstill& standstill, int iterations);

}  // namespace ptyle
