// A fit shared by ranks, all in this process, against the fit of one.

#include <gtest/gtest.h>

#include <atomic>

#include "core/error.hpp"
#include "core/random.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/shared_fit.hpp"

namespace ptyle {
namespace {

using test::apart;
using test::coarse_to_fine;
using test::FitScene;
using test::fitted;
using test::iterations;
using test::mesh_of;
using test::options;
using test::scene;
using test::stitched;

struct Case {
  Scheme scheme;
  int ranks;
};
void PrintTo(const Case& c, std::ostream* out) { *out << name_of(c.scheme) << " " << c.ranks; }

class SameAnswer : public testing::TestWithParam<Case> {
 protected:
  Sharing sharing() const { return {mesh_of(GetParam().ranks), GetParam().scheme}; }
  /// `neighbor` says itself that it cannot run here.
  bool refused() const {
    try {
      check_sharing(sharing());
      return false;
    } catch (const UserError&) {
      return true;
    }
  }
  void compare(const FitOptions& o) const {
    if (refused()) {
      const auto team = make_local_team(GetParam().ranks);
      EXPECT_THROW((void)scene().fit(o, *team, sharing()), UserError);
      return;
    }
    // Sums of 25 gradients in another order differ by some 1e-16 of the largest; steps multiply
    // that by at most a few each.
    EXPECT_LT(apart(fitted(o, sharing()), fitted(o, {mesh_of(1)})), 1e-12);
  }
};

TEST_P(SameAnswer, FullBatch) { compare(options(1)); }

TEST_P(SameAnswer, Batches) { compare(options(5)); }

TEST_P(SameAnswer, CoarseToFineAndBlur) {
  auto o = options(5);
  o.continuation = coarse_to_fine();
  o.parts.of<BlurOptions>() = {.lateral = 0.5, .along_z = 0.5};
  o.hold_out = 0.1;
  compare(o);
}

TEST_P(SameAnswer, SeveralModes) {
  const test::SeveralModes several;
  compare(options(5));
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Scheme scheme : all_schemes)
    if (sum_kind(scheme))
      for (const int ranks : {2, 3, 4, 6, 9, 12}) all.push_back({scheme, ranks});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Schemes, SameAnswer, testing::ValuesIn(cases()));

/// A scan whose object has corners that no window reaches.
const test::FitScene& turned() {
  test::FitScene::Scan scan;
  scan.side = 9;
  scan.step = 9;
  scan.angle = 0.5;
  static const test::FitScene one(0, scan);
  return one;
}

Array<double, 3> fitted_turned(const FitOptions& o, const Mesh& mesh) {
  const auto team = make_local_team(mesh.ranks());
  auto fit = turned().fit(o, *team, {mesh}, true);
  for (int i = 0; i < iterations; ++i) fit.iterate();
  return stitched(fit, turned().object());
}

class BisectedFit : public testing::TestWithParam<int> {
 protected:
  /// From the truth, which is not vacuum in the corners either.
  static void compare(const FitOptions& o) {
    const Mesh parts = turned().bisected(GetParam());
    i64 covered = 0;
    for (int r = 0; r < parts.ranks(); ++r) covered += parts.core(r).area();
    // Few tiles have a corner of the object that is empty all along a side.
    EXPECT_TRUE(parts.ranks() < 5 || covered < parts.object().area());
    const auto one = fitted_turned(o, turned().mesh(1));
    EXPECT_EQ(one(0, 0, 0), 0);  // vacuum
    // As on other meshes (above).
    EXPECT_LT(apart(fitted_turned(o, parts), one), 1e-12);
  }
};

TEST_P(BisectedFit, FullBatch) { compare(options(1)); }

TEST_P(BisectedFit, Batches) { compare(options(5)); }

TEST_P(BisectedFit, CoarseToFineBlurAndPenalty) {
  auto o = options(5);
  o.continuation = coarse_to_fine();
  o.parts.of<BlurOptions>() = {.lateral = 0.5, .along_z = 0.5};
  o.parts.of<PenaltyOptions>().lateral = 0.01;
  o.hold_out = 0.1;
  o.hold_out_pixels = 0.1;
  compare(o);
}

/// Vacuum stays vacuum where no window reaches, also where the object's limits leave out 0.
TEST_P(BisectedFit, LimitsWithoutZero) {
  auto o = options(5);
  o.phase_min = 0.05;
  o.parts.of<PenaltyOptions>().lateral = 0.01;
  compare(o);
}

INSTANTIATE_TEST_SUITE_P(Ranks, BisectedFit, testing::Values(2, 3, 4, 5, 6, 7, 9, 12));

TEST(Sharing, ABisectionTakesNoExchangeAlongLines) {
  const Mesh parts = turned().bisected(6);
  for (const Scheme scheme : all_schemes) {
    const bool can = scheme == Scheme::owner || scheme == Scheme::none;
    if (can)
      EXPECT_NO_THROW(check_sharing({parts, scheme})) << name_of(scheme);
    else
      EXPECT_THROW(check_sharing({parts, scheme}), UserError) << name_of(scheme);
  }
}

TEST(Sharing, ChunksChangeNothing) {
  const Mesh mesh = mesh_of(6);
  for (const Scheme scheme : {Scheme::owner, Scheme::separable, Scheme::pipelined}) {
    const auto all = fitted(options(5), {mesh, scheme});
    const auto chunks = fitted(options(5), {mesh, scheme, 2, 1});
    EXPECT_TRUE(std::equal(all.begin(), all.end(), chunks.begin())) << name_of(scheme);
  }
}

// The same pixels are held out on any ranks: what they hold differs from rank to rank's fits by the
// order of sums alone, in the object as in R.
TEST(Sharing, HoldsOutTheSamePixelsOnAnyRanks) {
  auto o = options(5);
  o.hold_out_pixels = 0.1;
  const auto result = [&](int ranks) {
    const auto team = make_local_team(ranks);
    auto fit = scene().fit(o, *team, {mesh_of(ranks)});
    IterationReport last;
    for (int i = 0; i < iterations; ++i) last = fit.iterate();
    return std::pair(stitched(fit, scene().object()), last.held_out_pixels);
  };
  const auto [object, held_out] = result(1);
  EXPECT_GT(apart(object, fitted(options(5), {mesh_of(1)})), 1e-6);
  for (const int ranks : {4, 6, 9}) {
    const auto [there, misfit] = result(ranks);
    EXPECT_LT(apart(there, object), 1e-12) << ranks;
    EXPECT_NEAR(misfit.r_numerator / held_out.r_numerator, 1, 1e-9) << ranks;
    EXPECT_NEAR(misfit.r_denominator / held_out.r_denominator, 1, 1e-12) << ranks;
  }
}

TEST(Sharing, ASmallHaloIsOnlyNearlyTheSame) {
  // The window of 32 px loses what lies more than 10 px beyond its tile.
  const double off =
      apart(fitted(options(5), {mesh_of(9, Halo::of(10))}), fitted(options(5), {mesh_of(1)}));
  EXPECT_GT(off, 1e-6);
  EXPECT_LT(off, 0.5);
}

TEST(Sharing, ALowPassThatReachesBeyondTheHaloIsRefused) {
  auto o = options(5);
  o.continuation = coarse_to_fine();
  const auto team = make_local_team(9);
  EXPECT_THROW((void)scene().fit(o, *team, {mesh_of(9, Halo::of(5))}), UserError);
}

/// Spread of the copies after each iteration.
std::vector<double> spreads(FitOptions o, const Sharing& sharing) {
  const auto team = make_local_team(sharing.mesh.ranks());
  auto fit = scene().fit(o, *team, sharing);
  std::vector<double> all;
  for (int i = 0; i < iterations; ++i) all.push_back(fit.iterate().spread);
  return all;
}

TEST(Sharing, LiteralCopiesDriftApart) {
  auto o = options(5);
  o.update = Update::literal;
  o.parts.of<RuleOptions>().step = 0.05;
  const auto drift = spreads(o, {mesh_of(9), Scheme::passes});
  EXPECT_GT(drift[0], 1e-6);
  EXPECT_GT(drift[1], drift[0]);
  EXPECT_GT(drift[2], drift[1]);
}

TEST(Sharing, LiteralNeedsAStep) {
  auto o = options(5);
  o.update = Update::literal;
  const auto team = make_local_team(9);
  EXPECT_THROW((void)scene().fit(o, *team, {mesh_of(9)}), UserError);
}

TEST(Sharing, StepsBetweenExchangesLeaveCopiesEqualAndTheErrorFalls) {
  for (const bool behind : {false, true}) {
    auto o = options(5);
    o.local_positions = behind ? 0 : 1;
    o.exchange_behind = behind;
    const auto team = make_local_team(9);
    auto fit = scene().fit(o, *team, {mesh_of(9)});  // verify: throws where copies differ
    const double first = fit.iterate().fitted.r_factor();
    double last = first;
    for (int i = 0; i < 10; ++i) last = fit.iterate().fitted.r_factor();
    EXPECT_LT(last, 0.3 * first) << (behind ? "exchange behind" : "local steps");
  }
}

TEST(Sharing, StepsBetweenExchangesAreTheSameWhereverTheSumIs) {
  for (const bool behind : {false, true}) {
    auto o = options(5);
    o.local_positions = behind ? 0 : 1;
    o.exchange_behind = behind;
    // Both sums go along columns and then rows, in the order of ranks: the same bits.
    EXPECT_EQ(
        apart(fitted(o, {mesh_of(9), Scheme::owner}), fitted(o, {mesh_of(9), Scheme::separable})),
        0)
        << (behind ? "exchange behind" : "local steps");
  }
}

TEST(Sharing, OneRankHasNothingToSendBehind) {
  auto o = options(5);
  const auto plain = fitted(o, {mesh_of(1)});
  o.exchange_behind = true;
  EXPECT_EQ(apart(fitted(o, {mesh_of(1)}), plain), 0);
}

TEST(Sharing, AnExchangeBehindLeavesNoRoomForLocalSteps) {
  auto o = options(5);
  o.exchange_behind = true;
  o.local_positions = 1;
  const auto team = make_local_team(9);
  EXPECT_THROW((void)scene().fit(o, *team, {mesh_of(9)}), UserError);
}

TEST(Sharing, VoxelSchemesMakeCopiesAgreeButNotWithOneRank) {
  auto o = options(5);
  o.extra = 4;  // a row of positions
  o.parts.of<RuleOptions>().step = 0.2;
  const auto alone = fitted(o, {mesh_of(1)});
  for (const Scheme scheme :
       {Scheme::voxel, Scheme::voxel_average, Scheme::voxel_crossfade, Scheme::none}) {
    const Sharing sharing{mesh_of(4, Halo::of(12)), scheme};
    EXPECT_GT(apart(fitted(o, sharing), alone), 1e-4) << name_of(scheme);
    EXPECT_LT(apart(fitted(o, sharing), alone), 1) << name_of(scheme);
    const auto spread = spreads(o, sharing);
    if (scheme == Scheme::none)
      EXPECT_GT(spread.back(), 1e-6);
    else
      EXPECT_EQ(spread.back(), 0) << name_of(scheme);
  }
}

TEST(Sharing, VoxelsExchangedAtTheEndOfAnIterationAreExchangedOnce) {
  const Sharing sharing{mesh_of(4, Halo::of(12)), Scheme::voxel};
  const auto after = [](const FitOptions& o, const Sharing& shared, int n) {
    const auto team = make_local_team(4);
    auto fit = scene().fit(o, *team, shared);
    for (int i = 0; i < n; ++i) EXPECT_EQ(fit.iterate().spread, 0);
    return stitched(fit, scene().object());
  };
  auto o = options(5);
  o.extra = 4;  // a row of positions
  o.parts.of<RuleOptions>().step = 0.2;
  auto at_end = o;
  at_end.exchange_at_end = true;
  // The exchange fills halos: the cores of the first iteration are those of tiles that never do.
  auto alone = at_end;
  alone.verify = false;
  const Sharing none{sharing.mesh, Scheme::none};
  EXPECT_EQ(apart(after(at_end, sharing, 1), after(alone, none, 1)), 0);
  EXPECT_GT(apart(after(at_end, sharing, 2), after(alone, none, 2)), 1e-6);
  EXPECT_GT(apart(after(at_end, sharing, 1), after(o, sharing, 1)), 1e-6);
  o.batches = at_end.batches = 1;
  EXPECT_EQ(apart(after(at_end, sharing, 2), after(o, sharing, 2)), 0);
}

TEST(Sharing, OptionsAreCheckedBeforeAnythingIsMade) {
  auto o = options(5);
  EXPECT_NO_THROW(check_options(o, {mesh_of(9)}, 2));
  o.update = Update::literal;
  EXPECT_THROW(check_options(o, {mesh_of(9)}, 2), UserError);  // no step
  o.parts.of<RuleOptions>().step = 0.1;
  EXPECT_NO_THROW(check_options(o, {mesh_of(9)}, 2));
  EXPECT_THROW(check_options(o, {mesh_of(4), Scheme::voxel}, 2), UserError);
  o.exchange_behind = true;
  EXPECT_THROW(check_options(o, {mesh_of(9)}, 2), UserError);
  o = options(5);
  o.exchange_at_end = true;
  EXPECT_THROW(check_options(o, {mesh_of(9)}, 2), UserError);
  EXPECT_NO_THROW(check_options(o, {mesh_of(4, Halo::of(12)), Scheme::voxel}, 2));
  o = options(5);
  o.parts.of<BlurOptions>().lateral = 2;  // reaches 7 px
  EXPECT_THROW(check_options(o, {mesh_of(9, Halo::of(6))}, 2), UserError);
  EXPECT_NO_THROW(check_options(o, {mesh_of(9, Halo::of(7))}, 2));
  EXPECT_NO_THROW(check_options(o, {mesh_of(1, Halo::of(0))}, 2));
}

/// Every position of which a rank's core, grown by `extra`, holds the centre.
TEST(Sharing, PositionsAreThoseThatAComparisonOfAllFinds) {
  Philox random(11, 0, 0);
  for (int time = 0; time < 40; ++time) {
    const auto whole = [&](i64 from, i64 to) {
      return from + static_cast<i64>(random() % static_cast<std::uint32_t>(to - from + 1));
    };
    std::vector<Pixel> centres;
    const i64 rows = time % 5 == 0 ? 0 : whole(4, 300), cols = whole(4, 300);
    for (int i = 0; i < 150; ++i) centres.push_back({whole(-rows, rows), whole(-cols, cols)});
    const std::array<int, 2> shape{time % 5 == 0 ? 1 : 2, 3};
    const Mesh mesh = balanced_mesh(centres, 9, shape, Halo::of(4));
    const i64 extra = time % 3 == 0 ? 0 : whole(1, 120);
    const auto shares = share_positions(mesh, centres, extra);
    ASSERT_EQ(shares.size(), static_cast<std::size_t>(mesh.ranks()));
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      const Box core = mesh.core(rank);
      std::vector<i64> own, others;
      for (std::size_t i = 0; i < centres.size(); ++i) {
        const Pixel p = centres[i];
        const bool near = p.row >= core.rows.begin - extra && p.row < core.rows.end + extra &&
                          p.col >= core.cols.begin - extra && p.col < core.cols.end + extra;
        if (core.contains(p))
          own.push_back(static_cast<i64>(i));
        else if (near && extra > 0)
          others.push_back(static_cast<i64>(i));
      }
      const PositionShare alone = share_of(
          mesh, rank, std::ssize(centres),
          [&](i64 i) { return centres[static_cast<std::size_t>(i)]; }, extra);
      for (const PositionShare& share : {shares[static_cast<std::size_t>(rank)], alone}) {
        EXPECT_EQ(share.own, own);
        EXPECT_EQ(share.extra, others);
      }
    }
  }
}

