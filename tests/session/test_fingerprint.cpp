// A run must have in common with the one that it resumes the choices as they were made, be it by
// the user or by the program.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "io/checkpoint.hpp"
#include "io/temporary_folder.hpp"
#include "session/memory_scan.hpp"
#include "solver/variables/position_options.hpp"

namespace ptyle {
namespace {

using testing::memory_scan;
using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

/// A run of one iteration, its checkpoint, and what is said of others that are to resume it.
class Resumed {
 public:
  explicit Resumed(ReconstructConfig config) : config_(std::move(config)) {
    config_.output.folder = folder_ / "saved";
    const auto team = make_local_team();
    Reconstruction run(config_, memory_scan().patterns(), *team);
    run.step();
    run.save(config_.output.folder);
  }
  /// As an earlier version wrote it.
  void was(const char* key, const char* value) const {
    h5::File file = h5::File::update(folder_ / "saved/checkpoint/global.h5");
    file.set("/fingerprint", key, value);
  }
  template <class Change>
  [[nodiscard]] std::string refusal(Change&& change) const {
    ReconstructConfig config = config_;
    config.output.resume = true;
    change(config);
    const auto team = make_local_team();
    return message_of<UserError>([&] {
      Reconstruction run(config, memory_scan().patterns(), *team);
      EXPECT_EQ(run.history().cost.size(), 1U);
    });
  }
  [[nodiscard]] std::string refusal() const {
    return refusal([](ReconstructConfig&) {});
  }

 private:
  TemporaryFolder folder_;
  ReconstructConfig config_;
};

ReconstructConfig one_slice(ObjectType type) {
  ReconstructConfig config = memory_scan().config();
  config.object.slices = 1;
  config.object.slice_thickness = 0;
  config.object.type = type;
  return config;
}

PositionOptions& refinement_of(ReconstructConfig& config) {
  return config.parts.of<PositionOptions>();
}

TEST(Fingerprint, AnObjectsTypeIsTheOneThatAutoIs) {
  const auto now = [](ObjectType type) {
    return [type](ReconstructConfig& config) { config.object.type = type; };
  };
  const Resumed potential(one_slice(ObjectType::potential)),
      chosen(one_slice(ObjectType::automatic));
  EXPECT_EQ(potential.refusal(now(ObjectType::automatic)), "");
  EXPECT_EQ(chosen.refusal(now(ObjectType::potential)), "");
  EXPECT_TRUE(says(chosen.refusal(now(ObjectType::complex)),
                   {"object.type was potential, now it is complex"}));
}

TEST(Fingerprint, OfAnEarlierVersionIsWhatTheUserGave) {
  const Resumed run(one_slice(ObjectType::automatic));
  run.was("object.type", "auto");
  run.was("positions.refine", "auto");
  EXPECT_EQ(run.refusal(), "");
}

TEST(Fingerprint, SaysWhetherPositionsAreRefinedAndHowFar) {
  ReconstructConfig config = memory_scan().config();
  refinement_of(config).refine = Switch::on;
  const Resumed run(config);
  EXPECT_EQ(run.refusal(), "");
  // 36 positions are few: auto is off.
  EXPECT_TRUE(says(
      run.refusal([](ReconstructConfig& now) { refinement_of(now).refine = Switch::automatic; }),
      {"positions.refine was on, now it is off"}));
  // Twice the step, 1.54 Å or 7.7 px, is 8.
  EXPECT_TRUE(says(run.refusal([](ReconstructConfig& now) { refinement_of(now).largest_move = 1; }),
                   {"positions.largest_move was 1.6, now it is 1"}));
  EXPECT_EQ(run.refusal([](ReconstructConfig& now) { refinement_of(now).largest_move = 1.6; }), "");
}

/// As resolved.yaml gives it.
TEST(Fingerprint, HeldOutPixelsAreThoseThatAreChosen) {
  ReconstructConfig config = memory_scan().config();
  refinement_of(config).refine = Switch::on;
  const auto now = [](double fraction) {
    return [fraction](ReconstructConfig& given) { given.solver.hold_out_pixels = fraction; };
  };
  const Resumed chosen(config);
  EXPECT_EQ(chosen.refusal(now(0.02)), "");
  EXPECT_TRUE(says(chosen.refusal(now(0.1)), {"solver.hold_out_pixels was 0.02, now it is 0.1"}));
  config.solver.hold_out_pixels = 0.02;
  const Resumed given(config);
  EXPECT_EQ(
      given.refusal([](ReconstructConfig& left_out) { left_out.solver.hold_out_pixels.reset(); }),
      "");
}

/// An earlier version's auto may have come to something else; the size of its object shows it.
TEST(Fingerprint, AnObjectsSizeIsExplainedByTheMoves) {
  const Resumed run(memory_scan().config());
  run.was("positions.refine", "on");
  run.was("solver.hold_out_pixels", "");
  const auto refusal = run.refusal([](ReconstructConfig& now) {
    refinement_of(now).refine = Switch::on;
    refinement_of(now).largest_move = 0.6;
  });
  EXPECT_TRUE(says(refusal, {"positions.largest_move was 0"}));
  run.was("positions.largest_move", "0.6");
  EXPECT_TRUE(says(run.refusal([](ReconstructConfig& now) {
    refinement_of(now).refine = Switch::on;
    refinement_of(now).largest_move = 0.6;
  }),
                   {"the object was", "positions.refine and positions.largest_move",
                    "by 3 px, where it was 0 px"}));
}

/// Batches that the counts decide are named only where the counts are the same.
TEST(Fingerprint, NamesWhatTheUserGaveFirst) {
  ReconstructConfig config = memory_scan().config();
  config.solver.batches = 0;
  const Resumed run(config);
  run.was("solver.batches", "31");
  EXPECT_TRUE(says(run.refusal(), {"solver.batches was 31, now it is"}));
  run.was("the mean pattern", "others");
  EXPECT_TRUE(says(run.refusal(), {"the mean pattern was others"}));
  EXPECT_TRUE(says(run.refusal([](ReconstructConfig& now) { now.solver.seed = 9; }),
                   {"solver.seed was 0, now it is 9"}));
}

}  // namespace
}  // namespace ptyle
