#include "e2e/small_data.hpp"

#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include "io/hdf5.hpp"

namespace ptyle {

void write_small_data(const std::filesystem::path& file, const SmallData& data) {
  constexpr i64 n = 25, w = 32;
  // 300 kV: λ = 0.019687 Å; 10 mrad at 0.5 Å a pixel is a disc of 10e-3/λ·(32·0.5 Å) = 8.1 px.
  constexpr double radius = 8.1;
  std::vector<float> patterns(n * w * w);
  for (i64 i = 0; i < n; ++i)
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x) {
        const double r = std::hypot(double(y - w / 2), double(x - w / 2));
        const double grain = double((i * 7 + y * 13 + x * 29) % 11);
        patterns[(i * w + y) * w + x] = float((r < radius ? 100 : 0) + grain);
      }
  if (data.spoil == SmallData::zeros) patterns.assign(patterns.size(), 0);
  if (data.spoil == SmallData::nan)
    patterns.assign(patterns.size(), std::numeric_limits<float>::quiet_NaN());
  std::vector<double> positions;
  for (int i = 0; i < data.positions; ++i) {
    positions.push_back(2.0 * (i / 5));
    positions.push_back(2.0 * (i % 5));
  }
  if (data.spoil == SmallData::nan_position) positions[15] = std::nan("");

  auto h5 = h5::File::create(file.string(), true);
  h5.write("/data", {n, w, w}, patterns.data());
  if (data.positions > 0) h5.write("/positions", {data.positions, 2}, positions.data());
  const std::vector<std::complex<float>> waves(n * w * w, {1, 0});
  h5.write("/waves", {n, w, w}, waves.data());
  h5.write("/small_probe", {16, 16}, waves.data());
  const std::vector<std::uint8_t> ones(w * w, 1);
  h5.write("/small_mask", {16, 16}, ones.data());
  h5.write("/full_mask", {w, w}, ones.data());
  h5.commit();
}

}  // namespace ptyle
