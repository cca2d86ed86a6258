// optics.fitted: a reconstruction that measures beam and orientation before it starts.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "analysis/weak_scan.hpp"
#include "core/error.hpp"
#include "core/units.hpp"
#include "exchange/local/team.hpp"
#include "physics/electron.hpp"
#include "session/fitted_optics.hpp"
#include "session/quick_look_set.hpp"
#include "session/reconstruction.hpp"
#include "solver/variables/position_options.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;
using testing::TransposedSet;
using testing::WeakScan;

constexpr double middle = TransposedSet::middle, rotation = TransposedSet::rotation;

/// One for all tests that change nothing in it.
const TransposedSet& transposed_set() {
  static const TransposedSet set;
  return set;
}

ReconstructConfig config_of(const TransposedSet& set) {
  ReconstructConfig c;
  c.data = set.data;
  c.calibration = set.calibration;
  c.scan = set.scan;
  c.optics = set.optics;
  c.optics.fitted = true;
  c.solver.threads = 2;
  c.solver.iterations = 5;
  c.probe.refine_from = 0;  // the beam stays what it was measured to be
  c.parts.of<PositionOptions>().refine = Switch::off;
  return c;
}

struct Fitted {
  ReconstructConfig config;
  std::map<std::string, std::string> where;
  std::string log;
};

Fitted fitted(const ReconstructConfig& config, const PatternsInMemory* patterns = nullptr) {
  const auto team = make_local_team();
  Fitted result;
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) { result.log += line + "\n"; };
  FittedOptics optics = with_fitted_optics(config, patterns, *team, callbacks);
  result.config = std::move(optics.config);
  result.where = std::move(optics.where);
  return result;
}

std::string refusal(const std::function<void(ReconstructConfig&)>& change,
                    const TransposedSet& set = transposed_set()) {
  ReconstructConfig config = config_of(set);
  change(config);
  return message_of<UserError>([&] { (void)fitted(config); });
}

double r_factor(const ReconstructConfig& config) {
  const auto team = make_local_team();
  Reconstruction run(config, *team);
  while (!run.finished()) run.step();
  return run.history().r_factor.back();
}

/// By how much the amplitudes of a beam measured like this differ from those of the true one, of
/// the same object: no more than the waves, |a| − |b| ≤ |a − b|, in norm over that of all. Waves
/// differ by the phases πλk²δ of the defocus and πλk² C12 cos 2(φ − φ12) of the astigmatism, which
/// is 0, r.m.s. over the aperture but for their mean: πλkₐ² (δ/√12, C12/√6). A scan turned by θ
/// about its middle moves the probe by r θ, which is a phase 2π k·rθ: πkₐ θ times r.m.s. of r,
/// which is √((a² + b²)/12) of a scan of a x b.
double wave_error(const ReconstructConfig& c, double turned) {
  const double wavelength = electron_wavelength(80), k = 25 * mrad / wavelength;
  const double beam =
      pi * wavelength * k * k *
      std::hypot((*c.optics.defocus - middle) / std::sqrt(12.0), c.optics.C12 / std::sqrt(6.0));
  const double scan = std::hypot(30 * 0.6, 28 * 0.6) / std::sqrt(12.0);
  return std::hypot(beam, pi * k * turned * degree * scan);
}

// √R is that norm of what is left, so that of the measured beam is at most wave_error more. The
// truth is told in the frame that was found (a quarter of a turn from transpose), where both runs
// have the same mini-batches and go the same way.
TEST(FittedOptics, AReconstructionIsAsGoodAsFromTheTruth) {
  const ReconstructConfig asked = config_of(transposed_set());
  const Fitted found = fitted(asked);
  EXPECT_FALSE(found.config.optics.fitted);
  EXPECT_TRUE(found.config.data.flip_rows);
  const double turned = std::remainder(*found.config.scan.rotation - (rotation + 90), 360);
  // The bounds of bench-quick-look: 1 degree, 3 %, 20 Å.
  EXPECT_NEAR(turned, 0, 1);
  EXPECT_NEAR(*found.config.optics.defocus, middle, 0.03 * middle);
  EXPECT_LT(found.config.optics.C12, 20);
  ReconstructConfig truth = found.config;
  truth.optics.defocus = middle;
  truth.optics.C12 = truth.optics.phi12 = 0;
  truth.scan.rotation = rotation + 90;
  const double bound = std::sqrt(r_factor(truth)) + wave_error(found.config, turned);
  EXPECT_LE(std::sqrt(r_factor(asked)), bound);
  ReconstructConfig in_focus = truth;  // what is measured matters
  in_focus.optics.defocus = 0;
  EXPECT_GT(std::sqrt(r_factor(in_focus)), bound);
}

TEST(FittedOptics, SayWhatWasMeasured) {
  const auto team = make_local_team();
  ReconstructConfig config = config_of(transposed_set());
  config.solver.iterations = 1;
  std::string log;
  ReconstructConfig measured;
  std::map<std::string, std::string> comments;
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) { log += line + "\n"; };
  callbacks.measured = [&](const ReconstructConfig& c, const auto& where) {
    measured = c;
    comments = where;
    return std::string("as measured");
  };
  Reconstruction run(config, *team, callbacks, "as given");
  run.step();
  EXPECT_EQ(run.result().config, "as measured");
  for (const char* line : {"quick look: raster of 30 x 28",
                           "put in: data.flip_rows=true scan.rotation", "put in: optics.defocus="})
    EXPECT_NE(log.find(line), std::string::npos) << log;
  EXPECT_NEAR(measured.optics.defocus.value_or(0), middle, 0.03 * middle);
  for (const char* key : {"data.flip_rows", "scan.rotation", "optics.defocus"})
    EXPECT_TRUE(comments[key].starts_with("measured by the quick look")) << key;
}

