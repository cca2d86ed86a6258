// A run must have in common with the one that it resumes the choices as they were made, be it by
// the user or by the program.

#include <gtest/gtest.h>

#include <functional>
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
  [[nodiscard]] std::string refusal(Change&& change, std::string* log = nullptr) const {
    ReconstructCallbacks callbacks;
    if (log) callbacks.log = [log](const std::string& line) { *log += line + "\n"; };
    ReconstructConfig config = config_;
    config.output.resume = true;
    change(config);
    const auto team = make_local_team();
    return message_of<UserError>([&] {
      Reconstruction run(config, memory_scan().patterns(), *team, callbacks);
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

/// The starting probe is made already: another value would be written and never be used.
TEST(Fingerprint, HasWhatTheStartIsMadeOf) {
  ReconstructConfig config = memory_scan().config();
  config.probe.modes = 2;
  const Resumed run(config);
  const std::pair<std::function<void(ReconstructConfig&)>, const char*> changes[] = {
      {[](auto& c) { c.optics.defocus = 80; }, "optics.defocus was 60, now it is 80; start over"},
      {[](auto& c) { c.optics.C30 = 1e4; }, "optics.C30 was 0, now it is 10000"},
      {[](auto& c) { c.optics.semi_angle += 1; }, "optics.semi_angle was"},
      {[](auto& c) { c.probe.mode_power = 0.1; }, "probe.mode_power was 0, now it is 0.1"},
      {[](auto& c) {
         c.data.centre = {{16.25, 16}};
       },
       "the patterns' centre was (0.00, 0.00) px off [W/2, W/2], now it is (0.25, 0.00)"}};
  for (const auto& [change, words] : changes) EXPECT_TRUE(says(run.refusal(change), {words}));
}

TEST(Fingerprint, HasTheOpticsThatTheFileStates) {
  const TemporaryFolder folder;
  ReconstructConfig config = memory_scan().config();
  config.data.file = memory_scan().write(folder / "data.h5");
  const OpticsConfig optics = std::exchange(config.optics, {});
  const auto state = [&](double defocus) {
    h5::File file = h5::File::update(config.data.file);
    file.set("/", "energy_kV", optics.energy);
    file.set("/", "semi_angle_mrad", optics.semi_angle);
    file.set("/", "defocus_A", defocus);
  };
  state(60);
  const auto team = make_local_team();
  {
    Reconstruction run(config, *team);
    run.step();
    run.save(folder / "saved");
  }
  config.output.folder = folder / "saved";
  config.output.resume = true;
  const auto refusal = [&] {
    return message_of<UserError>([&] { const Reconstruction run(config, *team); });
  };
  EXPECT_EQ(refusal(), "");
  state(80);
  EXPECT_TRUE(says(refusal(), {"optics.defocus was 60, now it is 80"}));
  config.optics = optics;  // the same 60 Å, by the user
  EXPECT_EQ(refusal(), "");
}

TEST(Fingerprint, WhatActsFromIterationToIterationMayChangeAndIsToldOf) {
  const Resumed run(memory_scan().config());
  const auto told = [&](auto&& change) {
    std::string log;
    EXPECT_EQ(run.refusal(change, &log), "");
    const auto at = log.find("resuming with a change: ");
    return at == std::string::npos ? "" : log.substr(at, log.find('\n', at) - at);
  };
  EXPECT_EQ(told([](auto&) {}), "");
  EXPECT_EQ(told([](auto& c) { c.output.pictures = false; }), "");
  EXPECT_EQ(
      told([](auto& c) { c.solver.iterations = 7, c.probe.step = 0.25, c.object.phase_max = 2; }),
      "resuming with a change: object.phase_max was 0, now it is 2; probe.step was 0.5, now "
      "it is 0.25; solver.iterations was 3, now it is 7");
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
