// Policies that save memory: the same gradients, and as many bytes as foretold.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "backends.hpp"
#include "scene.hpp"

namespace ptyle::test {
namespace {

template <class Backend>
class Policies : public BackendTest<Backend> {
 protected:
  using T = typename Backend::T;

  static Sums<T> gradient(const Scene<T>& scene, const CpuOptions& options, int threads = 1,
                          Ledger* ledger = nullptr) {
    const auto op = make_cpu_operator<T>(scene.setup, threads, ledger, Backend::options(options));
    scene.load(*op);
    Sums<T> sums(scene);
    const Wanted wanted = everything.with(Part::propagator, scene.setup.fits_propagator);
    op->gradient(scene.places, scene.source(), wanted, sums.view());
    return sums;
  }
  static bool same_bits(const Sums<T>& a, const Sums<T>& b) {
    return std::equal(a.phase.begin(), a.phase.end(), b.phase.begin()) &&
           std::equal(a.absorption.begin(), a.absorption.end(), b.absorption.begin()) &&
           std::equal(a.illumination.begin(), a.illumination.end(), b.illumination.begin()) &&
           std::equal(a.probe.begin(), a.probe.end(), b.probe.begin());
  }
};
TYPED_TEST_SUITE(Policies, CpuBackends, BackendName);

// Waves made again are the same waves.
TYPED_TEST(Policies, CheckpointsChangeNothing) {
  using T = typename TypeParam::T;
  const auto scene = in_precision<T>(make_scene({.window = TypeParam::window(16),
                                                 .slices = 7,
                                                 .modes = 2,
                                                 .absorption = true,
                                                 .band_limit = 2.0 / 3},
                                                71));
  const auto stored = this->gradient(scene, {});
  for (const i64 k : {1, 2, 3, 4, 6, 7, 100})
    EXPECT_TRUE(this->same_bits(
        this->gradient(scene, {.waves = WaveStorage::checkpoint, .checkpoint = k}), stored))
        << "k = " << k;
}

// More than 16 MB of waves are stored past the caches, in checkpoints' runs they are not.
TYPED_TEST(Policies, WavesStoredPastTheCachesAreTheSame) {
  using T = typename TypeParam::T;
  const auto scene =
      in_precision<T>(make_scene({.window = 512, .slices = 9, .positions = 1}, 76));  // 9 · 2.1 MB
  EXPECT_TRUE(
      this->same_bits(this->gradient(scene, {.waves = WaveStorage::checkpoint, .checkpoint = 2}),
                      this->gradient(scene, {})));
}

TYPED_TEST(Policies, RecomputedWavesAreTheSameToRounding) {
  using T = typename TypeParam::T;
  for (const i64 slices : {1, 2, 6}) {
    const auto scene = in_precision<T>(
        make_scene({.window = TypeParam::window(18), .slices = slices, .modes = 2}, 72));
    const auto stored = this->gradient(scene, {});
    const auto again = this->gradient(scene, {.waves = WaveStorage::recompute});
    const double allowed = tolerance<T>(scene.setup);
    EXPECT_LT(relative_difference(again.phase, stored.phase), allowed);
    EXPECT_LT(relative_difference(again.probe, stored.probe), allowed);
    EXPECT_LT(relative_difference(again.illumination, stored.illumination), allowed);
    EXPECT_FALSE(slices > 1 && this->same_bits(again, stored)) << "nothing was recomputed";
  }
}

/// A voxel has the same bits wherever it stands in what is computed at once.
TYPED_TEST(Policies, TransmissionAsNeededIsTheSame) {
  using T = typename TypeParam::T;
  for (const bool absorption : {false, true}) {
    const auto scene = in_precision<T>(
        make_scene({.window = TypeParam::window(20), .slices = 3, .absorption = absorption}, 73));
    const auto copied = this->gradient(scene, {});
    const auto needed = this->gradient(scene, {.copy_transmission = false});
    EXPECT_TRUE(this->same_bits(needed, copied));
  }
}

TYPED_TEST(Policies, WavesThatDoNotKeepTheirNormAreNotRecomputed) {
  using T = typename TypeParam::T;
  const CpuOptions recompute = TypeParam::options({.waves = WaveStorage::recompute});
  const auto absorbing = make_scene({.window = TypeParam::window(16), .absorption = true}, 74);
  EXPECT_THROW(make_cpu_operator<T>(absorbing.setup, 1, nullptr, recompute), std::invalid_argument);
  const auto limited = make_scene({.window = TypeParam::window(16), .band_limit = 2.0 / 3}, 75);
  EXPECT_THROW(make_cpu_operator<T>(limited.setup, 1, nullptr, recompute), std::invalid_argument);
  const auto unitary = make_scene({.window = TypeParam::window(16)}, 75);
  const auto op = make_cpu_operator<T>(unitary.setup, 1, nullptr, recompute);
  EXPECT_THROW(op->set_propagator(limited.setup.propagator), std::invalid_argument);
  op->set_propagator(unitary.setup.propagator);
}

// ∂f/∂P* is the same however waves are kept, on any number of threads, beside all other parts.
TYPED_TEST(Policies, PropagatorGradientIsTheSame) {
  using T = typename TypeParam::T;
  const auto scene = in_precision<T>(make_scene({.window = TypeParam::window(16),
                                                 .slices = 7,
                                                 .modes = 2,
                                                 .positions = 5,
                                                 .fits_propagator = true},
                                                79));
  const auto gradient = [&](const CpuOptions& options, Wanted wanted, int threads) {
    const auto op =
        make_cpu_operator<T>(scene.setup, threads, nullptr, TypeParam::options(options));
    scene.load(*op);
    Sums<T> sums(scene);
    op->gradient(scene.places, scene.source(), wanted, sums.view());
    return sums;
  };
  const Wanted alone{Part::propagator};
  const auto stored = gradient({}, everything.with(Part::propagator), 1),
             plain = gradient({}, everything, 1);
  EXPECT_EQ(relative_difference(gradient({}, alone, 2).propagator, stored.propagator), 0);
  EXPECT_TRUE(this->same_bits(stored, plain));
  for (const i64 k : {1, 2, 3, 4, 6, 100})
    EXPECT_EQ(
        relative_difference(
            gradient({.waves = WaveStorage::checkpoint, .checkpoint = k}, alone, 2).propagator,
            stored.propagator),
        0)
        << "k = " << k;
  const auto again = gradient({.waves = WaveStorage::recompute}, alone, 2);
  EXPECT_LT(relative_difference(again.propagator, stored.propagator), tolerance<T>(scene.setup));
}

std::map<std::string, std::size_t> by_name(const std::vector<Ledger::Entry>& entries) {
  std::map<std::string, std::size_t> bytes;
  for (const auto& entry : entries)
    if (entry.at_peak > 0) bytes[entry.name] = entry.at_peak;
  return bytes;
}

// Modes mix to the same at a position however its waves are kept.
TYPED_TEST(Policies, MixedModesAreTheSame) {
  using T = typename TypeParam::T;
  const auto scene = in_precision<T>(
      make_scene({.window = TypeParam::window(16), .slices = 4, .modes = 2, .basis = 3}, 78));
  const auto all = everything.with(Part::shift).with(Part::coefficients);
  const auto gradient = [&](const CpuOptions& options) {
    const auto op = make_cpu_operator<T>(scene.setup, 2, nullptr, TypeParam::options(options));
    scene.load(*op);
    Sums<T> sums(scene);
    op->gradient(scene.places, scene.source(), all, sums.view());
    return sums;
  };
  const auto stored = gradient({}), some = gradient({WaveStorage::checkpoint, 2, false}),
             none = gradient({.waves = WaveStorage::recompute});
  const double allowed = tolerance<T>(scene.setup);
  for (const Sums<T>* again : {&some, &none}) {
    EXPECT_LT(relative_difference(again->phase, stored.phase), allowed);
    EXPECT_LT(relative_difference(again->probe, stored.probe), allowed);
    EXPECT_LT(relative_difference(again->shift, stored.shift), allowed);
    EXPECT_LT(relative_difference(again->coefficients, stored.coefficients), allowed);
  }
}

// Few positions and many, more threads than slices and fewer; with modes mixed where absorbing.
TYPED_TEST(Policies, MemoryIsForetold) {
  using T = typename TypeParam::T;
  for (const bool absorption : {false, true})
    for (const int threads : {1, 2, 4})
      for (const bool copy : {false, true})
        for (const CpuOptions waves :
             {CpuOptions{}, CpuOptions{.waves = WaveStorage::recompute},
              CpuOptions{.waves = WaveStorage::checkpoint, .checkpoint = 2}}) {
          if (absorption && waves.waves == WaveStorage::recompute) continue;
          CpuOptions options = waves;
          options.copy_transmission = copy;
          SCOPED_TRACE(testing::Message() << describe(options) << ", " << threads << " threads");
          const auto scene = in_precision<T>(make_scene({.window = TypeParam::window(16),
                                                         .slices = 3,
                                                         .modes = 2,
                                                         .absorption = absorption,
                                                         .positions = 40,
                                                         .basis = absorption ? 3 : 0,
                                                         .fits_propagator = copy},
                                                        76));
          Ledger ledger;
          this->gradient(scene, options, threads, &ledger);
          auto foretold = by_name(cpu_operator_memory<T>(scene.setup, threads, scene.phase.shape(),
                                                         TypeParam::options(options)));
          foretold["gradient patches"] += static_cast<std::size_t>(
              cpu_call_memory<T>(scene.setup, TypeParam::options(options)));
          auto booked = by_name(ledger.entries());
          // A thread that came too late for every position has no waves.
          EXPECT_LE(booked["waves"], foretold["waves"]);
          EXPECT_EQ(foretold["waves"] % threads, 0u);
          EXPECT_EQ(booked["waves"] % (foretold["waves"] / threads), 0u);
          EXPECT_LE(booked["gradient patches"], foretold["gradient patches"]);
          if (threads > 1)
            for (const char* name : {"waves", "gradient patches"})
              foretold.erase(name), booked.erase(name);
          EXPECT_EQ(booked, foretold);
        }
}

// All calls after a gradient make do with what that has left, but for a change of the probe; and a
// thread that asks for waves at the detector takes a workspace that is there.
TYPED_TEST(Policies, OtherCallsTakeNoMore) {
  using T = typename TypeParam::T;
  for (const CpuOptions waves : {CpuOptions{}, CpuOptions{.waves = WaveStorage::recompute},
                                 CpuOptions{.waves = WaveStorage::checkpoint, .checkpoint = 2}})
    for (const bool products : {false, true}) {
      SCOPED_TRACE(testing::Message() << describe(waves) << (products ? ", with products" : ""));
      const CpuOptions options = TypeParam::options(waves);
      auto scene = in_precision<T>(make_scene(
          {.window = TypeParam::window(16), .slices = 3, .modes = 2, .positions = 3}, 77));
      scene.setup.products = products;
      Ledger ledger;
      const auto op = make_cpu_operator<T>(scene.setup, 1, &ledger, options);
      scene.load(*op);
      Sums<T> sums(scene);
      Array<Complex<T>, 3> wave(scene.probe.shape());
      const auto kept = [&] {
        std::size_t bytes = 0;
        for (const auto& entry :
             cpu_operator_memory<T>(scene.setup, 1, scene.phase.shape(), options))
          bytes += entry.now;
        return bytes;
      };
      op->gradient(scene.places, scene.source(), everything, sums.view());
      op->forward(scene.places[0], wave);
      const ObjectView<T> direction{std::as_const(scene.phase).view(), {}};
      static_cast<void>(op->curvature(scene.places, direction, scene.probe));
      if (products)
        op->gauss_newton_product(scene.places, direction, scene.probe,
                                 {.phase = sums.view().phase,
                                  .absorption = {},
                                  .illumination = {},
                                  .probe = sums.view().probe});
      EXPECT_EQ(ledger.now(), kept());
      // A product has both, the change's spectra and the sum of the probe's gradient.
      const auto call = static_cast<std::size_t>(cpu_call_memory<T>(scene.setup, options));
      EXPECT_EQ(ledger.peak(), kept() + (products ? 2 : 1) * call);
    }
}

std::size_t bytes_of(const OperatorSetup& setup, const std::array<i64, 3>& object,
                     const CpuOptions& options) {
  std::size_t total = 0;
  for (const auto& entry : cpu_operator_memory<float>(setup, 1, object, options))
    total += entry.now;
  return total;
}

TEST(ChosenPolicies, AreTheQuickestThatFit) {
  auto scene = make_scene({.window = 32, .slices = 25, .modes = 3}, 77);
  const auto shape = scene.phase.shape();
  const CpuOptions all{}, no_copy{.copy_transmission = false},
      five{.waves = WaveStorage::checkpoint, .checkpoint = 5},
      five_no_copy{WaveStorage::checkpoint, 5, false},
      again_no_copy{WaveStorage::recompute, 1, false};
  for (const CpuOptions& fits : {all, no_copy, five, five_no_copy, again_no_copy}) {
    const std::size_t budget = bytes_of(scene.setup, shape, fits);
    const auto chosen = choose_cpu_options<float>(scene.setup, 1, shape, budget);
    EXPECT_LE(bytes_of(scene.setup, shape, chosen), budget) << describe(fits);
  }
  const auto chosen = [&](std::size_t bytes) {
    return describe(choose_cpu_options<float>(scene.setup, 1, shape, bytes));
  };
  EXPECT_EQ(chosen(bytes_of(scene.setup, shape, all)), "store");
  EXPECT_EQ(chosen(bytes_of(scene.setup, shape, all) - 1), "store, transmission as needed");
  EXPECT_EQ(chosen(bytes_of(scene.setup, shape, no_copy) - 1), "checkpoint 5");
  EXPECT_EQ(chosen(bytes_of(scene.setup, shape, five_no_copy)),
            "checkpoint 5, transmission as needed");
  EXPECT_EQ(chosen(0), "recompute, transmission as needed");
  scene.setup.absorption = true;
  EXPECT_EQ(chosen(0), "checkpoint 5, transmission as needed");
}

// Large Lead Titanate on 4158 ranks: a rank's part of the operator, in the little that the others
// leave of 0.06 GB.
TEST(ChosenPolicies, SmallRankOfManyFits) {
  OperatorSetup setup;
  setup.window = 256;
  setup.slices = 100;
  const auto options = choose_cpu_options<float>(setup, 1, {100, 149, 149}, 25'000'000);
  EXPECT_LE(bytes_of(setup, {100, 149, 149}, options), 25'000'000u);
  EXPECT_EQ(describe(options), "checkpoint 10, transmission as needed");
}

}  // namespace
}  // namespace ptyle::test
