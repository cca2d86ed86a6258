#include "solver/continuation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace ptyle {
namespace {

// Chosen on PbTiO3 of 10 to 100 slices (bench/recovery); nothing here depends on a data set's size.
constexpr double first_k = 0.3;    // k_c at the start, of the aperture's radius
constexpr double k_growth = 1.25;  // from one stage to the next
constexpr double untie_from =
    1.0;  // blocks are halved once k_c is beyond this, of the aperture's radius
constexpr double free_from =
    0.5;  // no lateral limit once k_c is beyond this, of the Nyquist frequency
constexpr double stalled = 0.85;  // an iteration that leaves more than this share of R has stalled
constexpr int least_iterations = 2;  // in a stage

}  // namespace

Continuation::Continuation(const Scale& scale)
    : scale_(scale),
      k_c_(std::min(first_k * scale.aperture_k, scale.nyquist_k)),
      block_(scale.slices) {}

std::string Continuation::describe() const {
  std::string text;
  if (k_c_ > 0) text = fmt::format("k < {:.2f} 1/Å", k_c_);
  if (block_ > 1)
    text += fmt::format("{}slices tied{}", text.empty() ? "" : ", ",
                        block_ >= scale_.slices ? "" : fmt::format(" by {}", block_));
  return text;
}

bool Continuation::advance(double r_factor) {
  if (finished()) return false;
  ++iterations_;
  const bool stall = r_factor > stalled * previous_;
  previous_ = r_factor;
  if (iterations_ < least_iterations || !stall) return false;
  if (k_c_ > untie_from * scale_.aperture_k || k_c_ == 0) block_ = (block_ + 1) / 2;
  if (k_c_ > 0) k_c_ *= k_growth;
  if (k_c_ > free_from * scale_.nyquist_k) k_c_ = 0;
  iterations_ = 0;
  previous_ = std::numeric_limits<double>::infinity();
  return true;
}

}  // namespace ptyle
