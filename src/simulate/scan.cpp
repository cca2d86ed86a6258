#include "simulate/scan.hpp"

#include <cmath>

#include "core/raster.hpp"
#include "core/units.hpp"
#include "simulate/streams.hpp"

namespace ptyle {
namespace {

using Matrix = std::array<double, 4>;  // [[a, b], [c, d]] as a, b, c, d

Matrix operator*(const Matrix& a, const Matrix& b) {
  return {a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2],
          a[2] * b[1] + a[3] * b[3]};
}

Matrix rotation(double degrees) {
  const double c = std::cos(degrees * degree), s = std::sin(degrees * degree);
  return {c, -s, s, c};
}

Position operator*(const Matrix& m, const Position& p) {
  return {m[0] * p.row + m[1] * p.col, m[2] * p.row + m[3] * p.col};
}

bool is_distorted(const ScanRecipe& s) {
  return s.turn != 0 || s.scale != 1 || s.asymmetry != 0 || s.shear != 0;
}

bool drifts(const ScanRecipe& s) { return s.drift != std::array<double, 2>{}; }

void add_deviate(Position& p, double sigma, Philox& random) {
  p.row += sigma * normal_deviate(random);
  p.col += sigma * normal_deviate(random);
}

}  // namespace

std::vector<Position> nominal_positions(const ScanRecipe& scan) {
  return positions_of(Raster{{scan.shape[0], scan.shape[1]}, scan.step, scan.rotation, scan.snake});
}

Position scan_middle(const ScanRecipe& scan) {
  return rotation(scan.rotation) *
         Position{(scan.shape[0] - 1) * scan.step[0] / 2, (scan.shape[1] - 1) * scan.step[1] / 2};
}

std::array<double, 4> scan_affine(const ScanRecipe& scan) {
  const Matrix stretch{scan.scale * (1 + scan.asymmetry / 2), 0, 0,
                       scan.scale * (1 - scan.asymmetry / 2)};
  const Matrix lean{1, 0, std::tan(scan.shear * degree), 1};
  return rotation(scan.rotation + scan.turn) * lean * stretch * rotation(-scan.rotation);
}

std::vector<Position> scan_positions(const ScanRecipe& scan, std::uint64_t seed) {
  auto positions = nominal_positions(scan);
  if (is_distorted(scan)) {
    const Matrix affine = scan_affine(scan);
    const Position middle = scan_middle(scan);
    for (Position& p : positions) {
      const Position moved = affine * Position{p.row - middle.row, p.col - middle.col};
      p = {middle.row + moved.row, middle.col + moved.col};
    }
  }
  if (drifts(scan) && positions.size() > 1)
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const double time = double(i) / double(positions.size() - 1) - 0.5;
      positions[i].row += time * scan.drift[0];
      positions[i].col += time * scan.drift[1];
    }
  if (scan.line_jitter > 0)
    for (std::size_t i = 0; i < positions.size(); ++i) {
      Philox random(seed, line_stream, i / static_cast<std::size_t>(scan.shape[1]));
      add_deviate(positions[i], scan.line_jitter, random);
    }
  if (scan.jitter > 0)
    for (std::size_t i = 0; i < positions.size(); ++i) {
      Philox random(seed, jitter_stream, i);
      add_deviate(positions[i], scan.jitter, random);
    }
  return positions;
}

bool reports_nominal(const ScanRecipe& scan) {
  if (scan.reported) return *scan.reported == Reported::nominal;
  return is_distorted(scan) || drifts(scan) || scan.line_jitter > 0;
}

}  // namespace ptyle
