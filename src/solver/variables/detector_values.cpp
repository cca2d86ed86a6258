// The fitted values of the detector, in the words and units of its users.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "solver/parts.hpp"
#include "solver/variables/background.hpp"
#include "solver/variables/detector_options.hpp"
#include "solver/variables/gain.hpp"
#include "solver/variables/refined_words.hpp"

namespace ptyle {

bool DetectorOptions::has(DetectorPart part) const { return has_word(refine, part); }

template <class T>
void DetectorOptions::add_to(Parts<T>& parts) const {
  if (has(DetectorPart::background))
    parts.variables.push_back(std::make_unique<BackgroundVariable<T>>());
  if (has(DetectorPart::gain)) parts.variables.push_back(std::make_unique<GainVariable<T>>(*this));
}
template void DetectorOptions::add_to(Parts<float>&) const;
template void DetectorOptions::add_to(Parts<double>&) const;

std::optional<std::string> fault_of_refine(const DetectorOptions& options) {
  return fault_of_words<DetectorPart>(options.refine);
}

std::string describe_gains(View<const float, 2> gain, View<const float, 2> error) {
  const auto [least, greatest] = std::minmax_element(gain.begin(), gain.end());
  const auto [known, unknown] = std::minmax_element(error.begin(), error.end());
  double squares = 0;
  for (const float g : gain) squares += std::pow(double(g) - 1, 2);
  const double off = std::sqrt(squares / double(gain.size()));
  const std::string errors =
      fmt::format("with standard errors of {:.2g} to {:.2g}", *known, *unknown);
  return off == 0
             ? "gains of the pixels: none is told from 1, " + errors
             : fmt::format("gains of the pixels from {:.3f} to {:.3f}, {:.2g} r.m.s. from 1, {}",
                           *least, *greatest, off, errors);
}

std::vector<FittedValue> fitted_detector(const DetectorOptions& options,
                                         const std::map<std::string, double>& numbers) {
  if (!options.has(DetectorPart::background)) return {};
  const auto at = numbers.find("detector.background");
  return {{"background", "counts", 0, at == numbers.end() ? 0 : at->second}};
}

std::vector<std::pair<std::string, std::string>> detector_names() {
  return {{"background", "counts"}};
}

}  // namespace ptyle
