// Time of multislice gradients on a GPU over the time of the bare batched cuFFTs that they need
//
// Subject: object and probe gradient, S = 20, one mode, float, arrays and patterns (uint16) on the
// device, for each way that the window allows, with sums in order and at once. Baseline: as many
// cuFFTs of the size, half of them inverse, in place, in batches of the fastest of four sizes.
// Subject and baseline run in turn; figures are medians of the rounds' ratios [quartiles]. The
// gradient is checked against the CPU's in double precision.
//
//   bench-gradient-gpu [--path PATH,PATH] [W …]
//       default all of cufft, sweeps and on-chip that the window allows, and windows 128 and 256
//   bench-gradient-gpu --emulated    small, on the host: is the benchmark itself right?
//   last lines: the best path's ratio at each window, the first one's without its name

#include <cmath>
#include <memory>
#include <utility>

#include "core/error.hpp"
#include "gpu/program.hpp"
#include "gradient.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

struct Sizes {
  i64 slices = 20;
  int rounds = 11;
  std::size_t wave_bytes = std::size_t{256} << 20;  ///< of all positions' waves together
  std::vector<i64> batches{0, 32, 128, 512};        ///< of bare FFTs; 0: all positions
};

/// The gradient's larger relative difference, of object and probe, from the one in double. In float
/// it is up to 7.1e-6 on the emulated GPU; cuFFT's own rounding may differ from what stands in for
/// it there, and a mistake makes orders of magnitude more.
constexpr double largest_error = 3e-5;

constexpr Wanted wanted{Part::object, Part::probe};

/// Floating-point operations of a complex W² transform, as usual: 5 N log2 N.
double flops_of_fft(i64 window) {
  const auto n = static_cast<double>(window * window);
  return 5 * n * std::log2(n);
}

/// By the clock, until the GPU has done it.
template <class Work>
double wall(Card& gpu, Work&& work) {
  gpu.wait();
  const double start = wall_seconds();
  work();
  gpu.wait();
  return wall_seconds() - start;
}

/// A square raster of positions on a random object.
struct Raster {
  Raster(i64 window, i64 count, i64 slices)
      : side(static_cast<i64>(std::ceil(std::sqrt(double(count))))),
        scene(window, slices),
        phase({slices, window + 6 * side, window + 6 * side}),
        counts(static_cast<std::size_t>(window * window)) {
    Philox random(3, 0, static_cast<std::uint64_t>(window));
    for (float& v : phase) v = static_cast<float>(0.5 * random.uniform());
    for (auto& v : counts) v = static_cast<std::uint16_t>(150 * random.uniform());
    const auto half = static_cast<double>(window / 2);
    for (i64 i = 0; i < count; ++i)
      places.push_back(
          place({half + 5.7 * double(i / side), half + 5.7 * double(i % side)}, window));
  }
  /// So few that the CPU does them in a moment.
  [[nodiscard]] std::span<const Placement> some() const {
    return std::span(places).first(std::min<std::size_t>(3, places.size()));
  }
  i64 side;
  Scene<float> scene;
  Array<float, 3> phase;
  std::vector<std::uint16_t> counts;
  std::vector<Placement> places;
};

/// The gradient of some positions, by the CPU in double.
struct Exact {
  explicit Exact(const Raster& raster)
      : object(raster.phase.shape()), probe(raster.scene.probe.shape()) {
    const auto cpu = make_cpu_operator<double>(raster.scene.setup, 1);
    const auto phase = converted<double, float, 3>(raster.phase.view());
    cpu->set_object({phase.view(), {}});
    cpu->set_probe(converted<Complex<double>, Complex<float>, 3>(raster.scene.probe.view()).view());
    cpu->gradient(raster.some(), Measured<double>([&](i64, double* to) {
                    std::copy(raster.counts.begin(), raster.counts.end(), to);
                  }),
                  wanted, {object.view(), {}, {}, probe.view()});
  }
  Array<double, 3> object;
  Array<Complex<double>, 3> probe;
};

