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

#include <fftw3.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "operator/operator.hpp"
#include "physics/propagator.hpp"

namespace {

using namespace ptyle;

constexpr i64 slices = 20;
constexpr i64 transforms = 4 * (slices - 1) + 2;  // of one gradient: half forward, half inverse
constexpr int rounds = 25;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Work>
double seconds(Work&& work) {
  const double start = processor_seconds();
  work();
  return processor_seconds() - start;
}

struct Band {
  double low, median, high;  // quartiles
};

Band band(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return {v[v.size() / 4], v[v.size() / 2], v[v.size() * 3 / 4]};
}

// ---------------------------------------------------------------------------------------------
// Baseline

/// The transforms of one gradient by one kind of plan.
class BareFfts {
 public:
  BareFfts(i64 window, i64 batch, bool in_place)
      : batch_(batch),
        name_(fmt::format("{}, {}", batch == 1 ? "single" : fmt::format("batches of {}", batch),
                          in_place ? "in place" : "out of place")),
        from_({batch, window, window}),
        to_({in_place ? 0 : batch, window, window}) {
    forward_ = plan(window, FFTW_FORWARD);
    inverse_ = plan(window, FFTW_BACKWARD);
    from_.fill(0);  // planning overwrites; zeros stay zeros however often they are transformed
    to_.fill(0);
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  void run() const {
    for (i64 done = 0; done < transforms / 2; done += batch_) {
      fftwf_execute(forward_.get());
      fftwf_execute(inverse_.get());
    }
  }

 private:
  struct Destroy {
    void operator()(fftwf_plan plan) const { fftwf_destroy_plan(plan); }
  };
  using Plan = std::unique_ptr<std::remove_pointer_t<fftwf_plan>, Destroy>;

  Plan plan(i64 window, int direction) {
    const int n[2] = {static_cast<int>(window), static_cast<int>(window)};
    const int plane = n[0] * n[1];
    auto* in = reinterpret_cast<fftwf_complex*>(from_.data());
    auto* out = to_.empty() ? in : reinterpret_cast<fftwf_complex*>(to_.data());
    Plan made(fftwf_plan_many_dft(2, n, static_cast<int>(batch_), in, nullptr, 1, plane, out,
                                  nullptr, 1, plane, direction, FFTW_PATIENT));
    if (!made) throw std::runtime_error("FFTW made no plan");
    return made;
  }

  i64 batch_;
  std::string name_;
  Array<Complex<float>, 3> from_, to_;
  Plan forward_, inverse_;
};

/// The fastest of FFTW's plans, tried in turn.
BareFfts fastest_ffts(i64 window) {
  std::vector<BareFfts> tried;
  for (const i64 batch : {1, 3, 13})  // divisors of the 39 transforms of a direction
    for (const bool in_place : {true, false}) tried.emplace_back(window, batch, in_place);
  std::vector<std::vector<double>> times(tried.size());
  for (int round = 0; round < 9; ++round)
    for (std::size_t i = 0; i < tried.size(); ++i)
      times[i].push_back(seconds([&] { tried[i].run(); }));
  std::size_t best = 0;
  for (std::size_t i = 0; i < tried.size(); ++i) {
    fmt::print("    {:<28} {:8.3f} ms\n", tried[i].name(), 1e3 * band(times[i]).median);
    if (band(times[i]).median < band(times[best]).median) best = i;
  }
  return std::move(tried[best]);
}

// ---------------------------------------------------------------------------------------------
// Subject

/// A random object, probe and patterns; every value is exact in float.
template <class T>
struct Scene {
  explicit Scene(i64 w) : phase({slices, w + 61, w + 53}), probe({1, w, w}), pattern({w, w}) {
    setup.window = w;
    setup.slices = slices;
    setup.epsilon = 1;  // of a mean of 100 counts: no pixel is dark enough to be rounding alone
    setup.propagator = propagator(w, 0.1, 0.025, 1.25);
    Philox random(1, 0, static_cast<std::uint64_t>(w));
    const auto value = [&](double from, double to) {
      return static_cast<T>(static_cast<float>(from + (to - from) * random.uniform()));
    };
    for (T& v : phase) v = value(0, 0.5);
    const double amplitude = std::sqrt(100.0 / static_cast<double>(w * w));
    for (auto& v : probe) v = {value(-amplitude, amplitude), value(-amplitude, amplitude)};
    for (T& v : pattern) v = value(0, 150);
    for (const double at : {0.25, 13.4, 27.75, 40.1}) {
      const auto half = static_cast<double>(w / 2);
      places.push_back(place({half + at, half + 52 - at}, w));
    }
  }
  [[nodiscard]] Measured<T> source() const {
    return [this](i64, T* to) { std::copy(pattern.begin(), pattern.end(), to); };
  }
  void load(Operator<T>& op) const {
    op.set_object({phase.view(), {}});
    op.set_probe(probe.view());
  }
  OperatorSetup setup;
  Array<T, 3> phase;
  Array<Complex<T>, 3> probe;
  Array<T, 2> pattern;
  std::vector<Placement> places;
};

template <class T>
struct Sums {
  explicit Sums(const Scene<T>& s) : phase(s.phase.shape()), probe(s.probe.shape()) {}
  Gradient<T> view() { return {phase.view(), {}, {}, probe.view()}; }
  Array<T, 3> phase;
  Array<Complex<T>, 3> probe;
};

constexpr Wanted wanted{.object = true, .probe = true, .illumination = false};

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
  fmt::print("W = {}\n", window);
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

  const BareFfts bare = fastest_ffts(window);
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
  fmt::print("    {} FFTs ({}) {:.3f} ms [{:.3f}, {:.3f}]\n", transforms, bare.name(),
             1e3 * f.median, 1e3 * f.low, 1e3 * f.high);
  fmt::print("    one gradient {:.3f} ms [{:.3f}, {:.3f}]\n", 1e3 * g.median, 1e3 * g.low,
             1e3 * g.high);
  fmt::print("    ratio {:.3f} [{:.3f}, {:.3f}]\n", r.median, r.low, r.high);
  std::fflush(stdout);
  return r.median;
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

#if defined(__AVX512F__)
constexpr const char* vectors = "AVX-512";
#elif defined(__AVX2__)
constexpr const char* vectors = "AVX2";
#else
constexpr const char* vectors = "the target's default";
#endif

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<i64> windows;
    for (int i = 1; i < argc; ++i) windows.push_back(std::stoll(argv[i]));
    if (windows.empty()) windows = {128, 192, 256, 512};
    fmt::print("{}\n{}; compiler {}, flags '{}', vectors: {}\n", processor(), fftwf_version,
               __VERSION__, PTYLE_FLAGS, vectors);
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
