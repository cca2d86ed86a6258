#include "analysis/quick_pictures.hpp"

#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {
namespace {

constexpr double noise = 0.02;  // ε: of |B|², which is 4 where both bands are whole

using Spectrum = Array<Complex<double>, 2>;

/// Sums of a frequency over the blocks.
struct Sums {
  Complex<double> shifted, bands;
  double squares = 0;
};

/// A frequency of the raster as the detector sees it, once for all blocks.
struct Seen {
  SeenFrequency at;
  Complex<double> turn;  ///< e^(−iχ(Q))
};

void add_block(const std::vector<Seen>& seen, const Spectrum& g, Position k, double weight,
               const Rim& rim, std::vector<Sums>& sums) {
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const auto& [at, turn] = seen[i];
    const double phase = -2 * pi * (at.slope.row * k.row + at.slope.col * k.col);
    const auto straight = std::polar(weight, phase) * g.data()[i];  // shifts undone
    const double minus = static_cast<double>(
                     rim.covered(rim.scaled(k.row - at.q.row), rim.scaled(k.col - at.q.col))),
                 plus = static_cast<double>(
                     rim.covered(rim.scaled(k.row + at.q.row), rim.scaled(k.col + at.q.col)));
    const Complex<double> bracket = Complex<double>(0, 1) * (minus * turn - plus * std::conj(turn));
    sums[i].shifted += straight;
    sums[i].bands += std::conj(bracket) * straight;
    sums[i].squares += weight * std::norm(bracket);
  }
}

/// The real part of the inverse transform.
Array<double, 2> image_of(Spectrum& spectrum) {
  const auto [ny, nx] = spectrum.shape();
  Fft2<double>(ny, nx, FftRigor::estimate).inverse(spectrum.data());
  Array<double, 2> image({ny, nx});
  for (i64 i = 0; i < image.size(); ++i)
    image.data()[i] = spectrum.data()[i].real() / static_cast<double>(image.size());
  return image;
}

Spectrum spectrum_of(View<const double, 2> image) {
  Spectrum spectrum(image.shape);
  std::copy(image.begin(), image.end(), spectrum.begin());
  Fft2<double>(image.shape[0], image.shape[1], FftRigor::estimate).forward(spectrum.data());
  return spectrum;
}

/// Calls use(index of the frequency (slow, fast), its place in the transform).
template <class Use>
void each_frequency(const std::array<i64, 2>& shape, Use&& use) {
  for (i64 i = 0; i < shape[0]; ++i)
    for (i64 j = 0; j < shape[1]; ++j)
      use(std::array{frequency_index(i, shape[0]), frequency_index(j, shape[1])}, i * shape[1] + j);
}

std::vector<Seen> seen_by(const ScanRaster& raster, const BeamModel& model, double wavelength) {
  std::vector<Seen> all;
  BeamModel straight = model;  // χ is of the frequency on the detector put straight
  straight.mirrored = false;
  each_frequency(raster.shape, [&](const std::array<i64, 2>& index, i64) {
    const Position q = frequency_of(raster, index);
    const Position at = seen(straight, q, wavelength).q;
    const double chi = aberration_phase(model.aberrations(), at.row, at.col, wavelength);
    all.push_back({seen(model, q, wavelength), std::polar(1.0, -chi)});
  });
  return all;
}

}  // namespace

QuickPictures quick_pictures(const BrightFieldImages& images, const ScanRaster& raster,
                             const BeamModel& model, const BeamFrame& frame, int threads) {
  const auto view = images.images();
  const auto [blocks, lines, fast] = view.shape;
  const auto seen = seen_by(raster, model, frame.wavelength);
  const i64 side = images.blocks().side();
  const Fft2<double> fft(lines, fast, FftRigor::estimate);
  const Rim rim(frame);
  // So many parts of the blocks, however many threads: the sums have one order.
  constexpr i64 parts = 8;
  std::vector<std::vector<Sums>> of_part(parts);
  parallel_for(parts, threads, [&](i64 part, int) {
    of_part[part].resize(seen.size());
    Spectrum g({lines, fast});
    for (i64 b = part; b < blocks; b += parts) {
      std::copy(view[b].begin(), view[b].end(), g.begin());
      fft.forward(g.data());
      const i64 cell = images.blocks().cells()[b];
      const Position k{frame.block * static_cast<double>(cell / side - side / 2),
                       frame.block * static_cast<double>(cell % side - side / 2)};
      add_block(seen, g, k, images.weights()[b], rim, of_part[part]);
    }
  });
  double weight = 0;
  for (const double w : images.weights()) weight += w;
  Spectrum shifted({lines, fast}), phase({lines, fast});
  for (i64 i = 0; i < lines * fast; ++i) {
    Sums all;
    for (const auto& part : of_part) {
      all.shifted += part[i].shifted;
      all.bands += part[i].bands;
      all.squares += part[i].squares;
    }
    shifted.data()[i] = all.shifted / weight;
    phase.data()[i] = all.bands / (all.squares + noise * weight);
  }
  phase.data()[0] = shifted.data()[0] = 0;
  return {image_of(shifted), image_of(phase)};
}

