// Run by mpirun on any number of ranks: a fit whose arrays live on an emulated GPU, a tile a
// process, against the host's fit of all tiles in one process.

#include <gtest/gtest.h>

#include <optional>

#include "exchange/mpi/team.hpp"
#include "solver/on_gpu.hpp"
#include "solver/shared_fit.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/wander.hpp"

namespace ptyle {
namespace {

using test::fitted;
using test::iterations;
using test::mesh_of;
using test::options;
using test::scene;

MpiWorld* world = nullptr;

/// The largest difference on this rank's core from a whole object, relative to that one's largest
/// phase.
double apart_on_core(const Fit<double>& fit, const Array<double, 3>& whole, const Box& object) {
  const Tile& tile = fit.tiles().front();
  const auto phase = fit.arithmetic().on_host(fit.state().field("phase").on(0));
  double most = 0;
  for (i64 s = 0; s < whole.shape()[0]; ++s)
    for (i64 y = tile.core.rows.begin; y < tile.core.rows.end; ++y)
      for (i64 x = tile.core.cols.begin; x < tile.core.cols.end; ++x)
        most = std::max(most,
                        std::abs(phase.view(s, y - tile.box.rows.begin, x - tile.box.cols.begin) -
                                 whole(s, y - object.rows.begin, x - object.cols.begin)));
  return most / test::largest(whole);
}

/// That from the object that one process finds; and of the probe, relative to its largest
/// amplitude.
std::array<double, 2> apart_from_one_process(const FitOptions& o, const Sharing& sharing,
                                             bool operator_too) {
  const Array<double, 3> whole = fitted(o, sharing);
  const auto local = make_local_team(world->size());
  auto here = scene().fit(o, *local, sharing);
  // Only an operator that is there too waits for what is there.
  const test::OnGpu gpu(operator_too, {.guarded = operator_too,
                                       .order = operator_too ? emulated::Order::others_first
                                                             : emulated::Order::at_once});
  const auto team = make_mpi_team(*world);
  std::array<double, 2> most{};
  {
    auto there = scene().fit(o, *team, sharing);
    for (int i = 0; i < iterations; ++i) {
      here.iterate();
      there.iterate();
    }
    most[0] = apart_on_core(there, whole, scene().object());
    double largest = 0;
    const auto probe = there.probe(), expected = here.probe();
    for (i64 i = 0; i < probe.size(); ++i) {
      most[1] = std::max(most[1], std::abs(probe.data[i] - expected.data[i]));
      largest = std::max(largest, std::abs(expected.data[i]));
    }
    most[1] /= largest;
  }
  return most;
}

// FFTW times its plans in each process, so that ranks' FFTs may differ in rounding as those of
// other operators do.
constexpr double rounding = test::rounding_of_operators;

TEST(MpiFitOnGpu, IsThatOfOneProcess) {
  for (const bool direct : {false, true})
    for (const Scheme scheme : {Scheme::owner, Scheme::separable, Scheme::passes}) {
      world->take_device_memory(direct);
      const auto most = apart_from_one_process(options(5), {mesh_of(world->size()), scheme}, false);
      EXPECT_LT(most[0], rounding) << name_of(scheme) << direct;
      EXPECT_LT(most[1], rounding) << name_of(scheme) << direct;
    }
  world->take_device_memory(false);
}

TEST(MpiFitOnGpu, WithItsOperatorAndAnExchangeBehind) {
  for (const bool behind : {false, true}) {
    auto o = options(5);
    o.exchange_behind = behind;
    const auto most = apart_from_one_process(o, {mesh_of(world->size()), Scheme::owner}, true);
    EXPECT_LT(most[0], rounding) << behind;
    EXPECT_LT(most[1], rounding) << behind;
  }
}

/// Steps follow from quotients of dot products, which make more of the operators' rounding.
TEST(MpiFitOnGpu, WithRulesThatRemember) {
  for (const RuleChoice rule :
       {RuleChoice::lbfgs, RuleChoice::gauss_newton, RuleChoice::momentum, RuleChoice::adam}) {
    const bool whole = rule == RuleChoice::lbfgs || rule == RuleChoice::gauss_newton;
    auto o = options(whole ? 1 : 5);
    o.parts.of<RuleOptions>().rule = rule;
    const auto most = apart_from_one_process(o, {mesh_of(world->size())}, false);
    EXPECT_LT(most[0], 100 * rounding) << word_of(rule);
    EXPECT_LT(most[1], 100 * rounding) << word_of(rule);
  }
}

TEST(MpiFitOnGpu, WithPositionsThatMove) {
  constexpr i64 room = 4;
  auto o = options(5);
  o.parts.of<PositionOptions>() = {
      .refine = Switch::on, .start = 1, .largest_move = test::FitScene::pixel * room};
  const Sharing sharing{mesh_of(world->size(), Halo::of(test::FitScene::window / 2 + room))};
  const auto most = apart_from_one_process(o, sharing, true);
  EXPECT_LT(most[0], rounding);
  EXPECT_LT(most[1], rounding);
}

/// Patterns of this rank alone, as floats, which go where their positions go.
class OwnPatterns {
 public:
  static constexpr i64 n = test::FitScene::window * test::FitScene::window;

