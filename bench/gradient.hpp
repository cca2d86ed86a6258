#pragma once

// What the benchmarks of the gradient share: the bare FFTs that it needs, and a random scene.

#include <fftw3.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "operator/operator.hpp"
#include "physics/propagator.hpp"

namespace ptyle::bench {

/// FFTs of one gradient: half of them forward, half inverse.
constexpr i64 transforms(i64 slices) { return 4 * (slices - 1) + 2; }

inline double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Processor time of all threads.
template <class Work>
double seconds(Work&& work) {
  const double start = processor_seconds();
  work();
  return processor_seconds() - start;
}

inline double wall_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

struct Band {
  double low, median, high;  // quartiles
};

inline Band band(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return {v[v.size() / 4], v[v.size() / 2], v[v.size() * 3 / 4]};
}

/// `count` transforms by one kind of FFTW's PATIENT plans; all zeros, which stay zeros.
class BareFfts {
 public:
  BareFfts(i64 window, i64 count, i64 batch, bool in_place)
      : count_(count),
        batch_(batch),
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
    for (i64 done = 0; done < count_ / 2; done += batch_) {
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

  i64 count_, batch_;
  std::string name_;
  Array<Complex<float>, 3> from_, to_;
  Plan forward_, inverse_;
};

/// The fastest of FFTW's plans, tried in turn: in place or not, single or batched (of a count that
/// 2 · 39 is a multiple of).
inline BareFfts fastest_ffts(i64 window, i64 count) {
  std::vector<BareFfts> tried;
  for (const i64 batch : {1, 3, 13})  // divisors of the 39 transforms of a direction
    for (const bool in_place : {true, false}) tried.emplace_back(window, count, batch, in_place);
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

/// A random object, probe and patterns; every value is exact in float.
template <class T>
struct Scene {
  explicit Scene(i64 w, i64 slices = 20)
      : phase({slices, w + 61, w + 53}), probe({1, w, w}), pattern({w, w}) {
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

inline std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

}  // namespace ptyle::bench