Array<double, 2> integrated_centres(const std::vector<Position>& centres,
                                    const std::vector<bool>& there, const ScanRaster& raster,
                                    const BeamModel& model) {
  const auto [lines, fast] = raster.shape;
  Array<float, 3> planes({2, lines, fast});
  std::vector<bool> known(static_cast<std::size_t>(lines * fast), false);
  const double c = std::cos(model.rotation), s = std::sin(model.rotation);
  for (std::size_t i = 0; i < centres.size(); ++i) {
    if (!there[i]) continue;
    const i64 place = raster.places[i];
    const Position k{centres[i].row, model.mirrored ? -centres[i].col : centres[i].col};
    planes.data()[place] = static_cast<float>(2 * pi * (c * k.row + s * k.col));  // R(θ)⁻¹
    planes.data()[lines * fast + place] = static_cast<float>(2 * pi * (c * k.col - s * k.row));
    known[static_cast<std::size_t>(place)] = true;
  }
  fill_missing(planes, known);
  const auto gradient = [&](i64 axis) {
    return spectrum_of(converted<double>(planes.view()[axis].operator View<const float, 2>()));
  };
  const Spectrum by_row = gradient(0), by_col = gradient(1);
  Spectrum phase({lines, fast});
  each_frequency(raster.shape, [&](const std::array<i64, 2>& index, i64 at) {
    const Position q = frequency_of(raster, index);
    const double square = q.row * q.row + q.col * q.col;
    if (square > 0)
      phase.data()[at] = (q.row * by_row.data()[at] + q.col * by_col.data()[at]) /
                         Complex<double>(0, 2 * pi * square);
  });
  return image_of(phase);
}

SquareImage in_square_pixels(View<const double, 2> image, const ScanRaster& raster, i64 longer) {
  const double slow = std::hypot(raster.slow.row, raster.slow.col),
               fast = std::hypot(raster.fast.row, raster.fast.col);
  const double rows = slow * static_cast<double>(image.shape[0]),
               cols = fast * static_cast<double>(image.shape[1]);
  const double finest = std::min({slow, fast, std::max(rows, cols) / static_cast<double>(longer)});
  const std::array<i64, 2> shape{std::max<i64>(image.shape[0], std::lround(rows / finest)),
                                 std::max<i64>(image.shape[1], std::lround(cols / finest))};
  const Spectrum from = spectrum_of(image);
  Spectrum to(shape);
  each_frequency(image.shape, [&](const std::array<i64, 2>& index, i64 at) {
    for (std::size_t a = 0; a < 2; ++a)  // the Nyquist frequency has no sign
      if (2 * index[a] == -image.shape[a] && shape[a] > image.shape[a]) return;
    const auto wrapped = [&](std::size_t a) { return (index[a] + shape[a]) % shape[a]; };
    to(wrapped(0), wrapped(1)) = from.data()[at];
  });
  SquareImage found{image_of(to), finest};
  const double scale = static_cast<double>(shape[0] * shape[1]) /
                       static_cast<double>(image.shape[0] * image.shape[1]);
  for (double& v : found.image) v *= scale;
  return found;
}

double skewness(View<const double, 2> image) {
  const auto n = static_cast<double>(image.size());
  double mean = 0, squares = 0, cubes = 0;
  for (const double v : image) mean += v / n;
  for (const double v : image) {
    squares += (v - mean) * (v - mean) / n;
    cubes += std::pow(v - mean, 3) / n;
  }
  return squares > 0 ? cubes / std::pow(squares, 1.5) : 0;
}

}  // namespace ptyle
