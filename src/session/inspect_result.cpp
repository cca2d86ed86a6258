#include "session/inspect_result.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/bounds.hpp"
#include "core/grid.hpp"
#include "core/waves.hpp"
#include "io/result.hpp"

namespace ptyle {
namespace {

std::string counted(i64 number, const char* noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::string describe_object(const ResultReader& result) {
  const auto& facts = result.facts();
  const auto [slices, rows, cols] = result.shape();
  return fmt::format(
      "object: {}{} of {} x {} px{}, {}", counted(slices, "slice"),
      facts.slice_thickness > 0 ? fmt::format(", {:.5g} Å thick,", facts.slice_thickness) : "",
      rows, cols, facts.units == "A" ? fmt::format(" of {:.5g} Å", facts.pixel_size) : "",
      result.has_absorption() ? "phase and absorption" : "phase");
}

/// The voxels of /object that are not finite, a few rows at a time; empty: none among the first
/// 2³⁰, as more would take minutes to read.
std::string describe_faults(const ResultReader& result) {
  constexpr i64 at_a_time = 1 << 20, at_most = 1 << 30;
  const auto [slices, rows, cols] = result.shape();
  const i64 few = std::clamp<i64>(at_a_time / cols, 1, rows);
  Array<float, 2> phase({few, cols}), absorption({few, cols});
  i64 wrong = 0;
  std::string first;
  for (i64 z = 0; z < std::min(slices, std::max<i64>(1, at_most / (rows * cols))); ++z)
    for (i64 y = 0; y < rows; y += few) {
      const Box box{{y, std::min(y + few, rows)}, {0, cols}};
      const std::array<i64, 2> shape{box.rows.size(), cols};
      result.phase(z, box, View<float, 2>{phase.data(), shape});
      if (result.has_absorption())
        result.absorption(z, box, View<float, 2>{absorption.data(), shape});
      for (i64 i = 0; i < shape[0] * cols; ++i) {
        if (std::isfinite(phase.data()[i]) && std::isfinite(absorption.data()[i])) continue;
        if (wrong++ == 0) first = fmt::format("slice {} at [{}, {}]", z, y + i / cols, i % cols);
      }
    }
  return wrong == 0 ? std::string()
                    : fmt::format(
                          "the object is damaged: {} not finite, the first in {}; it is no start "
                          "for another run",
                          counted(wrong, "voxel"), first);
}

std::string describe_states(const ResultReader& result) {
  return fmt::format("states of the object: {}, with fractions {:.3g} of the dose; {}",
                     result.facts().occupancy.size(), fmt::join(result.facts().occupancy, ", "),
                     result.states() > 1 ? "/states holds each, /object their mean"
                                         : "only their mean (/object) is held");
}

std::string describe_probe(const ResultFacts& facts) {
  const auto [modes, rows, cols] = facts.probe.shape();
  std::string text = fmt::format("probe: {} of {} x {} px", counted(modes, "mode"), rows, cols);
  if (modes > 1) {
    std::string percent;
    for (const double fraction : shares_of_power<float>(facts.probe))
      percent += fmt::format(" {:.3g}", 100 * fraction);
    text += ", % of the power:" + percent;
  }
  if (!facts.variable_modes.empty())
    text += fmt::format("; {} by which it varies from position to position",
                        counted(facts.variable_modes.shape()[0], "mode"));
  return text;
}

std::string describe_positions(const ResultFacts& facts) {
  const auto& at = facts.positions;
  const char* unit = facts.units == "A" ? "Å" : "px";
  const Bounds scan = bounds_of(at);
  std::string text = fmt::format("positions: {} over {:.5g} x {:.5g} {}", at.size(), scan.rows(),
                                 scan.cols(), unit);
  if (facts.positions_start.size() != at.size()) return text;
  double square = 0;
  for (std::size_t i = 0; i < at.size(); ++i)
    square += std::pow(distance(at[i], facts.positions_start[i]), 2);
  return text + fmt::format(", refined by {:.3g} {} r.m.s.",
                            std::sqrt(square / static_cast<double>(at.size())), unit);
}

std::string describe_history(const History& history) {
  std::string text = fmt::format("R {:.4g} after {}", history.r_factor.back(),
                                 counted(std::ssize(history.r_factor), "iteration"));
  if (!history.r_held_out.empty())
    text += fmt::format(", {:.4g} of patterns held out", history.r_held_out.back());
  if (!history.r_held_out_pixels.empty())
    text += fmt::format(", {:.4g} of pixels held out", history.r_held_out_pixels.back());
  return text;
}

}  // namespace

std::vector<std::string> describe_result(const std::string& path) {
  const ResultReader result(path);
  const ResultFacts& facts = result.facts();
  std::vector<std::string> lines{
      facts.ended.empty()
          ? std::string("a result of a reconstruction, without patterns")
          : fmt::format("a result of a reconstruction, without patterns; {}", facts.ended)};
  lines.push_back(describe_object(result));
  if (auto faults = describe_faults(result); !faults.empty()) lines.push_back(std::move(faults));
  if (facts.occupancy.size() > 1) lines.push_back(describe_states(result));
  if (!facts.probe.empty()) lines.push_back(describe_probe(facts));
  if (!facts.positions.empty()) lines.push_back(describe_positions(facts));
  if (!facts.history.r_factor.empty()) lines.push_back(describe_history(facts.history));
  return lines;
}

}  // namespace ptyle
