// A fit whose arrays live on an emulated GPU against the host's.

#include <gtest/gtest.h>

#include "device/gpu.hpp"
#include "solver/on_gpu.hpp"
#include "solver/shared_fit.hpp"

namespace ptyle {
namespace {

using test::apart;
using test::coarse_to_fine;
using test::fitted;
using test::mesh_of;
using test::OnGpu;
using test::options;
using test::rounding_of_operators;
using test::scene;

Array<double, 3> fitted_there(const FitOptions& o, const Sharing& sharing,
                              bool operator_too = false,
                              const emulated::Gpu::Properties& properties = {}) {
  const OnGpu there(operator_too, properties);
  return fitted(o, sharing);
}

/// Voxels are the same operations on both; only sums over voxels, which decide on step sizes, are
/// in another order: some 1e-16 of the largest, times at most a few each step.
constexpr double rounding = 1e-12;

struct Case {
  Scheme scheme;
  int ranks;
};
void PrintTo(const Case& c, std::ostream* out) { *out << name_of(c.scheme) << " " << c.ranks; }

class OnGpuAsOnHost : public testing::TestWithParam<Case> {
 protected:
  Sharing sharing() const {
    const bool voxels = !sum_kind(GetParam().scheme);
    return {voxels ? mesh_of(GetParam().ranks, Halo::of(12)) : mesh_of(GetParam().ranks),
            GetParam().scheme};
  }
  bool voxels() const { return !sum_kind(GetParam().scheme); }
  void compare(FitOptions o) const {
    if (voxels()) o.extra = 4;
    EXPECT_LT(apart(fitted_there(o, sharing()), fitted(o, sharing())), rounding);
  }
};

TEST_P(OnGpuAsOnHost, Batches) { compare(options(5)); }

TEST_P(OnGpuAsOnHost, CoarseToFineAndBlur) {
  auto o = options(5);
  o.continuation = coarse_to_fine();
  o.parts.of<BlurOptions>() = {.lateral = 0.5, .along_z = 0.5};
  o.hold_out = 0.1;
  o.phase_min = 0;
  compare(o);
}

class SumsOnGpuAsOnHost : public OnGpuAsOnHost {};

TEST_P(SumsOnGpuAsOnHost, StepsBetweenExchanges) {
  for (const bool behind : {false, true}) {
    auto o = options(5);
    o.local_positions = behind ? 0 : 2;
    o.exchange_behind = behind;
    compare(o);
  }
}

TEST_P(SumsOnGpuAsOnHost, LiteralAndWithoutPreconditioner) {
  auto o = options(5);
  o.update = Update::literal;
  o.parts.of<RuleOptions>().step = 0.05;
  compare(o);
  o = options(3);
  o.parts.of<RuleOptions>().preconditioner = PreconditionerChoice::none;
  compare(o);
}

std::vector<Case> sums() {
  std::vector<Case> all{{Scheme::owner, 1}, {Scheme::allreduce, 2}};
  for (const Scheme scheme : {Scheme::owner, Scheme::separable, Scheme::passes})
    for (const int ranks : {2, 4, 6}) all.push_back({scheme, ranks});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Sums, OnGpuAsOnHost, testing::ValuesIn(sums()));
INSTANTIATE_TEST_SUITE_P(Sums, SumsOnGpuAsOnHost, testing::ValuesIn(sums()));
INSTANTIATE_TEST_SUITE_P(Voxels, OnGpuAsOnHost,
                         testing::Values(Case{Scheme::voxel, 4}, Case{Scheme::voxel_average, 4},
                                         Case{Scheme::voxel_crossfade, 4}, Case{Scheme::none, 4}));

TEST(OnGpu, TheOperatorTooGivesTheSame) {
  auto o = options(5);
  o.hold_out = 0.1;
  o.hold_out_pixels = 0.1;
  for (const int ranks : {1, 4}) {
    const Sharing sharing{mesh_of(ranks), Scheme::owner};
    EXPECT_LT(apart(fitted_there(o, sharing, true), fitted(o, sharing)), rounding_of_operators);
  }
  const Sharing one{mesh_of(1)};
  {
    const test::SeveralModes several;
    EXPECT_LT(apart(fitted_there(o, one, true), fitted(o, one)), rounding_of_operators);
  }
  o.continuation = coarse_to_fine();
  EXPECT_LT(apart(fitted_there(o, one, true), fitted(o, one)), rounding_of_operators);
}

/// Where the step is known and there is one rank, nothing is reported to the host in between.
TEST(OnGpu, BatchesAreNotWaitedFor) {
  const auto waits = [](i64 batches) {
    auto o = options(2);
    o.parts.of<RuleOptions>().step = 0.3;
    o.batches = batches;
    const OnGpu there(true, {.order = emulated::Order::as_needed});
    fitted(o, {mesh_of(1)});
    return there.gpu.waits();
  };
  EXPECT_EQ(waits(3), waits(9));
}

// With the operator on the GPU too, as the host's does not wait for what it reads there.
TEST(OnGpu, TheOrderOfThreadsAndStreamsChangesNoBit) {
  const auto expect_same = [](const FitOptions& o, const Sharing& sharing) {
    const auto at_once = fitted_there(o, sharing, true);
    for (const auto order : {emulated::Order::as_needed, emulated::Order::others_first}) {
      const bool backwards = order == emulated::Order::as_needed;
      const auto late = fitted_there(o, sharing, true, {.backwards = backwards, .order = order});
      EXPECT_EQ(apart(late, at_once), 0) << name_of(sharing.scheme) << int(order);
    }
  };
  auto o = options(5);
  o.parts.of<BlurOptions>().lateral = 0.5;
  o.hold_out = 0.1;
  expect_same(o, {mesh_of(1), Scheme::owner});
  expect_same(o, {mesh_of(4), Scheme::separable, 1});
  o.local_positions = 2;
  expect_same(o, {mesh_of(4), Scheme::owner});
  o.local_positions = 0;
  o.exchange_behind = true;
  for (const Scheme scheme : {Scheme::owner, Scheme::separable})
    expect_same(o, {mesh_of(4), scheme, 1});
  o.exchange_behind = false;
  o.extra = 4;
  expect_same(o, {mesh_of(4, Halo::of(16)), Scheme::voxel_crossfade});
}

TEST(OnGpu, TheHostTouchesNothingThere) {
  const OnGpu there(true, {.guarded = true, .order = emulated::Order::as_needed});
  for (const Scheme scheme :
       {Scheme::owner, Scheme::separable, Scheme::voxel_crossfade, Scheme::allreduce}) {
    auto o = options(2);
    o.parts.of<BlurOptions>() = {.lateral = 0.5, .along_z = 0.5};
    o.hold_out = 0.1;
    o.hold_out_pixels = 0.1;
    if (!sum_kind(scheme)) o.extra = 4;
    const Sharing sharing{mesh_of(4, Halo::of(16)), scheme};
    fitted(o, sharing);
    if (!sum_kind(scheme)) continue;
    o.local_positions = 2;
    fitted(o, sharing);
    o.local_positions = 0;
    o.exchange_behind = true;
    o.continuation = coarse_to_fine();
    fitted(o, sharing);
  }
}

TEST(OnGpu, ArraysLiveThereAndAreAccounted) {
  const OnGpu there;
  auto fit = scene().fit(options(5));
  EXPECT_TRUE(there.gpu.holds(fit.state().field("phase").on(0).data));
  EXPECT_TRUE(there.gpu.holds(fit.state().field("gradient.phase").on(0).data));
  EXPECT_FALSE(there.gpu.holds(fit.probe().data));
  const auto before = converted<Complex<double>, Complex<double>, 3>(fit.probe());
  fit.iterate();
  EXPECT_FALSE(std::equal(before.begin(), before.end(), fit.probe().begin()));
  const std::size_t volume =
      static_cast<std::size_t>(fit.state().field("phase").on(0).size()) * sizeof(double);
  std::size_t object = 0, gradient = 0;
  for (const auto& entry : there.ledger.entries()) {
    if (entry.name == "object") object = entry.now;
    if (entry.name == "gradient") gradient = entry.now;
  }
  // Its rim is reached by no window: a byte for each pixel says so.
  EXPECT_EQ(object, volume + volume / sizeof(double) / test::FitScene::slices);
  EXPECT_GT(gradient, volume);
}

// At equal seeds and batches: in double by cuFFT, whose last bits are another library's, and with
// products and sums that nvcc fuses: three times the differences of the host's operators.
TEST(OnCuda, AFitGivesTheSameAsOnTheHost) {
  if (find_gpus().gpus.empty()) GTEST_SKIP() << "no GPU";
  const auto gpu = open_gpu(0);
  for (const bool coarse : {false, true}) {
    auto o = options(5);
    o.hold_out = 0.1;
    o.parts.of<BlurOptions>().lateral = 0.5;
    if (coarse) o.continuation = coarse_to_fine();
    const Sharing one{mesh_of(1)};
    const auto on_host = fitted(o, one);
    scene().make_arithmetic = [&] { return make_gpu_arithmetic<double>(*gpu); };
    scene().make_operator = [&](const OperatorSetup& setup) {
      return make_gpu_operator<double>(setup, *gpu);
    };
    const auto there = fitted(o, one);
    scene().make_arithmetic = {};
    scene().make_operator = {};
    EXPECT_LT(apart(there, on_host), 3 * rounding_of_operators);
  }
}

TEST(OnGpu, TooLittleMemoryIsTheUsersToKnow) {
  const OnGpu there(false, {.memory = 10000});
  EXPECT_THROW((void)scene().fit(options(5)), UserError);
}

}  // namespace
}  // namespace ptyle
