#include "analysis/scan_spectra.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/hann.hpp"
#include "core/matrix2.hpp"
#include "core/parallel.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {
namespace {

/// q with q · slow and q · fast as given.
Position reciprocal(const ScanRaster& r, double by_slow, double by_fast) {
  const Matrix2 steps{r.slow.row, r.slow.col, r.fast.row, r.fast.col};
  const Vector2 q = times(inverse(steps), Vector2{by_slow, by_fast});
  return {q[0], q[1]};
}

std::vector<float> hann_taper(i64 n) {
  std::vector<float> taper;
  for (i64 i = 0; i < n; ++i) taper.push_back(static_cast<float>(hann(i, n)));
  return taper;
}

/// Transforms of the tapered images, one at a time.
class Transforms {
 public:
  explicit Transforms(View<const float, 3> images)
      : images_(images),
        slow_(hann_taper(images.shape[1])),
        fast_(hann_taper(images.shape[2])),
        fft_(images.shape[1], images.shape[2], FftRigor::estimate) {}
  void of(i64 block, Array<Complex<float>, 2>& to) const {
    const View<const float, 2> image = images_[block];
    for (i64 i = 0; i < image.shape[0]; ++i)
      for (i64 j = 0; j < image.shape[1]; ++j) to(i, j) = slow_[i] * fast_[j] * image(i, j);
    fft_.forward(to.data());
  }

 private:
  View<const float, 3> images_;
  std::vector<float> slow_, fast_;
  Fft2<float> fft_;
};

/// True for one of q and −q; false for less than two periods.
bool counts(i64 u, i64 v) { return (u > 0 || (u == 0 && v > 0)) && u * u + v * v >= 4; }

}  // namespace

Position frequency_of(const ScanRaster& raster, const std::array<i64, 2>& index) {
  return reciprocal(raster, static_cast<double>(index[0]) / static_cast<double>(raster.shape[0]),
                    static_cast<double>(index[1]) / static_cast<double>(raster.shape[1]));
}

ScanSpectra strongest_frequencies(const BrightFieldImages& images, const ScanRaster& raster,
                                  i64 count, int threads) {
  const auto view = images.images();
  const auto [blocks, lines, fast] = view.shape;
  const i64 places = lines * fast;
  const Transforms transforms(view);
  // Sums in the order of the blocks, whatever the number of threads: each thread has its lines.
  std::vector<double> power(static_cast<std::size_t>(places));
  constexpr i64 at_once = 16;
  std::vector<Array<Complex<float>, 2>> some;
  for (i64 k = 0; k < at_once; ++k) some.emplace_back(std::array{lines, fast});
  const auto each = [&](auto&& use) {
    for (i64 first = 0; first < blocks; first += at_once) {
      const i64 n = std::min(at_once, blocks - first);
      parallel_for(n, threads, [&](i64 k, int) { transforms.of(first + k, some[k]); });
      for (i64 k = 0; k < n; ++k) use(first + k, some[k]);
    }
  };
  each([&](i64 block, const Array<Complex<float>, 2>& spectrum) {
    const double weight = images.weights()[static_cast<std::size_t>(block)];
    for (i64 i = 0; i < places; ++i)
      power[i] += weight * static_cast<double>(std::norm(spectrum.data()[i]));
  });
  ScanSpectra found{{}, {}, reciprocal(raster, 1, 0), reciprocal(raster, 0, 1)};
  std::vector<i64> order;
  for (i64 i = 0; i < places; ++i)
    if (counts(frequency_index(i / fast, lines), frequency_index(i % fast, fast)))
      order.push_back(i);
  count = std::min(count, static_cast<i64>(order.size()));
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](i64 a, i64 b) {
    return power[a] != power[b] ? power[a] > power[b] : a < b;
  });
  order.resize(static_cast<std::size_t>(count));
  for (const i64 i : order) {
    const std::array index{frequency_index(i / fast, lines), frequency_index(i % fast, fast)};
    found.frequencies.push_back({index, frequency_of(raster, index), power[i]});
  }
  found.values.resize(order.size() * static_cast<std::size_t>(blocks));
  each([&](i64 block, const Array<Complex<float>, 2>& spectrum) {
    for (std::size_t f = 0; f < order.size(); ++f)
      found.values[f * static_cast<std::size_t>(blocks) + static_cast<std::size_t>(block)] =
          spectrum.data()[order[f]];
  });
  return found;
}

}  // namespace ptyle
