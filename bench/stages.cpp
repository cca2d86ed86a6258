// Where the time of a gradient goes: sweeps in the cache, streams from memory, the rest
//
// S = 20, one mode, float, one thread. The sweeps of a gradient alone, (a) on one slice's waves,
// transmission and sums again and again, which stay in the cache, (b) on those of all slices; then
// (c) the whole gradient, which adds the sub-pixel shift, the detector, patterns and the probe's
// gradient. All run in turn; figures are medians. Of (a) also each kind of sweep, a vector of the
// processor's at a time: two FFTs and a product each.
//
//   bench-stages [W …]    last line: the share of (a) in (c) at the first window

#include <array>

#include "gradient.hpp"
#include "operator/cpu/sweeps/order.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;
using namespace ptyle::cpu;

constexpr i64 slices = 20;
constexpr int rounds = 25;

const Kernels<float>& kernels(i64 window) {
  const std::string path = describe_path(window);
  return path == "AVX-512" ? avx512_kernels<float>()
         : path == "AVX2"  ? avx2_kernels<float>()
                           : plain_kernels<float>();
}

/// The sweeps of a gradient and nothing else.
class Sweeps {
 public:
  explicit Sweeps(i64 window)
      : w_(window),
        k_(kernels(window)),
        tables_(window, k_.lanes),
        wave_({sweep_wave_size(window, k_.lanes)}),
        propagator_(wave_.shape()),
        u_({slices * 2 * window * window}),
        re_({slices, window + 61, window + 53}),
        im_(re_.shape()),
        sum_(re_.shape()) {
    re_.fill(1);  // zeros stay zeros
  }
  void run(bool all_slices) {
    for (i64 s = 0; s < slices; ++s) {
      rows(all_slices ? s : 0, false);
      if (s + 1 < slices) columns(false);
    }
    for (i64 s = slices - 1; s >= 0; --s) {
      rows(all_slices ? s : 0, true);
      if (s > 0) columns(true);
    }
  }

  void columns(bool back) {
    for (i64 c = 0; c < tables_.geometry.vectors; ++c)
      k_.column_sweep(tables_.geometry, wave_.data(), propagator_.data(), back, c);
  }
  void rows(i64 s, bool back) {
    const Geometry<float>& g = tables_.geometry;
    RowWork<float> work;
    work.next_row = work.next_sum = re_.shape()[2];
    for (i64 y = 0; y < w_; ++y) {
      work.t_re = &re_(s, y + 3, 7);
      work.t_im = &im_(s, y + 3, 7);
      work.phase = &sum_(s, y + 3, 7);
      float *u = u_.data() + (s * w_ + y) * 2 * w_, *wave = wave_.data() + y * 2 * k_.lanes;
      work.u = u;
      work.u_back = u;
      (back ? k_.row_sweep_back : k_.row_sweep)(g, wave, work);
    }
  }
  [[nodiscard]] i64 lanes() const { return k_.lanes; }

 private:
  i64 w_;
  const Kernels<float>& k_;
  Tables<float> tables_;
  Array<float, 1> wave_, propagator_, u_;
  Array<float, 3> re_, im_, sum_;
};

double measure(i64 window) {
  const Scene<float> scene(window, slices);
  const auto op = make_cpu_operator<float>(scene.setup, 1);
  scene.load(*op);
  Sums<float> sums(scene);
  Sweeps sweeps(window);
  std::vector<double> one, all, whole;
  std::array<std::vector<double>, 3> kinds;  // of sweeps: columns, rows, rows back
  for (int round = 0; round < rounds; ++round) {
    const auto positions = scene.places.size();  // as many times each, for the caches' sake
    const auto sweep = [&](bool all_slices) {
      for (std::size_t i = 0; i < positions; ++i) sweeps.run(all_slices);
    };
    const auto gradient = [&] {
      op->gradient(scene.places, scene.source(), {Part::object, Part::probe}, sums.view());
    };
    const auto of_kind = [&](int kind) {
      for (i64 i = 0; i < 2 * slices; ++i) {
        if (kind == 0)
          sweeps.columns(false);
        else
          sweeps.rows(0, kind == 2);
      }
    };
    for (int kind = 0; kind < 3; ++kind)
      kinds[kind].push_back(1e9 * seconds([&] { of_kind(kind); }) / double(2 * slices) *
                            double(sweeps.lanes()) / double(window * window));
    one.push_back(1e3 * seconds([&] { sweep(false); }) / double(positions));
    all.push_back(1e3 * seconds([&] { sweep(true); }) / double(positions));
    whole.push_back(1e3 * seconds(gradient) / double(positions));
  }
  const double a = band(one).median, b = band(all).median, c = band(whole).median;
  fmt::print("W = {}, computed by {}: {:.3f} ms\n", window, describe_path(window), c);
  fmt::print("    sweeps in the cache     {:.3f} ms  {:3.0f} %\n", a, 100 * a / c);
  fmt::print("        columns {:.1f}, rows {:.1f}, rows back {:.1f} ns a vector of {} pixels\n",
             band(kinds[0]).median, band(kinds[1]).median, band(kinds[2]).median, sweeps.lanes());
  fmt::print("    streams from memory     {:.3f} ms  {:3.0f} %\n", b - a, 100 * (b - a) / c);
  fmt::print("    everything else         {:.3f} ms  {:3.0f} %\n", c - b, 100 * (c - b) / c);
  return a / c;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<i64> windows;
    for (int i = 1; i < argc; ++i) windows.push_back(std::stoll(argv[i]));
    if (windows.empty()) windows = {128, 192, 256, 512};
    fmt::print("{}\n", processor());
    std::vector<double> shares;
    for (const i64 window : windows) {
      if (!has_sweeps(window)) throw std::runtime_error("this window is computed by FFTW");
      shares.push_back(measure(window));
    }
    fmt::print("stages = {:.2f} ratio\n", shares.front());
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench-stages: {}\n", e.what());
    return 1;
  }
}
