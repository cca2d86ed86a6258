#include "simulate/scan.hpp"

#include <cmath>

#include "core/matrix2.hpp"
#include "core/raster.hpp"
#include "core/units.hpp"
#include "simulate/streams.hpp"

namespace ptyle {
namespace {

Position mapped(const Matrix2& by, const Position& p) {
  const auto [row, col] = times(by, Vector2{p.row, p.col});
  return {row, col};
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
  return mapped(rotation(scan.rotation * degree),
                {(scan.shape[0] - 1) * scan.step[0] / 2, (scan.shape[1] - 1) * scan.step[1] / 2});
}

std::array<double, 4> scan_affine(const ScanRecipe& scan) {
  const Matrix2 stretch{scan.scale * (1 + scan.asymmetry / 2), 0, 0,
                        scan.scale * (1 - scan.asymmetry / 2)};
  const Matrix2 lean{1, 0, std::tan(scan.shear * degree), 1};
  const Matrix2 turned = rotation((scan.rotation + scan.turn) * degree),
                back = rotation(-scan.rotation * degree);
  return times(times(times(turned, lean), stretch), back);
}

std::vector<Position> scan_positions(const ScanRecipe& scan, std::uint64_t seed) {
  auto positions = nominal_positions(scan);
  if (is_distorted(scan)) {
    const Matrix2 affine = scan_affine(scan);
    const Position middle = scan_middle(scan);
    for (Position& p : positions) {
      const Position moved = mapped(affine, {p.row - middle.row, p.col - middle.col});
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
