// Another program that reconstructs: patterns of its own in memory, three iterations, the last R.

#include <cmath>
#include <cstdio>
#include <ptyle/reconstruction.hpp>

int main() try {
  using namespace ptyle;
  const i64 n = 32;  // a disc of 8 px radius, brighter and darker from position to position
  Array<float, 3> frames({25, n, n});
  std::vector<Position> positions;
  for (i64 i = 0; i < 25; ++i) {
    positions.push_back({2.0 * double(i / 5), 2.0 * double(i % 5)});
    for (i64 y = 0; y < n; ++y)
      for (i64 x = 0; x < n; ++x)
        frames(i, y, x) = std::hypot(double(y - n / 2), double(x - n / 2)) <= 8
                              ? 100 + 10 * std::sin(float(i * y + x))
                              : 0;
  }
  ReconstructConfig config;
  config.calibration.pixel_size = 0.4;
  config.optics.energy = 200;
  config.optics.semi_angle = 16;
  config.solver.iterations = 3;
  const auto team = make_local_team();
  Reconstruction run(config, {frames.view(), positions}, *team);
  while (!run.finished()) run.step();
  const Result result = run.result();
  std::printf("%lld x %lld px, R = %.4f\n", static_cast<long long>(result.phase.shape()[1]),
              static_cast<long long>(result.phase.shape()[2]), result.history.r_factor.back());
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
