// The orientation on a phase object whose answer is known: the centres of mass of a probe scanned
// over it are written as a camera flipped each way would record them.

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/orientation.hpp"
#include "analysis/shadow.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "core/units.hpp"

namespace ptyle {
namespace {

constexpr i64 side = 24;  // raster of side × side steps of 1

/// A few round peaks of phase; its gradient at a place.
Position phase_gradient(Position at) {
  Position g;
  for (const auto& [row, col, width] :
       {std::array{5.3, 7.1, 2.5}, std::array{15.2, 6.4, 3.1}, std::array{9.7, 17.5, 2.2},
        std::array{18.8, 18.1, 2.8}, std::array{3.9, 14.2, 1.9}}) {
    const double r = at.row - row, c = at.col - col;
    const double f = -std::exp(-(r * r + c * c) / (2 * width * width)) / (width * width);
    g.row += f * r;
    g.col += f * c;
  }
  return g;
}

Position rotated_by(double degrees, Position p) {
  const double c = std::cos(degrees * degree), s = std::sin(degrees * degree);
  return {c * p.row - s * p.col, s * p.row + c * p.col};
}

struct Scan {
  std::vector<Position> centres, said;  ///< as recorded; positions as the user gives them
};

/// A camera whose records the flips `right` put straight, and positions that lack a rotation.
Scan recorded(const Flips& right, double missing, double noise = 0) {
  Scan scan;
  Philox random(1, 2, 3);
  const auto uniform = [&] { return double(random()) / 4294967296.0 - 0.5; };
  for (i64 i = 0; i < side; ++i)
    for (i64 j = 0; j < side; ++j) {
      const Position raster{double(i), double(j)}, middle{side / 2.0, side / 2.0};
      // Where the probe really was: the raster rotated about the object's middle.
      Position from = rotated_by(missing, {raster.row - middle.row, raster.col - middle.col});
      from = {from.row + middle.row, from.col + middle.col};
      Position v = phase_gradient(from);
      v = {v.row + noise * uniform(), v.col + noise * uniform()};
      if (right.transpose) std::swap(v.row, v.col);  // the flips undone
      if (right.flip_rows) v.row = -v.row;
      if (right.flip_cols) v.col = -v.col;
      scan.centres.push_back({v.row + 0.7 + 0.01 * double(i), v.col - 0.4});  // descan error too
      scan.said.push_back(raster);
    }
  return scan;
}

double angle_between(double a, double b, double period) {
  return std::abs(std::remainder(a - b, period));
}

/// The guess and the truth are the same up to equals: both kinds, and the whole linear map.
void expect_same(const Orientation& o, const Flips& flips, double rotation, double tolerance) {
  // T⁻¹ R(φ) must be the same map: compare what becomes of two directions of the scan.
  for (const Position axis : {Position{1, 0}, Position{0, 1}}) {
    const auto undo = [](const Flips& t, Position v) {
      if (t.transpose) std::swap(v.row, v.col);
      return Position{t.flip_rows ? -v.row : v.row, t.flip_cols ? -v.col : v.col};
    };
    const Position a = undo(o.flips, rotated_by(o.rotation, axis)),
                   b = undo(flips, rotated_by(rotation, axis));
    EXPECT_NEAR(a.row, b.row, tolerance);
    EXPECT_NEAR(a.col, b.col, tolerance);
  }
}

TEST(Orientation, IsRecoveredForEveryTurnAndRotation) {
  for (int i = 0; i < 8; ++i)
    for (double missing : {0.0, 4.0, -11.0, 37.0, 90.0, -126.0, 165.0}) {
      const Flips right{(i & 1) != 0, (i & 2) != 0, (i & 4) != 0};
      const Scan scan = recorded(right, missing);
      const Orientation o = find_orientation(scan.centres, scan.said, true);
      EXPECT_TRUE(o.clear);
      EXPECT_TRUE(o.sign_settled);
      EXPECT_LT(o.skewness, 0);
      EXPECT_EQ(o.flips.mirrors(), right.mirrors());
      // Planes through neighbours are no exact derivatives: of a peak of width 2 steps they miss a
      // few per cent, and unequally where peaks lie at the edge; 2 degrees is 0.035.
      expect_same(o, right, missing, 0.035);
    }
}

TEST(Orientation, IsComparedWithTheOneGiven) {
  // Without noise eight degrees are seen: sin 8° = 0.14 of the curl and more, where there is next
  // to none. Where noise leaves a third of it anyway, they are not.
  const Scan clean = recorded({}, 20), noisy = recorded({}, 8, 0.5);
  const Orientation seen = find_orientation(clean.centres, clean.said, true),
                    lost = find_orientation(noisy.centres, noisy.said, true);
  EXPECT_TRUE(better_than_given(seen));
  EXPECT_GT(lost.curl, 0.25);
  EXPECT_FALSE(better_than_given(lost));
}

TEST(Orientation, ThatIsRightIsSaidToBeNoFlipAndNoRotation) {
  const Scan scan = recorded({}, 0);
  const Orientation o = find_orientation(scan.centres, scan.said, true);
  EXPECT_EQ(o.flips.name(), "none");
  EXPECT_NEAR(o.rotation, 0, 2);
  EXPECT_LT(o.curl, 0.2);
  ASSERT_EQ(o.rotations.size(), 180u);
  for (const FlipsCurve& c : o.curves)
    for (std::size_t k = 0; k < 180; ++k)  // curl² + div² is the whole for every rotation
      EXPECT_NEAR(c.curl[k] * c.curl[k] + c.divergence[k] * c.divergence[k], 1, 1e-9);
}

TEST(Orientation, CurvesAreLeastAtTheRotationTheyName) {
  const Scan scan = recorded({true, false, false}, 20);
  const Orientation o = find_orientation(scan.centres, scan.said, true);
  for (const FlipsCurve& c : o.curves) {
    const auto least = std::min_element(c.curl.begin(), c.curl.end());
    EXPECT_LE(angle_between(c.rotation, double(least - c.curl.begin()), 180), 1);
    EXPECT_LE(c.least_curl, *least + 1e-12);
  }
}

TEST(Orientation, IsRecoveredFromNoisyCentresOfMass) {
  // Noise of r.m.s. 0.05 on gradients of r.m.s. about 0.1: single differences drown in it.
  const Scan scan = recorded({false, true, false}, 25, 0.05 * std::sqrt(12.0));
  const Orientation o = find_orientation(scan.centres, scan.said, true);
  EXPECT_TRUE(o.clear);
  EXPECT_TRUE(o.flips.mirrors());
  // 576 positions of signal to noise 2 settle the angle to about 1/(2·sqrt(576/10)) rad = 4
  // degrees.
  const Flips flip{false, true, false};
  for (const FlipsCurve& c : o.curves)
    if (c.flips.name() == flip.name()) {
      EXPECT_LE(angle_between(c.rotation, 25, 180), 12);
    }
}

TEST(Orientation, OfNoiseAloneIsNotClear) {
  Scan scan = recorded({}, 0);
  Philox random(7, 0, 0);
  for (Position& v : scan.centres) v = {double(random() % 1000), double(random() % 1000)};
  const Orientation o = find_orientation(scan.centres, scan.said, true);
  EXPECT_FALSE(o.clear);
  EXPECT_FALSE(o.sign_settled);
}

TEST(Orientation, OfNoiseOnFewPositionsIsNotClearEither) {
  int clear = 0;
  for (const int lines : {5, 8, 12})
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      Philox random(seed, 3, static_cast<std::uint64_t>(lines));
      std::vector<Position> centres, positions;
      for (int i = 0; i < lines * lines; ++i) {
        centres.push_back({random.uniform(), random.uniform()});
        positions.push_back({double(i / lines), double(i % lines)});
      }
      clear += find_orientation(centres, positions, true).clear;
    }
  EXPECT_LE(clear, 5);  // one in a hundred of 120 scans; more than five of them once in 1000
}

TEST(Orientation, HalfATurnMoreIsByFlipsOrByRotation) {
  Orientation o;
  o.rotation = 3;
  rotate_180(o);
  EXPECT_EQ(o.flips.name(), "flip_rows + flip_cols");
  EXPECT_EQ(o.rotation, 3);
  o = {};
  o.rotation = 60;
  rotate_180(o);
  EXPECT_EQ(o.flips.name(), "none");
  EXPECT_EQ(o.rotation, -120);
}

TEST(Orientation, NeedsPositionsThatAreNotInALine) {
  std::vector<Position> line, v(20);
  for (int i = 0; i < 20; ++i) line.push_back({double(i), 2.0 * i});
  EXPECT_THROW(find_orientation(v, line, true), UserError);
  EXPECT_THROW(find_orientation({{0, 0}, {1, 1}}, {{0, 0}, {1, 1}}, true), UserError);
}

/// The turn that flips and a rotation amount to, by where they take the axes.
Turn turn_of_flips(const Flips& flips, int rotation) {
  for (int mirrored = 0; mirrored < 2; ++mirrored)
    for (int r = 0; r < Turn::rotations; ++r) {
      bool same = true;
      for (const Position axis : {Position{1, 0}, Position{0, 1}}) {
        Position seen = rotated_by(15.0 * r, axis);
        if (mirrored == 1) seen.col = -seen.col;
        const Position back = flips(seen), there = rotated_by(rotation, axis);
        same = same && distance(back, there) < 1e-9;
      }
      if (same) return {mirrored, r};
    }
  return {};
}

TEST(Shadow, MovesWithTheScanForUnderfocusAndAgainstItForOverfocus) {
  // The disc shows a texture of the specimen, T(p − k / m): m px of the detector a step.
  constexpr i64 w = 48, n = 64;
  constexpr double m = 3, radius = 18;
  const auto texture = [](double r, double c) {
    return std::sin(1.3 * r + 0.4 * c) + std::cos(0.7 * c * c / 9 + r) +
           std::sin(2.1 * c - 0.5 * r);
  };
  for (const Flips flips : {Flips{}, Flips{true, false, true}, Flips{false, true, false}})
    for (double sign : {1.0, -1.0}) {
      std::vector<Position> positions;
      for (i64 i = 0; i < n; ++i) positions.push_back({double(i / 8), double(i % 8)});
      const auto load = [&](i64 i, float* to) {
        const Position p = rotated_by(30, positions[i]);
        for (i64 y = 0; y < w; ++y)
          for (i64 x = 0; x < w; ++x) {
            const double ky = double(frequency_index(y, w)), kx = double(frequency_index(x, w));
            const Position k = flips({ky, kx});  // on the straightened detector
            to[y * w + x] =
                std::hypot(ky, kx) < radius
                    ? float(10 + texture(p.row - sign * k.row / m, p.col - sign * k.col / m))
                    : 0.0F;
          }
      };
      const DiscBlocks blocks({w / 2.0, w / 2.0, radius}, w);
      Array<float, 2> valid({w, w});
      valid.fill(1);
      const auto compared = [&](double px) {
        const Shadows shadows(blocks, radius, positions, px);
        std::vector<double> discs(shadows.patterns().size() *
                                  static_cast<std::size_t>(blocks.size()));
        std::vector<float> pattern(w * w);
        for (std::size_t k = 0; k < shadows.patterns().size(); ++k) {
          load(shadows.patterns()[k], pattern.data());
          blocks.cut(pattern.data(), valid, discs.data() + k * blocks.size());
        }
        return shadows.compare(discs);
      };
      const Likeness right = compared(sign * m), wrong = compared(-sign * m);
      // rotated by 30 degrees, and mirrored where the flips do
      const Turn as_made = turn_of_flips(flips, 30);
      const Turn opposite{as_made.mirrored, (as_made.rotation + 12) % 24};
      EXPECT_EQ(right.best().mirrored, as_made.mirrored);
      EXPECT_EQ(right.best().rotation, as_made.rotation);
      EXPECT_GT(right.mean(as_made), 0.9);
      EXPECT_GT(right.above(as_made, opposite), 8);
      EXPECT_EQ(wrong.best().mirrored, opposite.mirrored);
      EXPECT_EQ(wrong.best().rotation, opposite.rotation);
      EXPECT_TRUE(Shadows(blocks, radius, positions, 40).patterns().empty());  // out of the disc
    }
}

}  // namespace
}  // namespace ptyle