TEST(Sharing, VoxelsNeedCoresAsLargeAsTheHalo) {
  try {
    check_sharing({mesh_of(12), Scheme::voxel});
    FAIL() << "12 tiles of 4 px were taken for a halo of 16";
  } catch (const UserError& e) {
    EXPECT_NE(std::string(e.what()).find("must fill halos"), std::string::npos) << e.what();
  }
}

TEST(Sharing, StoppedBetweenBatchesAndResumedIsTheSame) {
  for (const bool coarse : {false, true}) {
    auto o = options(5);
    o.hold_out_pixels = 0.1;
    if (coarse) o.continuation = coarse_to_fine();
    const auto four = make_local_team(4);
    auto whole = scene().fit(o, *four, {mesh_of(4)});
    for (int i = 0; i < iterations; ++i) whole.iterate();

    auto first = scene().fit(o, *four, {mesh_of(4)});
    first.iterate();
    int batches = 0;
    EXPECT_FALSE(first.iterate([&] { return ++batches == 3; }).whole);
    // Goes on elsewhere, with another team.
    const auto object = stitched(first, scene().object());
    const auto six = make_local_team(6);
    auto second = scene().fit(o, *six, {mesh_of(6)}, object, first.probe());
    second.restore(first.numbers());
    EXPECT_TRUE(second.iterate().whole);
    second.iterate();
    EXPECT_LT(apart(stitched(second, scene().object()), stitched(whole, scene().object())), 1e-12);
  }
}

TEST(Sharing, AStopThatComesWhileABatchIsComputedEndsThatBatch) {
  const auto o = options(5);
  const auto team = make_local_team(4);
  auto fit = scene().fit(o, *team, {mesh_of(4)});
  std::atomic<bool> asked = false;
  scene().when_loaded = [&](i64) { asked = true; };
  EXPECT_FALSE(fit.iterate([&] { return asked.load(); }).whole);
  scene().when_loaded = {};
  EXPECT_EQ(fit.numbers().at("group"), 1);
}

}  // namespace
}  // namespace ptyle