template <class A, class B>
double relative_difference(const A& a, const B& b) {
  double difference = 0, norm = 0;
  for (i64 i = 0; i < b.size(); ++i) {
    difference += std::norm(Complex<double>(a.data()[i]) - Complex<double>(b.data()[i]));
    norm += std::norm(Complex<double>(b.data()[i]));
  }
  return std::sqrt(difference / norm);
}

class Subject {
 public:
  Subject(Card& gpu, const Raster& raster, const GpuOptions& options)
      : gpu_(gpu.memory()),
        raster_(raster),
        op_(gpu.make(raster.scene.setup, options)),
        phase_(raster.phase.shape(), nullptr, "", &gpu.memory()),
        sum_(raster.phase.shape(), nullptr, "", &gpu.memory()),
        probe_(raster.scene.probe.shape(), nullptr, "", &gpu.memory()) {
    gpu_.copy(phase_.data(), raster.phase.data(),
              static_cast<std::size_t>(phase_.size()) * sizeof(float));
    op_->set_object({phase_.view(), {}});
    op_->set_probe(raster.scene.probe.view());
  }
  void run(std::span<const Placement> places) {
    const Measured<float> measured(
        [&](i64, float* to) { std::copy(raster_.counts.begin(), raster_.counts.end(), to); },
        [&](i64 k) {
          return RawPattern{raster_.counts.data(), PatternType::uint16, 0, k};
        });
    op_->gradient(places, measured, wanted, {sum_.view(), {}, {}, probe_.view()});
  }
  void run() { run(raster_.places); }
  /// The larger relative difference, of the object's and the probe's gradients, from the CPU's.
  double error(const Exact& exact) {
    Array<float, 3> sum(sum_.shape());
    Array<Complex<float>, 3> probe(probe_.shape());
    gpu_.copy(sum_.data(), sum.data(), static_cast<std::size_t>(sum.size()) * sizeof(float));
    gpu_.copy(probe_.data(), probe.data(),
              static_cast<std::size_t>(probe.size()) * sizeof(Complex<float>));
    run(raster_.some());
    gpu_.copy(sum.data(), sum_.data(), static_cast<std::size_t>(sum.size()) * sizeof(float));
    gpu_.copy(probe.data(), probe_.data(),
              static_cast<std::size_t>(probe.size()) * sizeof(Complex<float>));
    return std::max(relative_difference(sum, exact.object),
                    relative_difference(probe, exact.probe));
  }

 private:
  Memory& gpu_;
  const Raster& raster_;
  std::unique_ptr<Operator<float>> op_;
  Array<float, 3> phase_, sum_;
  Array<Complex<float>, 3> probe_;
};

/// The baseline: seconds of a bare transform, in the quickest batches.
struct Bare {
  i64 batch = 0;
  double seconds = INFINITY;
};
Bare bare_ffts(Card& gpu, i64 window, i64 count, const Sizes& sizes) {
  Bare best;
  for (const i64 b : sizes.batches) {
    const i64 size = b > 0 ? b : count;
    if (const double each = gpu.bare_seconds(window, size, 4 * count); each < best.seconds)
      best = {size, each};
  }
  fmt::print("bare cuFFT in batches of {}: {:.3f} us each, {:.0f} GFLOP/s\n", best.batch,
             1e6 * best.seconds, 1e-9 * flops_of_fft(window) / best.seconds);
  return best;
}

