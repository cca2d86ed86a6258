#include "solver/variables/geometry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "core/units.hpp"
#include "core/waves.hpp"
#include "solver/parts.hpp"
#include "solver/variables/bends.hpp"
#include "solver/variables/descan.hpp"
#include "solver/variables/geometry_options.hpp"

namespace ptyle {
namespace {

/// ∂f/∂P* is asked for in one mini-batch of so many.
constexpr std::size_t through_every = 4;
/// Iterations in which an object appears, before thickness and tilt move.
constexpr int object_first = 2;
/// Iterations in which a probe is refined before the thickness moves, in a schedule that held it.
constexpr int probe_first = 1;
/// Steps have half their length after so many iterations of a schedule without the lateral limit.
constexpr double halved_after = 8;
/// Tilt and thickness are fitted while at least this part of the slices is one block, or all are
/// alike: between blocks a shear is the object's to take up, and free slices weigh their depths as
/// they like. Thickness also where slices are free from the start.
constexpr double most_of_slices = 1.0 / 3;
/// Finite differences of waves, in units of about 1 rad: floats resolve 1e-6 of a wave.
constexpr double difference = 0.02;
/// The longest move of a mini-batch, units.
constexpr double longest = 0.1;
/// C_jj is raised by this part, so that two parameters that do nearly the same share a move.
constexpr double damping = 0.01;
/// An iteration that has moved by less in all, in units, has found it: mini-batches' own steps go
/// to and fro.
constexpr double found = 0.05;
/// The least part of W² Σ|ψ|² that C_jj of a unit has to be for a parameter to move, as of
/// positions (variables/positions.cpp).
double least_share(double noise) { return 1e-5 + 20 * noise; }

/// x of A x = b, A symmetric and positive, n × n, by Cholesky; rows of `fixed` are left out, and
/// their x is 0. Empty: A is not positive.
std::vector<double> solved(std::vector<double> a, std::vector<double> b,
                           const std::vector<bool>& fixed) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    if (!fixed[i]) continue;
    for (std::size_t j = 0; j < n; ++j) a[i * n + j] = a[j * n + i] = 0;
    a[i * n + i] = 1;
    b[i] = 0;
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i == j && !(sum > 0)) return {};
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

}  // namespace

template <class T>
void GeometryOptions::add_to(Parts<T>& parts) const {
  if (any_of_optics()) parts.variables.push_back(std::make_unique<GeometryVariable<T>>(*this));
  if (has(GeometryPart::descan))
    parts.variables.push_back(std::make_unique<DescanVariable<T>>(*this));
}
template void GeometryOptions::add_to(Parts<float>&) const;
template void GeometryOptions::add_to(Parts<double>&) const;

template <class T>
void GeometryVariable<T>::declare(State<T>& state) {
  // Names and order alone count here: units need the optics.
  const auto all = geometry_parameters(options_, 2, 1);
  for (const GeometryParameter& one : all)
    changes_.push_back(&state.number("geometry." + one.name));
  for (const GeometryParameter& one : all)
    for (const GeometryParameter& other : all)
      curvature_.push_back(
          &state.number(fmt::format("geometry.curvature.{}.{}", one.name, other.name)));
  for (const GeometryParameter& one : all)
    moved_.push_back(&state.number("geometry.moved." + one.name));
  at_limit_ = &state.number("geometry.at_limit");
  free_for_ = &state.number("geometry.free_for");
}

template <class T>
void GeometryVariable<T>::check(const Workspace<T>& with) const {
  if (options_.wavelength <= 0 || with.options.aperture_k <= 0)
    throw UserError("geometry.refine needs optics.energy and optics.semi_angle");
}

template <class T>
void GeometryVariable<T>::publish(Workspace<T>& with) {
  const OperatorSetup& setup = with.op->setup();
  if (parameters_.empty()) {
    check(with);
    scheduled_ = !with.options.continuation.finished();
    parameters_ = geometry_parameters(options_, setup.slices, with.options.aperture_k);
    given_ = {setup.window,
              setup.slices,
              with.options.pixel,
              options_.wavelength,
              options_.slice_thickness,
              options_.band_limit,
              options_.tilt};
    const double depth =
        options_.wavelength / std::pow(options_.wavelength * with.options.aperture_k, 2);
    const double defocus = options_.largest_defocus > 0
                               ? options_.largest_defocus
                               : std::max(std::abs(options_.given.C10) / 2, 10 * depth);
    const double most = defocus * pi * options_.wavelength * std::pow(with.options.aperture_k, 2);
    for (const GeometryParameter& one : parameters_)
      most_.push_back(one.is_tilt() ? options_.largest_tilt * mrad
                      : one.moves_propagator()
                          ? options_.largest_thickness * options_.slice_thickness
                          : most * one.unit);
    if (options_.fits_propagator())
      propagator_gradient_ =
          Array<Complex<double>, 2>({setup.window, setup.window}, with.ledger, "gradient");
  }
  show(with, Values(parameters_.size(), 0));
}

