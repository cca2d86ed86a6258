// Time of one multislice gradient over the time of the bare FFTs it needs (W = 128, 192, 256, 512)
//
// Subject: object and probe gradient of a position, S = 20, one mode, float, one thread, no band
// limit; gather, scatter and sub-pixel shift included. Baseline: 4(S−1)+2 two-dimensional FFTs,
// half of them inverse, by whichever of FFTW's PATIENT plans is fastest here: in place or out of
// place, single or batched. Subject and baseline run in turn; the figure is the median of their
// ratios. The gradient is checked against the reference operator, or the double-precision one where
// that is slow.
//
//   bench-gradient-cpu [W …]    last line: the worst ratio of the windows up to 256

#include <cmath>
#include <limits>

#include "gradient.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

constexpr i64 slices = 20;
constexpr int rounds = 25;

// ---------------------------------------------------------------------------------------------
// Subject

constexpr Wanted wanted{Part::object, Part::probe};

template <class A, class B>
double relative_difference(const A& a, const B& b) {
  double difference = 0, norm = 0;
  for (i64 i = 0; i < b.size(); ++i) {
    difference += std::norm(Complex<double>(a.data()[i]) - Complex<double>(b.data()[i]));
    norm += std::norm(Complex<double>(b.data()[i]));
  }
  return std::sqrt(difference / norm);
}

/// Largest relative difference of the gradient at the first position from that of an exact
/// operator.
double error_of(const Operator<float>& subject, const Scene<float>& scene,
                std::unique_ptr<Operator<double>> exact) {
  const Scene<double> same(scene.setup.window);
  same.load(*exact);
  Sums<float> sums(scene);
  Sums<double> expected(same);
  subject.gradient(std::span(scene.places).first(1), scene.source(), wanted, sums.view());
  exact->gradient(std::span(same.places).first(1), same.source(), wanted, expected.view());
  return std::max(relative_difference(sums.phase, expected.phase),
                  relative_difference(sums.probe, expected.probe));
}

/// Measures one window; returns the median ratio.
double measure(i64 window) {
  fmt::print("W = {}, computed by {}\n", window, describe_path(window));
  const Scene<float> scene(window);
  const auto subject = make_cpu_operator<float>(scene.setup, 1);
  scene.load(*subject);
  const bool by_reference = window <= 192;  // a direct Fourier sum of 256² takes a while
  const double error = error_of(*subject, scene,
                                by_reference ? make_reference_operator(scene.setup)
                                             : make_cpu_operator<double>(scene.setup, 1));
  // 4S transforms, each adding ε √(log2 W²) at random, times 10 for the division by small |Ψ|
  const double stages = 8.0 * slices * std::log2(static_cast<double>(window));
  const double allowed = 10 * std::numeric_limits<float>::epsilon() * std::sqrt(stages);
  fmt::print("    gradient differs by {:.1e} from the {}, allowed {:.1e}\n", error,
             by_reference ? "reference" : "double-precision operator", allowed);
  if (!(error < allowed)) throw std::runtime_error("the gradient is wrong: no figure");

  const BareFfts bare = fastest_ffts(window, transforms(slices));
  Sums<float> sums(scene);
  const auto gradient = [&] {
    subject->gradient(scene.places, scene.source(), wanted, sums.view());
  };
  gradient();
  const auto positions = static_cast<double>(scene.places.size());
  std::vector<double> of_gradient, of_ffts, ratios;
  for (int round = 0; round < rounds; ++round) {
    of_ffts.push_back(seconds([&] {
                        for (std::size_t i = 0; i < scene.places.size(); ++i) bare.run();
                      }) /
                      positions);
    of_gradient.push_back(seconds(gradient) / positions);
    ratios.push_back(of_gradient.back() / of_ffts.back());
  }
  const Band g = band(of_gradient), f = band(of_ffts), r = band(ratios);
  fmt::print("    {} FFTs ({}) {:.3f} ms [{:.3f}, {:.3f}]\n", transforms(slices), bare.name(),
             1e3 * f.median, 1e3 * f.low, 1e3 * f.high);
  fmt::print("    one gradient {:.3f} ms [{:.3f}, {:.3f}]\n", 1e3 * g.median, 1e3 * g.low,
             1e3 * g.high);
  fmt::print("    ratio {:.3f} [{:.3f}, {:.3f}]\n", r.median, r.low, r.high);
  std::fflush(stdout);
  return r.median;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<i64> windows;
    for (int i = 1; i < argc; ++i) windows.push_back(std::stoll(argv[i]));
    if (windows.empty()) windows = {128, 192, 256, 512};
    fmt::print("{}\n{}; compiler {}, flags '{}'\n", processor(), fftwf_version, __VERSION__,
               PTYLE_FLAGS);
    fmt::print("S = {}, 1 mode, float, 1 thread; medians of {} rounds [quartiles]\n", slices,
               rounds);
    double worst = 0;
    for (const i64 window : windows) {
      const double ratio = measure(window);
      if (window <= 256) worst = std::max(worst, ratio);
    }
    fmt::print("gradient-cpu = {:.3f} ratio\n", worst);
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench-gradient-cpu: {}\n", e.what());
    return 1;
  }
}
