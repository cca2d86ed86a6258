// Patterns that lie otherwise to the scan than the configuration says are told of, by the keys that
// set it right, the same on any number of ranks; those that lie right are not.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "core/matrix2.hpp"
#include "core/random.hpp"
#include "exchange/local/team.hpp"
#include "session/orientation.hpp"
#include "session/reconstruction.hpp"
#include "simulate/in_memory.hpp"

namespace ptyle {
namespace {

constexpr i64 lines = 10, window = 64;

struct Scan {
  Array<float, 3> frames;
  std::vector<Position> positions;
  double defocus = 0;
};

Scan simulated(double defocus, double step) {
  Recipe r;
  r.specimen.structure = BuiltIn::SrTiO3;
  r.specimen.thickness = 4;
  r.specimen.slice_thickness = 2;
  r.specimen.rotation = 17;  // nothing repeats along the scan's axes
  r.optics = {.energy = 200, .semi_angle = 25, .defocus = defocus};
  r.detector = {.window = window, .pixel_size = 0.2};
  r.scan = {.shape = {lines, lines + 2}, .step = {step, step}};
  r.dose.electrons_per_A2 = 1e6;
  r.seed = 3;
  MemorySet made = simulate_in_memory(r);
  return {std::move(made.patterns), std::move(made.plan.positions), defocus};
}

const Scan& defocused() {
  static const Scan scan = simulated(120, 0.9);
  return scan;
}

/// The pattern of each as a detector shows it that lies so; its DC stays.
Scan seen(const Scan& as_it_is, const Flips& flips) {
  const Array<float, 3>& from = as_it_is.frames;
  Scan scan{Array<float, 3>(from.shape()), as_it_is.positions, as_it_is.defocus};
  for (i64 i = 0; i < from.shape()[0]; ++i)
    for (i64 y = 0; y < window; ++y)
      for (i64 x = 0; x < window; ++x) {
        const Position to = flips({double(y - window / 2), double(x - window / 2)});
        const i64 row = (i64(to.row) + window / 2 + window) % window,
                  col = (i64(to.col) + window / 2 + window) % window;
        scan.frames(i, row, col) = from(i, y, x);
      }
  return scan;
}

/// The warning about the orientation, "" for none.
std::string warned(const Scan& scan, int ranks, const Flips& configured = {}) {
  ReconstructConfig config;
  config.calibration.pixel_size = 0.2;
  config.optics = {.energy = 200, .semi_angle = 25, .defocus = scan.defocus};
  config.object.slices = 1;
  config.solver.iterations = 1;
  config.solver.threads = 1;
  config.data.flip_rows = configured.flip_rows;
  config.data.flip_cols = configured.flip_cols;
  config.data.transpose = configured.transpose;
  std::string all;
  ReconstructCallbacks callbacks;
  callbacks.warn = [&](const std::string& line) {
    if (line.find("orientation") != std::string::npos || line.find("shadow") != std::string::npos)
      all += line;
  };
  const PatternsInMemory patterns{std::as_const(scan.frames).view(), scan.positions};
  const auto team = make_local_team(ranks);
  const Reconstruction run(config, patterns, *team, callbacks);
  return all;
}

TEST(OrientationWarning, DoesNotComeWhereAllIsRight) {
  EXPECT_EQ(warned(defocused(), 1), "");
  for (const Flips& flips : {Flips{true, false, false}, Flips{true, true, true}}) {
    // flips that undo each other: the detector lies so, and the configuration says it
    const Scan scan = seen(defocused(), flips);
    EXPECT_EQ(warned(scan, 1, flips), "") << flips.name();
  }
}

TEST(OrientationWarning, NamesTheKeysThatSetItRight) {
  EXPECT_NE(warned(seen(defocused(), {false, false, true}), 1).find("with data.transpose=true ("),
            std::string::npos);
  EXPECT_NE(warned(seen(defocused(), {true, false, false}), 1).find("with data.flip_rows=true ("),
            std::string::npos);
  const std::string turned = warned(seen(defocused(), {true, true, false}), 1);
  EXPECT_NE(turned.find("with data.flip_rows=true data.flip_cols=true ("), std::string::npos);
  EXPECT_NE(turned.find("the other sign of optics.defocus"), std::string::npos);
  // as it lies, but the configuration says otherwise
  EXPECT_NE(warned(defocused(), 1, {false, true, false}).find("with data.flip_cols=false ("),
            std::string::npos);
}

TEST(OrientationWarning, IsTheSameOnRanks) {
  const Scan scan = seen(defocused(), {false, false, true});
  const std::string alone = warned(scan, 1);
  EXPECT_FALSE(alone.empty());
  EXPECT_EQ(warned(scan, 4), alone);
  EXPECT_EQ(warned(defocused(), 4), "");
}

TEST(OrientationWarning, ComesByTheCurlWhereTheProbeIsInFocus) {
  const Scan scan = simulated(0, 0.3);
  EXPECT_EQ(warned(scan, 1), "");
  EXPECT_NE(warned(seen(scan, {false, false, true}), 1).find("data.transpose=true lowers the curl"),
            std::string::npos);
}

TEST(OrientationWarning, AsksForTheScansShapeWhereOneAxisAloneIsRight) {
  Scan scan = seen(defocused(), {});
  for (std::size_t i = 0; i < scan.positions.size(); ++i)
    scan.positions[i] = {0.9 * double(i / lines), 0.9 * double(i % lines)};
  EXPECT_NE(
      warned(scan, 1).find("data.scan_shape, data.axes, scan.step and the beam's astigmatism"),
      std::string::npos)
      << warned(scan, 1);
}

/// All warnings of the scan.
std::vector<std::string> all_warnings(const Scan& scan, std::optional<double> defocus) {
  ReconstructConfig config;
  config.calibration.pixel_size = 0.2;
  config.optics = {.energy = 200, .semi_angle = 25};
  config.optics.defocus = defocus;
  config.solver.threads = 1;
  std::vector<std::string> all;
  ReconstructCallbacks callbacks;
  callbacks.warn = [&](const std::string& line) { all.push_back(line); };
  const PatternsInMemory patterns{std::as_const(scan.frames).view(), scan.positions};
  const auto team = make_local_team(1);
  const Reconstruction run(config, patterns, *team, callbacks);
  return all;
}

bool one_says(const std::vector<std::string>& all, const std::string& part) {
  return std::any_of(all.begin(), all.end(),
                     [&](const std::string& one) { return one.find(part) != std::string::npos; });
}

TEST(ScanWarnings, TellOfADefocusThatNobodyGave) {
  EXPECT_TRUE(one_says(all_warnings(defocused(), {}), "optics.defocus is given neither here"));
  EXPECT_FALSE(one_says(all_warnings(defocused(), 120.0), "optics.defocus"));
  EXPECT_FALSE(one_says(all_warnings(simulated(0, 0.3), 0.0), "optics.defocus"));
}

TEST(ScanWarnings, TellOfDescan) {
  EXPECT_FALSE(one_says(all_warnings(defocused(), 120.0), "descan"));
  const Scan& still = defocused();
  Scan scan{Array<float, 3>(still.frames.shape()), still.positions, still.defocus};
  for (i64 i = 0; i < scan.frames.shape()[0]; ++i)
    for (i64 y = 0; y < window; ++y)
      for (i64 x = 0; x < window; ++x) {
        const i64 from = x + i % (lines + 2) / 3;  // a px in three columns: 3 px
        scan.frames(i, y, x) = from < window ? still.frames(i, y, from) : 0;
      }
  EXPECT_TRUE(one_says(all_warnings(scan, 120.0), "first to the last columns"));
}

TEST(Turns, AreThoseOfTheFlipsTheyCameFrom) {
  for (int i = 0; i < 8; ++i) {
    const Flips flips{(i & 1) != 0, (i & 2) != 0, (i & 4) != 0};
    for (const double off : {0.0, 14.0, -14.0}) {
      const auto back = flips_of(turn_of(flips, off));
      ASSERT_TRUE(back) << flips.name() << off;
      EXPECT_EQ(back->name(), flips.name()) << off;
    }
    EXPECT_FALSE(flips_of(turn_of(flips, 45))) << flips.name();
  }
}

/// Centres of mass that wander by 0.5 px at random, on top of a plane.
Experiment wandering(i64 side, const Matrix2& plane) {
  Experiment e;
  Philox random(11, 0, 0);
  for (i64 y = 0; y < side; ++y)
    for (i64 x = 0; x < side; ++x) {
      const Position at{double(y), double(x)};
      const auto by = times(plane, Vector2{at.row, at.col});
      e.positions.push_back(at);
      e.centres.push_back(
          {by[0] + 0.5 * normal_deviate(random), by[1] + 0.5 * normal_deviate(random)});
    }
  return e;
}

/// A plane explains 2/n of n centres' variance by chance; one of slope a over a side L explains
/// a² L² / 12 σ² of it beside σ² = 0.25, in rows or columns: 0.03 for 0.015 px/Å over 20 Å.
/// Errors of slopes are σ √12 / L²; five of these are allowed.
TEST(DescanOfCentres, IsNoneWhereItMayBeChance) {
  const Matrix2 none{}, little{0.015, 0, 0, 0.015}, more{0.08, 0.02, -0.03, 0.09};
  EXPECT_EQ(descan_of_centres(wandering(20, none)), none);
  EXPECT_EQ(descan_of_centres(wandering(20, little)), none);
  for (const i64 side : {20, 60}) {
    const Matrix2 found = descan_of_centres(wandering(side, more));
    for (std::size_t k = 0; k < 4; ++k)
      EXPECT_NEAR(found[k], more[k], 5 * 0.5 * std::sqrt(12.0) / double(side * side)) << side;
  }
  // Many patterns tell what few do not.
  EXPECT_NEAR(descan_of_centres(wandering(60, little))[0], 0.015, 5 * 0.5 * std::sqrt(12.0) / 3600);
  // Along a line there is none.
  Experiment line = wandering(20, more);
  line.positions.resize(20), line.centres.resize(20);
  EXPECT_EQ(descan_of_centres(line), none);
}

}  // namespace
}  // namespace ptyle
