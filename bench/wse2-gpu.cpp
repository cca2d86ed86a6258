// How long does an iteration of the size of tBL-WSe2 take on a GPU, and how much longer in small
// batches?
//
// As many as published for PtyRAD, fold_slice and py4DSTEM on an A100: 16384 positions, 128², 6
// slices, 12 probe modes; object phase and probe updated, float, counting noise (of lead titanate,
// simulated here; 256 patterns in turn, on which times do not depend). Sums in order and at once.
// Fits are run in turn; medians of iterations [quartiles].
//
//   bench-wse2-gpu [--iterations N] [--path PATH,PATH] [BATCH ...]
//       default 3 iterations, and one to warm up; the first path that the GPU can; batches of 1024
//       and 16 positions
//   bench-wse2-gpu --emulated      small, on the host: is the benchmark itself right?
//   last lines: the smallest batch over the largest, and seconds of an iteration in the largest

#include <algorithm>
#include <limits>

#include "gpu/iterations.hpp"
#include "gpu/program.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

Recipe recipe(int side, int window, int slices, int modes) {
  Recipe r;
  r.specimen.structure = BuiltIn::PbTiO3;
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

/// Iterations on one path with one kind of sums, for each size of batches.
struct Series {
  std::vector<double> medians;
  bool right = true;
};
Series series(Card& card, const GpuSet& set, const GpuOptions& options,
              const std::vector<i64>& batches, int iterations) {
  const auto team = make_local_team();
  Series done;
  for (const i64 batch : batches) {
    Ledger device;
    const i64 batches = std::max<i64>(1, set.count() / batch);
    auto fit = set.fit(&card, options, batches, true, *team, &device);
    const Iterations i = iterate(fit, &card, iterations);
    fmt::print(
        "    {:<18} {:<8} batches of {:<5} {:8.3f} s [{:.3f}, {:.3f}]   R = {:.4f}   {:.2f} GB{}\n",
        describe_gpu_path<float>(set.setup(), card.facts(), options),
        options.sums == GpuSums::ordered ? "ordered" : "at once", batch, i.seconds.median,
        i.seconds.low, i.seconds.high, i.r, 1e-9 * double(device.peak()),
        i.right() ? "" : "   NO NUMBER");
    done.medians.push_back(i.seconds.median);
    done.right = done.right && i.right();
  }
  return done;
}

bool wse2_gpu(Card& card, const Arguments& given) {
  const GpuSet set(given.emulated ? recipe(4, 64, 2, 2) : recipe(128, 128, 6, 12));
  const OperatorSetup& s = set.setup();
  fmt::print("{} positions, {}², {} slices of {} x {}, {} modes\n", set.count(), s.window, s.slices,
             set.object()[1], set.object()[2], s.modes);
  auto batches = given.numbers;
  if (batches.empty())
    batches = given.emulated ? std::vector<i64>{16, 4} : std::vector<i64>{1024, 16};
  auto paths = given.paths;
  if (paths.empty()) paths = {GpuPath::automatic};
  const int iterations = given.iterations > 0 ? given.iterations : given.emulated ? 1 : 3;
  const auto [small, large] = std::minmax_element(batches.begin(), batches.end());
  double smallest = 0, largest = std::numeric_limits<double>::infinity();
  bool right = true;
  for (const GpuPath path : paths)
    for (const GpuSums sums : {GpuSums::ordered, GpuSums::atomic}) {
      GpuOptions options;
      options.path = path;
      options.sums = sums;
      const Series done = series(card, set, options, batches, iterations);
      right = right && done.right;
      const auto median = [&](auto batch) {
        return done.medians[static_cast<std::size_t>(batch - batches.begin())];
      };
      if (median(large) < largest) smallest = median(small), largest = median(large);
    }
  if (*small < *large) fmt::print("wse2-gpu-small-batches = {:.2f} ratio\n", smallest / largest);
  fmt::print("wse2-gpu = {:.3f} s\n", largest);
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  return run_on_card(
      "wse2-gpu", argc, argv,
      [](Card& card, const Ceilings&, const Arguments& given) { return wse2_gpu(card, given); });
}
