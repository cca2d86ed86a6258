#pragma once

// Options of what is fitted of the detector (solver/variables/background, solver/variables/gain).

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/array.hpp"
#include "core/choice.hpp"
#include "solver/part_options.hpp"
#include "solver/variables/geometry_options.hpp"

namespace ptyle {

enum class DetectorPart { background, gain };
constexpr auto choices(DetectorPart) {
  return std::to_array<Named<DetectorPart>>(
      {{DetectorPart::background, "background"}, {DetectorPart::gain, "gain"}});
}

struct DetectorOptions {
  std::vector<std::string> refine;  ///< words of DetectorPart; empty: not asked for
  int gain_start = 3;               ///< an iteration

  [[nodiscard]] bool has(DetectorPart part) const;

  template <class T>
  void add_to(Parts<T>& parts) const;
};

template <class V>
void keys(V& v, DetectorOptions& o) {
  v.section("detector", "what of the detector is fitted");
  v("refine", o.refine,
    "of background (counts of every pixel beside the waves'), gain (of each pixel, 1 on average); "
    "left out: nothing")
      .example("[background]")
      .also_called("fit_background fit_gain flat_field flatfield")
      .any_order()
      .same_at_resume()
      .reported_if_set();
  v("gain_start", o.gain_start, at_least(1),
    "first iteration that fits the gain (later while the lateral limit holds); the probe is "
    "refined once it is found")
      .reported_if_set();
}

/// The fault of detector.refine: a word that names nothing, or one that stands there twice.
std::optional<std::string> fault_of_refine(const DetectorOptions& options);

/// What gains were found, with their standard errors, as the log has it.
std::string describe_gains(View<const float, 2> gain, View<const float, 2> error);

/// The fitted background, where it was asked for, by the numbers of a fit's state (solver/fit).
std::vector<FittedValue> fitted_detector(const DetectorOptions& options,
                                         const std::map<std::string, double>& numbers);
/// The name that it has, with its unit.
std::vector<std::pair<std::string, std::string>> detector_names();

}  // namespace ptyle