template <class T>
GeometryState GeometryVariable<T>::now() const {
  Values changes;
  for (const double* change : changes_) changes.push_back(*change);
  return moved(parameters_, given_, changes);
}

template <class T>
void GeometryVariable<T>::show(Workspace<T>& with, const Values& by) {
  const bool all_still = std::all_of(by.begin(), by.end(), [](double b) { return b == 0; });
  if (all_still) {
    with.op->set_probe(std::as_const(with.state.field("probe").waves).view());
  } else {
    Array<Complex<T>, 3> probe = with.waves_on_host("probe");
    move_probe<T>(parameters_, now(), by, probe.view());
    with.op->set_probe(std::as_const(probe).view());
  }
  if (options_.fits_propagator())
    with.op->set_propagator(moved(parameters_, now(), by).propagator());
}

template <class T>
bool GeometryVariable<T>::may_move(const Workspace<T>& with, std::size_t j) const {
  if (parameters_[j].moves_propagator() && !through_) return false;
  if (!parameters_[j].moves_propagator()) return true;
  if (!parameters_[j].is_tilt() && !scheduled_) return true;
  if (!parameters_[j].is_tilt() && with.options.probe_from > 0 && *free_for_ < probe_first)
    return false;
  const auto block = double(with.options.continuation.block());
  return (block > 1 && block >= most_of_slices * double(with.op->setup().slices)) ||
         holds_slices_alike(with.options.parts);
}

template <class T>
void GeometryVariable<T>::begin(Workspace<T>&, const Batch& batch) {
  due_ = batch.iteration >= options_.start;
  through_ = options_.fits_propagator() && batch.iteration >= options_.start + object_first &&
             batch.number % through_every == 0;
  if (batch.number == 0)
    for (double* const moved : moved_) *moved = 0;
  if (through_) propagator_gradient_.fill(0);
}

template <class T>
void GeometryVariable<T>::ask(const Batch&, const Members&, Wanted& wanted, Gradient<T>& sums) {
  if (!due_) return;
  wanted = wanted.with(Part::probe).with(Part::propagator, through_);
  sums.propagator = propagator_gradient_.view();
}

template <class T>
void GeometryVariable<T>::take_slopes(Workspace<T>& with) {
  Array<Complex<T>, 3> probe = with.waves_on_host("probe"),
                       gradient = with.waves_on_host("gradient.probe");
  GeometrySums sums = geometry_sums<T>(
      parameters_, now(), probe.view(), gradient.view(),
      through_ ? std::as_const(propagator_gradient_).view() : View<const Complex<double>, 2>{});
  slopes_ = std::move(sums.slopes);
  overlaps_ = std::move(sums.overlaps);
}

template <class T>
void GeometryVariable<T>::step(Workspace<T>& with, const Batch& batch) {
  if (!due_) return;
  if (batch.refine_probe) {
    // The sum of all ranks is the same on each, that of the propagator is not yet.
    if (through_)
      with.team.sum({reinterpret_cast<double*>(propagator_gradient_.data()),
                     2 * static_cast<std::size_t>(propagator_gradient_.size())});
    take_slopes(with);
    follow_probe(with, batch);
  } else {
    take_slopes(with);
    with.team.sum(slopes_);
  }
  const bool known =
      std::any_of(curvature_.begin(), curvature_.end(), [](const double* c) { return *c != 0; });
  if (batch.number == 0 && (!known || (batch.iteration - options_.start) % bends_every == 0))
    find_curvature(with, batch);
  move(with, newton_step(with, double(batch.members.size())));
}

template <class T>
void GeometryVariable<T>::follow_probe(Workspace<T>& with, const Batch& batch) {
  // The probe has moved by −step of its gradient, ψ̂ by −step ĝ, whose part along −i s_j ψ̂ is
  // −½ step W² ∂f/∂p_j over W²; in units, so that rows are alike.
  const double step =
      with.caution * with.options.probe_step / (with.window2() * double(batch.members.size()));
  const std::size_t n = parameters_.size();
  Values b(n), a(n * n);
  std::vector<bool> fixed(n);
  for (std::size_t i = 0; i < n; ++i) {
    fixed[i] = parameters_[i].moves_propagator() || overlaps_[i * n + i] <= 0;
    b[i] = -0.5 * step * slopes_[i] * parameters_[i].unit;
    for (std::size_t j = 0; j < n; ++j)
      a[i * n + j] = overlaps_[i * n + j] * parameters_[i].unit * parameters_[j].unit;
  }
  const Values by = solved(a, b, fixed);
  for (std::size_t j = 0; j < by.size(); ++j) {
    *changes_[j] += by[j] * parameters_[j].unit;
    *moved_[j] += by[j];
  }
}