TEST(FittedOptics, KeysThatAreGivenStay) {
  ReconstructConfig config = config_of(transposed_set());
  config.optics.defocus = 150;
  config.data.transpose = true;
  const Fitted found = fitted(config);
  EXPECT_EQ(found.config.optics.defocus, 150);
  EXPECT_TRUE(found.config.data.transpose);
  EXPECT_FALSE(found.config.data.flip_rows);
  EXPECT_NEAR(found.config.scan.rotation.value_or(0), rotation, 1);
  config.scan.rotation = rotation;
  config.optics.C12 = 3;
  EXPECT_NE(fitted(config).log.find("nothing to measure"), std::string::npos);
}

/// Positions of a dataset, or the scan's rotation, tell the sign of the defocus.
TEST(FittedOptics, TheOrientationThatIsGivenTellsTheSign) {
  ReconstructConfig config = config_of(transposed_set());
  config.data.transpose = true;
  config.scan.rotation = rotation;
  EXPECT_NEAR(fitted(config).config.optics.defocus.value_or(0), middle, 0.03 * middle);
  config.scan = {};
  config.scan.positions = "/positions_true";
  const Fitted found = fitted(config);
  EXPECT_NEAR(found.config.optics.defocus.value_or(0), middle, 0.03 * middle);
  EXPECT_FALSE(found.config.scan.rotation);
}

TEST(FittedOptics, AreRefusedWhereKeysSayOtherwise) {
  EXPECT_TRUE(says(refusal([](auto& c) { c.scan.rotation = 100; }),
                   {"optics.fitted: ", "the orientation is data.flip_rows=true scan.rotation=123",
                    "correct these keys"}));
  EXPECT_TRUE(says(refusal([](auto& c) { c.data.flip_cols = c.data.flip_rows = true; }),
                   {"the orientation is data.flip_rows=false", "correct these keys"}));
  EXPECT_TRUE(says(refusal([](auto& c) {
                     c.scan = {};
                     c.scan.positions = "/positions_true";
                   }),
                   {"the orientation is", "positions of a dataset are final"}));
  EXPECT_TRUE(says(refusal([](auto& c) {
                     c.data.transpose = true;
                     c.scan.rotation = rotation;
                     c.optics.defocus = -150;
                   }),
                   {"optics.defocus=-150 has the other sign"}));
}

TEST(FittedOptics, AreRefusedWhereNothingTellsThem) {
  EXPECT_TRUE(says(refusal([](auto&) {}, TransposedSet(5)),
                   {"do not determine the beam", "% by chance", "give optics.defocus"}));
  EXPECT_TRUE(says(refusal([](auto& c) {
                     c.scan = {};
                     c.scan.positions = "/line";
                   }),
                   {"cannot measure the beam", "raster"}));
}

/// A phase as often above its mean as below it says nothing of the sign.
TEST(FittedOptics, TheSignOfASpecimenWithoutPeaksIsNotGuessed) {
  WeakScan scan;
  scan.beam = {40 * degree, false, -150, 0, 0};
  const i64 w = WeakScan::window, count = scan.shape[0] * scan.shape[1];
  Array<float, 3> frames({count, w, w});
  scan.each_pattern([&](i64 i, const float* pattern) {
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x)
        frames(i, to_centred(y, w), to_centred(x, w)) = pattern[y * w + x];
  });
  const PatternsInMemory patterns{frames.view()};
  ReconstructConfig config;
  config.data.scan_shape = {static_cast<int>(scan.shape[0]), static_cast<int>(scan.shape[1])};
  config.scan.step = {scan.step, scan.step};
  config.calibration.pixel_size = WeakScan::pixel;
  config.optics.energy = 80;
  config.optics.semi_angle = 25;
  config.optics.fitted = true;
  config.solver.threads = 2;
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)fitted(config, &patterns); }),
                   {"optics.fitted: the sign is not determined", "give scan.rotation"}));
  config.scan.rotation = 40;
  EXPECT_NEAR(fitted(config, &patterns).config.optics.defocus.value_or(0), 150, 0.03 * 150);
}

TEST(FittedOptics, AResumedRunMeasuresNothing) {
  const testing::TemporaryFolder folder;
  const auto team = make_local_team();
  ReconstructConfig config = config_of(transposed_set());
  config.output.folder = folder / "run";
  {
    Reconstruction run(config, *team);
    run.step();
    run.save(config.output.folder);
  }
  config.output.resume = true;
  const Fitted again = fitted(config), first = [&] {
    ReconstructConfig anew = config;
    anew.output.resume = false;
    return fitted(anew);
  }();
  EXPECT_EQ(again.log, "");
  EXPECT_EQ(again.config.optics.defocus, first.config.optics.defocus);
  EXPECT_EQ(again.config.optics.C12, first.config.optics.C12);
  EXPECT_EQ(again.config.optics.phi12, first.config.optics.phi12);
  EXPECT_EQ(again.config.scan.rotation, first.config.scan.rotation);
  EXPECT_EQ(again.config.data.flip_rows, first.config.data.flip_rows);
  EXPECT_EQ(again.where.at("optics.defocus"), "as it was when the run began");
  Reconstruction run(config, *team);  // which the checkpoint agrees with
  EXPECT_EQ(run.history().cost.size(), 1U);
}

}  // namespace
}  // namespace ptyle
