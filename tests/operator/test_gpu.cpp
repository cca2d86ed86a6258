// Only the operator on a GPU has these: batches, patterns that stay, arrays on the device, and the
// maps of threads to values. All on an emulated GPU.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "backends.hpp"
#include "operator/cuda/plan.hpp"
#include "operator/cuda/sweeps.hpp"
#include "operator/cuda/tickets.hpp"
#include "scene.hpp"
#include "sums.hpp"

namespace ptyle::test {
namespace {

OperatorSetup setup_of(i64 window, i64 slices = 2) {
  OperatorSetup setup;
  setup.window = window;
  setup.slices = slices;
  return setup;
}

GpuFacts facts(std::size_t free, std::size_t shared_limit, std::size_t l2, bool clusters) {
  GpuFacts gpu;
  gpu.clusters = clusters;
  gpu.free_bytes = free;
  gpu.shared_limit = shared_limit;
  gpu.l2_bytes = l2;
  return gpu;
}

template <class T>
Sums<T> gradient_of(Operator<T>& op, const Scene<T>& scene) {
  scene.load(op);
  Sums<T> sums(scene);
  op.gradient(scene.places, scene.source(), everything, sums.view());
  return sums;
}

Case some(i64 window) {
  return {.window = window, .slices = 3, .modes = 2, .absorption = true, .weights = true};
}

struct Way {
  GpuPath path;
  i64 window;
};
const Way ways[] = {{GpuPath::fft, 18},     {GpuPath::sweeps, 64},  {GpuPath::sweeps, 96},
                    {GpuPath::sweeps, 128}, {GpuPath::sweeps, 192}, {GpuPath::sweeps, 256},
                    {GpuPath::fused, 64},   {GpuPath::fused, 96},   {GpuPath::fused, 192},
                    {GpuPath::fused, 256}};
/// Waves in doubles are twice as large as those that clusters are made for.
constexpr std::size_t for_doubles = 454 << 10;

// Every window that has kernels of its own; the reference's direct sum takes too long here, the CPU
// operator is tested against it.
TEST(GpuOperator, AgreesWithTheCpuAtAllWindows) {
  for (const Way& way : ways) {
    const auto scene = make_scene(some(way.window), 81);
    const auto op = make_emulated_operator<double>(scene.setup, {.path = way.path},
                                                   {.shared_limit = for_doubles});
    const auto cpu = make_cpu_operator<double>(scene.setup, 2);
    expect_close(gradient_of(*op, scene), gradient_of(*cpu, scene), tolerance<double>(scene.setup));
  }
}

// 128² in floats is the largest wave that a block can hold, 256² that a cluster can; in doubles
// they cannot.
TEST(GpuOperator, KeepsWavesOnChipInFloats) {
  for (const i64 window : {128, 192, 256}) {
    const auto exact = make_scene(some(window), 82);
    const auto scene = in_precision<float>(exact);
    const auto op = make_emulated_operator<float>(scene.setup, {.path = GpuPath::fused});
    const auto cpu = make_cpu_operator<float>(scene.setup, 2);
    expect_close(gradient_of(*op, scene), gradient_of(*cpu, scene), tolerance<float>(scene.setup));
    EXPECT_THROW(make_emulated_operator<double>(scene.setup, {.path = GpuPath::fused}), UserError);
  }
  const auto scene = in_precision<float>(make_scene(some(128), 82));
  EXPECT_THROW(make_emulated_operator<float>(scene.setup, {.path = GpuPath::fused},
                                             {.shared_limit = 100 << 10}),
               UserError);
  const auto large = in_precision<float>(make_scene(some(256), 82));
  EXPECT_THROW(
      make_emulated_operator<float>(large.setup, {.path = GpuPath::fused}, {.clusters = false}),
      UserError);
}

// Where the propagator is the same at −ky, blocks keep half of it in shared memory, if there is
// room.
TEST(GpuOperator, IsTheSameWithThePropagatorInSharedMemory) {
  for (const i64 window : {64, 96, 128, 192, 256}) {
    Case c = some(window);
    c.tilted = false;
    const auto scene = in_precision<float>(make_scene(c, 99));
    const auto with_room = [&](std::size_t bytes) {
      const auto op = make_emulated_operator<float>(scene.setup, {.path = GpuPath::fused},
                                                    {.shared_limit = bytes});
      return gradient_of(*op, scene);
    };
    const auto there = with_room(454 << 10);
    EXPECT_TRUE(same_bits(there, with_room(150 << 10)));
    expect_close(there, gradient_of(*make_cpu_operator<float>(scene.setup, 2), scene),
                 tolerance<float>(scene.setup));
  }
}

/// A GPU may do things as late as it likes, in any order that events allow.
const emulated::Order late_orders[] = {emulated::Order::as_needed, emulated::Order::others_first};

// A phase in which a thread reads what another one writes would show in the order of threads; what
// an event should have said, or a copy's source that is gone too early, in that of streams.
TEST(GpuOperator, DoesNotDependOnTheOrderOfThreadsAndStreams) {
  for (const Way& way : ways) {
    const auto scene = make_scene(some(way.window), 83);
    const auto forwards = make_emulated_operator<double>(scene.setup, {.path = way.path},
                                                         {.shared_limit = for_doubles});
    const auto expected = gradient_of(*forwards, scene);
    const auto d = make_direction(scene, 84);
    const double bent = forwards->curvature(scene.places, d.object(), d.probe);
    for (const emulated::Order order : late_orders) {
      const bool backwards = order == emulated::Order::as_needed;
      const auto op = make_emulated_operator<double>(
          scene.setup, {.path = way.path},
          {.shared_limit = for_doubles, .backwards = backwards, .order = order});
      EXPECT_TRUE(same_bits(gradient_of(*op, scene), expected));
      EXPECT_EQ(op->curvature(scene.places, d.object(), d.probe), bent);
    }
  }
}

TEST(GpuOperator, RecomputedWavesAreTheSameToRounding) {
  for (const Way& way : {Way{GpuPath::fft, 15}, Way{GpuPath::sweeps, 64}, Way{GpuPath::sweeps, 96}})
    for (const i64 slices : {1, 2, 5}) {
      const auto scene = make_scene({.window = way.window, .slices = slices, .modes = 2}, 85);
      const auto stored = make_emulated_operator<double>(scene.setup, {.path = way.path});
      const auto again = make_emulated_operator<double>(
          scene.setup, {.waves = WaveStorage::recompute, .path = way.path});
      const auto a = gradient_of(*stored, scene), b = gradient_of(*again, scene);
      expect_close(b, a, tolerance<double>(scene.setup));
      EXPECT_FALSE(slices > 1 && same_bits(a, b)) << "nothing was recomputed";
      const auto d = make_direction(scene, 86);
      EXPECT_NEAR(again->curvature(scene.places, d.object(), d.probe) /
                      stored->curvature(scene.places, d.object(), d.probe),
                  1, tolerance<double>(scene.setup));
    }
}

// On the emulated GPU one window after the other adds, mode by mode.
TEST(GpuOperator, SumsAtOnceAreTheSameToRounding) {
  for (const Way& way : {Way{GpuPath::fft, 15}, Way{GpuPath::sweeps, 64}, Way{GpuPath::fused, 96}})
    for (const bool recompute : {false, true}) {
      if (recompute && way.path == GpuPath::fused) continue;
      Case c = some(way.window);
      c.absorption = !recompute;
      const auto scene = make_scene(c, 95);
      const auto ordered = make_emulated_operator<double>(scene.setup, {.path = way.path});
      const auto at_once = make_emulated_operator<double>(
          scene.setup, {.waves = recompute ? WaveStorage::recompute : WaveStorage::store,
                        .path = way.path,
                        .sums = GpuSums::atomic});
      const auto expected = gradient_of(*ordered, scene);
      expect_close(gradient_of(*at_once, scene), expected, tolerance<double>(scene.setup));
      // Gradients that nobody wants are not touched, and not needed.
      Sums<double> some_sums(scene);
      at_once->gradient(scene.places, scene.source(), {Part::probe, Part::illumination},
                        some_sums.view());
      EXPECT_EQ(dot(some_sums.phase, some_sums.phase), 0);
      EXPECT_LT(relative_difference(some_sums.illumination, expected.illumination),
                tolerance<double>(scene.setup));
      EXPECT_LT(relative_difference(some_sums.probe, expected.probe),
                tolerance<double>(scene.setup));
    }
}

// More windows than a word has bits, and more layers of patches than a block of the gathering
// kernel takes; and what is not wanted is not touched.
TEST(GpuOperator, GathersManyLayersOfManyWindows) {
  for (const i64 window : {18, 64}) {
    Case c = some(window);
    c.slices = 5;
    c.positions = 70;
    const auto scene = make_scene(c, 98);
    const auto op = make_emulated_operator<double>(scene.setup);
    const auto cpu = make_cpu_operator<double>(scene.setup, 2);
    const auto expected = gradient_of(*cpu, scene), all = gradient_of(*op, scene);
    expect_close(all, expected, tolerance<double>(scene.setup));
    const auto only = [&](Wanted wanted) {
      Sums<double> sums(scene);
      op->gradient(scene.places, scene.source(), wanted, sums.view());
      return sums;
    };
    const auto object = only({Part::object});
    EXPECT_EQ(relative_difference(object.phase, all.phase), 0);
    EXPECT_EQ(relative_difference(object.absorption, all.absorption), 0);
    EXPECT_EQ(dot(object.illumination, object.illumination), 0);
    const auto illumination = only({Part::illumination});
    EXPECT_EQ(relative_difference(illumination.illumination, all.illumination), 0);
    EXPECT_EQ(dot(illumination.phase, illumination.phase), 0);
    EXPECT_EQ(dot(illumination.absorption, illumination.absorption), 0);
  }
}

TEST(GpuOperator, RefusesWhatItCannotDo) {
  const auto absorbing = make_scene({.window = 64, .absorption = true}, 87);
  EXPECT_THROW(make_emulated_operator<float>(absorbing.setup, {.waves = WaveStorage::recompute}),
               std::invalid_argument);
  const auto scene = make_scene({.window = 64}, 87);
  EXPECT_THROW(make_emulated_operator<float>(scene.setup, {.waves = WaveStorage::checkpoint}),
               std::invalid_argument);
  const auto limited = make_scene({.window = 64, .band_limit = 2.0 / 3}, 87);
  const auto recomputing =
      make_emulated_operator<float>(scene.setup, {.waves = WaveStorage::recompute});
  EXPECT_THROW(recomputing->set_propagator(limited.setup.propagator), std::invalid_argument);
  recomputing->set_propagator(scene.setup.propagator);
  const auto odd = make_scene({.window = 33}, 87);
  EXPECT_THROW(make_emulated_operator<float>(odd.setup, {.path = GpuPath::sweeps}), UserError);
  EXPECT_THROW(make_emulated_operator<float>(odd.setup, {.path = GpuPath::fused}), UserError);
}

TEST(GpuOperator, AutomaticallyTakesTheFirstWayThatCan) {
  const GpuFacts h100 = facts(0, 227 << 10, 50 << 20, true),
                 a100 = facts(0, 163 << 10, 40 << 20, false),
                 v100 = facts(0, 96 << 10, 6 << 20, false);
  const auto way = [](i64 window, const GpuFacts& gpu, WaveStorage waves = WaveStorage::store) {
    return describe_gpu_path<float>(setup_of(window), gpu, {.waves = waves});
  };
  EXPECT_EQ(way(128, h100), "waves on chip");
  EXPECT_EQ(way(128, v100), "two sweeps a slice");
  EXPECT_EQ(way(96, v100), "waves on chip");
  EXPECT_EQ(way(128, h100, WaveStorage::recompute), "two sweeps a slice");
  EXPECT_EQ(way(256, h100), "waves on chip");
  EXPECT_EQ(way(192, h100), "waves on chip");
  EXPECT_EQ(way(128, a100), "waves on chip");
  EXPECT_EQ(way(256, a100), "two sweeps a slice");
  EXPECT_EQ(way(512, h100), "cuFFT");
  EXPECT_EQ(describe_gpu_path<double>(setup_of(128), h100), "cuFFT");
}

// Memory for one position, for two, for all: the same sums but for the order of additions, and of
// what is a position's own the same bits.
TEST(GpuOperator, BatchesAddUp) {
  for (const Way& way :
       {Way{GpuPath::fft, 18}, Way{GpuPath::sweeps, 64}, Way{GpuPath::fused, 64}}) {
    Case c = some(way.window);
    c.positions = 7;
    c.basis = way.window == 64 ? 3 : 0;
    const auto scene = make_scene(c, 88);
    const gpu::BatchPlan plan(scene.setup, way.path, GpuOptions{});
    const auto whole = make_emulated_operator<double>(scene.setup, {.path = way.path});
    const auto gradient = [&](Operator<double>& op) {
      scene.load(op);
      Sums<double> sums(scene);
      op.gradient(scene.places, scene.source(),
                  everything.with(Part::shift).with(Part::coefficients), sums.view());
      return sums;
    };
    const auto expected = gradient(*whole);
    const Misfit misfit = whole->misfit(scene.places, scene.source());
    for (const std::size_t positions : {1, 2, 3})
      for (const emulated::Order order : late_orders) {
        const std::size_t bytes = (positions * plan.bytes<double>() / 7 + 1) * 10;
        const auto op = make_emulated_operator<double>(
            scene.setup, {.path = way.path, .memory = bytes}, {.order = order});
        const auto sums = gradient(*op);
        expect_close(sums, expected, tolerance<double>(scene.setup));
        EXPECT_EQ(relative_difference(sums.shift, expected.shift), 0);
        EXPECT_EQ(relative_difference(sums.coefficients, expected.coefficients), 0);
        EXPECT_NEAR(op->misfit(scene.places, scene.source()).cost / misfit.cost, 1,
                    tolerance<double>(scene.setup));
      }
  }
}

/// Patterns of a type, less a background, as a store holds them.
template <class Held>
struct Store {
  Store(const Scene<float>& scene, PatternType type_) : type(type_) {
    Draw draw(89);
    for (std::size_t p = 0; p < scene.places.size(); ++p) {
      patterns.emplace_back(static_cast<std::size_t>(scene.setup.window * scene.setup.window));
      for (Held& v : patterns.back()) v = static_cast<Held>(draw.uniform(0, 250));
    }
  }
  [[nodiscard]] Measured<float> loaded(PixelSet pixels = PixelSet::all) const {
    return [this, pixels](i64 k, float* to) {
      const auto& pattern = patterns[static_cast<std::size_t>(k)];
      std::transform(pattern.begin(), pattern.end(), to,
                     [](Held v) { return std::max(0.0f, static_cast<float>(v) - background); });
      choice(k, pixels).apply(to, static_cast<i64>(pattern.size()));
    };
  }
  [[nodiscard]] Measured<float> held(PixelSet pixels = PixelSet::all) const {
    return {[](i64, float*) { FAIL() << "was converted on the host"; },
            [this, pixels](i64 k) {
              return RawPattern{patterns[static_cast<std::size_t>(k)].data(), type, background,
                                100 + k, choice(k, pixels)};
            }};
  }
  static PixelChoice choice(i64 k, PixelSet pixels) {
    return {pixels, 7, 3, static_cast<std::uint64_t>(k)};
  }
  static constexpr float background = 20;
  PatternType type;
  std::vector<std::vector<Held>> patterns;
};

/// Makes an operator on the GPU in question.
using Make = std::function<std::unique_ptr<Operator<float>>(const OperatorSetup&, GpuOptions)>;

template <class Held>
void expect_native(PatternType type, const Make& make) {
  const auto scene = in_precision<float>(make_scene({.window = 64, .slices = 2}, 90));
  Store<Held> store(scene, type);
  const auto sums = [&](Operator<float>& op, const Measured<float>& measured) {
    scene.load(op);
    Sums<float> sums(scene);
    op.gradient(scene.places, measured, everything, sums.view());
    return sums;
  };
  const auto op = make(scene.setup, {});
  const auto expected = sums(*op, store.loaded());
  EXPECT_TRUE(same_bits(sums(*op, store.held()), expected));
  // A pattern that stays there counts by other pixels from call to call.
  for (const PixelSet pixels : {PixelSet::fitted, PixelSet::held_out}) {
    const auto of_some = sums(*op, store.loaded(pixels));
    EXPECT_TRUE(same_bits(sums(*op, store.held(pixels)), of_some));
    EXPECT_FALSE(same_bits(of_some, expected));
  }
  // Without room for any to stay they are fetched each time.
  const gpu::BatchPlan plan(scene.setup, GpuPath::fused, GpuOptions{});
  const auto narrow = make(scene.setup, {.memory = plan.bytes<float>() + 64});
  const auto one_by_one = sums(*narrow, store.loaded());
  EXPECT_TRUE(same_bits(sums(*narrow, store.held()), one_by_one));
  // Those that stay are not looked at again; the others are.
  for (auto& pattern : store.patterns) std::fill(pattern.begin(), pattern.end(), Held(1));
  EXPECT_TRUE(same_bits(sums(*op, store.held()), expected));
  EXPECT_FALSE(same_bits(sums(*narrow, store.held()), one_by_one));
  // Nor are those that are forgotten there any more: their places get what has come instead.
  std::vector<i64> some;
  for (i64 k = 0; k < std::ssize(scene.places); k += 2) some.push_back(100 + k);
  op->forget(some);
  for (i64 k = 1; k < std::ssize(scene.places); k += 2) {
    auto& pattern = store.patterns[static_cast<std::size_t>(k)];
    std::fill(pattern.begin(), pattern.end(), Held(2));  // which is not looked at
  }
  const auto mixed = sums(*op, store.held());
  EXPECT_FALSE(same_bits(mixed, expected));
  EXPECT_FALSE(same_bits(mixed, sums(*op, store.loaded())));
  for (i64 k = 1; k < std::ssize(scene.places); k += 2) some.push_back(100 + k);
  op->forget(some);
  EXPECT_TRUE(same_bits(sums(*op, store.held()), sums(*op, store.loaded())));
}

Make emulated_in(emulated::Order order) {
  return [order](const OperatorSetup& setup, const GpuOptions& options) {
    return make_emulated_operator<float>(setup, options, {.order = order});
  };
}

TEST(GpuOperator, HoldsPatternsInTheirOwnType) {
  using enum emulated::Order;
  expect_native<std::uint8_t>(PatternType::uint8, emulated_in(as_needed));
  expect_native<std::uint16_t>(PatternType::uint16, emulated_in(others_first));
  expect_native<std::uint32_t>(PatternType::uint32, emulated_in(at_once));
  expect_native<float>(PatternType::float32, emulated_in(as_needed));
}

template <class V, int N>
Array<V, N> on(emulated::Gpu& gpu, const Array<V, N>& host) {
  Array<V, N> there(host.shape(), nullptr, "", &gpu);
  gpu.copy(there.data(), host.data(), static_cast<std::size_t>(host.size()) * sizeof(V));
  return there;
}

// A fit keeps its arrays on the device: nothing changes but that they are not copied.
TEST(GpuOperator, ComputesOnArraysOfTheDevice) {
  for (const Way& way :
       {Way{GpuPath::fft, 18}, Way{GpuPath::sweeps, 64}, Way{GpuPath::fused, 64}}) {
    const auto scene = make_scene(some(way.window), 91);
    emulated::Gpu gpu({.order = emulated::Order::as_needed});
    const auto own = make_emulated_operator<double>(scene.setup, gpu, nullptr, {.path = way.path});
    Operator<double>& op = *own;
    const auto expected = gradient_of<double>(op, scene);
    const auto d = make_direction(scene, 92);
    const double bent = op.curvature(scene.places, d.object(), d.probe);

    const auto phase = on(gpu, scene.phase), absorption = on(gpu, scene.absorption);
    const auto probe = on(gpu, scene.probe);
    op.set_object({phase.view(), absorption.view()});
    op.set_probe(probe.view());
    Sums<double> zero(scene);
    auto g_phase = on(gpu, zero.phase), g_absorption = on(gpu, zero.absorption);
    auto g_lit = on(gpu, zero.illumination);
    auto g_probe = on(gpu, zero.probe);
    op.gradient(scene.places, scene.source(), everything,
                {g_phase.view(), g_absorption.view(), g_lit.view(), g_probe.view()});
    Sums<double> sums(scene);
    gpu.copy(sums.phase.data(), g_phase.data(), 8 * static_cast<std::size_t>(g_phase.size()));
    gpu.copy(sums.absorption.data(), g_absorption.data(),
             8 * static_cast<std::size_t>(g_absorption.size()));
    gpu.copy(sums.illumination.data(), g_lit.data(), 8 * static_cast<std::size_t>(g_lit.size()));
    gpu.copy(sums.probe.data(), g_probe.data(), 16 * static_cast<std::size_t>(g_probe.size()));
    EXPECT_TRUE(same_bits(sums, expected));
    const auto d_phase = on(gpu, d.phase), d_absorption = on(gpu, d.absorption);
    const auto d_probe = on(gpu, d.probe);
    EXPECT_EQ(op.curvature(scene.places, {d_phase.view(), d_absorption.view()}, d_probe.view()),
              bent);
  }
}

/// A mini-batch after the other, as a fit asks for them: nobody waits, and each has what it was
/// sent.
TEST(GpuOperator, NobodyWaitsForSumsOnTheDevice) {
  Case c = some(64);
  c.positions = 11;
  const auto scene = make_scene(c, 97);
  const std::span all(scene.places);
  const Measured<double> measured = scene.source();
  const auto by_batches = [&](Operator<double>& op, const Gradient<double>& sum, auto&& after) {
    scene.load(op);
    Misfit reported;
    for (const auto& [first, count] : {std::pair{0, 4}, {4, 1}, {5, 2}, {7, 4}}) {
      const Measured<double> some(
          [&, first = first](i64 k, double* to) { measured.load(k + first, to); });
      reported +=
          op.gradient(all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
                      some, everything, sum);
      after();
    }
    return reported;
  };
  Sums<double> expected(scene);
  const Misfit f = by_batches(*make_cpu_operator<double>(scene.setup, 1), expected.view(), [] {});
  for (const emulated::Order order : {emulated::Order::as_needed, emulated::Order::others_first})
    for (const GpuPath path : {GpuPath::fft, GpuPath::sweeps, GpuPath::fused}) {
      emulated::Gpu gpu({.order = order});
      // Memory for two positions a batch and few patterns.
      const auto own = make_emulated_operator<double>(
          scene.setup, gpu, nullptr, {.path = path, .memory = std::size_t{3} << 20});
      Operator<double>& op = *own;
      Sums<double> sums(scene);
      auto phase = on(gpu, sums.phase), absorption = on(gpu, sums.absorption);
      auto lit = on(gpu, sums.illumination);
      auto probe = on(gpu, sums.probe);
      auto misfit = on(gpu, Array<double, 1>({3}));
      const Misfit reported =
          by_batches(op, {phase.view(), absorption.view(), lit.view(), probe.view(), misfit.view()},
                     [&] { EXPECT_FALSE(gpu.idle(Lane::computing)); });
      EXPECT_EQ(reported.cost, 0);
      double values[3];
      gpu.copy(values, misfit.data(), sizeof values);
      // Sums of W² S M positions or fewer terms, each right to a few roundings: 1e-16 · 1e3.
      EXPECT_NEAR(values[0], f.cost, 1e-12 * f.cost);
      EXPECT_NEAR(values[1], f.r_numerator, 1e-12 * f.r_numerator);
      EXPECT_NEAR(values[2], f.r_denominator, 1e-12 * f.r_denominator);
      const auto back = [&](auto& to, const auto& from) {
        gpu.copy(to.data(), from.data(), static_cast<std::size_t>(to.size()) * sizeof *to.data());
      };
      back(sums.phase, phase), back(sums.absorption, absorption), back(sums.illumination, lit);
      back(sums.probe, probe);
      expect_close(sums, expected, 1e-11);
    }
}

TEST(GpuOperator, BooksWhatWasForetold) {
  for (const Way& way :
       {Way{GpuPath::fft, 20}, Way{GpuPath::sweeps, 192}, Way{GpuPath::fused, 96}}) {
    Case c = some(way.window);
    c.positions = 5;
    c.basis = way.window == 20 ? 0 : 3;
    const auto scene = in_precision<float>(make_scene(c, 93));
    const GpuOptions options{.path = way.path, .memory = std::size_t{256} << 20};
    emulated::Gpu gpu;
    Ledger ledger;
    const auto own = make_emulated_operator<float>(scene.setup, gpu, &ledger, options);
    Operator<float>& op = *own;
    scene.load(op);
    Store<std::uint16_t> store(scene, PatternType::uint16);
    // Arrays of the device, so that none is copied beside.
    Sums<float> zero(scene);
    auto phase = on(gpu, zero.phase), absorption = on(gpu, zero.absorption);
    op.set_object({phase.view(), absorption.view()});
    op.gradient(scene.places, store.held(), everything,
                {phase.view(), absorption.view(), {}, zero.probe.view()});
    const auto foretold = gpu_operator_memory<float>(
        scene.setup, scene.phase.shape(), c.positions,
        static_cast<std::size_t>(way.window * way.window) * 2,
        facts(gpu.free_bytes(), gpu.shared_limit(), gpu.l2_bytes(), gpu.clusters()), options);
    for (const auto& entry : foretold) {
      const auto booked = ledger.entries();
      const auto at = std::find_if(booked.begin(), booked.end(),
                                   [&](const auto& b) { return b.name == entry.name; });
      ASSERT_NE(at, booked.end()) << entry.name;
      EXPECT_EQ(at->now, entry.now) << entry.name;
    }
  }
}

// On a real GPU, in floats: every window that has kernels of its own, with waves stored and
// recomputed, sums in order and at once; and many more tickets than there are blocks. The same on
// the emulated one, with fewer positions.

bool on_chip(const OperatorSetup& setup, const GpuFacts& gpu) {
  return describe_gpu_path<float>(setup, gpu, {}) == "waves on chip";
}

/// All but the gradient, which keeps waves.
void expect_others_right(const Operator<float>& op, const Operator<double>& reference,
                         const Scene<float>& scene, const Scene<double>& exact) {
  const double allowed = tolerance<float>(scene.setup);
  const auto direction = make_direction(exact, 98);
  const Direction<float> d{converted<float>(direction.phase.view()),
                           converted<float>(direction.absorption.view()),
                           converted<Complex<float>>(direction.probe.view())};
  Array<Complex<float>, 3> wave(scene.probe.shape());
  Array<Complex<double>, 3> expected(wave.shape());
  op.forward(scene.places[0], wave);
  reference.forward(exact.places[0], expected);
  EXPECT_LT(relative_difference(wave, expected), allowed);
  op.tangent(scene.places[1], d.object(), d.probe, wave);
  reference.tangent(exact.places[1], direction.object(), direction.probe, expected);
  EXPECT_LT(relative_difference(wave, expected), 2 * allowed);  // Ψ's own error comes on top
  Sums<float> sums(scene);
  Sums<double> right(exact);
  op.adjoint(scene.places[0], d.probe, {sums.phase, {}, {}, sums.probe});
  reference.adjoint(exact.places[0], direction.probe, {right.phase, {}, {}, right.probe});
  EXPECT_LT(relative_difference(sums.phase, right.phase), allowed);
  EXPECT_LT(relative_difference(sums.probe, right.probe), allowed);
  // Squares of amplitudes and of their changes.
  const double cost = reference.misfit(exact.places, exact.source()).cost;
  EXPECT_NEAR(op.misfit(scene.places, scene.source()).cost / cost, 1, 10 * allowed);
  const double curvature = reference.curvature(exact.places, direction.object(), direction.probe);
  EXPECT_NEAR(op.curvature(scene.places, d.object(), d.probe) / curvature, 1, 10 * allowed);
}

void expect_all_ways_right(const Make& make, const GpuFacts& gpu) {
  for (const i64 window : {18, 64, 96, 128, 192, 256}) {
    Case c = some(window);
    c.absorption = false;
    c.tilted = window < 192;  // where it is not, half of P is in shared memory
    const auto exact = make_scene(c, 96);
    const auto scene = in_precision<float>(exact);
    const auto reference = make_cpu_operator<double>(exact.setup, 2);
    const auto expected = gradient_of(*reference, exact);
    for (const GpuPath path : {GpuPath::fft, GpuPath::sweeps, GpuPath::fused})
      for (const WaveStorage waves : {WaveStorage::store, WaveStorage::recompute})
        for (const GpuSums sums : {GpuSums::ordered, GpuSums::atomic}) {
          const bool fused = path == GpuPath::fused, stored = waves == WaveStorage::store;
          if (fused && !(stored && on_chip(scene.setup, gpu))) continue;
          if (path == GpuPath::sweeps && !gpu::has_sweeps(window)) continue;
          const auto op = make(scene.setup, {.waves = waves, .path = path, .sums = sums});
          const auto g = gradient_of(*op, scene);
          const double allowed = tolerance<float>(scene.setup);
          EXPECT_LT(relative_difference(g.phase, expected.phase), allowed) << window;
          EXPECT_LT(relative_difference(g.probe, expected.probe), allowed) << window;
          EXPECT_LT(relative_difference(g.illumination, expected.illumination), allowed) << window;
          if (stored && sums == GpuSums::ordered)
            expect_others_right(*op, *reference, scene, exact);
        }
  }
}

void expect_tickets_right(const Make& make, const GpuFacts& gpu, int positions, int repeats) {
  for (const i64 window : {64, 96, 128, 192, 256}) {
    Case c{.window = window, .slices = 3, .modes = 3};
    c.positions = positions;
    c.tilted = false;
    const auto scene = in_precision<float>(make_scene(c, 97));
    if (!on_chip(scene.setup, gpu)) continue;
    const auto fused = make(scene.setup, {.path = GpuPath::fused});
    const auto expected = gradient_of(*make(scene.setup, {.path = GpuPath::fft}), scene);
    const auto first = gradient_of(*fused, scene);
    // As many terms are added up in either.
    expect_close(first, expected, tolerance<float>(scene.setup));
    for (int i = 0; i < repeats; ++i) EXPECT_TRUE(same_bits(gradient_of(*fused, scene), first));
  }
}

const Make on_emulated = emulated_in(emulated::Order::at_once);

const GpuFacts emulated_one = facts(0, 227 << 10, 50 << 20, true);

TEST(GpuOperator, IsRightOnAllWaysInFloats) { expect_all_ways_right(on_emulated, emulated_one); }
TEST(GpuOperator, HandsOutTickets) { expect_tickets_right(on_emulated, emulated_one, 5, 1); }

// A block's alarm goes off whichever of a launch's signals is lost: forward passes' and detectors'.
TEST(GpuOperator, DoesNotWaitForEverWhereASignalIsLost) {
  for (const i64 window : {64, 192}) {
    Case c{.window = window, .slices = 2, .modes = 2};
    c.positions = 2;
    const auto scene = in_precision<float>(make_scene(c, 97));
    const auto with_lost = [&](i64 signal) {
      const auto op = make_emulated_operator<float>(scene.setup, {.path = GpuPath::fused},
                                                    {.lost_signal = signal});
      gradient_of(*op, scene);
    };
    // A wave's pass signals once a block; then each position's chunks of the detector.
    const i64 waves = 4 * gpu::fused_cluster(window),
              chunks = 2 * (window == 64 ? gpu::FusedGradient<float, 64>::Detector::chunks(64)
                                         : gpu::FusedGradient<float, 192>::Detector::chunks(192));
    for (const i64 signal : {i64{0}, waves - 1, waves, waves + chunks - 1}) try {
        with_lost(signal);
        ADD_FAILURE() << window << ": signal " << signal << " was not missed";
      } catch (const std::logic_error& e) {
        EXPECT_NE(std::string(e.what()).find("in vain"), std::string::npos) << e.what();
      }
    EXPECT_NO_THROW(with_lost(waves + chunks)) << "there are more signals than were tried";
  }
}

class OnCuda : public testing::Test {
 protected:
  void SetUp() override {
    const GpuCensus census = find_gpus();
    if (census.gpus.empty()) GTEST_SKIP() << "no GPU";
    facts_ = census.gpus[0];
    gpu_ = open_gpu(0);
    make = [this](const OperatorSetup& setup, const GpuOptions& options) {
      return make_gpu_operator<float>(setup, *gpu_, nullptr, options);
    };
  }
  Make make;
  GpuFacts facts_;

