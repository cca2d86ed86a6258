// ptyle tune: what --over says, and a grid and a search on a simulated set whose defocus is known.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "io/temporary_folder.hpp"
#include "session/memory_scan.hpp"
#include "session/tune.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;
using testing::memory_scan;
using testing::message_of;
using testing::says;

TEST(TuneAxis, IsAGridAListOrAnInterval) {
  const TuneAxis grid = read_tune_axis("optics.defocus=-50:50:25");
  EXPECT_EQ(grid.key, "optics.defocus");
  EXPECT_EQ(grid.values, (std::vector<std::string>{"-50", "-25", "0", "25", "50"}));
  EXPECT_EQ(read_tune_axis("a=0.1:0.3:0.1").values,
            (std::vector<std::string>{"0.1", "0.2", "0.3"}));
  EXPECT_EQ(read_tune_axis("a=3:1:-1").values, (std::vector<std::string>{"3", "2", "1"}));
  EXPECT_EQ(read_tune_axis("a=1:2:0.7").values, (std::vector<std::string>{"1", "1.7"}));
  EXPECT_EQ(read_tune_axis("a=true,false").values, (std::vector<std::string>{"true", "false"}));
  EXPECT_EQ(read_tune_axis("a=7").values, std::vector<std::string>{"7"});
  EXPECT_EQ(read_tune_axis("a=[x, y],[],[z]").values,
            (std::vector<std::string>{"[x, y]", "[]", "[z]"}));
  EXPECT_EQ(read_tune_axis("a=[1,2]").values, std::vector<std::string>{"[1,2]"});
  const TuneAxis interval = read_tune_axis("a=5:-1");
  EXPECT_TRUE(interval.is_searched());
  EXPECT_EQ(interval.from, -1);
  EXPECT_EQ(interval.to, 5);
}

TEST(TuneAxis, SaysWhatIsWrong) {
  for (const std::string text :
       {"optics.defocus", "=1:2:3", "a=", "a=1:x:2", "a=1:2:3:4", "a=1:2:0", "a=[x", "a=x],[",
        "a=2:1:1", "a=1:1", "a=0:1:1e-9", "a=1:nan:1"})
    EXPECT_NE(message_of<UserError>([&] { (void)read_tune_axis(text); }).find("--over " + text),
              std::string::npos)
        << text;
}

/// The memory scan as a file and a configuration, in a folder of its own.
class Tune : public ::testing::Test {
 protected:
  Tune() {
    memory_scan().write(folder_ / "set.h5");
    config_.file = folder_.write_text("run.yaml",
                                      "data: {file: set.h5, patterns: /patterns}\n"
                                      "calibration: {pixel_size: 0.2}\n"
                                      "scan: {positions: /positions}\n"
                                      "optics: {energy: 200, semi_angle: 30, defocus: 60}\n"
                                      "positions: {refine: off}\n"
                                      "solver: {batches: 5, threads: 1}\n");
    config_.iterations = 3;
  }

  TuneReport run(const std::string& over, int stop_after = -1) {
    config_.over = {read_tune_axis(over)};
    return run_as_it_is(stop_after);
  }
  TuneReport run_as_it_is(int stop_after = -1) {
    const auto team = make_local_team();
    ReconstructCallbacks callbacks;
    said_.clear();
    iterations_ = 0;
    callbacks.log = [&](const std::string& line) { said_ += line + "\n"; };
    callbacks.progress = [&](const Progress&) { ++iterations_; };
    callbacks.stop = [&] { return stop_after >= 0 && iterations_ >= stop_after; };
    return tune(config_, callbacks, *team);
  }
  [[nodiscard]] std::string text_of(const std::string& file) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / ("run-tune/" + file)).rdbuf();
    return text.str();
  }

  testing::TemporaryFolder folder_;
  TuneConfig config_;
  std::string said_;
  int iterations_ = 0;
};

// The truth is 60 Å.
TEST_F(Tune, AGridFindsTheDefocus) {
  const TuneReport report = run("optics.defocus=20:100:20");
  ASSERT_EQ(report.points.size(), 5U);
  ASSERT_TRUE(report.best);
  EXPECT_EQ(report.points[*report.best].values, std::vector<std::string>{"60"});
  EXPECT_NE(said_.find("best: --set optics.defocus=60"), std::string::npos) << said_;
  EXPECT_NE(said_.find("a parabola through the best"), std::string::npos) << said_;
  for (const char* file : {"tune.csv", "tune.png", "config.yaml", "phase-001.png", "phase-005.png"})
    EXPECT_TRUE(fs::exists(folder_ / (std::string("run-tune/") + file))) << file;
}

TEST_F(Tune, ASearchComesCloserThanItsInterval) {
  config_.evaluations = 8;
  const TuneReport report = run("optics.defocus=10:120");
  ASSERT_TRUE(report.best);
  EXPECT_EQ(report.points.size(), 8U);
  // The interval after eight evaluations is 110 Å times 0.618^7; R with few counts and a thin
  // object may be least a little beside the truth.
  EXPECT_NEAR(std::stod(report.points[*report.best].values[0]), 60, 10);
}

