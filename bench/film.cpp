// A film as a microscope sees it (examples/film.yaml), by defaults, and what each part is worth
//
// The recipe and the configuration are those of examples/film.yaml and film-run.yaml: nominal
// positions that are 0.2 Å off, unknown aberrations, moving atoms, a source with a size. Compared
// with the truth: SSIM and correlation of the summed phase (analysis/comparison); positions, r.m.s.
// after their mean difference is removed; depth contrast, the mean correlation of the slices after
// their mean along the beam is removed from both.
//
//   bench-film [ITERATIONS]         default 40; all variants on one film, 1 and 6 ranks
//   bench-film seeds [ITERATIONS]   defaults alone, on the films of five seeds
//   last line: SSIM by defaults (of seeds: the least); exit status 1 if positions are more than
//   0.05 Å off or the depth contrast is below 0.55

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>

#include "analysis/comparison.hpp"
#include "app/reconstruct_keys.hpp"
#include "app/simulate_keys.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "exchange/local/team.hpp"
#include "io/result.hpp"
#include "session/reconstruction.hpp"
#include "simulate/simulate.hpp"
#include "solver/variables/position_options.hpp"

namespace fs = std::filesystem;
using namespace ptyle;

namespace {

const fs::path examples = PTYLE_EXAMPLES;

/// Made once: a film that is there is taken as it is.
std::string film_of(std::uint64_t seed) {
  Recipe recipe = read_simulate(examples / "film.yaml", {}).recipe;
  const fs::path folder = fs::temp_directory_path() / "ptyle-bench-film";
  fs::create_directories(folder);
  if (seed != 0) recipe.seed = seed;
  recipe.output = folder / fmt::format("film-{}.h5", recipe.seed);
  simulate(recipe, std::nullopt, {});
  return recipe.output;
}

double rms_of_positions(std::span<const Position> a, std::span<const Position> b) {
  Position mean;
  const auto count = static_cast<double>(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    mean.row += (a[i].row - b[i].row) / count;
    mean.col += (a[i].col - b[i].col) / count;
  }
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum +=
        std::pow(a[i].row - b[i].row - mean.row, 2) + std::pow(a[i].col - b[i].col - mean.col, 2);
  return std::sqrt(sum / count);
}

/// Slices of the truth, as many as the result has.
Array<float, 3> binned(View<const float, 3> phase, i64 slices) {
  const i64 each = phase.shape[0] / slices;
  Array<float, 3> sum({slices, phase.shape[1], phase.shape[2]});
  for (i64 z = 0; z < each * slices; ++z)
    for (i64 i = 0; i < phase.shape[1] * phase.shape[2]; ++i)
      sum.view()[z / each].data[i] += phase[z].data[i];
  return sum;
}

/// Pearson's, over pixels of both.
double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) ma += a[i] / n, mb += b[i] / n;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
    ab += (a[i] - ma) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

/// To the nearest pixel of the registration that compares the sums.
double depth_contrast(const Result& result, const Result& truth, const Comparison& c) {
  const i64 slices = result.phase.shape()[0];
  const Array<float, 3> reference = binned(truth.phase.view(), slices);
  Position lag;  // of the result's pixels against the truth's, px
  for (std::size_t i = 0; i < truth.positions.size(); ++i) {
    const auto n = static_cast<double>(truth.positions.size()) * truth.pixel_size;
    lag.row += (result.positions[i].row - truth.positions[i].row) / n;
    lag.col += (result.positions[i].col - truth.positions[i].col) / n;
  }
  const i64 rows = std::lround(lag.row + c.shift.row / truth.pixel_size),
            cols = std::lround(lag.col + c.shift.col / truth.pixel_size);
  std::vector<std::vector<double>> a(static_cast<std::size_t>(slices)), b(a.size());
  for (i64 y = 0; y < c.area.shape()[0]; ++y)
    for (i64 x = 0; x < c.area.shape()[1]; ++x) {
      if (!c.area(y, x)) continue;
      const i64 row = c.first_row + y, col = c.first_col + x;
      double mean_a = 0, mean_b = 0;
      for (i64 z = 0; z < slices; ++z) {
        mean_a += static_cast<double>(result.phase(z, row + rows, col + cols)) / double(slices);
        mean_b += static_cast<double>(reference(z, row, col)) / double(slices);
      }
      for (i64 z = 0; z < slices; ++z) {
        const auto s = static_cast<std::size_t>(z);
        a[s].push_back(result.phase(z, row + rows, col + cols) - mean_a);
        b[s].push_back(reference(z, row, col) - mean_b);
      }
    }
  double sum = 0;
  for (std::size_t z = 0; z < a.size(); ++z) sum += correlation(a[z], b[z]) / double(slices);
  return sum;
}

struct Figures {
  double seconds = 0, ssim = 0, correlation = 0, depth = 0, positions = 0, r = 0;
  Array<float, 3> phase;
};

