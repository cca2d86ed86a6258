// Patterns that the fit cannot explain are named, left out where that is asked for, and the same
// for a run that is stopped and resumed as for one that is not. The result says what became of each
// position and frame.

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "exchange/local/team.hpp"
#include "io/temporary_folder.hpp"
#include "session/memory_scan.hpp"
#include "session/reconstruct.hpp"
#include "solver/rules/rule_options.hpp"

namespace ptyle {
namespace {

using testing::MemoryScan;
using testing::says;
using testing::TemporaryFolder;

constexpr i64 window = MemoryScan::window;

/// Turns a pattern by 180° about its beam, [W/2, W/2], and takes the counts of another place: what
/// is known of it before the fit is as usual, so that only a fit tells.
void spoil(MemoryScan& scan, i64 pattern) {
  const auto frames = std::get<View<const std::uint16_t, 3>>(scan.patterns().frames);
  const auto frame = frames[(pattern + 15) % 36];
  const std::vector<std::uint16_t> was(frame.begin(), frame.end());
  for (i64 y = 0; y < window; ++y)
    for (i64 x = 0; x < window; ++x)
      scan.set(pattern, (window - y) % window, (window - x) % window,
               was[static_cast<std::size_t>(y * window + x)]);
}

struct Ran {
  Result result;
  std::vector<std::string> warnings;
  [[nodiscard]] std::string named() const {
    std::string all;
    for (const std::string& warning : warnings)
      if (warning.find("fitted far worse") != std::string::npos) all += warning + "\n";
    return all;
  }
};

/// So many iterations, from the checkpoint in the folder where there is one; leaves one there.
Ran ran(const MemoryScan& scan, const std::string& folder, int iterations, Outliers outliers,
        double hold_out = 0) {
  ReconstructConfig config = scan.config();
  config.output.folder = folder;
  config.output.resume = !folder.empty();
  config.solver.iterations = iterations;
  config.solver.hold_out = hold_out;
  // With so few patterns others may learn to explain the odd one.
  config.parts.of<RuleOptions>().rule = RuleChoice::descent;
  config.data.outliers = outliers;
  Ran ran;
  ReconstructCallbacks callbacks;
  callbacks.warn = [&](const std::string& line) { ran.warnings.push_back(line); };
  const auto team = make_local_team(4);
  Reconstruction run(config, scan.patterns(), *team, callbacks);
  while (!run.finished()) run.step();
  if (!folder.empty()) run.save(folder);
  ran.result = run.result();
  return ran;
}

const MemoryScan& spoilt() {
  static const MemoryScan scan = [] {
    MemoryScan made;
    spoil(made, 20);
    return made;
  }();
  return scan;
}

void expect_same(const Ran& a, const Ran& b) {
  EXPECT_EQ(a.result.history.cost, b.result.history.cost);
  EXPECT_EQ(a.result.left_out, b.result.left_out);
  EXPECT_TRUE(std::equal(a.result.phase.begin(), a.result.phase.end(), b.result.phase.begin()));
}

TEST(Outliers, AreLeftOutOnceTheFitCannotExplainThem) {
  const Ran named = ran(spoilt(), "", 9, Outliers::leave_out);
  EXPECT_TRUE(says(named.named(), {"1 pattern is", "(number 20)", "data.outliers=fit"}));
  EXPECT_TRUE(named.result.left_out.empty());
  const Ran out = ran(spoilt(), "", 9, Outliers::fit);
  EXPECT_TRUE(says(out.named(), {"(number 20)", "left out from now on"}));
  EXPECT_EQ(out.result.left_out, (std::vector<i64>{20}));
}

TEST(Outliers, OfARunThatWasShortAreThoseOfOneThatWasNotStopped) {
  const TemporaryFolder folder;
  const Ran five = ran(spoilt(), folder / "", 5, Outliers::fit);
  EXPECT_TRUE(says(five.named(), {"(number 20)", "would be left out after 8 iterations"}));
  EXPECT_TRUE(five.result.left_out.empty());
  const Ran nine = ran(spoilt(), folder / "", 9, Outliers::fit);
  EXPECT_TRUE(says(nine.named(), {"(number 20)", "left out from now on"}));
  expect_same(nine, ran(spoilt(), "", 9, Outliers::fit));
  const Ran eleven = ran(spoilt(), folder / "", 11, Outliers::fit);
  EXPECT_EQ(eleven.named(), "");  // they are out
  expect_same(eleven, ran(spoilt(), "", 11, Outliers::fit));
}

TEST(Outliers, MayBeLeftOutLater) {
  const TemporaryFolder folder;
  ran(spoilt(), folder / "", 9, Outliers::leave_out);
  const Ran out = ran(spoilt(), folder / "", 11, Outliers::fit);
  EXPECT_TRUE(says(out.named(), {"(number 20)", "left out from now on"}));
  EXPECT_EQ(out.result.left_out, (std::vector<i64>{20}));
  EXPECT_EQ(ran(spoilt(), folder / "", 12, Outliers::fit).named(), "");
  // And be fitted again, and left out again.
  EXPECT_TRUE(ran(spoilt(), folder / "", 13, Outliers::leave_out).result.left_out.empty());
  EXPECT_EQ(ran(spoilt(), folder / "", 14, Outliers::fit).result.left_out, (std::vector<i64>{20}));
}

TEST(Outliers, AmongHeldOutPatternsAreNamedToo) {
  const std::vector<i64> held =
      ran(testing::memory_scan(), "", 1, Outliers::leave_out, 0.3).result.held_out;
  ASSERT_GE(held.size(), 5U);
  MemoryScan scan;
  spoil(scan, held[2]);
  const Ran good = ran(testing::memory_scan(), "", 9, Outliers::fit, 0.3);
  EXPECT_EQ(good.named(), "");
  const Ran out = ran(scan, "", 9, Outliers::fit, 0.3);
  EXPECT_TRUE(says(out.named(), {"(number " + std::to_string(held[2]) + ")"}));
  EXPECT_EQ(out.result.left_out, (std::vector<i64>{held[2]}));
  EXPECT_EQ(out.result.held_out.size(), held.size() - 1);
}

TEST(Outliers, RowsOfTheResultLeadToFramesOfTheFile) {
  const TemporaryFolder folder;
  const std::string file = testing::memory_scan().write(folder / "scan.h5");
  {
    h5::File changed = h5::File::update(file);
    auto positions = changed.read<double>("/positions");
    positions[2 * 7] = std::numeric_limits<double>::quiet_NaN();
    positions[2 * 20 + 1] = 1e6;
    changed.write("/spoilt", {36, 2}, positions.data());
  }
  ReconstructConfig config = testing::memory_scan().config();
  config.data.file = file;
  config.scan.positions = "/spoilt";
  config.data.frame_offset = 1;  // the last position has none
  config.data.skip = {"4"};
  config.data.positions = {2, 36};
  config.output.folder = folder / "out";
  config.output.tiff = config.output.pictures = false;
  EXPECT_TRUE(reconstruct(config, "", {}, *make_local_team(1)));
  const Result result = read_result(folder / "out/result.h5");
  EXPECT_EQ(result.left_out_positions, (std::vector<i64>{4, 7, 20, 35}));
  std::vector<i64> numbers, frames;
  for (i64 p = 2; p < 35; ++p)
    if (p != 4 && p != 7 && p != 20) numbers.push_back(p), frames.push_back(p + 1);
  EXPECT_EQ(result.position_numbers, numbers);
  EXPECT_EQ(result.frame_numbers, frames);
  EXPECT_EQ(result.positions.size(), numbers.size());
}

}  // namespace
}  // namespace ptyle
