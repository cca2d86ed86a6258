#include "simulate/specimen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "core/ledger.hpp"
#include "physics/scattering.hpp"

namespace ptyle {
namespace {

// Atoms on a face belong to the cell that the face begins; rounding of 1e-16 must not move them.
constexpr double tolerance = 1e-6;  // Å

Vector3 operator+(const Vector3& a, const Vector3& b) {
  return {a[0] + b[0], a[1] + b[1], a[2] + b[2]};
}
Vector3 operator*(double s, const Vector3& a) { return {s * a[0], s * a[1], s * a[2]}; }
double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
double length(const Vector3& a) { return std::sqrt(dot(a, a)); }
Vector3 unit(const Vector3& a) { return (1 / length(a)) * a; }

Vector3 direction(const Structure& s, std::array<int, 3> uvw) {
  return uvw[0] * s.lattice[0] + uvw[1] * s.lattice[1] + uvw[2] * s.lattice[2];
}

Structure cell(const std::array<Vector3, 3>& lattice,
               const std::vector<std::pair<const char*, Vector3>>& fractional) {
  Structure s{true, lattice, {}};
  for (const auto& [symbol, f] : fractional)
    s.sites.push_back({atomic_number(symbol).value(),
                       f[0] * lattice[0] + f[1] * lattice[1] + f[2] * lattice[2], 1});
  return s;
}

void keep(std::vector<SpecimenAtom>& atoms, const Structure::Site& site, const Vector3& at,
          const SpecimenBox& box) {
  const bool inside = at[1] >= box.row[0] && at[1] < box.row[1] && at[0] >= box.col[0] &&
                      at[0] < box.col[1] && at[2] >= -tolerance &&
                      at[2] < box.thickness - tolerance;
  if (inside) atoms.push_back({site.Z, at[1], at[0], std::max(at[2], 0.0), site.occupancy});
}

}  // namespace

Structure built_in_structure(BuiltIn name) {
  if (name == BuiltIn::PbTiO3) {
    // P4mm, Nelmes and Kuhs, Solid State Commun. 54 (1985) 721
    const double a = 3.902, c = 4.156;
    return cell({{{a, 0, 0}, {0, a, 0}, {0, 0, c}}}, {{"Pb", {0, 0, 0}},
                                                      {"Ti", {0.5, 0.5, 0.5377}},
                                                      {"O", {0.5, 0.5, 0.1118}},
                                                      {"O", {0.5, 0, 0.6174}},
                                                      {"O", {0, 0.5, 0.6174}}});
  }
  if (name == BuiltIn::SrTiO3) {
    // Pm-3m, a = 3.905 Å at room temperature
    const double a = 3.905;
    return cell({{{a, 0, 0}, {0, a, 0}, {0, 0, a}}}, {{"Sr", {0, 0, 0}},
                                                      {"Ti", {0.5, 0.5, 0.5}},
                                                      {"O", {0.5, 0.5, 0}},
                                                      {"O", {0.5, 0, 0.5}},
                                                      {"O", {0, 0.5, 0.5}}});
  }
  // 2H, P6_3/mmc, Bronsema, de Boer and Jellinek, Z. anorg. allg. Chem. 540/541 (1986) 15. A
  // thickness of c/2 = 6.147 Å is one layer.
  const double a = 3.1604, c = 12.295, z = 0.621;
  return cell({{{a, 0, 0}, {-a / 2, a * std::sqrt(3.0) / 2, 0}, {0, 0, c}}},
              {{"S", {2.0 / 3, 1.0 / 3, z - 0.5}},
               {"Mo", {1.0 / 3, 2.0 / 3, 0.25}},
               {"S", {2.0 / 3, 1.0 / 3, 1 - z}},
               {"S", {1.0 / 3, 2.0 / 3, z}},
               {"Mo", {2.0 / 3, 1.0 / 3, 0.75}},
               {"S", {1.0 / 3, 2.0 / 3, 1.5 - z}}});
}

Structure oriented(Structure structure, std::array<int, 3> zone_axis, double rotation) {
  if (zone_axis == std::array<int, 3>{})
    throw UserError("specimen.zone_axis: [0, 0, 0] is no direction; take e.g. [0, 0, 1]");
  const Vector3 ez = unit(direction(structure, zone_axis));
  Vector3 reference = structure.lattice[0];
  if (length(cross(ez, unit(reference))) < 1e-6) reference = structure.lattice[1];
  const Vector3 ex = unit(reference + (-dot(reference, ez)) * ez), ey = cross(ez, ex);
  const double c = std::cos(rotation), s = std::sin(rotation);
  const auto turn = [&](const Vector3& v) {
    const double x = dot(v, ex), y = dot(v, ey);
    return Vector3{c * x - s * y, s * x + c * y, dot(v, ez)};
  };
  for (auto& v : structure.lattice) v = turn(v);
  for (auto& site : structure.sites) site.at = turn(site.at);
  return structure;
}

double repeat_along(const Structure& structure, std::array<int, 3> uvw) {
  const int common = std::gcd(std::gcd(uvw[0], uvw[1]), uvw[2]);
  return length(direction(structure, uvw)) / std::max(common, 1);
}

std::vector<SpecimenAtom> fill(const Structure& structure, const SpecimenBox& box) {
  const auto& [a, b, c] = structure.lattice;
  const double volume = dot(a, cross(b, c));
  const std::array<Vector3, 3> reciprocal{(1 / volume) * cross(b, c), (1 / volume) * cross(c, a),
                                          (1 / volume) * cross(a, b)};
  const double rows = box.row[1] - box.row[0], cols = box.col[1] - box.col[0];
  const double expected = double(structure.sites.size()) * rows * cols *
                          std::max(box.thickness, 0.0) / std::abs(volume);
  if (expected * sizeof(SpecimenAtom) > 0.25 * double(machine_memory_bytes()))
    throw UserError(
        fmt::format("the specimen would have {:.2g} atoms in {:.4g} x {:.4g} x {:.4g} Å: are "
                    "detector.pixel_size, scan.step and specimen.thickness right, in Å?",
                    expected, rows, cols, box.thickness));
  std::vector<SpecimenAtom> atoms;
  for (const auto& site : structure.sites) {
    // The cells whose copy of this site can lie in the box: those between its corners.
    std::array<i64, 3> first, last;
    for (std::size_t d = 0; d < 3; ++d) {
      double low = std::numeric_limits<double>::infinity(), high = -low;
      for (int corner = 0; corner < 8; ++corner) {
        const Vector3 at{box.col[corner & 1], box.row[(corner >> 1) & 1],
                         (corner & 4) ? box.thickness : 0};
        const double f = dot(reciprocal[d], at + (-1.0) * site.at);
        low = std::min(low, f), high = std::max(high, f);
      }
      first[d] = static_cast<i64>(std::floor(low)), last[d] = static_cast<i64>(std::ceil(high));
    }
    for (i64 i = first[0]; i <= last[0]; ++i)
      for (i64 j = first[1]; j <= last[1]; ++j)
        for (i64 k = first[2]; k <= last[2]; ++k)
          keep(atoms, site, site.at + double(i) * a + double(j) * b + double(k) * c, box);
  }
  return atoms;
}

std::vector<SpecimenAtom> block(const Structure& structure, std::array<int, 3> repeat,
                                const SpecimenBox& box) {
  std::vector<Structure::Site> all;
  for (const auto& site : structure.sites)
    for (int i = 0; i < repeat[0]; ++i)
      for (int j = 0; j < repeat[1]; ++j)
        for (int k = 0; k < repeat[2]; ++k) {
          all.push_back(site);
          all.back().at = site.at + double(i) * structure.lattice[0] +
                          double(j) * structure.lattice[1] + double(k) * structure.lattice[2];
        }
  Vector3 low, high;
  for (std::size_t d = 0; d < 3; ++d) {
    const auto [l, h] = std::minmax_element(
        all.begin(), all.end(), [d](const auto& p, const auto& q) { return p.at[d] < q.at[d]; });
    low[d] = l->at[d], high[d] = h->at[d];
  }
  const Vector3 move{(box.col[0] + box.col[1] - low[0] - high[0]) / 2,
                     (box.row[0] + box.row[1] - low[1] - high[1]) / 2, -low[2]};
  SpecimenBox limits = box;
  if (box.thickness <= 0) limits.thickness = std::numeric_limits<double>::infinity();
  std::vector<SpecimenAtom> atoms;
  for (const auto& site : all) keep(atoms, site, site.at + move, limits);
  return atoms;
}

}  // namespace ptyle
