// Time of multislice gradients on a GPU over the time of the bare batched cuFFTs that they need
//
// Subject: object and probe gradient, S = 20, one mode, float, arrays and patterns (uint16) on the
// device, for each way that the window allows, with sums in order and at once. Baseline: as many
// cuFFTs of the size, half of them inverse, in place, in batches of the fastest of four sizes.
// Subject and baseline run in turn; figures are medians of the rounds' ratios [quartiles]. The
// gradient is checked against the CPU's in double precision.
//
//   bench-gradient-gpu [W …]         default 128 256 and 64 96 192 512
//   bench-gradient-gpu --emulated    small, on the host: is the benchmark itself right?
//   last lines: the best way's ratio at each of the first two windows

#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "gpu/card.hpp"
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

bool wrong = false;  // a gradient was not right

constexpr Wanted wanted{.object = true, .probe = true, .illumination = false};

std::string name_of(GpuPath path) {
  return path == GpuPath::fused    ? "waves on chip"
         : path == GpuPath::sweeps ? "two sweeps"
                                   : "cuFFT";
}

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
  i64 side;
  Scene<float> scene;
  Array<float, 3> phase;
  std::vector<std::uint16_t> counts;
  std::vector<Placement> places;
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
  double error() {
    const auto some =
        std::span(raster_.places).first(std::min<std::size_t>(3, raster_.places.size()));
    Array<float, 3> sum(sum_.shape());
    Array<Complex<float>, 3> probe(probe_.shape());
    gpu_.copy(sum_.data(), sum.data(), static_cast<std::size_t>(sum.size()) * sizeof(float));
    gpu_.copy(probe_.data(), probe.data(),
              static_cast<std::size_t>(probe.size()) * sizeof(Complex<float>));
    run(some);
    gpu_.copy(sum.data(), sum_.data(), static_cast<std::size_t>(sum.size()) * sizeof(float));
    gpu_.copy(probe.data(), probe_.data(),
              static_cast<std::size_t>(probe.size()) * sizeof(Complex<float>));
    const auto cpu = make_cpu_operator<double>(raster_.scene.setup, 1);
    const auto phase = converted<double, float, 3>(raster_.phase.view());
    cpu->set_object({phase.view(), {}});
    cpu->set_probe(
        converted<Complex<double>, Complex<float>, 3>(raster_.scene.probe.view()).view());
    Array<double, 3> exact(sum.shape());
    Array<Complex<double>, 3> exact_probe(probe.shape());
    cpu->gradient(some, Measured<double>([&](i64, double* to) {
                    std::copy(raster_.counts.begin(), raster_.counts.end(), to);
                  }),
                  wanted, {exact.view(), {}, {}, exact_probe.view()});
    return std::max(relative_difference(sum, exact), relative_difference(probe, exact_probe));
  }

 private:
  Memory& gpu_;
  const Raster& raster_;
  std::unique_ptr<Operator<float>> op_;
  Array<float, 3> phase_, sum_;
  Array<Complex<float>, 3> probe_;
};

