#include "solver/continuation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace ptyle {
namespace {

// Chosen on PbTiO3 of 20, 40 and 100 slices (bench/recovery); relative, so that nothing depends on
// a data set's size.
constexpr double first_k = 0.33;  // k_c at the start, of the aperture's radius
constexpr double k_growth = 0.4;  // k_c grows by this fraction from one stage to the next,
constexpr double slower_from =
    2;                           // less where the specimen is thicker than this, in depths of focus
constexpr double unbin_k = 0.6;  // blocks are halved from here on, of the aperture's radius
constexpr double free_k = 1.05;  // no lateral limit from here on, of the aperture's radius
constexpr double first_transfer = 1,
                 less_transfer = 0.5;   // μ at the start, and from stage to stage
constexpr double probe_transfer = 0.6;  // the probe moves from here on
constexpr double stalled =
    0.8;  // an iteration that leaves more than this fraction of R has stalled
constexpr int least_iterations = 2;  // in a stage

}  // namespace

Continuation::Continuation(const Scale& scale) : scale_(scale) {
  switch (scale.by) {
    case By::limits:
      k_c_ = std::min(first_k * scale.aperture_k, scale.nyquist_k);
      block_ = scale.slices;
      return;
    case By::transfer:
      transfer_ = first_transfer;
      return;
  }
}

bool Continuation::holds_probe() const { return k_c_ > 0 || transfer_ > probe_transfer; }

std::string Continuation::describe() const {
  std::string text;
  if (k_c_ > 0) text = fmt::format("k < {:.2f} 1/Å", k_c_);
  if (block_ > 1)
    text += fmt::format("{}slices binned{}", text.empty() ? "" : ", ",
                        block_ >= scale_.slices ? "" : fmt::format(" by {}", block_));
  if (transfer_ > 0) text += fmt::format("transfer > {:.2g}", transfer_);
  return text;
}

bool Continuation::advance(double r_factor) {
  if (finished()) return false;
  ++iterations_;
  const bool stall = r_factor > stalled * previous_;
  previous_ = r_factor;
  if (iterations_ < least_iterations || !stall) return false;
  free_more();
  iterations_ = 0;
  previous_ = std::numeric_limits<double>::infinity();
  return true;
}

void Continuation::free_more() {
  if (transfer_ > 0) {
    transfer_ *= less_transfer;
    if (transfer_ < scale_.last_transfer) transfer_ = 0;
    return;
  }
  if (k_c_ == 0 || k_c_ > unbin_k * scale_.aperture_k) block_ = (block_ + 1) / 2;
  if (k_c_ > 0) k_c_ *= 1 + k_growth * std::min(1.0, slower_from / scale_.depths_of_focus);
  if (k_c_ > std::min(free_k * scale_.aperture_k, scale_.nyquist_k)) k_c_ = 0;
}

std::map<std::string, double> Continuation::state() const {
  return {{"stage.k_c", k_c_},
          {"stage.block", static_cast<double>(block_)},
          {"stage.transfer", transfer_},
          {"stage.iterations", iterations_},
          {"stage.r_factor", previous_}};
}

void Continuation::restore(const std::map<std::string, double>& state) {
  k_c_ = state.at("stage.k_c");
  block_ = static_cast<i64>(state.at("stage.block"));
  const auto transfer = state.find("stage.transfer");  // checkpoints of earlier versions: none
  transfer_ = transfer == state.end() ? 0 : transfer->second;
  iterations_ = static_cast<int>(state.at("stage.iterations"));
  previous_ = state.at("stage.r_factor");
}

}  // namespace ptyle
