// 1. Guess: pixels above half of a bright level; their mean is the centre, their number the area.
// 2. Level: the median inside 0.7 radii, or near the rim where that is clearly brighter, as of an
//    annular aperture or behind a beam stop; outside: the median between 1.3 and 1.8 radii.
// 3. Rim: along 180 rays, the distance at which the counts last fall through half-way.
// 4. Circle through the rim by least squares, points further off than 3 medians left out.
// 5. Steps 2 to 4 again from the circle, until it moves no more.

#include "prepare/disc.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/grid.hpp"
#include "core/quantile.hpp"
#include "core/units.hpp"

namespace ptyle {
namespace {

struct Image {
  View<const double, 2> values;
  View<const float, 2> valid;
  [[nodiscard]] bool has(i64 y, i64 x) const {
    return y >= 0 && x >= 0 && y < values.shape[0] && x < values.shape[1] &&
           (valid.empty() || valid(y, x) != 0);
  }
  /// Bilinear; NaN beside a pixel that is not valid.
  [[nodiscard]] double at(double row, double col) const {
    const i64 y = static_cast<i64>(std::floor(row)), x = static_cast<i64>(std::floor(col));
    const double fy = row - static_cast<double>(y), fx = col - static_cast<double>(x);
    double sum = 0;
    for (int dy = 0; dy < 2; ++dy)
      for (int dx = 0; dx < 2; ++dx) {
        const double weight = (dy ? fy : 1 - fy) * (dx ? fx : 1 - fx);
        if (weight == 0) continue;
        if (!has(y + dy, x + dx)) return std::nan("");
        sum += weight * values(y + dy, x + dx);
      }
    return sum;
  }
};

double median(std::vector<double>& v) { return v.empty() ? std::nan("") : upper_median(v); }

/// Median over the pixels between two radii about a disc's centre.
double ring_median(const Image& image, const Disc& d, double from, double to) {
  std::vector<double> v;
  const auto [ny, nx] = image.values.shape;
  for (i64 y = 0; y < ny; ++y)
    for (i64 x = 0; x < nx; ++x) {
      const double r = std::hypot(static_cast<double>(y) - d.row, static_cast<double>(x) - d.col);
      if (r >= from && r < to && image.has(y, x)) v.push_back(image.values(y, x));
    }
  return median(v);
}

/// Step 1: of a filled disc, and of a ring.
struct Guesses {
  Disc disc, ring;
};

Guesses guess(const Image& image) {
  std::vector<double> v;
  const auto [ny, nx] = image.values.shape;
  for (i64 y = 0; y < ny; ++y)
    for (i64 x = 0; x < nx; ++x)
      if (image.has(y, x)) v.push_back(image.values(y, x));
  if (v.empty()) return {};
  std::sort(v.begin(), v.end());
  // A number that the detector adds to every pixel is no count.
  const double dark = v[v.size() / 20],
               mean = std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  const double offset = dark > mean / 3 ? dark : 0;
  for (double& value : v) value -= offset;
  // A disc that is small on a large detector is few pixels: the level is where half of all counts
  // come from pixels at least as bright.
  const double all = std::accumulate(v.begin(), v.end(), 0.0);
  double sum = 0, level = 0;
  for (auto i = v.rbegin(); i != v.rend() && sum < all / 2; ++i) sum += level = *i;
  Disc d;
  double n = 0, squares = 0;
  for (i64 y = 0; y < ny; ++y)
    for (i64 x = 0; x < nx; ++x)
      if (image.has(y, x) && image.values(y, x) - offset > level / 2) {
        n += 1;
        d.row += static_cast<double>(y);
        d.col += static_cast<double>(x);
        squares += static_cast<double>(y * y + x * x);
      }
  if (n == 0) return {};
  d.row /= n;
  d.col /= n;
  d.radius = std::sqrt(n / pi);
  // From h R to R the pixels are pi R² (1 − h²), and the mean of r² is R² (1 + h²) / 2.
  Disc ring = d;
  ring.radius = std::sqrt(squares / n - d.row * d.row - d.col * d.col + n / (2 * pi));
  return {d, ring};
}

/// Solves the 3×3 normal equations of the circle (x² + y² = 2 a x + 2 b y + c) by Cramer's rule.
bool circle(const std::vector<std::array<double, 2>>& points, Disc& d) {
  double m[3][4] = {};
  for (const auto& [y, x] : points) {
    const double r[4] = {2 * y, 2 * x, 1, y * y + x * x};
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 4; ++j) m[i][j] += r[i] * r[j];
  }
  const auto determinant = [&m](int replaced) {
    const auto e = [&](int i, int j) { return j == replaced ? m[i][3] : m[i][j]; };
    return e(0, 0) * (e(1, 1) * e(2, 2) - e(1, 2) * e(2, 1)) -
           e(0, 1) * (e(1, 0) * e(2, 2) - e(1, 2) * e(2, 0)) +
           e(0, 2) * (e(1, 0) * e(2, 1) - e(1, 1) * e(2, 0));
  };
  const double whole = determinant(-1);
  if (points.size() < 3 || whole == 0) return false;
  const double y = determinant(0) / whole, x = determinant(1) / whole;
  const double square = determinant(2) / whole + y * y + x * x;
  if (!(square > 0)) return false;
  d.row += y;
  d.col += x;
  d.radius = std::sqrt(square);
  return true;
}

/// The level of a ring, where its middle is darker than that.
std::optional<double> level_of_ring(const Image& image, const Disc& d, double inside) {
  const double ring = ring_median(image, d, 0.8 * d.radius, 0.95 * d.radius);
  if (std::isnan(inside) || ring > 1.5 * inside) return ring;
  return {};
}

constexpr int rays = 180;

/// Points of the rim, (row, col) from the disc's centre.
std::vector<std::array<double, 2>> rim(const Image& image, const Disc& d, double half) {
  std::vector<std::array<double, 2>> points;
  constexpr double step = 0.25;
  for (int i = 0; i < rays; ++i) {
    const double angle = 2 * pi * i / rays, dy = std::sin(angle), dx = std::cos(angle);
    double found = -1, before = std::nan("");
    // The outermost fall: inside the disc the counts may dip where the specimen scatters strongly.
    for (double r = 0.6 * d.radius; r < 1.5 * d.radius + 2; r += step) {
      const double now = image.at(d.row + r * dy, d.col + r * dx);
      if (before >= half && now < half) found = r - step * (half - now) / (before - now);
      before = now;
    }
    if (found > 0) points.push_back({found * dy, found * dx});
  }
  return points;
}

/// Steps 2 to 4; false where there is no clear disc.
bool refine(const Image& image, Disc& d) {
  d.level = ring_median(image, d, 0, std::max(1.0, 0.7 * d.radius));
  if (const auto ring = level_of_ring(image, d, d.level)) d.level = *ring;
  double outside = ring_median(image, d, 1.3 * d.radius + 1, 1.8 * d.radius + 2);
  if (std::isnan(outside)) outside = 0;
  if (!(d.level > 1.5 * outside) || d.radius < 1) return false;
  auto points = rim(image, d, (d.level + outside) / 2);
  if (points.size() < rays / 2) return false;
  Disc fitted = d;
  for (int pass = 0; pass < 3; ++pass) {
    fitted = d;
    if (!circle(points, fitted)) return false;
    std::vector<double> off;
    const auto distance = [&](const std::array<double, 2>& p) {
      return std::abs(std::hypot(p[0] - (fitted.row - d.row), p[1] - (fitted.col - d.col)) -
                      fitted.radius);
    };
    double squares = 0;
    for (const auto& p : points) {
      off.push_back(distance(p));
      squares += off.back() * off.back();
    }
    fitted.spread = std::sqrt(squares / static_cast<double>(points.size()));
    const double limit = 3 * median(off) + 0.05;
    std::erase_if(points, [&](const auto& p) { return distance(p) > limit; });
    if (points.size() < rays / 4) return false;
  }
  d = fitted;
  return d.spread < std::max(1.0, 0.05 * d.radius);
}

/// Step 5.
std::optional<Disc> settled(const Image& image, Disc d) {
  for (int pass = 0; pass < 5; ++pass) {
    const Disc before = d;
    if (!refine(image, d)) return {};
    if (std::hypot(d.row - before.row, d.col - before.col, d.radius - before.radius) < 1e-3) break;
  }
  return d;
}

/// The mean of the pixels on a circle, bilinear; NaN where none is valid.
double mean_on_circle(const Image& image, double row, double col, double radius) {
  double sum = 0;
  int n = 0;
  for (int i = 0; i < rays; ++i) {
    const double angle = 2 * pi * i / rays;
    const double value = image.at(row + radius * std::sin(angle), col + radius * std::cos(angle));
    if (std::isnan(value)) continue;
    sum += value;
    ++n;
  }
  return n > 0 ? sum / n : std::nan("");
}

/// Do the counts fall most steeply, of all radii from a half to one and a half, at this one?
bool falls_at(const Image& image, double row, double col, double radius) {
  constexpr double least_fall = 0.25;                // of the counts before it
  const double half = std::max(1.0, 0.05 * radius);  // px over which a rim falls
  double steepest = 0, at = 0;
  for (double r = std::max(half, 0.5 * radius); r <= 1.5 * radius; r += 0.25) {
    const double before = mean_on_circle(image, row, col, r - half),
                 fall = before - mean_on_circle(image, row, col, r + half);
    if (fall > steepest && fall > least_fall * before) steepest = fall, at = r;
  }
  return steepest > 0 && std::abs(at - radius) <= std::max(0.5, 0.05 * radius);
}

}  // namespace

