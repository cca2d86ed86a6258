// What became of the ranks' time.

#include <gtest/gtest.h>

#include "exchange/local/team.hpp"
#include "session/memory_scan.hpp"
#include "session/rank_report.hpp"

namespace ptyle {
namespace {

using testing::memory_scan;

std::vector<RankFigure> figures_of_two() {
  return {{"positions", "1", {3, 4}},
          {"iterations/all", "s", {10, 10}},
          {"iterations/gradients", "s", {8, 3}},
          {"iterations/waiting", "s", {1, 5}},
          {"iterations/communicating", "s", {0.5, 0.5}},
          {"gpu/booked", "B", {0, 0}}};
}

TEST(RankReport, SaysWhatBecameOfTheRanksTime) {
  auto figures = figures_of_two();
  EXPECT_EQ(line_of_shares(figures),
            "of the ranks' time in the iterations: 65 % computing (55 % gradients of patterns), "
            "30 % waiting, 5 % communicating");
  figures.back().values = {1, 1};
  EXPECT_EQ(line_of_shares(figures),
            "of the ranks' time in the iterations: 65 % computing, 30 % waiting, 5 % communicating")
      << "gradients on a GPU are not timed";
  figures = figures_of_two();
  for (RankFigure& figure : figures) figure.values.resize(1);
  EXPECT_EQ(line_of_shares(figures), "") << "a process alone waits for nobody";
  figures = figures_of_two();
  figures[1].values = {0, 0};
  EXPECT_EQ(line_of_shares(figures), "") << "nothing was iterated";
}

TEST(RankReport, AFitTimesItsIterations) {
  const auto team = make_local_team(1);
  Reconstruction run(memory_scan().config(), memory_scan().patterns(), *team);
  run.step();
  const Result result = run.result();
  const auto value = [&](const std::string& name) {
    for (const RankFigure& figure : result.ranks)
      if (figure.name == name) return figure.values.at(0);
    return -1.0;
  };
  EXPECT_GT(value("iterations/gradients"), 0);
  EXPECT_LT(value("iterations/gradients"), value("computing"));
  EXPECT_EQ(value("iterations/all"), value("computing"));  // alone, and nothing before counts
  EXPECT_EQ(value("iterations/waiting"), 0);
  EXPECT_EQ(value("iterations/communicating"), 0);
  EXPECT_EQ(result.dealt_for, 1);
}

TEST(RankReport, NamesFilesCanHaveAndNothingThatNoRankHad) {
  const auto team = make_local_team(1);
  Ledger ledger;
  const auto some = ledger.book("gradient patches", 1000),
             more = ledger.book("object, synchronised", 10);
  std::vector<std::string> names;
  for (const RankFigure& figure : gather_report(*team, {}, ledger, Ledger{}))
    if (figure.name.starts_with("memory/") || figure.name.starts_with("gpu/"))
      names.push_back(figure.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"memory/booked", "memory/process", "memory/gradient_patches",
                                      "memory/object_synchronised"}));
}

}  // namespace
}  // namespace ptyle
