// Gradients a second on 2 threads over those on 1, beside the same of the bare FFTs
//
// W = 128, S = 20, one mode, float, 32 positions a call; wall-clock time. The bare FFTs run on one
// thread, then on two, each with its own arrays. All four run in turn; figures are the medians of
// the rounds' ratios.
//
//   bench-threads [W]

#include "core/parallel.hpp"
#include "gradient.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

constexpr i64 slices = 20;
constexpr int positions = 32, rounds = 15;

template <class Work>
double wall(Work&& work) {
  const double start = wall_seconds();
  work();
  return wall_seconds() - start;
}

double speed_up(i64 window) {
  const Scene<float> scene(window, slices);
  std::vector<Placement> places;
  for (int p = 0; p < positions; ++p) places.push_back(scene.places[p % scene.places.size()]);
  Sums<float> sums(scene);
  std::vector<std::unique_ptr<Operator<float>>> operators;
  for (const int threads : {1, 2}) {
    operators.push_back(make_cpu_operator<float>(scene.setup, threads));
    scene.load(*operators.back());
  }
  std::vector<BareFfts> ffts;
  for (int thread = 0; thread < 2; ++thread)
    ffts.emplace_back(window, transforms(slices), 1, false);

  const auto gradient = [&](int threads) {
    return wall([&] {
      operators[threads - 1]->gradient(places, scene.source(), {Part::object, Part::probe},
                                       sums.view());
    });
  };
  const auto transform = [&](int threads) {
    return wall([&] {
      parallel_for(threads, threads, [&](i64 part, int) {
        for (int p = 0; p < positions / threads; ++p) ffts[static_cast<std::size_t>(part)].run();
      });
    });
  };
  gradient(1), gradient(2), transform(2);
  std::vector<double> of_gradient, of_ffts;
  for (int round = 0; round < rounds; ++round) {
    const double one = gradient(1), two = gradient(2);
    of_gradient.push_back(one / two);
    const double one_bare = transform(1), two_bare = transform(2);
    of_ffts.push_back(one_bare / two_bare);
  }
  const Band g = band(of_gradient), f = band(of_ffts);
  fmt::print("W = {}, computed by {}\n", window, describe_path(window));
  fmt::print("    bare FFTs {:.2f} [{:.2f}, {:.2f}]\n", f.median, f.low, f.high);
  fmt::print("    gradients {:.2f} [{:.2f}, {:.2f}]\n", g.median, g.low, g.high);
  return g.median;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    fmt::print("{}\n2 threads over 1, medians of {} rounds [quartiles]\n", processor(), rounds);
    fmt::print("threads = {:.2f} ratio\n", speed_up(argc > 1 ? std::stoll(argv[1]) : 128));
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench-threads: {}\n", e.what());
    return 1;
  }
}
