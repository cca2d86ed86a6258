// Run by mpirun on any number of ranks: a fit whose arrays live on an emulated GPU, a tile a
// process, against the host's fit of all tiles in one process.

#include <gtest/gtest.h>

#include "device/emulated/arithmetic.hpp"
#include "exchange/mpi/team.hpp"
#include "operator/emulated/operator.hpp"
#include "solver/shared_fit.hpp"
#include "solver/variables/position_options.hpp"

namespace ptyle {
namespace {

using test::fitted;
using test::iterations;
using test::mesh_of;
using test::options;
using test::scene;

MpiWorld* world = nullptr;

/// The largest difference on this rank's core from the object that one process finds, relative to
/// that one's largest phase; and of the probe, relative to its largest amplitude.
std::array<double, 2> apart_from_one_process(const FitOptions& o, const Sharing& sharing,
                                             bool operator_too) {
  const Array<double, 3> whole = fitted(o, sharing);
  const auto local = make_local_team(world->size());
  auto here = scene().fit(o, *local, sharing);
  // Only an operator that is there too waits for what is there.
  emulated::Gpu gpu(
      {.guarded = operator_too,
       .order = operator_too ? emulated::Order::others_first : emulated::Order::at_once});
  scene().make_arithmetic = [&] { return make_emulated_arithmetic<double>(gpu); };
  if (operator_too)
    scene().make_operator = [&](const OperatorSetup& setup) {
      return make_emulated_operator<double>(setup, gpu, nullptr, {});
    };
  const auto team = make_mpi_team(*world);
  std::array<double, 2> most{};
  {
    auto there = scene().fit(o, *team, sharing);
    scene().make_arithmetic = {};
    scene().make_operator = {};
    for (int i = 0; i < iterations; ++i) {
      here.iterate();
      there.iterate();
    }
    const Tile& tile = there.tiles().front();
    const auto phase = there.arithmetic().on_host(there.state().field("phase").on(0));
    const Box object = scene().object();
    for (i64 s = 0; s < whole.shape()[0]; ++s)
      for (i64 y = tile.core.rows.begin; y < tile.core.rows.end; ++y)
        for (i64 x = tile.core.cols.begin; x < tile.core.cols.end; ++x)
          most[0] = std::max(
              most[0], std::abs(phase.view(s, y - tile.box.rows.begin, x - tile.box.cols.begin) -
                                whole(s, y - object.rows.begin, x - object.cols.begin)));
    double largest = 0;
    const auto probe = there.probe(), expected = here.probe();
    for (i64 i = 0; i < probe.size(); ++i) {
      most[1] = std::max(most[1], std::abs(probe.data[i] - expected.data[i]));
      largest = std::max(largest, std::abs(expected.data[i]));
    }
    most[0] /= test::largest(whole);
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

}  // namespace
}  // namespace ptyle

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  ptyle::MpiWorld started(argc, argv);
  ptyle::world = &started;
  if (started.rank() != 0) testing::FLAGS_gtest_brief = true;  // failures alone
  return RUN_ALL_TESTS();
}