Figures run(const std::string& film, const Result& truth, int iterations, int ranks,
            const std::function<void(ReconstructConfig&)>& change) {
  ReconstructConfig config =
      read_reconstruct(examples / "film-run.yaml", {"data.file=" + film}, true).config;
  config.solver.iterations = iterations;
  config.solver.threads = 2;
  change(config);
  const auto team = make_local_team(ranks);
  const auto start = std::chrono::steady_clock::now();
  Reconstruction fit(config, *team);
  while (!fit.finished()) fit.step();
  Figures f;
  f.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Result result = fit.result();
  const Comparison c = compare_objects(
      {result.phase.view(), result.positions, result.pixel_size, result.slice_thickness, {}},
      {truth.phase.view(), truth.positions, truth.pixel_size, truth.slice_thickness, {}},
      available_threads());
  f.ssim = c.summed.ssim;
  f.correlation = c.summed.correlation;
  f.depth = depth_contrast(result, truth, c);
  f.positions = rms_of_positions(result.positions, truth.positions);
  f.r = fit.history().r_factor.back();
  f.phase = std::move(result.phase);
  return f;
}

void print(const std::string& name, const Figures& f) {
  fmt::print("{:<28} {:7.1f} {:8.4f} {:11.4f} {:8.3f} {:10.4f} {:9.5f}\n", name, f.seconds, f.ssim,
             f.correlation, f.depth, f.positions, f.r);
  std::fflush(stdout);
}

bool good_enough(const Figures& f) { return f.positions <= 0.05 && f.depth >= 0.55; }

void variants(const std::string& film, const Result& truth, int iterations) {
  const auto refine = [](auto&& what) {
    return [what](ReconstructConfig& c) { what(c.parts.of<PositionOptions>()); };
  };
  const auto row = [&](const char* name, const std::function<void(ReconstructConfig&)>& change) {
    print(name, run(film, truth, iterations, 1, change));
  };
  row("positions off", refine([](PositionOptions& o) { o.refine = Switch::off; }));
  row("affine model only", refine([](PositionOptions& o) { o.model = PositionModel::affine; }));
  row("each position only", refine([](PositionOptions& o) { o.model = PositionModel::free; }));
  row("potential object", [](ReconstructConfig& c) { c.object.type = ObjectType::potential; });
  row("potential, positions off", [](ReconstructConfig& c) {
    c.object.type = ObjectType::potential;
    c.parts.of<PositionOptions>().refine = Switch::off;
  });
  row("one mode", [](ReconstructConfig& c) { c.probe.modes = 1; });
  row("optics exact", [](ReconstructConfig& c) {
    const SimulatedOptics o = read_simulate(examples / "film.yaml", {}).recipe.optics;
    c.optics.C12 = o.C12, c.optics.phi12 = o.phi12;
    c.optics.C21 = o.C21, c.optics.phi21 = o.phi21;
    c.optics.C23 = o.C23, c.optics.phi23 = o.phi23;
    c.optics.C30 = o.C30;
  });
}

}  // namespace

int main(int argc, char** argv) try {
  const bool seeds = argc > 1 && std::string(argv[1]) == "seeds";
  const int at = seeds ? 2 : 1, iterations = argc > at ? std::stoi(argv[at]) : 40;
  fmt::print("{:<28} {:>7} {:>8} {:>11} {:>8} {:>10} {:>9}\n", "", "seconds", "SSIM", "correlation",
             "depth", "pos., Å", "R");
  Figures least;
  bool good = true;
  const auto by_defaults = [&](std::uint64_t seed) {
    const std::string film = film_of(seed);
    const Result truth = read_result(film);
    Figures f = run(film, truth, iterations, 1, [](ReconstructConfig&) {});
    print(seed == 0 ? "defaults" : fmt::format("seed {}", seed), f);
    good = good && good_enough(f);
    if (!seeds) {
      const Figures on_six = run(film, truth, iterations, 6, [](ReconstructConfig&) {});
      print("6 ranks in one process", on_six);
      double apart = 0;
      for (i64 i = 0; i < f.phase.size(); ++i)
        apart = std::max(apart, double(std::abs(f.phase.data()[i] - on_six.phase.data()[i])));
      fmt::print("  largest difference of 1 and 6 ranks: {:.2g} rad\n", apart);
      variants(film, truth, iterations);
    }
    if (least.ssim == 0 || f.ssim < least.ssim) least = std::move(f);
  };
  if (seeds)
    for (const std::uint64_t seed : {1, 2, 3, 4, 5}) by_defaults(seed);
  else
    by_defaults(0);
  fmt::print("\nfilm = {:.4f} SSIM\n", least.ssim);
  return good ? 0 : 1;
} catch (const std::exception& e) {
  fmt::print(stderr, "film: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
