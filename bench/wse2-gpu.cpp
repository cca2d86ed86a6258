// How long does an iteration of the size of tBL-WSe2 take on a GPU, and how much longer in small
// batches?
//
// As many as published for PtyRAD, fold_slice and py4DSTEM on an A100: 16384 positions, 128², 6
// slices, 12 probe modes; object phase and probe updated, float, counting noise (of lead titanate,
// simulated here). Batches of 16, 64, 256 and 1024 positions, and 20 groups an iteration, which is
// the default; sums in order and at once. Fits are run in turn; medians of iterations [quartiles].
//
//   bench-wse2-gpu [ITERATIONS]    default 3, and one to warm up
//   bench-wse2-gpu --emulated      small, on the host: is the benchmark itself right?
//   last lines: batch 16 over batch 1024, and seconds of an iteration in batches of 1024

#include <cstring>
#include <limits>

#include "core/error.hpp"
#include "gpu/iterations.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

Recipe recipe(int side, int window, int slices, int modes) {
  Recipe r;
  r.specimen.structure = "PbTiO3";
  r.specimen.slice_thickness = 2.5;
  r.specimen.thickness = 2.5 * slices;
  r.optics = {.energy = 200, .semi_angle = 25, .defocus = 150};
  r.optics.modes = modes;
  r.optics.mode_power = 0.02;
  r.detector = {.window = window, .pixel_size = 0.2};
  r.scan = {.shape = {side, side}, .step = {1.2, 1.2}};
  r.dose.electrons_per_A2 = 1e5;
  return r;
}

void run(Card& card, const Recipe& recipe, const std::vector<i64>& batches, int iterations) {
  const auto team = make_local_team();
  const GpuSet set(recipe);
  const OperatorSetup& s = set.setup();
  fmt::print("{}: {} positions, {}², {} slices of {} x {}, {} modes; {}\n", card.name(),
             set.count(), s.window, s.slices, set.object()[1], set.object()[2], s.modes,
             describe_gpu_path<float>(s, card.facts()));
  double smallest = 0, largest = 0;
  for (const GpuSums sums : {GpuSums::ordered, GpuSums::atomic}) {
    GpuOptions options;
    options.sums = sums;
    double of_smallest = 0, of_largest = 0;
    for (const i64 batch : batches) {
      Ledger device;
      auto fit =
          set.fit(&card, options, std::max<i64>(1, set.count() / batch), true, *team, &device);
      const Iterations i = iterate(fit, &card, iterations);
      fmt::print("    {:<8} batches of {:<5} {:8.3f} s [{:.3f}, {:.3f}]   R = {:.4f}   {:.2f} GB\n",
                 sums == GpuSums::ordered ? "ordered" : "at once", batch, i.seconds.median,
                 i.seconds.low, i.seconds.high, i.r, 1e-9 * double(device.peak()));
      std::fflush(stdout);
      if (batch == batches.front()) of_smallest = i.seconds.median;
      if (batch == batches.back()) of_largest = i.seconds.median;
    }
    if (largest == 0 || of_largest < largest) smallest = of_smallest, largest = of_largest;
  }
  fmt::print("wse2-gpu-small-batches = {:.2f} ratio\nwse2-gpu = {:.3f} s\n", smallest / largest,
             largest);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 1 && std::strcmp(argv[1], "--emulated") == 0) {
    run(*emulated_card(), recipe(4, 64, 2, 2), {4, 16}, 1);
    return 0;
  }
  run(*real_card(), recipe(128, 128, 6, 12), {16, 64, 256, 819, 1024},
      argc > 1 ? std::stoi(argv[1]) : 3);
} catch (const std::exception& e) {
  fmt::print(stderr, "wse2-gpu: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
