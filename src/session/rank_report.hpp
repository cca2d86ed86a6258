#pragma once

// The figures of each rank: its time, what it sent, and its memory by name.

#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "exchange/team.hpp"
#include "io/result.hpp"
#include "solver/fit.hpp"
#include "solver/hand_over.hpp"

namespace ptyle {

/// The figures of one process.
struct RankReport {
  double positions = 0;
  IterationTime iterations;
  double reading = 0;      ///< s; waiting and communicating in all: the team's costs
  double total = 0;        ///< s, since the start
  HandedOver handed_over;  ///< positions that moved to or from another rank
};

/// The figures of all ranks, on the process that leads; every process calls it. Units: "s", "B" or
/// "1". Where several ranks are in one process, they are its figures, given once. `gpu` accounts
/// for a GPU's memory, where a rank computes on one.
std::vector<RankFigure> gather_report(Team& team, const RankReport& mine, const Ledger& ledger,
                                      const Ledger& gpu);

/// All positions that changed hands, once each.
double handed_over(const std::vector<RankFigure>& figures);

/// "of the ranks' time in the iterations: 97 % computing (95 % …), 2 % waiting, 1 % communicating";
/// empty where a process alone reports or none iterated.
std::string line_of_shares(const std::vector<RankFigure>& figures);

/// A table of a line a rank (of more than 16: the least, the mean and the most), the line of
/// shares, and the memory by name.
std::vector<std::string> report_lines(const std::vector<RankFigure>& figures);

}  // namespace ptyle