template <class T>
void GeometryVariable<T>::find_curvature(Workspace<T>& with, const Batch& batch) {
  const std::size_t n = parameters_.size();
  const Values bends =
      mean_bends<T>(with, batch, n, difference,
                    [&](const Placement& at, std::size_t j, View<Complex<T>, 3> waves) {
                      Values by(n, 0);
                      if (j < n) by[j] = difference * parameters_[j].unit;
                      show(with, by);
                      with.op->forward(at, waves);
                    });
  show(with, Values(n, 0));
  const Array<Complex<T>, 3> probe = with.waves_on_host("probe");
  const double least = least_share(options_.noise) * with.window2() * power_of<T>(probe.view());
  for (std::size_t i = 0; i < n * n; ++i) *curvature_[i] = bends[i];
  for (std::size_t j = 0; j < n; ++j)
    if (!(*curvature_[j * n + j] > least)) *curvature_[j * n + j] = 0;
}

template <class T>
auto GeometryVariable<T>::newton_step(const Workspace<T>& with, double positions) const -> Values {
  const std::size_t n = parameters_.size();
  Values a(n * n), b(n);
  std::vector<bool> fixed(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double c = *curvature_[i * n + i];
    fixed[i] = c == 0 || !may_move(with, i);
    b[i] = -0.5 * slopes_[i] * parameters_[i].unit / positions;
    for (std::size_t j = 0; j < n; ++j) a[i * n + j] = *curvature_[i * n + j];
    a[i * n + i] *= 1 + damping;
  }
  Values by = solved(std::move(a), b, fixed);
  if (by.empty()) by.assign(n, 0);  // of a sample that does not tell them apart
  double length = 0;
  for (double& value : by) {
    value *= with.caution * options_.step / (1 + *free_for_ / halved_after);
    length = std::hypot(length, value);
  }
  if (!std::isfinite(length)) return Values(n, 0);  // nor is the cost, for which the run will end
  const double part = length > longest ? longest / length : 1;
  for (std::size_t j = 0; j < n; ++j) by[j] *= part * parameters_[j].unit;
  return by;
}

template <class T>
void GeometryVariable<T>::move(Workspace<T>& with, Values by) {
  double length = 0;
  for (std::size_t j = 0; j < by.size(); ++j) {
    const double to = std::clamp(*changes_[j] + by[j], -most_[j], most_[j]);
    by[j] = to - *changes_[j];
    length = std::hypot(length, by[j] / parameters_[j].unit);
  }
  if (length == 0) return;
  Array<Complex<T>, 3> probe = with.waves_on_host("probe");
  move_probe<T>(parameters_, now(), by, probe.view());
  auto& field = with.state.field("probe").waves;
  with.arithmetic->write(probe.data(), field.data(), probe.size());
  bool propagator_too = false;
  for (std::size_t j = 0; j < by.size(); ++j) {
    *changes_[j] += by[j];
    *moved_[j] += by[j] / parameters_[j].unit;
    propagator_too = propagator_too || (by[j] != 0 && parameters_[j].moves_propagator());
  }
  with.op->set_probe(std::as_const(field).view());
  if (propagator_too) with.op->set_propagator(now().propagator());
}

template <class T>
void GeometryVariable<T>::end_iteration(Workspace<T>& with, const Batch& batch) {
  if (scheduled_ && !batch.lateral_limit) *free_for_ += 1;
  double at_limit = 0;
  for (std::size_t j = 0; j < parameters_.size(); ++j) {
    if (std::abs(*changes_[j]) < 0.999 * most_[j]) continue;
    at_limit += 1;
    if (at_limit > *at_limit_)
      with.warnings.push_back(fmt::format(
          "geometry.refine: {} has moved as far as {} lets it: where what was given is that far "
          "off, raise it; else something else does not fit",
          parameters_[j].name,
          parameters_[j].is_tilt()            ? "geometry.largest_tilt"
          : parameters_[j].moves_propagator() ? "geometry.largest_thickness"
                                              : "geometry.largest_defocus"));
  }
  *at_limit_ = at_limit;
}

template <class T>
bool GeometryVariable<T>::still_finding() const {
  double length = 0;
  for (const double* moved : moved_) length = std::hypot(length, *moved);
  return due_ && length > found;
}

template <class T>
OtherBytes GeometryVariable<T>::other_bytes(const OperatorSetup& setup, i64 /*positions*/,
                                            bool /*device*/) const {
  const double probe = wave_bytes<T>(setup, setup.probe_modes());
  const std::size_t count = geometry_parameters(options_, setup.slices, 1).size();
  OtherBytes bytes{.moment = std::max(2 * probe, mean_bends_bytes<T>(setup, count) + probe)};
  if (options_.fits_propagator())
    bytes.kept = {{"gradient", pattern_bytes<Complex<double>>(setup)}};
  return bytes;
}

template class GeometryVariable<float>;
template class GeometryVariable<double>;

}  // namespace ptyle