double measure(Card& gpu, i64 window, const Sizes& sizes, const Ceilings& ceilings) {
  const i64 count = std::max<i64>(
      2, static_cast<i64>(sizes.wave_bytes) / (window * window * i64(sizeof(Complex<float>))));
  const Raster raster(window, count, sizes.slices);
  const auto ffts = static_cast<double>(count * transforms(sizes.slices));
  double least = INFINITY;
  i64 batch = 0;
  for (const i64 b : sizes.batches) {
    const i64 size = b > 0 ? b : count;
    if (const double each = gpu.bare_seconds(window, size, 4 * count); each < least)
      least = each, batch = size;
  }
  fmt::print(
      "W = {}, S = {}, {} positions; bare cuFFT in batches of {}: {:.3f} us each, {:.0f} GFLOP/s\n",
      window, sizes.slices, count, batch, 1e6 * least, 1e-9 * flops_of_fft(window) / least);
  double best = INFINITY;
  for (const GpuPath path : {GpuPath::fused, GpuPath::sweeps, GpuPath::fft})
    for (const GpuSums sums : {GpuSums::ordered, GpuSums::atomic}) {
      std::optional<Subject> subject;
      try {
        GpuOptions options;
        options.path = path;
        options.sums = sums;
        subject.emplace(gpu, raster, options);
      } catch (const UserError&) {
        continue;  // not of this window
      }
      const double error = subject->error();
      subject->run();
      std::vector<double> ratios, times;
      for (int round = 0; round < sizes.rounds; ++round) {
        const double each = gpu.bare_seconds(window, batch, 4 * count);
        times.push_back(wall(gpu, [&] { subject->run(); }));
        ratios.push_back(times.back() / (ffts * each));
      }
      const Band r = band(ratios), t = band(times);
      // Least traffic: u kept and read again, the gradient, and t twice, for each slice; beside
      // them the wave, four times in sweeps.
      const double pixels = double(count) * double(window * window) * double(sizes.slices);
      const double bytes = pixels * ((sums == GpuSums::ordered ? 24 : 20) + 16 +
                                     (path == GpuPath::fused    ? 0
                                      : path == GpuPath::sweeps ? 64
                                                                : 160));
      fmt::print(
          "    {:<14} {:<8} {:8.2f} us a gradient   {:.3f} [{:.3f}, {:.3f}] of bare   "
          "{:5.0f} GFLOP/s of FFTs ({:2.0f} % of FMA)   {:5.0f} GB/s of waves and t ({:2.0f} % of "
          "copy)   "
          "error {:.1e}{}\n",
          name_of(path), sums == GpuSums::ordered ? "ordered" : "at once",
          1e6 * t.median / double(count), r.median, r.low, r.high,
          1e-9 * ffts * flops_of_fft(window) / t.median,
          100 * ffts * flops_of_fft(window) / t.median / ceilings.flops, 1e-9 * bytes / t.median,
          100 * bytes / t.median / ceilings.bytes, error, error < 1e-5 ? "" : "  TOO LARGE");
      std::fflush(stdout);
      if (!(error < 1e-5)) wrong = true;
      if (error < 1e-5) best = std::min(best, r.median);
    }
  return best;
}

void gradient_gpu(Card& gpu, const std::vector<i64>& windows, const Sizes& sizes,
                  const Ceilings& ceilings) {
  fmt::print("{}; measured ceilings: copy {:.0f} GB/s, multiply-adds {:.1f} TFLOP/s\n", gpu.name(),
             1e-9 * ceilings.bytes, 1e-12 * ceilings.flops);
  std::vector<std::pair<i64, double>> figures;
  for (const i64 window : windows)
    figures.emplace_back(window, measure(gpu, window, sizes, ceilings));
  for (std::size_t i = std::min<std::size_t>(2, figures.size()); i-- > 0;)
    fmt::print("gradient-gpu{} = {:.3f} ratio\n",
               i == 0 ? "" : "-" + std::to_string(figures[i].first), figures[i].second);
}

}  // namespace
int main(int argc, char** argv) try {
  if (argc > 1 && std::strcmp(argv[1], "--emulated") == 0) {
    const auto card = emulated_card();
    Sizes sizes;
    sizes.slices = 3;
    sizes.rounds = 3;
    sizes.wave_bytes = 1;
    sizes.batches = {0, 2};
    gradient_gpu(*card, {64, 30}, sizes, card->ceilings());
    return wrong ? 1 : 0;
  }
  const auto card = real_card();
  std::vector<i64> windows;
  for (int i = 1; i < argc; ++i) windows.push_back(std::stoll(argv[i]));
  if (windows.empty()) windows = {128, 256, 64, 96, 192, 512};
  gradient_gpu(*card, windows, {}, card->ceilings());
  return wrong ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "gradient-gpu: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
