#include <gtest/gtest.h>

#include <cmath>

#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "physics/propagator.hpp"
#include "simulate/object.hpp"
#include "simulate/simulate.hpp"
#include "simulate/small_recipe.hpp"

namespace ptyle {
namespace {

// R of the file's patterns under the file's own object, probe, positions and attributes.
template <class T>
double r_of_truth(const std::string& file) {
  const auto f = h5::File::open(file);
  const auto shape = f.info("/object/phase").shape;
  const i64 w = f.info("/probe").shape[1], modes = f.info("/probe").shape[0];
  const double pixel = f.number("/", "pixel_size").value();
  OperatorSetup setup;
  setup.window = w;
  setup.slices = shape[0];
  setup.modes = modes;
  setup.propagator =
      propagator(w, pixel, electron_wavelength(f.number("/", "energy_kV").value()),
                 f.number("/", "slice_thickness").value(), {}, f.number("/", "band_limit").value());
  const auto op = make_cpu_operator<T>(setup, 1);
  auto phase = f.read<T>("/object/phase");
  op->set_object({{phase.data(), {shape[0], shape[1], shape[2]}}, {}});
  const auto probe = f.read<Complex<float>>("/probe");
  const std::vector<Complex<T>> start(probe.begin(), probe.end());
  op->set_probe({start.data(), {modes, w, w}});
  const auto positions = f.read<double>("/positions");
  const auto patterns = f.read<T>("/patterns");
  std::vector<Placement> places;
  for (std::size_t i = 0; i < positions.size(); i += 2)
    places.push_back(place({positions[i] / pixel, positions[i + 1] / pixel}, w));
  const auto measured = [&](i64 i, T* to) {
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x)
        to[y * w + x] =
            patterns[static_cast<std::size_t>((i * w + to_centred(y, w)) * w + to_centred(x, w))];
  };
  return op->misfit(places, measured).r_factor();
}

TEST(Truth, ReproducesItsPatterns) {
  // R is the square of the relative error of amplitudes. Double: patterns are rounded to float,
  // amplitudes then to 2^-25 = 3e-8, R to 1e-15. Float: a few 1e-7 an amplitude, R to 1e-12;
  // allowed ten times as much.
  const testing::TemporaryFolder folder;
  for (const double band_limit : {2.0 / 3, 0.0})
    for (const int modes : {1, 3}) {
      Recipe r = small_recipe();
      r.detector.band_limit = band_limit;
      r.optics.modes = modes;
      r.optics.C12 = 20, r.optics.phi12 = 30, r.optics.C30 = 1e6;
      r.dose.noise = false;
      r.overwrite = true;
      r.output = folder / "set.h5";
      r.precision = Precision::float64;
      simulate(r, {}, {});
      EXPECT_LT(r_of_truth<double>(r.output), 1e-14);
      r.precision = Precision::float32;
      simulate(r, {}, {});
      EXPECT_LT(r_of_truth<float>(r.output), 1e-11);
    }
}

TEST(Truth, CountsFitItToTheirNoise) {
  // A Poisson count's square root is off by ½ for counts well above 1: E(√n − √m)² → ¼, so that
  // R → pixels / (4 electrons), less for pixels that count below 1.
  const testing::TemporaryFolder folder;
  Recipe r = small_recipe();
  r.dose.electrons_per_A2 = 1e8;
  r.output = folder / "set.h5";
  simulate(r, {}, {});
  const double expected = 48 * 48 / (4 * 1e8 * 0.8 * 1.1), found = r_of_truth<double>(r.output);
  EXPECT_LT(found, 1.1 * expected);
  EXPECT_GT(found, 0.2 * expected);
}

TEST(Truth, FrozenPhononsAverageToDebyeWaller) {
  // The mean of n displaced potentials is the damped one to its standard error: χ² a pixel is 1,
  // and its scatter is that of some tens of independent displacements. An undamped potential is far
  // off.
  Recipe r = small_recipe();
  r.scan.shape = {1, 1};
  r.detector.window = 32;
  r.specimen.thickness = 4;
  r.specimen.slice_thickness = 4;
  const std::vector<std::string> B{"Pb=1.2", "Ti=0.8", "O=0.9"};
  const int n = 200;
  const auto slice = [](const Plan& plan, const std::vector<SpecimenAtom>& atoms) {
    std::vector<float> phase;
    make_slices(plan, atoms, [&](i64 z, View<const float, 2> p) {
      if (z == 0) phase.assign(p.begin(), p.end());
    });
    return phase;
  };
  const Plan still = make_plan(r);
  r.thermal = {Motion::debye_waller, B, {}, 1};
  const Plan damped = make_plan(r);
  r.thermal = {Motion::frozen_phonons, B, {}, n};
  const Plan frozen = make_plan(r);
  const auto undamped_phase = slice(still, still.atoms), damped_phase = slice(damped, damped.atoms);
  std::vector<double> sum(damped_phase.size()), squares(sum.size());
  for (int c = 0; c < n; ++c) {
    const auto phase = slice(frozen, atoms_of(frozen, 5, c));
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] += phase[i], squares[i] += double(phase[i]) * phase[i];
  }
  const auto chi_squared = [&](const std::vector<float>& expected) {
    double total = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const double mean = sum[i] / n, variance = squares[i] / n - mean * mean;
      total += (mean - expected[i]) * (mean - expected[i]) / (variance / n);
    }
    return total / double(sum.size());
  };
  EXPECT_LT(chi_squared(damped_phase), 2);
  EXPECT_GT(chi_squared(undamped_phase), 4);
}

}  // namespace
}  // namespace ptyle
