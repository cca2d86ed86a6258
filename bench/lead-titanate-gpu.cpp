// How long does an iteration of the large Lead Titanate set take on one GPU, and in how much
// memory?
//
// The paper's largest set: 16632 patterns, 100 slices of 2083 x 2170 px, here of 256² px, uint16,
// one mode, known probe, 20 mini-batches an iteration, all free from the start (simulated here; 256
// patterns in turn, on which times do not depend). Waves stored and recomputed, which waves on chip
// cannot be; sums in order and at once; in turn.
//
//   bench-lead-titanate-gpu [--iterations N] [--path PATH,PATH]
//       default 2 iterations, and one to warm up; the first path that the GPU can
//   bench-lead-titanate-gpu --emulated      small, on the host: is the benchmark itself right?
//   last line: seconds of an iteration

#include <limits>

#include "core/error.hpp"
#include "gpu/iterations.hpp"
#include "gpu/program.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

Recipe recipe(int slow, int fast, int window, int slices) {
  Recipe r;
  r.specimen.structure = BuiltIn::PbTiO3;
  r.specimen.slice_thickness = 1.25;
  r.specimen.thickness = 1.25 * slices;
  r.optics = {.energy = 200, .semi_angle = 30, .defocus = 250};
  r.detector = {.window = window, .pixel_size = 0.1};
  r.scan = {.shape = {slow, fast}, .step = {1.45, 1.45}};
  r.dose.electrons_per_A2 = 1e6;
  return r;
}

/// Iterations with these options; adds to `best`, and says whether the fit has numbers.
bool iterations_with(Card& card, const GpuSet& set, const GpuOptions& options, int count,
                     double& best) {
  const auto team = make_local_team();
  Ledger device;
  auto fit = set.fit(&card, options, std::min<i64>(20, set.count()), false, *team, &device);
  const Iterations i = iterate(fit, &card, count);
  fmt::print(
      "    {:<18} waves {:<11} sums {:<8} {:8.3f} s [{:.3f}, {:.3f}]   R = {:.4f}   {:.2f} GB{}\n",
      describe_gpu_path<float>(set.setup(), card.facts(), options),
      options.waves == WaveStorage::store ? "stored," : "recomputed,",
      options.sums == GpuSums::ordered ? "ordered" : "at once", i.seconds.median, i.seconds.low,
      i.seconds.high, i.r, 1e-9 * double(device.peak()), i.right() ? "" : "   NO NUMBER");
  best = std::min(best, i.seconds.median);
  return i.right();
}

bool lead_titanate_gpu(Card& card, const Arguments& given) {
  if (!given.numbers.empty()) throw UserError("takes no numbers but those of its options");
  const GpuSet set(given.emulated ? recipe(3, 3, 192, 2) : recipe(126, 132, 256, 100));
  const OperatorSetup& s = set.setup();
  fmt::print("{} positions, {}², {} slices of {} x {}\n", set.count(), s.window, s.slices,
             set.object()[1], set.object()[2]);
  auto paths = given.paths;
  if (paths.empty()) paths = {GpuPath::automatic};
  const int iterations = given.iterations > 0 ? given.iterations : given.emulated ? 1 : 2;
  double best = std::numeric_limits<double>::infinity();
  bool right = true;
  for (const GpuPath path : paths)
    for (const WaveStorage waves : {WaveStorage::store, WaveStorage::recompute})
      for (const GpuSums sums : {GpuSums::ordered, GpuSums::atomic}) {
        if (waves == WaveStorage::recompute && (path == GpuPath::fused || !is_unitary(s))) continue;
        GpuOptions options;
        options.path = path;
        options.waves = waves;
        options.sums = sums;
        if (!iterations_with(card, set, options, iterations, best)) right = false;
      }
  fmt::print("lead-titanate-gpu = {:.3f} s\n", best);
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  return run_on_card("lead-titanate-gpu", argc, argv,
                     [](Card& card, const Ceilings&, const Arguments& given) {
                       return lead_titanate_gpu(card, given);
                     });
}
