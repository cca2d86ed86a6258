// The quick look on a simulated set of MoS2: keys, sentences, picture.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "session/inspect.hpp"
#include "session/open_experiment.hpp"
#include "session/quick_look.hpp"
#include "session/quick_look_set.hpp"

namespace ptyle {
namespace {

constexpr double rotation = testing::TransposedSet::rotation,
                 middle = testing::TransposedSet::middle;

struct OnFile : testing::TransposedSet {
  using TransposedSet::TransposedSet;
  [[nodiscard]] QuickLook look(bool rotation_given = false) const {
    return quick_look(open_experiment(data, calibration, scan, optics),
                      {.threads = 2, .rotation_given = rotation_given});
  }
};

TEST(QuickLook, FindsWhatItIsNotTold) {
  OnFile set;
  set.optics.defocus = 100;  // its sign alone is taken
  const QuickLook look = set.look();
  ASSERT_TRUE(look.refusal.empty()) << look.refusal;
  const FoundBeam& f = look.found;
  ASSERT_TRUE(f.known);
  EXPECT_TRUE(f.flip_known);
  EXPECT_EQ(f.sign, SignBy::given_defocus);
  // The bounds of bench-quick-look: 1 degree, 3 %, 20 Å.
  EXPECT_NEAR(f.defocus, middle, 0.03 * middle);
  EXPECT_LT(f.C12, 20);
  // The mirrored kind with the fewest flips is flip_rows: a quarter of a turn from transpose.
  EXPECT_EQ(f.flips.name(), "flip_rows");
  EXPECT_NEAR(f.rotation, rotation + 90, 1);
  draw_quick_look(set.folder / "look.png", look);
  EXPECT_GT(std::filesystem::file_size(set.folder / "look.png"), 10000U);
}

TEST(QuickLook, PutsKeysInWhereNoneAreGiven) {
  OnFile set;
  const QuickLook look = set.look();
  EXPECT_EQ(look.found.sign, SignBy::peaks);
  DataConfig data = set.data;
  ScanConfig scan = set.scan;
  OpticsConfig optics = set.optics;
  adopt(look, 0, data, scan, optics);
  EXPECT_TRUE(data.flip_rows);
  ASSERT_TRUE(scan.rotation && optics.defocus);
  EXPECT_NEAR(*scan.rotation, rotation + 90, 1);
  EXPECT_NEAR(*optics.defocus, middle, 0.03 * middle);
  // As the keys then say it, nothing is left to find.
  set.data = data;
  set.scan = scan;
  set.optics.defocus = optics.defocus;
  const QuickLook again = set.look();
  EXPECT_EQ(again.found.flips.name(), "none");
  EXPECT_NEAR(again.found.rotation, 0, 1);
  EXPECT_FALSE(warning_of_quick_look(again, data));
}

TEST(QuickLook, WhatIsGivenStaysAndIsSaid) {
  OnFile set;
  set.optics.defocus = 100;
  set.scan.rotation = 10;
  const QuickLook look = set.look();
  DataConfig data = set.data;
  ScanConfig scan = set.scan;
  OpticsConfig optics = set.optics;
  const auto lines = adopt(look, 0, data, scan, optics).lines;
  EXPECT_EQ(*scan.rotation, 10);
  EXPECT_FALSE(data.flip_rows);
  EXPECT_EQ(*optics.defocus, 100);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("data.flip_rows=true scan.rotation=123"), std::string::npos) << lines[0];
  const auto warning = warning_of_quick_look(look, data);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->find("data.flip_rows=true scan.rotation=123"), std::string::npos) << *warning;
}

// Its slope C30 α³ is that of a defocus, on the average over the aperture: of 125 Å at the rim, 62
// Å would be missing, more than the error of 10 Å explains.
TEST(QuickLook, ASphericalAberrationThatIsGivenIsNotTakenForDefocus) {
  OnFile set(1e4, 2e5);
  set.optics.defocus = 100;
  const double without = set.look().found.defocus;
  EXPECT_LT(without, middle - 30);
  set.optics.C30 = 2e5;
  const QuickLook look = set.look();
  ASSERT_TRUE(look.found.known);
  EXPECT_EQ(look.found.sign, SignBy::given_defocus);
  EXPECT_NEAR(look.found.beside_C30, 62.5, 3);  // by the disc measured
  EXPECT_LT(look.found.defocus_error, 15);
  EXPECT_NEAR(look.found.defocus, middle, 3 * look.found.defocus_error);
  EXPECT_TRUE(std::any_of(look.lines.begin(), look.lines.end(), [](const std::string& line) {
    return line.find("are for optics.C30") != std::string::npos;
  }));
}

TEST(QuickLook, TooFewElectronsLeaveItUndetermined) {
  OnFile set(5);
  const QuickLook look = set.look();
  ASSERT_TRUE(look.refusal.empty()) << look.refusal;
  EXPECT_FALSE(look.found.known);
  DataConfig data = set.data;
  EXPECT_TRUE(adopt(look, 0, data, set.scan, set.optics).lines.empty());
  EXPECT_FALSE(set.scan.rotation);
  EXPECT_TRUE(std::any_of(look.lines.begin(), look.lines.end(), [](const std::string& line) {
    return line.find("undetermined") != std::string::npos;
  }));
}

TEST(QuickLook, RefusesWhatIsNoRaster) {
  OnFile set;
  set.scan = {};
  set.scan.positions = "/line";
  EXPECT_NE(set.look().refusal.find("raster"), std::string::npos);
}

// The error that blurred frequencies add, C10 / (2 n²) for n lines, is far above the scatter of 1
// %.
TEST(QuickLook, FewLinesAreSaidToTellLess) {
  OnFile set;
  set.data.positions = {0, 6 * 28, 1};
  const QuickLook look = set.look();
  ASSERT_TRUE(look.refusal.empty()) << look.refusal;
  EXPECT_EQ(look.raster.shape, (std::array<i64, 2>{6, 28}));
  EXPECT_GE(look.fit.error.C10, std::abs(look.fit.model.C10) / 72);
  if (!look.found.known) return;
  EXPECT_NEAR(std::abs(look.found.defocus), middle, 3 * look.found.defocus_error);
}

TEST(QuickLook, InspectPrintsAndDrawsIt) {
  OnFile set;
  set.optics.defocus = 200;
  InspectConfig config{set.data, set.calibration, set.scan, set.optics, set.folder / "seen"};
  config.quick = true;
  config.thickness = 12;
  std::string text;
  const Inspection found = inspect(config, [&](const std::string& line) { text += line + "\n"; });
  ASSERT_TRUE(found.quick);
  EXPECT_NE(text.find("quick look: raster of 30 x 28 positions"), std::string::npos) << text;
  EXPECT_NE(text.find("Å at its entrance, 6 Å above"), std::string::npos) << text;
  EXPECT_NE(text.find("by the quick look it is data.flip_rows=true scan.rotation=123"),
            std::string::npos)
      << text;
  EXPECT_TRUE(std::filesystem::exists(set.folder / "seen/quick-look.png"));
  // Curl and shadow images, which are guesses beside it, say nothing.
  for (const char* guess : {"best guess", "shadow images", "ambiguity"})
    EXPECT_EQ(text.find(guess), std::string::npos) << text;
  EXPECT_EQ(text.find("orientation looks wrong"), text.rfind("orientation looks wrong")) << text;
}

}  // namespace
}  // namespace ptyle