 private:
  std::unique_ptr<Memory> gpu_;
};

TEST_F(OnCuda, IsRightOnAllWaysInFloats) { expect_all_ways_right(make, facts_); }
TEST_F(OnCuda, HandsOutTickets) { expect_tickets_right(make, facts_, 500, 20); }
TEST_F(OnCuda, HoldsPatternsInTheirOwnType) {
  expect_native<std::uint8_t>(PatternType::uint8, make);
  expect_native<std::uint16_t>(PatternType::uint16, make);
  expect_native<std::uint32_t>(PatternType::uint32, make);
  expect_native<float>(PatternType::float32, make);
}

// The maps of threads to values.

template <int N>
void expect_fourier() {
  Draw draw(94);
  Z<double> x[N], y[N], back[N];
  for (auto& v : x) v = {draw.uniform(-1, 1), draw.uniform(-1, 1)};
  std::copy_n(x, N, y);
  gpu::fft<N, false>(y);
  std::copy_n(y, N, back);
  gpu::fft<N, true>(back);
  for (int k = 0; k < N; ++k) {
    Complex<double> sum = 0;
    for (int j = 0; j < N; ++j)
      sum += Complex<double>(x[j].re, x[j].im) * std::polar(1.0, -2 * pi * j * k / N);
    // N terms of size up to √2, and as many roundings.
    EXPECT_NEAR(y[k].re, sum.real(), N * 1e-15);
    EXPECT_NEAR(y[k].im, sum.imag(), N * 1e-15);
    EXPECT_NEAR(back[k].re, N * x[k].re, N * 1e-15);
    EXPECT_NEAR(back[k].im, N * x[k].im, N * 1e-15);
  }
}

TEST(GpuButterflies, AreFourierTransforms) {
  expect_fourier<2>();
  expect_fourier<3>();
  expect_fourier<4>();
  expect_fourier<6>();
  expect_fourier<8>();
  expect_fourier<12>();
  expect_fourier<16>();
}

/// Do 16 accesses of 8 bytes go to 16 pairs of banks?
template <class Slot>
bool no_conflict(Slot&& slot) {
  std::set<int> banks;
  for (int t = 0; t < 16; ++t) banks.insert(slot(t) % 16);
  return banks.size() == 16;
}

template <int W>
void expect_free_of_conflicts() {
  constexpr int R = W / 16, pitch = gpu::FusedPass<float, W, gpu::RowOp::back>::pitch;
  for (int k = 0; k < W; ++k)
    for (int i = 0; i < W; i += 16) {
      EXPECT_TRUE(no_conflict([&](int t) { return k * pitch + i + t; })) << "neighbours of a row";
      EXPECT_TRUE(no_conflict([&](int t) { return (i + t) * pitch + k; })) << "of a column";
    }
  std::set<int> all;
  for (int r = 0; r < 16; ++r)
    for (int x = 0; x < W; ++x) all.insert(gpu::slot<W>(r, x));
  EXPECT_EQ(all.size(), static_cast<std::size_t>(16 * W));
  EXPECT_LT(*all.rbegin(), 16 * (W + R));
  for (int first = 0; first < 256; first += 16)
    for (int i = 0; i < 16; ++i) {
      if ((first + 15) / R < 16) {  // threads of the inner transform: a = t % R, r = t / R
        EXPECT_TRUE(no_conflict(
            [&](int t) { return gpu::slot<W>((first + t) / R, 16 * ((first + t) % R) + i); }));
      }
      if (i < R) {
        EXPECT_TRUE(no_conflict([&](int j) { return gpu::slot<W>(first / 16, 16 * i + j); }));
      }
    }
}

TEST(GpuSlots, HaveNoBankConflicts) {
  expect_free_of_conflicts<64>();
  expect_free_of_conflicts<96>();
  expect_free_of_conflicts<128>();
  expect_free_of_conflicts<192>();
  expect_free_of_conflicts<256>();
}

TEST(GpuBatches, ArePlannedWithSomeToSpare) {
  EXPECT_GE(gpu::planned(831), 832);
  EXPECT_EQ(gpu::planned(1), 1);
}

TEST(GpuBatches, SharePatchesWhereItCostsNoTime) {
  EXPECT_EQ(gpu::modes_together(1024, 12, 132), 12);  // 8 tickets of 12 for the busiest, or 94 of 1
  EXPECT_EQ(gpu::modes_together(16, 12, 132), 2);     // all of 96 at a time, or two rounds of 1
  EXPECT_EQ(gpu::modes_together(11, 12, 132), 1);     // as many passes as blocks
  EXPECT_EQ(gpu::modes_together(64, 12, 132), 6);
  EXPECT_EQ(gpu::modes_together(500, 1, 33), 1);
  EXPECT_EQ(gpu::modes_together(1, 5, 1), 5);
}

// A mini-batch of one more position than the one before, and then the first again.
TEST(GpuOperator, KeepsWhatItHoldsWhereBatchesGrow) {
  Case c{.window = 64, .slices = 2};
  c.positions = 9;
  const auto scene = in_precision<float>(make_scene(c, 98));
  Store<std::uint8_t> store(scene, PatternType::uint8);
  const auto op =
      make_emulated_operator<float>(scene.setup, {}, {.order = emulated::Order::as_needed});
  scene.load(*op);
  const auto sums = [&](std::size_t count) {
    Sums<float> sums(scene);
    op->gradient(std::span(scene.places).first(count), store.held(), everything, sums.view());
    return sums;
  };
  const auto few = sums(2), all = sums(9);
  for (auto& pattern : store.patterns) std::fill(pattern.begin(), pattern.end(), std::uint8_t(1));
  EXPECT_TRUE(same_bits(sums(2), few));
  EXPECT_TRUE(same_bits(sums(9), all));
}

TEST(GpuBatches, StayInTheCacheInSweeps) {
  const OperatorSetup setup = setup_of(256, 100);
  const gpu::BatchPlan plan(setup, GpuPath::sweeps, GpuOptions{});
  // Two waves of 512 KB a position, of which 50 MB hold 50.
  EXPECT_EQ(plan.positions<float>(10000, std::size_t{60} << 30, 50 << 20, GpuPath::sweeps, 1), 50);
  EXPECT_EQ(plan.positions<float>(7, std::size_t{60} << 30, 50 << 20, GpuPath::sweeps, 1), 7);
  EXPECT_EQ(plan.positions<float>(10000, 0, 50 << 20, GpuPath::sweeps, 1), 1);
}

}  // namespace
}  // namespace ptyle::test