class Comparison {
 public:
  Comparison(Card& gpu, i64 window, const Sizes& sizes, const Ceilings& ceilings)
      : gpu_(gpu),
        sizes_(sizes),
        ceilings_(ceilings),
        count_(std::max<i64>(2, static_cast<i64>(sizes.wave_bytes) /
                                    (window * window * i64(sizeof(Complex<float>))))),
        raster_(window, count_, sizes.slices),
        exact_(raster_) {
    fmt::print("W = {}, S = {}, {} positions; ", window, sizes.slices, count_);
    bare_ = bare_ffts(gpu, window, count_, sizes);
  }
  /// Prints a line. Throws UserError where the window or the GPU has no such path.
  void run(GpuPath path, GpuSums sums) {
    GpuOptions options;
    options.path = path;
    options.sums = sums;
    Subject subject(gpu_, raster_, options);
    const double error = subject.error(exact_);
    const i64 window = raster_.scene.setup.window;
    const auto ffts = static_cast<double>(count_ * transforms(sizes_.slices));
    subject.run();
    std::vector<double> ratios, times;
    for (int round = 0; round < sizes_.rounds; ++round) {
      const double each =
          bare_.batch > 0 ? gpu_.bare_seconds(window, bare_.batch, 4 * count_) : INFINITY;
      times.push_back(wall(gpu_, [&] { subject.run(); }));
      ratios.push_back(times.back() / (ffts * each));
    }
    const Band r = band(ratios), t = band(times);
    const double flops = ffts * flops_of_fft(window), bytes = least_bytes(path, sums);
    fmt::print(
        "    {:<8} {:<8} {:8.2f} us a gradient   {}{:5.0f} GFLOP/s of FFTs ({:2.0f} % of FMA)   "
        "{:5.0f} GB/s of waves and t ({:2.0f} % of copy)   error {:.1e}{}\n",
        name_of(path), sums == GpuSums::ordered ? "ordered" : "at once",
        1e6 * t.median / double(count_),
        bare_.batch > 0 ? fmt::format("{:.3f} [{:.3f}, {:.3f}] of bare   ", r.median, r.low, r.high)
                        : "",
        1e-9 * flops / t.median, 100 * flops / t.median / ceilings_.flops, 1e-9 * bytes / t.median,
        100 * bytes / t.median / ceilings_.bytes, error,
        error < largest_error ? "" : "  TOO LARGE");
    if (!(error < largest_error))
      right_ = false;
    else if (bare_.batch > 0)
      best_ = std::min(best_, r.median);
  }
  [[nodiscard]] bool right() const { return right_; }
  [[nodiscard]] double best() const { return best_; }  ///< ratio; infinite: none

 private:
  /// Least traffic: u kept and read again, the gradient, and t twice, for each slice; beside them
  /// the wave, four times in sweeps.
  [[nodiscard]] double least_bytes(GpuPath path, GpuSums sums) const {
    const auto window = static_cast<double>(raster_.scene.setup.window);
    return double(count_) * window * window * double(sizes_.slices) *
           ((sums == GpuSums::ordered ? 24 : 20) + 16 +
            (path == GpuPath::fused    ? 0
             : path == GpuPath::sweeps ? 64
                                       : 160));
  }
  Card& gpu_;
  const Sizes& sizes_;
  const Ceilings& ceilings_;
  i64 count_;
  Raster raster_;
  Exact exact_;
  Bare bare_;
  bool right_ = true;
  double best_ = INFINITY;
};

/// All was right, and whatever path was asked for by name could be had?
bool gradient_gpu(Card& card, const Ceilings& ceilings, const Arguments& given) {
  Sizes sizes;
  auto windows = given.numbers;
  if (given.emulated) sizes = {.slices = 3, .rounds = 3, .wave_bytes = 1, .batches = {0, 2}};
  if (windows.empty())
    windows = given.emulated ? std::vector<i64>{64, 30} : std::vector<i64>{128, 256};
  auto paths = given.paths;
  if (paths.empty()) paths = {GpuPath::fft, GpuPath::sweeps, GpuPath::fused};
  bool right = true;
  std::vector<std::pair<i64, double>> figures;
  for (const i64 window : windows) {
    Comparison comparison(card, window, sizes, ceilings);
    for (const GpuPath path : paths) try {
        for (const GpuSums sums : {GpuSums::ordered, GpuSums::atomic}) comparison.run(path, sums);
      } catch (const UserError& e) {
        fmt::print("    {:<8} cannot be: {}\n", name_of(path), e.what());
        right = right && given.paths.empty();
      }
    right = right && comparison.right();
    if (std::isfinite(comparison.best())) figures.emplace_back(window, comparison.best());
  }
  for (std::size_t i = figures.size(); i-- > 0;)
    fmt::print("gradient-gpu{} = {:.3f} ratio\n",
               i == 0 ? "" : fmt::format("-{}", figures[i].first), figures[i].second);
  return right;
}

}  // namespace

int main(int argc, char** argv) { return run_on_card("gradient-gpu", argc, argv, gradient_gpu); }