bool has_rim_at(View<const double, 2> pattern, View<const float, 2> valid, double radius) {
  const Image image{pattern, valid};
  const Disc seen = guess(image).disc;
  const auto middle_row = static_cast<double>(pattern.shape[0] / 2),
             middle_col = static_cast<double>(pattern.shape[1] / 2);
  return falls_at(image, seen.row, seen.col, radius) ||
         falls_at(image, middle_row, middle_col, radius);
}

std::optional<Disc> fit_disc(View<const double, 2> pattern, View<const float, 2> valid) {
  const Image image{pattern, valid};
  const auto [disc, ring] = guess(image);
  if (const auto found = settled(image, disc)) return found;
  const double inside = ring_median(image, ring, 0, 0.5 * ring.radius);
  return level_of_ring(image, ring, inside) ? settled(image, ring) : std::nullopt;
}

Shadow shadow_in(View<const double, 2> pattern, View<const float, 2> valid, const Disc& disc) {
  const Image image{pattern, valid};
  const auto empty = [&](i64 y, i64 x) { return image.has(y, x) && pattern(y, x) == 0; };
  Shadow shadow;
  i64 well_inside = 0, alike = 0;
  for (i64 y = 0; y < pattern.shape[0]; ++y)
    for (i64 x = 0; x < pattern.shape[1]; ++x) {
      const double row = double(y) - disc.row, col = double(x) - disc.col, r = std::hypot(row, col);
      if (r > disc.radius + 0.5 || !empty(y, x)) continue;
      shadow.pixels.push_back({y, x});
      if (r >= 0.9 * disc.radius - 1) continue;
      ++well_inside;
      if (empty(std::lround(disc.row - row), std::lround(disc.col - col))) ++alike;
    }
  if (well_inside <= 3) return {};
  shadow.both_sides = 10 * alike > 8 * well_inside;
  return shadow;
}

}  // namespace ptyle
