#include "physics/scattering.hpp"

#include <fmt/format.h>

#include <array>
#include <stdexcept>

namespace ptyle {
namespace {

struct LobatoRow {
  int Z;
  std::string_view symbol;
  std::array<double, 5> a, b;
};

struct KirklandRow {
  int Z;
  std::string_view symbol;
  std::array<double, 3> a, b, c, d;
};

// The rows of data/scattering_*.csv, Z = 1 … 103 in order, written by
// cmake/scattering_tables.cmake.
#include "scattering_tables.inc"

void check(int Z) {
  if (Z < 1 || Z > heaviest_element)
    throw std::out_of_range(
        fmt::format("no scattering factors for Z = {}: the tables go from 1 (H) to 103 (Lr)", Z));
}

}  // namespace

double scattering_factor(Parametrization parametrization, int Z, double k) {
  check(Z);
  const double k2 = k * k;
  double f = 0;
  if (parametrization == Parametrization::lobato) {
    const LobatoRow& row = lobato_rows[static_cast<std::size_t>(Z - 1)];
    for (std::size_t i = 0; i < 5; ++i) {
      const double q = 1 + row.b[i] * k2;
      f += row.a[i] * (1 + q) / (q * q);
    }
  } else {
    const KirklandRow& row = kirkland_rows[static_cast<std::size_t>(Z - 1)];
    for (std::size_t i = 0; i < 3; ++i)
      f += row.a[i] / (k2 + row.b[i]) + row.c[i] * std::exp(-row.d[i] * k2);
  }
  return f;
}

std::optional<int> atomic_number(std::string_view symbol) {
  for (const auto& row : lobato_rows)
    if (row.symbol == symbol) return row.Z;
  return {};
}

std::string_view element_symbol(int Z) {
  check(Z);
  return lobato_rows[static_cast<std::size_t>(Z - 1)].symbol;
}

}  // namespace ptyle
