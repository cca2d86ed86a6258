#include "analysis/registration.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "analysis/least_squares.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {
namespace {

using Wave = Array<Complex<double>, 2>;

Wave spectrum_of(View<const double, 2> image) {
  Wave wave = converted<Complex<double>>(image);
  Fft2<double>(image.shape[0], image.shape[1], FftRigor::estimate).forward(wave.data());
  return wave;
}

/// The real part of the inverse transform, scaled.
Array<double, 2> image_of(Wave& spectrum) {
  Fft2<double>(spectrum.shape()[0], spectrum.shape()[1], FftRigor::estimate)
      .inverse(spectrum.data());
  Array<double, 2> image(spectrum.shape());
  const double scale = 1.0 / static_cast<double>(spectrum.size());
  std::transform(spectrum.begin(), spectrum.end(), image.begin(),
                 [&](const Complex<double>& v) { return v.real() * scale; });
  return image;
}

/// exp(−2πi k s / n) for every k.
std::vector<Complex<double>> shift_ramp(double s, i64 n) {
  std::vector<Complex<double>> ramp;
  for (i64 i = 0; i < n; ++i) {
    const double k = static_cast<double>(frequency_index(i, n)) / static_cast<double>(n);
    ramp.push_back(2 * i == n ? std::cos(pi * s) : std::polar(1.0, -2 * pi * k * s));
  }
  return ramp;
}

template <class T>
Array<double, 2> box_of(View<const T, 2> image, double row, double col,
                        const std::array<i64, 2>& shape) {
  const auto row0 = static_cast<i64>(std::floor(row)), col0 = static_cast<i64>(std::floor(col));
  const Position part{row - static_cast<double>(row0), col - static_cast<double>(col0)};
  const auto inside = [](i64 i, i64 n) { return std::clamp<i64>(i, 0, n - 1); };
  const bool whole = part.row < 1e-9 && part.col < 1e-9;
  // a rim around the box, in which the image less its plane fades out, so that the periodic shift
  // meets no step
  constexpr i64 rim = 24;
  const i64 margin = whole ? 0 : rim;
  std::array<i64, 2> padded = shape;
  if (!whole) padded = {quick_fft_size(shape[0] + 2 * rim), quick_fft_size(shape[1] + 2 * rim)};
  Array<double, 2> box(padded), weight(padded);
  const auto fade = [&](i64 i, i64 inner, i64 outer) {
    const double outside = i < margin            ? static_cast<double>(margin - i) / rim
                           : i >= margin + inner ? static_cast<double>(i - margin - inner + 1) /
                                                       static_cast<double>(outer - margin - inner)
                                                 : 0;
    // twice differentiable at both ends, so that its spectrum is short
    return 0.5 + 0.5 * std::cos(pi * outside * outside * (3 - 2 * outside));
  };
  for (i64 y = 0; y < padded[0]; ++y)
    for (i64 x = 0; x < padded[1]; ++x) {
      box(y, x) = static_cast<double>(image(inside(row0 + y - margin, image.shape[0]),
                                            inside(col0 + x - margin, image.shape[1])));
      if (!whole) weight(y, x) = fade(y, shape[0], padded[0]) * fade(x, shape[1], padded[1]);
    }
  if (whole) return box;
  const Plane plane = fit_plane(box, weight);
  subtract(plane, box);
  std::transform(box.begin(), box.end(), weight.begin(), box.begin(), std::multiplies<>());
  const Array<double, 2> moved = fourier_shifted(box, {-part.row, -part.col});
  Array<double, 2> out(shape);
  for (i64 y = 0; y < shape[0]; ++y)
    for (i64 x = 0; x < shape[1]; ++x)
      out(y, x) =
          moved(y + rim, x + rim) + plane.at(static_cast<double>(y + rim) + part.row,
                                             static_cast<double>(x + rim) + part.col, padded);
  return out;
}

/// The vertex of the parabola through three equidistant values, from the middle one.
double vertex(double before, double middle, double after) {
  const double bend = before - 2 * middle + after;
  return bend < 0 ? std::clamp(0.5 * (before - after) / bend, -0.5, 0.5) : 0;
}

Wave weighted_spectrum(View<const double, 2> image, View<const double, 2> weight) {
  Array<double, 2> flat = converted<double>(image);
  subtract(fit_plane(image, weight), flat);
  std::transform(flat.begin(), flat.end(), weight.begin(), flat.begin(), std::multiplies<>());
  return spectrum_of(flat);
}

Position correlation_peak(View<const double, 2> moving, View<const double, 2> fixed,
                          View<const double, 2> weight, double reach) {
  Wave product = weighted_spectrum(moving, weight);
  const Wave other = weighted_spectrum(fixed, weight);
  std::transform(product.begin(), product.end(), other.begin(), product.begin(),
                 [](const auto& a, const auto& b) { return a * std::conj(b); });
  const Array<double, 2> correlation = image_of(product);
  const i64 ny = fixed.shape[0], nx = fixed.shape[1];
  const auto at = [&](i64 y, i64 x) { return correlation((y % ny + ny) % ny, (x % nx + nx) % nx); };
  const auto most = [&](i64 n) { return std::min(static_cast<i64>(reach), (n - 1) / 2); };
  i64 best_y = 0, best_x = 0;
  for (i64 y = -most(ny); y <= most(ny); ++y)
    for (i64 x = -most(nx); x <= most(nx); ++x)
      if (at(y, x) > at(best_y, best_x)) {
        best_y = y;
        best_x = x;
      }
  const double peak = at(best_y, best_x);
  return {
      static_cast<double>(best_y) + vertex(at(best_y - 1, best_x), peak, at(best_y + 1, best_x)),
      static_cast<double>(best_x) + vertex(at(best_y, best_x - 1), peak, at(best_y, best_x + 1))};
}

/// One Gauss–Newton step: moved ≈ fixed − δ·∇(gain·fixed) + (gain − 1)·fixed + plane, and how large
/// the weighted correlation is before it.
struct Step {
  Position shift;
  bool sound = false;
};

Step newton_step(View<const double, 2> moved, View<const double, 2> fixed,
                 View<const double, 2> weight) {
  LeastSquares<6> fit;  // δ·gain in row and column, gain, plane
  const auto [ny, nx] = fixed.shape;
  for (i64 y = 1; y + 1 < ny; ++y)
    for (i64 x = 1; x + 1 < nx; ++x) {
      if (weight(y, x) <= 0) continue;
      const double by_row = 0.5 * (fixed(y + 1, x) - fixed(y - 1, x));
      const double by_col = 0.5 * (fixed(y, x + 1) - fixed(y, x - 1));
      fit.add({-by_row, -by_col, fixed(y, x), 1,
               static_cast<double>(2 * y - ny) / static_cast<double>(ny),
               static_cast<double>(2 * x - nx) / static_cast<double>(nx)},
              moved(y, x), weight(y, x));
    }
  std::array<double, 6> p{};
  if (!fit.solve(p) || !(p[2] > 1e-3)) return {};
  const auto limited = [](double v) { return std::clamp(v, -0.7, 0.7); };
  return {{limited(p[0] / p[2]), limited(p[1] / p[2])}, true};
}

/// Weighted correlation of the two, planes removed.
double likeness(View<const double, 2> a, View<const double, 2> b, View<const double, 2> weight) {
  const Plane pa = fit_plane(a, weight), pb = fit_plane(b, weight);
  double ab = 0, aa = 0, bb = 0;
  for (i64 y = 0; y < a.shape[0]; ++y)
    for (i64 x = 0; x < a.shape[1]; ++x) {
      const double u = a(y, x) - pa.at(static_cast<double>(y), static_cast<double>(x), a.shape);
      const double v = b(y, x) - pb.at(static_cast<double>(y), static_cast<double>(x), b.shape);
      ab += weight(y, x) * u * v;
      aa += weight(y, x) * u * u;
      bb += weight(y, x) * v * v;
    }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

}  // namespace

Plane fit_plane(View<const double, 2> image, View<const double, 2> weight) {
  LeastSquares<3> fit;
  const Plane row{0, 1, 0}, col{0, 0, 1};
  for (i64 y = 0; y < image.shape[0]; ++y)
    for (i64 x = 0; x < image.shape[1]; ++x) {
      const double fy = static_cast<double>(y), fx = static_cast<double>(x);
      if (weight(y, x) > 0)
        fit.add({1, row.at(fy, fx, image.shape), col.at(fy, fx, image.shape)}, image(y, x),
                weight(y, x));
    }
  std::array<double, 3> p{};
  if (fit.solve(p)) return {p[0], p[1], p[2]};
  // all weight on one line: no ramp is determined, the mean is
  LeastSquares<1> mean;
  for (i64 i = 0; i < image.size(); ++i)
    if (weight.data[i] > 0) mean.add({1}, image.data[i], weight.data[i]);
  std::array<double, 1> m{};
  if (!mean.solve(m)) throw std::invalid_argument("fit_plane: all weights are zero");
  return {m[0], 0, 0};
}

void subtract(const Plane& plane, View<double, 2> image) {
  for (i64 y = 0; y < image.shape[0]; ++y)
    for (i64 x = 0; x < image.shape[1]; ++x)
      image(y, x) -= plane.at(static_cast<double>(y), static_cast<double>(x), image.shape);
}

Array<double, 2> fourier_shifted(View<const double, 2> image, Position shift) {
  Wave wave = spectrum_of(image);
  const auto rows = shift_ramp(shift.row, image.shape[0]);
  const auto cols = shift_ramp(shift.col, image.shape[1]);
  for (i64 y = 0; y < image.shape[0]; ++y)
    for (i64 x = 0; x < image.shape[1]; ++x)
      wave(y, x) *= rows[static_cast<std::size_t>(y)] * cols[static_cast<std::size_t>(x)];
  return image_of(wave);
}

Array<double, 2> box_at(View<const float, 2> image, double row, double col,
                        const std::array<i64, 2>& shape) {
  return box_of(image, row, col, shape);
}

Array<double, 2> box_at(View<const double, 2> image, double row, double col,
                        const std::array<i64, 2>& shape) {
  return box_of(image, row, col, shape);
}

Position find_shift(View<const double, 2> moving, View<const double, 2> fixed,
                    View<const double, 2> weight, double reach) {
  const double unmoved = likeness(moving, fixed, weight);
  Position shift = correlation_peak(moving, fixed, weight, reach);
  for (int i = 0; i < 30; ++i) {
    const auto moved = box_at(moving, shift.row, shift.col, moving.shape);
    const Step step = newton_step(moved, fixed, weight);
    if (!step.sound) return {};
    shift.row += step.shift.row;
    shift.col += step.shift.col;
    if (std::hypot(step.shift.row, step.shift.col) < 1e-4) break;
  }
  if (!(std::abs(shift.row) <= reach && std::abs(shift.col) <= reach)) return {};
  const auto moved = box_at(moving, shift.row, shift.col, moving.shape);
  return likeness(moved, fixed, weight) >= unmoved ? shift : Position{};
}

}  // namespace ptyle
