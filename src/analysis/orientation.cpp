// 1. The centre of mass v of every pattern, detector axes.
// 2. Its gradient G at every position: a plane through v at the neighbours, by least squares. The
//    mean of G is taken off: a descan error is a plane over the whole scan.
// 3. For each set of flips T, H = T G. With the positions rotated by φ, p' = R(φ) p:
//        curl(φ) = cos φ curl H − sin φ div H        div(φ) = cos φ div H + sin φ curl H
//    so that sums over the scan of curl², div² and curl·div give every rotation.
// 4. The least curl. T and T followed by 90° are equals, so of the eight sets of flips there are
//    two kinds, and of each the one with the smallest rotation is named.
// 5. φ and φ + 180° are equals too; the divergence is the Laplacian of the phase, and negative at
//    the peaks of the specimen's phase: its skewness decides.

#include "analysis/orientation.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <optional>

#include "analysis/neighbours.hpp"
#include "core/error.hpp"
#include "core/units.hpp"

namespace ptyle {

std::string Flips::name() const {
  std::string text;
  const auto add = [&text](bool on, const char* what) {
    if (on) text += (text.empty() ? "" : " + ") + std::string(what);
  };
  add(flip_rows, "flip_rows");
  add(flip_cols, "flip_cols");
  add(transpose, "transpose");
  return text.empty() ? "none" : text;
}

Position Flips::operator()(Position v) const {
  if (flip_rows) v.row = -v.row;
  if (flip_cols) v.col = -v.col;
  if (transpose) std::swap(v.row, v.col);
  return v;
}

namespace {

/// Degrees that a final scan rotation may be off by.
constexpr double next_to_none = 15;

/// The mean of those with these numbers.
Position mean_of(const std::vector<Position>& all, const std::vector<i64>& numbers) {
  Position mean;
  const double share = 1 / static_cast<double>(numbers.size());
  for (const i64 j : numbers) mean = {mean.row + share * all[j].row, mean.col + share * all[j].col};
  return mean;
}

/// The slopes of the plane v = v̄ + G (p − p̄) through some positions; nothing where they lie in a
/// line.
std::optional<Slope> plane(const std::vector<Position>& v, const std::vector<Position>& p,
                           const std::vector<i64>& near) {
  const Position p_mean = mean_of(p, near), v_mean = mean_of(v, near);
  double rr = 0, rc = 0, cc = 0;  // normal equations
  Slope right;
  for (i64 j : near) {
    const double r = p[j].row - p_mean.row, c = p[j].col - p_mean.col;
    const double dr = v[j].row - v_mean.row, dc = v[j].col - v_mean.col;
    rr += r * r;
    rc += r * c;
    cc += c * c;
    right.by_row = {right.by_row.row + r * dr, right.by_row.col + r * dc};
    right.by_col = {right.by_col.row + c * dr, right.by_col.col + c * dc};
  }
  const double d = rr * cc - rc * rc;
  if (near.size() < 3 || !(d > 1e-6 * rr * cc)) return {};
  const auto by_row = [&](double a, double b) { return (cc * a - rc * b) / d; };
  const auto by_col = [&](double a, double b) { return (rr * b - rc * a) / d; };
  const Position &a = right.by_row, &b = right.by_col;
  return Slope{{by_row(a.row, b.row), by_row(a.col, b.col)},
               {by_col(a.row, b.row), by_col(a.col, b.col)}};
}

/// `reach`: of the neighbourhood, in distances to the sixth neighbour (1.4 steps of a raster).
std::vector<Slope> slopes(const std::vector<Position>& v, const std::vector<Position>& p,
                          double reach) {
  reach *= neighbour_distance(p, 6);
  if (!(reach > 0))
    throw UserError(
        fmt::format("the orientation needs at least 7 distinct positions, there are {}", p.size()));
  const Cells cells(p, reach);
  std::vector<Slope> all;
  std::vector<i64> near;
  for (const Position& at : p) {
    near.clear();
    cells.around(at, [&](i64 j) { near.push_back(j); });
    if (const auto slope = plane(v, p, near)) all.push_back(*slope);
  }
  if (all.size() < 7)
    throw UserError("the orientation cannot be found: the positions lie on one line");
  return all;
}

void take_off_mean(std::vector<Slope>& all) {
  Slope mean;
  const auto add = [](Position& to, Position what, double f) {
    to.row += f * what.row;
    to.col += f * what.col;
  };
  const double share = 1 / static_cast<double>(all.size());
  for (const Slope& s : all) {
    add(mean.by_row, s.by_row, share);
    add(mean.by_col, s.by_col, share);
  }
  for (Slope& s : all) {
    add(s.by_row, mean.by_row, -1);
    add(s.by_col, mean.by_col, -1);
  }
}

struct CurlDiv {
  double curl = 0, div = 0;
};

CurlDiv curl_div(const Slope& s, const Flips& flips) {
  const Position r = flips(s.by_row), c = flips(s.by_col);
  return {r.col - c.row, r.row + c.col};
}

FlipsCurve curve_of(const std::vector<Slope>& all, const Flips& flips,
                    const std::vector<double>& rotations) {
  double cc = 0, dd = 0, cd = 0;
  for (const Slope& s : all) {
    const auto [curl, div] = curl_div(s, flips);
    cc += curl * curl;
    dd += div * div;
    cd += curl * div;
  }
  const double whole = cc + dd;
  const auto share = [&](double phi, double a, double b, double sign) {
    const double c = std::cos(phi), s = std::sin(phi);
    return whole > 0
               ? std::sqrt(std::max(0.0, (c * c * a + s * s * b + sign * 2 * c * s * cd) / whole))
               : 0;
  };
  FlipsCurve curve{flips, {}, {}, 0, 0};
  for (double degrees : rotations) {
    curve.curl.push_back(share(degrees * degree, cc, dd, -1));
    curve.divergence.push_back(share(degrees * degree, dd, cc, 1));
  }
  // curl² = ½(cc + dd) + ½(cc − dd) cos 2φ − cd sin 2φ is least where (cos 2φ, sin 2φ) points along
  // (dd − cc, 2 cd).
  const double phi = std::atan2(2 * cd, dd - cc) / 2;
  curve.rotation = phi / degree >= 90 ? phi / degree - 180 : phi / degree;
  curve.least_curl = share(phi, cc, dd, -1);
  return curve;
}

/// Skewness of the divergence with the positions rotated by `rotation` degrees.
double skewness(const std::vector<Slope>& all, const Flips& flips, double rotation) {
  const double c = std::cos(rotation * degree), s = std::sin(rotation * degree);
  double squares = 0, cubes = 0;
  for (const Slope& slope : all) {
    const auto [curl, div] = curl_div(slope, flips);
    const double d = c * div + s * curl;
    squares += d * d;
    cubes += d * d * d;
  }
  const double n = static_cast<double>(all.size());
  return squares > 0 ? cubes / n / std::pow(squares / n, 1.5) : 0;
}

/// Sets flips and rotation to the best of the four equals of a kind.
void choose(Orientation& o, bool mirrored) {
  const FlipsCurve *smallest = nullptr, *simplest = nullptr;
  const auto count = [](const Flips& t) { return t.flip_rows + t.flip_cols + t.transpose; };
  for (const FlipsCurve& c : o.curves) {
    if (c.flips.mirrors() != mirrored) continue;
    if (!smallest || std::abs(c.rotation) < std::abs(smallest->rotation) - 1e-6) smallest = &c;
    if (!simplest || count(c.flips) < count(simplest->flips)) simplest = &c;
  }
  const bool small = std::abs(smallest->rotation) <= next_to_none;
  o.flips = (small ? smallest : simplest)->flips;
  o.rotation = (small ? smallest : simplest)->rotation;
}

/// Steps 2 to 4 with slopes over one neighbourhood.
Orientation compare_flips(const std::vector<Slope>& all) {
  Orientation o;
  for (int i = 0; i < 180; ++i) o.rotations.push_back(i);
  double least[2] = {1, 1};
  for (int i = 0; i < 8; ++i) {
    const Flips flips = all_flips()[static_cast<std::size_t>(i)];
    o.curves[i] = curve_of(all, flips, o.rotations);
    double& of_kind = least[flips.mirrors() ? 1 : 0];
    of_kind = std::min(of_kind, o.curves[i].least_curl);
  }
  const bool mirrored = least[1] < least[0];
  o.curl = least[mirrored ? 1 : 0];
  o.curl_mirrored = least[mirrored ? 0 : 1];
  return o;
}

}  // namespace

std::optional<Plane> plane_through(const std::vector<Position>& v, const std::vector<Position>& p) {
  std::vector<i64> all(v.size());
  std::iota(all.begin(), all.end(), 0);
  const auto slope = plane(v, p, all);
  if (!slope) return {};
  const Position p_mean = mean_of(p, all), v_mean = mean_of(v, all);
  double whole = 0, rest = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    const double r = p[i].row - p_mean.row, c = p[i].col - p_mean.col;
    const double row = v[i].row - v_mean.row, col = v[i].col - v_mean.col;
    whole += row * row + col * col;
    rest += std::pow(row - r * slope->by_row.row - c * slope->by_col.row, 2) +
            std::pow(col - r * slope->by_row.col - c * slope->by_col.col, 2);
  }
  return Plane{*slope, whole > 0 ? 1 - rest / whole : 0};
}