TEST_F(Tune, OneThatWasStoppedGoesOn) {
  const TuneReport whole = run("optics.defocus=40:80:20");
  const std::string table = text_of("tune.csv");
  fs::remove_all(folder_ / "run-tune");
  const TuneReport part = run("optics.defocus=40:80:20", 4);  // in the second reconstruction
  EXPECT_FALSE(part.whole);
  EXPECT_EQ(part.points.size(), 1U);
  const TuneReport rest = run("optics.defocus=40:80:20");
  EXPECT_EQ(iterations_, 6) << "the first is not computed again";
  ASSERT_EQ(rest.points.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(rest.points[i].r_held_out, whole.points[i].r_held_out);
  (void)run("optics.defocus=40:80:20");
  EXPECT_EQ(iterations_, 0);
}

TEST_F(Tune, AWorseRangeIsSaidToEndTooEarly) {
  (void)run("optics.defocus=0:30:15");
  EXPECT_NE(said_.find("at the end of the range"), std::string::npos) << said_;
}

TEST_F(Tune, WhatMakesNoDifferenceIsUndetermined) {
  (void)run("solver.threads=1,2");
  EXPECT_NE(said_.find("undetermined"), std::string::npos) << said_;
}

TEST_F(Tune, TwoKeysAreAllCombinations) {
  config_.over = {read_tune_axis("optics.defocus=40:60:20"),
                  read_tune_axis("data.transpose=true,false")};
  const TuneReport report = run_as_it_is();
  ASSERT_EQ(report.points.size(), 4U);
  EXPECT_EQ(report.points[1].values, (std::vector<std::string>{"40", "false"}));
  EXPECT_EQ(report.points[*report.best].values, (std::vector<std::string>{"60", "false"}));
}

TEST_F(Tune, ListsStandInBrackets) {
  const auto over = "geometry.refine=[],[defocus],[defocus,astigmatism]";
  const TuneReport whole = run(over);
  ASSERT_EQ(whole.points.size(), 3U);
  EXPECT_NE(whole.points[0].r_held_out, whole.points[1].r_held_out);
  EXPECT_NE(text_of("tune.csv").find("\n\"[defocus,astigmatism]\","), std::string::npos);
  const TuneReport again = run(over);  // of the table
  EXPECT_EQ(iterations_, 0);
  EXPECT_EQ(again.points[2].values, whole.points[2].values);
  EXPECT_EQ(again.points[2].r_held_out, whole.points[2].r_held_out);
}

/// Quotes within a field are doubled, as CSV has them.
TEST_F(Tune, ListsMayHaveQuotes) {
  const auto over = "geometry.refine=[],[\"defocus\",\"astigmatism\"]";
  const TuneReport whole = run(over);
  EXPECT_NE(text_of("tune.csv").find("\n\"[\"\"defocus\"\",\"\"astigmatism\"\"]\","),
            std::string::npos);
  const TuneReport again = run(over);  // of the table
  EXPECT_EQ(iterations_, 0);
  EXPECT_EQ(again.points[1].values, whole.points[1].values);
}

TEST_F(Tune, MistakesAreSaidBeforeAnythingRuns) {
  const auto refusal = [&](const std::vector<std::string>& over) {
    config_.over.clear();
    for (const auto& text : over) config_.over.push_back(read_tune_axis(text));
    return message_of<UserError>([&] { (void)run_as_it_is(); });
  };
  EXPECT_NE(refusal({"optics.defocos=1:2:1"}).find("optics.defocus"), std::string::npos);
  EXPECT_NE(refusal({"optics.semi_angle=20:-20:-20"}).find("optics.semi_angle"), std::string::npos);
  EXPECT_NE(refusal({"optics.defocus=1:2", "scan.rotation=0:1:1"}).find("searched"),
            std::string::npos);
  EXPECT_NE(refusal({"optics.defocus=1:2:1", "optics.defocus=3:4:1"}).find("twice"),
            std::string::npos);
  for (const std::string key : {"geometry.refine", "data.centre"})
    for (const char* values : {"=1,2", "=1:2:1", "=1:2"}) {
      const std::string said = refusal({key + values});
      EXPECT_TRUE(says(said, {"--over " + key + ": its value is a list of ",
                              "give each in brackets, as in --over " + key + "=[…],[…]"}))
          << said;
    }
  EXPECT_TRUE(says(refusal({"probe.modes=1:3"}),
                   {"searched", "a whole number", "as in --over probe.modes=1:3:1"}));
  EXPECT_TRUE(says(refusal({"data.transpose=0:1"}),
                   {"searched", "as in --over data.transpose=true,false"}));
  for (const std::string key : {"solver.hold_out", "solver.hold_out_pixels", "solver.seed"})
    EXPECT_TRUE(says(refusal({key + "=0,0.1"}), {"--over " + key, "the same with all"}));
  const std::string is_a_file = ": " + config_.file + " is a file, not a folder";
  for (const std::string& folder : {config_.file, config_.file + "/below"}) {
    config_.folder = folder;
    EXPECT_EQ(refusal({"optics.defocus=1:2:1"}), "--folder " + folder + is_a_file);
  }
  EXPECT_EQ(iterations_, 0);
  EXPECT_FALSE(fs::exists(folder_ / "run-tune"));
}

TEST_F(Tune, RowsOfOtherSettingsAreKept) {
  (void)run("optics.defocus=60:80:20");
  const std::string table = text_of("tune.csv");
  config_.settings = {"optics.semi_angle=24"};
  EXPECT_NE(
      message_of<UserError>([&] { (void)run("optics.defocus=60:80:20"); }).find("--overwrite"),
      std::string::npos);
  EXPECT_EQ(text_of("tune.csv"), table);
  config_.overwrite = true;
  (void)run("optics.defocus=60:80:20");
  EXPECT_NE(text_of("tune.csv"), table);
}

}  // namespace
}  // namespace ptyle