  void take_over(FitData<double>& data, const std::vector<i64>& own) {
    for (const i64 i : own) {
      std::vector<double> all(n);
      data.load(i, all.data());
      held[i].assign(all.begin(), all.end());
    }
    data.load = [this](i64 i, double* to) { std::copy(held.at(i).begin(), held.at(i).end(), to); };
    data.raw = [this](i64 i) { return RawPattern{held.at(i).data(), PatternType::float32, 0, i}; };
    data.hands = {n * sizeof(float), [this](i64 i) { return held.at(i).data(); },
                  [this](i64 i) { return held.try_emplace(i, n).first->second.data(); },
                  [this](i64 i) { held.erase(i); }};
  }
  std::map<i64, std::vector<float>> held;
};

FitOptions wandering() {
  auto o = options(4);
  o.parts.add<test::WanderOptions>();
  return o;
}

/// 8 × 8 positions, of whose patterns only the floats are known.
const test::FitScene& wanderers() {
  static const test::FitScene one(0, {8, 2.5, 4});
  one.spoil = [](i64, double* pattern) {
    std::transform(pattern, pattern + OwnPatterns::n, pattern,
                   [](double v) { return static_cast<float>(v); });
  };
  return one;
}
Mesh mesh_of_wanderers() {
  const Halo exact = Halo::exact(test::FitScene::window);
  return wanderers().mesh(world->size()).with_halo({exact.before + 1, exact.after + 1});
}

Fit<double> wandering_fit(Team& team, OwnPatterns& patterns) {
  const auto own = assign(mesh_of_wanderers(), wanderers().centres());
  wanderers().change_data = [&](FitData<double>& data) {
    patterns.take_over(data, own[static_cast<std::size_t>(world->rank())]);
  };
  auto fit = wanderers().fit(wandering(), team, {mesh_of_wanderers()});
  wanderers().change_data = {};
  return fit;
}

/// All of them are some rank's, and each rank has the patterns of its own and no other.
void expect_patterns_of_own(Team& team, const Fit<double>& fit, const OwnPatterns& patterns) {
  const auto& own = fit.tiles().front().own;
  ASSERT_EQ(own.size(), patterns.held.size());
  std::vector<double> owners(64, 0.0);
  for (const i64 i : own) {
    EXPECT_EQ(patterns.held.count(i), 1U);
    owners[static_cast<std::size_t>(i)] = 1;
  }
  team.sum(owners);
  EXPECT_EQ(owners, std::vector<double>(64, 1.0));
}

TEST(MpiHandOver, PatternsGoWithTheirPositions) {
  const auto alone = make_local_team();
  auto one = wanderers().fit(wandering(), *alone, {wanderers().mesh(1)});
  for (int i = 0; i < 4; ++i) one.iterate();
  const auto whole = test::stitched(one, wanderers().object());
  for (const bool on_gpu : {false, true}) {
    // Copies are as late as they may be: a pattern's memory must not go before.
    std::optional<test::OnGpu> gpu;
    if (on_gpu)
      gpu.emplace(true, emulated::Gpu::Properties{.order = emulated::Order::as_needed},
                  wanderers());
    const auto team = make_mpi_team(*world);
    {
      OwnPatterns patterns;
      auto fit = wandering_fit(*team, patterns);
      for (int i = 0; i < 4; ++i) {
        fit.iterate();
        expect_patterns_of_own(*team, fit, patterns);
      }
      EXPECT_LT(apart_on_core(fit, whole, wanderers().object()), rounding);
      const HandedOver here = fit.handed_over();
      std::vector<double> all{double(here.came), double(here.went)};
      team->sum(all);
      EXPECT_EQ(all[0], all[1]);
      EXPECT_EQ(all[0] > 0, world->size() > 1);
    }
  }
}

}  // namespace
}  // namespace ptyle

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  ptyle::MpiWorld started(argc, argv);
  ptyle::world = &started;
  if (started.rank() != 0) testing::FLAGS_gtest_brief = true;  // failures alone
  return RUN_ALL_TESTS();
}