bool better_than_given(const Orientation& o) {
  return o.curl < (1 - o.margin) * o.curves[0].curl[0];
}

void rotate_180(Orientation& o) {
  if (std::abs(o.rotation) <= next_to_none) {
    o.flips.flip_rows = !o.flips.flip_rows;
    o.flips.flip_cols = !o.flips.flip_cols;
  } else {
    o.rotation += o.rotation < 0 ? 180 : -180;
  }
  o.skewness = -o.skewness;
}

Orientation find_orientation(const std::vector<Position>& centres,
                             const std::vector<Position>& positions, bool peaks_are_positive) {
  Orientation best;
  std::vector<Slope> slopes_of_best;
  double reach_of_best = 0;
  // A wide neighbourhood averages noise away, a narrow one keeps fine specimens: whichever tells
  // the two kinds of flips apart best.
  for (double reach : {1.2, 1.7, 2.4, 3.4}) {
    auto all = slopes(centres, positions, reach);
    take_off_mean(all);
    Orientation o = compare_flips(all);
    if (reach_of_best > 0 && o.curl * best.curl_mirrored >= best.curl * o.curl_mirrored) continue;
    best = std::move(o);
    slopes_of_best = std::move(all);
    reach_of_best = reach;
  }
  // Neighbours share data: within reach · 1.4 steps there are about 2 pi reach² positions.
  const double n = static_cast<double>(slopes_of_best.size());
  const double independent = n / (2 * pi * reach_of_best * reach_of_best);
  // Noise alone sets the two kinds apart by 1/sqrt(independent) of the curl once in a hundred scans
  // (simulated, 4² to 30² positions).
  best.margin = std::min(1.0, std::max(0.2, 1 / std::sqrt(independent)));
  best.clear = best.curl < (1 - best.margin) * best.curl_mirrored;
  choose(best, best.curves[0].least_curl > best.curl + 1e-9);
  best.skewness = skewness(slopes_of_best, best.flips, best.rotation);
  // The skewness of n independent normal values scatters by sqrt(6/n).
  best.sign_settled =
      peaks_are_positive && std::abs(best.skewness) > 3 * std::sqrt(6 / independent);
  if (best.sign_settled && best.skewness > 0) rotate_180(best);
  return best;
}

}  // namespace ptyle
