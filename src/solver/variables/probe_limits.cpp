#include "solver/variables/probe_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/grid.hpp"
#include "core/waves.hpp"
#include "solver/parts.hpp"
#include "solver/variables/probe_moves.hpp"

namespace ptyle {
namespace {

/// The part of the start's power beyond its limits that is worth a warning.
constexpr double much = 0.05;

}  // namespace

template <class T>
void ProbeLimitOptions::add_to(Parts<T>& parts) const {
  if (any()) parts.variables.push_back(std::make_unique<ProbeLimits<T>>(*this));
}
template void ProbeLimitOptions::add_to(Parts<float>&) const;
template void ProbeLimitOptions::add_to(Parts<double>&) const;

template <class T>
void limit_to_support(View<Complex<T>, 3> waves, double pixel, double radius) {
  const i64 w = waves.shape[1];
  for (i64 m = 0; m < waves.shape[0]; ++m)
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x)
        if (pixel * std::hypot(double(y - w / 2), double(x - w / 2)) > radius) waves(m, y, x) = 0;
}

template <class T>
void limit_to_aperture(View<Complex<T>, 3> waves, double pixel, double most,
                       const std::array<double, 2>& centre) {
  const i64 w = waves.shape[1];
  const double dk = 1 / (double(w) * pixel);
  const T scale = static_cast<T>(1 / double(w * w));
  multiply_spectra<T>(waves, [&](i64 k) {
    const double ky = double(frequency_index(k / w, w)) - centre[0],
                 kx = double(frequency_index(k % w, w)) - centre[1];
    return dk * std::hypot(ky, kx) > most ? T(0) : scale;
  });
}

template <class T>
void ProbeLimits<T>::declare(State<T>& state) {
  if (options_.power == ProbePower::fixed) power_ = &state.number("probe.power");
}

template <class T>
void ProbeLimits<T>::project(const Workspace<T>& with, View<Complex<T>, 3> waves, i64 modes) const {
  if (options_.support > 0) limit_to_support<T>(waves, with.options.pixel, options_.support);
  if (options_.aperture > 0)
    limit_to_aperture<T>(waves, with.options.pixel, options_.aperture * with.options.aperture_k,
                         options_.centre);
  if (!power_) return;
  const double now =
      power_of<T>(View<const Complex<T>, 3>{waves.data, {modes, waves.shape[1], waves.shape[2]}});
  if (!(now > 0)) return;  // nothing is left, for which the run will end
  const T scale = static_cast<T>(std::sqrt(*power_ / now));
  for (Complex<T>& value : waves) value *= scale;
}

template <class T>
void ProbeLimits<T>::publish(Workspace<T>& with) {
  if (looked_at_) return;
  looked_at_ = true;
  if (options_.aperture > 0 && with.options.aperture_k <= 0)
    throw UserError("probe.aperture needs optics.energy and optics.semi_angle");
  const auto& waves = std::as_const(with.state).field("probe").waves;
  const i64 modes = with.op->setup().modes_of_a_state();
  Array<Complex<T>, 3> start({modes, waves.shape()[1], waves.shape()[2]}, with.ledger, "probe");
  with.arithmetic->read(waves.data(), start.data(), start.size());
  const auto power = [&] { return power_of<T>(std::as_const(start).view()); };
  const double before = power();
  if (power_ && *power_ == 0) *power_ = before;
  if (with.arithmetic->memory()) here_ = Array<Complex<T>, 3>(waves.shape(), with.ledger, "probe");
  const auto warn = [&](const char* key) {
    const double lost = before > 0 ? 1 - power() / before : 0;
    if (lost > much)
      with.warnings.push_back(fmt::format(
          "{} leaves out {:.0f} % of the probe that the fit starts with: is it too small?", key,
          100 * lost));
  };
  if (options_.support > 0) {
    limit_to_support<T>(start, with.options.pixel, options_.support);
    warn("probe.support");
  }
  if (options_.aperture > 0) {
    with.arithmetic->read(waves.data(), start.data(), start.size());
    limit_to_aperture<T>(start, with.options.pixel, options_.aperture * with.options.aperture_k,
                         options_.centre);
    warn("probe.aperture");
  }
}

template <class T>
void ProbeLimits<T>::step(Workspace<T>& with, const Batch& batch) {
  if (!batch.refine_probe) return;
  auto& waves = with.state.field("probe").waves;
  const i64 modes = with.op->setup().modes_of_a_state();
  if (here_.empty()) {
    project(with, waves, modes);
  } else {
    with.arithmetic->read(waves.data(), here_.data(), waves.size());
    project(with, here_, modes);
    with.arithmetic->write(here_.data(), waves.data(), waves.size());
  }
  with.op->set_probe(waves);
}

template void limit_to_support(View<Complex<float>, 3>, double, double);
template void limit_to_support(View<Complex<double>, 3>, double, double);
template void limit_to_aperture(View<Complex<float>, 3>, double, double,
                                const std::array<double, 2>&);
template void limit_to_aperture(View<Complex<double>, 3>, double, double,
                                const std::array<double, 2>&);
/// The start's copy stays on the host beside a device; without one it is freed once the fit is
/// made.
template <class T>
OtherBytes ProbeLimits<T>::other_bytes(const OperatorSetup& setup, i64 /*positions*/,
                                       bool device) const {
  if (!device) return {};
  const double probe = wave_bytes<T>(setup, setup.probe_modes());
  return {.kept = {{"probe", probe}}, .moment = probe};
}

template class ProbeLimits<float>;
template class ProbeLimits<double>;

}  // namespace ptyle
