#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "operator/operator.hpp"

namespace ptyle {
namespace {

// The values are made in double precision: |P|² is 1 within a few of its ε, or a band limit's 0.
bool is_one(const std::complex<double>& p) { return std::abs(std::norm(p) - 1) < 1e-12; }

}  // namespace

bool is_unitary(const OperatorSetup& setup) {
  return !setup.absorption && std::all_of(setup.propagator.begin(), setup.propagator.end(), is_one);
}

void check_propagator(const OperatorSetup& setup, std::span<const std::complex<double>> propagator,
                      WaveStorage waves) {
  const auto n = static_cast<std::size_t>(setup.window * setup.window);
  if (setup.slices > 1 && propagator.size() != n)
    throw std::invalid_argument("the propagator must have W·W values");
  const bool unitary =
      !setup.absorption && std::all_of(propagator.begin(), propagator.end(), is_one);
  if (waves == WaveStorage::recompute && !unitary)
    throw std::invalid_argument(
        "waves can be recomputed only without absorption and with |P| = 1 everywhere");
}

void check_wanted(const OperatorSetup& setup, Wanted wanted) {
  if (wanted.has(Part::propagator) && !setup.fits_propagator)
    throw std::invalid_argument("the setup has not said that the propagator is fitted");
  if (wanted.has(Part::descan) && !setup.descan)
    throw std::invalid_argument("the setup has not said that patterns are displaced");
}

double checked_background(double background) {
  if (!(background >= 0)) throw std::invalid_argument("a background has to be 0 or more");
  return background;
}

}  // namespace ptyle
