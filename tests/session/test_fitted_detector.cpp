// The fitted values of the detector, as configurations ask for them, and as results have them.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "session/memory_scan.hpp"
#include "session/reconstruct.hpp"
#include "solver/variables/detector_options.hpp"

namespace ptyle {
namespace {

using testing::memory_scan;
using testing::message_of;
using testing::result_of;
using testing::says;
using testing::TemporaryFolder;

ReconstructConfig refining(std::vector<std::string> what) {
  ReconstructConfig config = memory_scan().config();
  config.solver.precision = Precision::float64;
  config.solver.continuation = Switch::off;
  config.solver.iterations = 5;
  config.parts.of<DetectorOptions>() = {std::move(what), 2};
  return config;
}

TEST(FittedDetector, IsInTheResultAndTheLog) {
  const TemporaryFolder folder;
  const auto team = make_local_team(2);
  std::vector<std::string> log;
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) { log.push_back(line); };
  Reconstruction run(refining({"background", "gain"}), memory_scan().patterns(), *team, callbacks);
  while (!run.finished()) run.step();
  run.write(folder / "out", {.pictures = false, .tiff = false});
  const Result result = read_result(folder / "out/result.h5");
  ASSERT_EQ(result.history.geometry.size(), 1U);
  const FittedSeries& background = result.history.geometry.front();
  EXPECT_EQ(background.name, "background");
  EXPECT_EQ(background.unit, "counts");
  ASSERT_EQ(background.values.size(), 5U);
  const h5::File file = h5::File::open(folder / "out/result.h5");
  EXPECT_EQ(file.number("/", "background_counts"), background.values.back());
  EXPECT_EQ(file.text("/detector/gain", "units"), "1");
  const std::array<i64, 2> window{result.probe.shape()[1], result.probe.shape()[2]};
  EXPECT_EQ(result.gain.shape(), window);
  EXPECT_EQ(result.gain_error.shape(), window);
  for (const float gain : result.gain) EXPECT_GT(gain, 0);
  for (const float error : result.gain_error) EXPECT_GE(error, 0);
  EXPECT_EQ(std::count_if(
                log.begin(), log.end(),
                [](const std::string& line) { return line.starts_with("fitted: background "); }),
            1);
}

TEST(FittedDetector, ThatNobodyAskedForIsNotWritten) {
  const Result result = result_of(refining({}));
  EXPECT_TRUE(result.history.geometry.empty());
  EXPECT_TRUE(result.gain.empty());
}

TEST(FittedDetector, ComesFromACheckpointOnOtherRanks) {
  const Result whole = result_of(refining({"background", "gain"}), 2);
  const TemporaryFolder folder;
  ReconstructConfig config = refining({"background", "gain"});
  config.output.folder = folder / "saved";
  testing::save_in_the_middle(config, 2, 3);
  config.output.resume = true;
  config.parts.of<DetectorOptions>().refine = {"gain", "background"};  // the same set
  for (const int ranks : {1, 4}) {
    const Result resumed = result_of(config, ranks);
    const auto &values = resumed.history.geometry.at(0).values,
               &expected = whole.history.geometry.at(0).values;
    ASSERT_EQ(values.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(values[i], expected[i], 1e-8 * std::max(expected[i], 1.0));
    ASSERT_EQ(resumed.gain.shape(), whole.gain.shape());
    for (i64 k = 0; k < whole.gain.size(); ++k)
      EXPECT_NEAR(resumed.gain.data()[k], whole.gain.data()[k], 1e-6);
  }
}

TEST(FittedDetector, IsRefusedWithAReason) {
  EXPECT_TRUE(says(message_of<UserError>([] { (void)result_of(refining({"offset"})); }),
                   {"detector.refine", "'offset' is none of background, gain"}));
}

}  // namespace
}  // namespace ptyle
