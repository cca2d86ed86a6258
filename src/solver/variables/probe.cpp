#include "solver/variables/probe.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "solver/modes.hpp"
#include "solver/variables/sample.hpp"

namespace ptyle {
namespace {

constexpr double no_limit = std::numeric_limits<double>::infinity();

/// Σ over modes of |ψ|², its largest value.
template <class T>
double largest_intensity_of(View<const Complex<T>, 3> probe) {
  const i64 n = probe.shape[1] * probe.shape[2];
  double largest = 0;
  for (i64 i = 0; i < n; ++i) {
    double sum = 0;
    for (i64 m = 0; m < probe.shape[0]; ++m)
      sum += static_cast<double>(std::norm(probe.data[m * n + i]));
    largest = std::max(largest, sum);
  }
  return largest;
}

/// Real and imaginary parts as they lie in memory.
template <class T>
std::span<T> numbers_of(Array<Complex<T>, 3>& values) {
  const View<T, 3> parts = parts_of(values.view());
  return {parts.data, static_cast<std::size_t>(parts.size())};
}

}  // namespace

template <class T>
void ProbeVariable<T>::declare(State<T>& state) {
  const std::array<i64, 3> shape{setup_.probe_modes(), setup_.window, setup_.window};
  values_ = &state.declare({"probe", "probe", Kind::common, shape, true});
  gradient_ = &state.declare({"gradient.probe", "gradient", Kind::common, shape});
  largest_ = &state.number("largest_probe", 1);
}

template <class T>
void ProbeVariable<T>::begin_with(Workspace<T>& with, Array<Complex<T>, 3> start, Ledger* ledger) {
  const auto& all = values_->shape;
  *largest_ = largest_intensity_of<T>({start.data(), shape()});
  values_->waves = with.arithmetic->template array<Complex<T>, 3>(all, "probe");
  with.arithmetic->clear(parts_of(values_->waves.view()));
  with.arithmetic->write(start.data(), values_->waves.data(), start.size());
  const bool others = with.team.size() > static_cast<int>(with.team.here().size());
  if (others && with.arithmetic->memory())
    travelling_ = Array<Complex<T>, 3>(all, ledger, "gradient", with.arithmetic->pinned());
}

template <class T>
void ProbeVariable<T>::publish(Workspace<T>& with) {
  with.op->set_probe(values_->waves);
}

template <class T>
void ProbeVariable<T>::begin(Workspace<T>& with, const Batch&) {
  with.arithmetic->clear(parts_of(gradient_->waves.view()));
}

template <class T>
void ProbeVariable<T>::ask(const Batch& batch, const Members&, Wanted& wanted, Gradient<T>& sums) {
  wanted = wanted.with(Part::probe, batch.refine_probe);
  sums.probe = gradient_->waves.view();
}

/// From a device through the host's memory, where there are others to sum with.
template <class T>
void ProbeVariable<T>::start_sum(Workspace<T>& with, const Batch& batch) {
  if (!batch.refine_probe) return;
  const bool here = !travelling_.empty();
  if (here) with.arithmetic->read(gradient_->waves.data(), travelling_.data(), travelling_.size());
  sum_.emplace(with.team.start_sum(numbers_of(here ? travelling_ : gradient_->waves)));
}

template <class T>
void ProbeVariable<T>::step(Workspace<T>& with, const Batch& batch) {
  if (!sum_) return;
  sum_->finish();
  sum_.reset();
  if (!travelling_.empty())
    with.arithmetic->write(travelling_.data(), gradient_->waves.data(), travelling_.size());
  const View<T, 3> probe = incoherent(values_->waves);
  const double step =
      with.caution * with.options.probe_step / (with.window2() * double(batch.members.size()));
  with.arithmetic->run(
      MoveAlong<T>(probe, incoherent(gradient_->waves), step, {-no_limit, no_limit}, probe));
  publish(with);
}

/// The powers of the modes to the best of a few of this mini-batch's patterns.
template <class T>
void ProbeVariable<T>::end_iteration(Workspace<T>& with, const Batch& batch) {
  constexpr i64 few = 8;
  const i64 modes = setup_.modes_of_a_state();
  if (!batch.refine_probe || modes == 1) return;
  const std::vector<i64> sample = sample_of(batch.members, few);
  ModePowers powers(modes, setup_.loss, setup_.epsilon, with.op->setup().background);
  Array<Complex<T>, 3> waves({setup_.modes, setup_.window, setup_.window}, with.ledger, "probe");
  Array<T, 2> pattern({setup_.window, setup_.window}, with.ledger, "probe");
  visit_sample(with, sample, [&](const auto& members, const std::vector<Placement>& places) {
    const Measured<T> measured = with.measured_at(members);
    for (std::size_t i = 0; i < members.size(); ++i) {
      with.op->forward(places[i], waves);
      measured.load(static_cast<i64>(i), pattern.data());
      powers.add<T>(waves.view(), pattern.data(), with.data.valid);
    }
  });
  with.team.sum(powers.sums());
  const std::vector<double> factors = powers.factors();
  for (i64 m = 0; m < setup_.probe_modes(); ++m) {
    const View<T, 2> parts = parts_of(values_->waves.view())[m];
    const View<T, 3> mode = as_volume(parts);
    const i64 of = m < modes ? m : 0;  // the variable ones are of the first
    const double less = 1 - std::sqrt(factors[static_cast<std::size_t>(of)]);
    with.arithmetic->run(MoveAlong<T>(mode, mode, less, {-no_limit, no_limit}, mode));
  }
  publish(with);
}

/// The moment is the search for powers.
template <class T>
OtherBytes ProbeVariable<T>::other_bytes(const OperatorSetup& setup, i64 /*positions*/,
                                         bool /*device*/) const {
  if (setup.modes_of_a_state() == 1) return {};
  return {.moment = wave_bytes<T>(setup, setup.modes) + pattern_bytes<T>(setup)};
}

template <class T>
View<const Complex<T>, 3> ProbeVariable<T>::on_host(const Workspace<T>& with) const {
  here_ = with.arithmetic->on_host(View<const Complex<T>, 3>{values_->waves.data(), shape()});
  return here_.view;
}

template class ProbeVariable<float>;
template class ProbeVariable<double>;

}  // namespace ptyle
