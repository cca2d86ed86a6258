#include "solver/continuation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace ptyle {
namespace {

// Chosen on PbTiO3 of 20, 40 and 100 slices (bench/recovery); relative, so that nothing depends on
// a data set's size.
constexpr double first_k = 0.33;  // k_c at the start, of the aperture's radius
constexpr double k_growth = 0.8;  // k_c grows by this fraction from one stage to the next,
constexpr double slower_from =
    2;                           // less where the specimen is thicker than this, in depths of focus
constexpr double unbin_k = 0.6;  // blocks are halved from here on, of the aperture's radius
constexpr double free_k = 1.05;  // no lateral limit from here on, of the aperture's radius
// An iteration that leaves more than this fraction of R has stalled. It is not to wait longer:
// rules that learn from former steps begin anew in each stage.
constexpr double stalled = 0.5;

}  // namespace

Continuation::Continuation(const Scale& scale) : scale_(scale) {
  k_c_ = std::min(first_k * scale.aperture_k, scale.nyquist_k);
  block_ = scale.slices;
}

bool Continuation::holds_probe() const { return k_c_ > 0; }

std::string Continuation::describe() const {
  std::string text;
  if (k_c_ > 0) text = fmt::format("k < {:.2f} 1/Å", k_c_);
  if (block_ > 1)
    text += fmt::format("{}slices binned{}", text.empty() ? "" : ", ",
                        block_ >= scale_.slices ? "" : fmt::format(" by {}", block_));
  return text;
}

bool Continuation::advance(double r_factor, bool hold_slices) {
  if (finished() || (k_c_ == 0 && hold_slices)) return false;
  const bool stall = r_factor > stalled * previous_;
  previous_ = r_factor;
  if (!stall) return false;
  free_more(hold_slices);
  previous_ = std::numeric_limits<double>::infinity();
  return true;
}

void Continuation::free_more(bool hold_slices) {
  const bool unbin = k_c_ == 0 || k_c_ > unbin_k * scale_.aperture_k;
  if (unbin && !hold_slices) block_ = (block_ + 1) / 2;
  if (k_c_ > 0) k_c_ *= 1 + k_growth * std::min(1.0, slower_from / scale_.depths_of_focus);
  if (k_c_ > std::min(free_k * scale_.aperture_k, scale_.nyquist_k)) k_c_ = 0;
}

std::map<std::string, double> Continuation::state() const {
  return {{"stage.k_c", k_c_},
          {"stage.block", static_cast<double>(block_)},
          {"stage.r_factor", previous_}};
}

void Continuation::restore(const std::map<std::string, double>& state) {
  k_c_ = state.at("stage.k_c");
  block_ = static_cast<i64>(state.at("stage.block"));
  previous_ = state.at("stage.r_factor");
}

}  // namespace ptyle
