#include "analysis/scan_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "analysis/least_squares.hpp"
#include "core/units.hpp"

namespace ptyle {
namespace {

Position mean_of(std::span<const Position> positions) {
  Position mean;
  const auto count = static_cast<double>(positions.size());
  for (const Position& p : positions) mean.row += p.row / count, mean.col += p.col / count;
  return mean;
}

/// F of least squares, row by row.
std::array<double, 4> affine(std::span<const Position> from, std::span<const Position> to) {
  const Position a = mean_of(from), b = mean_of(to);
  LeastSquares<2> rows, cols;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::array<double, 2> x{from[i].row - a.row, from[i].col - a.col};
    rows.add(x, to[i].row - b.row);
    cols.add(x, to[i].col - b.col);
  }
  constexpr double line = 1e-6;  // narrower than 1e-3 of its length
  std::array<double, 2> of_row{}, of_col{};
  if (!rows.solve(of_row, line) || !cols.solve(of_col, line)) return {1, 0, 0, 1};
  return {of_row[0], of_row[1], of_col[0], of_col[1]};
}

}  // namespace

ScanModel scan_model(std::span<const Position> from, std::span<const Position> to) {
  if (from.size() != to.size() || from.empty())
    throw std::invalid_argument("scan_model: the scans have different numbers of positions");
  ScanModel model;
  const auto f = affine(from, to);
  // The rotation that makes Rᵀ F symmetric; R = [[cos, −sin], [sin, cos]] on (row, col).
  const double angle = std::atan2(f[2] - f[1], f[0] + f[3]);
  const double c = std::cos(angle), s = std::sin(angle);
  model.rotation = angle / degree;
  model.rows = c * f[0] + s * f[2];
  model.columns = c * f[3] - s * f[1];
  model.shear = (c * f[1] + s * f[3]) / degree;
  const Position a = mean_of(from), b = mean_of(to);
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double x = from[i].row - a.row, y = from[i].col - a.col;
    const double u = to[i].row - b.row, v = to[i].col - b.col;
    const double far = std::hypot(u - x, v - y);
    model.farthest = std::max(model.farthest, far);
    model.moved += far * far;
    model.rest += std::pow(u - f[0] * x - f[1] * y, 2) + std::pow(v - f[2] * x - f[3] * y, 2);
  }
  model.moved = std::sqrt(model.moved / static_cast<double>(from.size()));
  model.rest = std::sqrt(model.rest / static_cast<double>(from.size()));
  return model;
}

std::string describe(const ScanModel& m, const std::string& unit) {
  return fmt::format(
      "positions moved by {:.3g} {} r.m.s., at most {:.3g}: scan rotated by {:+.2f}°, rows x "
      "{:.4f}, "
      "columns x {:.4f}, sheared by {:+.2f}°; {:.2g} {} r.m.s. beside that",
      m.moved, unit, m.farthest, m.rotation, m.rows, m.columns, m.shear, m.rest, unit);
}

}  // namespace ptyle
