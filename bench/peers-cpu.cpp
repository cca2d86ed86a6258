// ptyle beside PtyRAD on a CPU: seconds of an iteration, the same data, variables and threads
//
// The workload of iteration-cpu (bench/workload.hpp), one HDF5 file for both, two threads each,
// float, object phase and probe refined:
//
//   1. PtyRAD 1.0, from a virtual environment that bench/peers/environment makes; its amplitudes
//      fixed, blurs and position refinement off, its other settings by default; three batch sizes
//   2. ptyle reconstruct, default mini-batches
//
// ptyle runs before and after each of PtyRAD's runs, so that both meet the same machine. The first
// iteration of a run is not counted; figures are medians. Both start from vacuum and the probe that
// the optics say. R is of all patterns: of PtyRAD after the last iteration, of ptyle summed while
// the last one ran.
//
//   bench-peers-cpu [ITERATIONS]    of each run, default 5
//   exit status 2: what PtyRAD needs is missing, and said
//   last line: PtyRAD's seconds, of its best batch size, over ptyle's

#include <fmt/format.h>
#include <stdlib.h>

#include <cmath>
#include <cstdio>
#include <sstream>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "gradient.hpp"
#include "peers.hpp"
#include "workload.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

struct Figures {
  double seconds = 0, r = 0;
};

std::string told() {
  using W = Workload;
  return json({{W::side, W::side},
               W::window,
               W::slices,
               W::modes,
               W::mode_power,
               W::pixel,
               W::step,
               W::slice_thickness,
               W::energy,
               W::semi_angle,
               W::defocus,
               W::threads});
}

Figures by_ptyrad(const std::string& python, const std::string& file, int batch, int iterations) {
  const Output output =
      output_of_peer(python, "ptyrad_iterations.py",
                     fmt::format("'{}' '{}' {} {}", file, told(), batch, iterations));
  std::istringstream last(output.last_line());
  Figures f;
  if (!(last >> f.seconds >> f.r))
    throw std::runtime_error(fmt::format("PtyRAD's run printed no figures, but: {}", output.text));
  return f;
}

/// Adds the seconds of the iterations to `all`; returns the last R.
double by_ptyle(const std::string& file, const std::string& folder, int iterations,
                std::vector<double>& all) {
  ReconstructConfig config = reconstruct_workload(file);
  config.solver.iterations = iterations + 1;
  config.output.folder = folder;
  config.output.overwrite = true;
  double before = 0, r = 0;
  ReconstructCallbacks callbacks;
  callbacks.progress = [&](const Progress& p) {
    if (p.iteration > 1) all.push_back(p.seconds - before);
    before = p.seconds;
    r = p.r_factor;
  };
  reconstruct(config, "", callbacks, *make_local_team());
  return r;
}

double load() {
  double average = 0;
  return getloadavg(&average, 1) == 1 ? average : 0;
}

}  // namespace

int main(int argc, char** argv) try {
  const int iterations = argc > 1 ? std::stoi(argv[1]) : 5;
  const std::string python = python_with();
  const Folder folder;
  const std::string file = folder / "workload.h5";
  simulate_workload(file);
  using W = Workload;
  fmt::print("{}; {} threads each; load {:.1f}\n", processor(), W::threads, load());
  fmt::print("{} positions, {}², {} slices, {} modes; {} iterations a run and one to warm up\n",
             W::side * W::side, W::window, W::slices, W::modes, iterations);

  std::vector<double> of_ptyle;
  double r = by_ptyle(file, folder / "out", iterations, of_ptyle);
  Figures best{INFINITY, 0};
  for (const int batch : {8, 16, 32}) {
    const Figures f = by_ptyrad(python, file, batch, iterations);
    fmt::print("    PtyRAD, batch {:<4}   {:8.3f} s an iteration   R = {:.4f}   load {:.1f}\n",
               batch, f.seconds, f.r, load());
    std::fflush(stdout);
    if (f.seconds < best.seconds) best = f;
    r = by_ptyle(file, folder / "out", iterations, of_ptyle);
  }
  const Band b = band(of_ptyle);
  fmt::print("    ptyle               {:8.3f} s an iteration   R = {:.4f}   [{:.3f}, {:.3f}]\n",
             b.median, r, b.low, b.high);
  fmt::print("peers-cpu = {:.2f} ratio\n", best.seconds / b.median);
} catch (const std::exception& e) {
  fmt::print(stderr, "peers-cpu: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
