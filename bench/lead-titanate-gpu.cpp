// How long does an iteration of the large Lead Titanate set take on one GPU, and in how much
// memory?
//
// The paper's largest set: 16632 patterns, 100 slices of 2083 x 2170 px, here of 256² px, uint16,
// one mode, known probe, 20 groups an iteration, all free from the start (simulated here, some
// minutes on few cores). Waves stored and recomputed, sums in order and at once, in turn.
//
//   bench-lead-titanate-gpu [ITERATIONS]    default 2, and one to warm up
//   bench-lead-titanate-gpu --emulated      small, on the host: is the benchmark itself right?
//   last line: seconds of an iteration

#include <cstring>
#include <limits>

#include "core/error.hpp"
#include "gpu/iterations.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

Recipe recipe(int slow, int fast, int window, int slices) {
  Recipe r;
  r.specimen.structure = "PbTiO3";
  r.specimen.slice_thickness = 1.25;
  r.specimen.thickness = 1.25 * slices;
  r.optics = {.energy = 200, .semi_angle = 30, .defocus = 250};
  r.detector = {.window = window, .pixel_size = 0.1};
  r.scan = {.shape = {slow, fast}, .step = {1.45, 1.45}};
  r.dose.electrons_per_A2 = 1e6;
  return r;
}

void run(Card& card, const Recipe& recipe, int iterations) {
  const auto team = make_local_team();
  const GpuSet set(recipe);
  const OperatorSetup& s = set.setup();
  fmt::print("{}: {} positions, {}², {} slices of {} x {}; {}\n", card.name(), set.count(),
             s.window, s.slices, set.object()[1], set.object()[2],
             describe_gpu_path<float>(s, card.facts()));
  double best = std::numeric_limits<double>::infinity();
  for (const WaveStorage waves : {WaveStorage::store, WaveStorage::recompute})
    for (const GpuSums sums : {GpuSums::ordered, GpuSums::atomic}) {
      if (waves == WaveStorage::recompute && !is_unitary(s)) continue;
      GpuOptions options;
      options.waves = waves;
      options.sums = sums;
      Ledger device;
      auto fit = set.fit(&card, options, std::min<i64>(20, set.count()), false, *team, &device);
      const Iterations i = iterate(fit, &card, iterations);
      fmt::print(
          "    waves {:<10} sums {:<8} {:8.3f} s [{:.3f}, {:.3f}]   R = {:.4f}   {:.2f} GB\n",
          waves == WaveStorage::store ? "stored," : "recomputed,",
          sums == GpuSums::ordered ? "ordered" : "at once", i.seconds.median, i.seconds.low,
          i.seconds.high, i.r, 1e-9 * double(device.peak()));
      std::fflush(stdout);
      best = std::min(best, i.seconds.median);
    }
  fmt::print("lead-titanate-gpu = {:.3f} s\n", best);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 1 && std::strcmp(argv[1], "--emulated") == 0) {
    run(*emulated_card(), recipe(3, 3, 192, 2), 1);
    return 0;
  }
  run(*real_card(), recipe(126, 132, 256, 100), argc > 1 ? std::stoi(argv[1]) : 2);
} catch (const std::exception& e) {
  fmt::print(stderr, "lead-titanate-gpu: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
