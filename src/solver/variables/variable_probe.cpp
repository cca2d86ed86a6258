#include "solver/variables/variable_probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "solver/batches.hpp"
#include "solver/parts.hpp"
#include "solver/variables/probe_moves.hpp"
#include "solver/variables/real_waves.hpp"
#include "solver/variables/variable_probe_start.hpp"

namespace ptyle {
namespace {

/// Iterations after the multi-resolution schedule before a probe varies: what object and probe
/// still lack is no variation.
constexpr int patience = 7;
/// The curvature is taken again after so many iterations, of so many positions.
constexpr int curvature_every = 4;
constexpr i64 curvature_sample = 64;
/// The part of W² |P_0|² that a step divides by at least: along a wave that no pattern shows c is
/// noise.
constexpr double least_curvature = 1e-3;
/// A step of V is damped as by so many times ⟨x²⟩ of the iteration before, and by at least this.
constexpr double damping = 0.5, least_variance = 1e-4;
/// Positions whose moves the variable modes start from, and the waves that the start has beside
/// them: directions, aberrations and what they change patterns by.
constexpr i64 start_sample = 64, waves_at_start = 24;
/// The most that e changes by in one step, and in all.
constexpr double most_brighter = 0.1, most_bright = 0.9;
constexpr double no_limit = std::numeric_limits<double>::infinity();

double bytes_of_mixture(i64 modes, i64 variable) {
  // A hash table leads to it: an entry has a link and the allocator's header, and there are up to
  // two buckets an entry.
  return static_cast<double>(modes * (modes + variable)) * sizeof(Complex<double>) +
         sizeof(std::pair<const i64, const void*>) + 4 * sizeof(void*);
}

/// Bytes of take_new_basis, for a moment: P_0, V, and five beside them, directions and sums.
double bytes_of_new_basis(const OperatorSetup& setup, i64 variable) {
  return wave_bytes<double>(setup, 1 + variable + 5);
}

/// Bytes of find_modes, for a moment.
template <class T>
double bytes_of_start(const OperatorSetup& setup, i64 variable, i64 positions) {
  const double pixels = static_cast<double>(setup.window * setup.window);
  return static_cast<double>(std::min(start_sample, positions)) * pixels * sizeof(Complex<T>) +
         static_cast<double>(2 * setup.modes + 2 * setup.probe_modes()) * pixels *
             sizeof(Complex<T>) +
         wave_bytes<double>(setup, waves_at_start + 2 * variable);
}

}  // namespace

template <class T>
void VariableProbeOptions::add_to(Parts<T>& parts) const {
  if (any()) parts.variables.push_back(std::make_unique<VariableProbe<T>>(*this));
}
template void VariableProbeOptions::add_to(Parts<float>&) const;
template void VariableProbeOptions::add_to(Parts<double>&) const;

std::string describe(const VariableProbeOptions& options) {
  const std::string modes =
      options.modes > 0 ? fmt::format("by {} mode{}", options.modes, options.modes == 1 ? "" : "s")
                        : "";
  return fmt::format("the probe varies from position to position {}{}{}", modes,
                     options.modes > 0 && options.intensity ? " and " : "",
                     options.intensity ? "by its intensity" : "");
}

template <class T>
void VariableProbe<T>::declare(State<T>& state) {
  probe_ = &state.field("probe");
  gradient_ = &state.field("gradient.probe");
  modes_ = probe_->shape[0] - variable();
  if (modes_ < 1) throw std::logic_error("VariableProbe: the operator has no basis for it");
  if (variable() > 0)
    x_ = &state.declare({"mixture", "probe", Kind::records, {1, 0, variable()}, true});
  if (options_.intensity)
    intensity_ = &state.declare({"intensity", "probe", Kind::records, {1, 0, 1}, true});
  for (i64 q = 0; q < variable(); ++q) {
    curvature_.push_back(&state.number(fmt::format("variable_probe.curvature.{}", q)));
    variance_.push_back(&state.number(fmt::format("variable_probe.variance.{}", q)));
  }
  of_intensity_ = &state.number("variable_probe.curvature.intensity");
  free_iterations_ = &state.number("variable_probe.free_iterations");
  found_ = &state.number("variable_probe.found");
}

template <class T>
void VariableProbe<T>::put_probe(Workspace<T>& with, const Array<C, 3>& probe) {
  with.arithmetic->write(probe.data(), probe_->waves.data(), probe.size());
  with.op->set_probe(probe_->waves);
}

template <class T>
Ledger::Booking VariableProbe<T>::book(const Workspace<T>& with, double bytes) const {
  if (!with.ledger) return {};
  return with.ledger->book("probe", static_cast<std::size_t>(bytes));
}

template <class T>
void VariableProbe<T>::publish(Workspace<T>& with) {
  x_here_.clear(), e_here_.clear(), coefficients_.clear();
  double positions = 0;
  for (const Tile& tile : with.tiles) positions += static_cast<double>(tile.own.size());
  booking_ = {};  // both together were never held
  booking_ = book(with, positions * bytes_of_mixture(modes_, variable()));
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const auto& own = with.tiles[t].own;
    const i64 count = std::ssize(own);
    const auto here = [&](const Field<T>* field) {
      if (!field) return Array<T, 3>();
      Array<T, 3> values(field->here[t].shape());
      with.arithmetic->read(field->here[t].data(), values.data(), values.size());
      return values;
    };
    x_here_.push_back(here(x_));
    e_here_.push_back(here(intensity_));
    coefficients_.emplace_back(std::array<i64, 3>{count, modes_, modes_ + variable()});
    for (i64 k = 0; k < count; ++k) {
      put(t, k, mixture_of(t, k));
      with.mix(own[static_cast<std::size_t>(k)], coefficients_[t].view()[k].data);
    }
  }
}

template <class T>
Mixture VariableProbe<T>::mixture_of(std::size_t t, i64 k) const {
  Mixture mixture;
  for (i64 q = 0; q < variable(); ++q)
    mixture.x.push_back(static_cast<double>(x_here_[t](i64{0}, k, q)));
  if (intensity_) mixture.e = static_cast<double>(e_here_[t](i64{0}, k, i64{0}));
  return mixture;
}

template <class T>
void VariableProbe<T>::put(std::size_t t, i64 k, const Mixture& mixture) {
  for (i64 q = 0; q < variable(); ++q)
    x_here_[t](i64{0}, k, q) = static_cast<T>(mixture.x[static_cast<std::size_t>(q)]);
  if (intensity_) e_here_[t](i64{0}, k, i64{0}) = static_cast<T>(mixture.e);
  coefficients_of(mixture_of(t, k), modes_, coefficients_[t].view()[k].data);  // as rounded to T
}

template <class T>
void VariableProbe<T>::save(Workspace<T>& with) {
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    if (x_) with.arithmetic->write(x_here_[t].data(), x_->here[t].data(), x_here_[t].size());
    if (intensity_)
      with.arithmetic->write(e_here_[t].data(), intensity_->here[t].data(), e_here_[t].size());
  }
}

template <class T>
void VariableProbe<T>::begin(Workspace<T>& with, const Batch& batch) {
  moves_ = options_.start > 0 ? batch.iteration >= options_.start && !batch.lateral_limit
                              : *free_iterations_ >= patience;
  if (!moves_) return;
  if (variable() > 0 && *found_ == 0) find_modes(with);
  members_.assign(with.tiles.size(), {});
  slopes_.clear();
  slopes_.resize(with.tiles.size());
}

template <class T>
void VariableProbe<T>::ask(const Batch&, const Members& members, Wanted& wanted,
                           Gradient<T>& sums) {
  if (!moves_) return;
  const auto& list = members.positions;
  members_[members.tile].assign(list.begin(), list.end());
  auto& slopes = slopes_[members.tile];
  slopes = Array<Complex<double>, 3>({std::ssize(list), modes_, modes_ + variable()});
  wanted = wanted.with(Part::coefficients);
  sums.coefficients = slopes.view();
}

/// The probe's own step is done, and its gradient that of all ranks.
template <class T>
void VariableProbe<T>::step(Workspace<T>& with, const Batch& batch) {
  if (!moves_) return;
  const bool unknown = intensity_ ? *of_intensity_ == 0 : *curvature_.front() == 0;
  if (unknown || (batch.number == 0 && batch.iteration % curvature_every == 0))
    find_curvature(with, batch);
  if (variable() > 0 && batch.refine_probe) move_modes(with, weights_of(with, batch));
  for (std::size_t t = 0; t < with.tiles.size(); ++t) move_members(with, t);
  if (with.stopping) save(with);  // else the end of the iteration does
}

template <class T>
void VariableProbe<T>::move_members(Workspace<T>& with, std::size_t t) {
  const auto& own = with.tiles[t].own;
  const double step = with.caution * with.options.probe_step;
  for (std::size_t i = 0; i < members_[t].size(); ++i) {
    const i64 k = place_in(own, members_[t][i]);
    Mixture now = mixture_of(t, k);
    const Mixture slopes = slopes_of(now, std::as_const(slopes_[t]).view()[static_cast<i64>(i)]);
    for (std::size_t q = 0; q < now.x.size(); ++q)
      now.x[q] -= step * slopes.x[q] / (2 * *curvature_[q]);
    limit(now.x);
    if (intensity_)
      now.e = std::clamp(
          now.e - std::clamp(step * slopes.e / (2 * *of_intensity_), -most_brighter, most_brighter),
          -most_bright, most_bright);
    const bool finite =
        std::isfinite(now.e) &&
        std::all_of(now.x.begin(), now.x.end(), [](double x) { return std::isfinite(x); });
    if (finite) put(t, k, now);  // else nor is the cost, for which the run will end
  }
}

/// Σ s² x xᵀ over the mini-batch, of all ranks, and at least what damps the step. Before members
/// move.
template <class T>
SmallMatrix VariableProbe<T>::weights_of(Workspace<T>& with, const Batch& batch) const {
  const i64 n = variable();
  std::vector<double> sums(static_cast<std::size_t>(n * n));
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (const i64 position : members_[t]) {
      const Mixture mixture = mixture_of(t, place_in(with.tiles[t].own, position));
      const double s = 1 + mixture.e;
      for (std::size_t q = 0; q < mixture.x.size(); ++q)
        for (std::size_t r = 0; r < mixture.x.size(); ++r)
          sums[q * mixture.x.size() + r] += s * s * mixture.x[q] * mixture.x[r];
    }
  with.team.sum(sums);
  SmallMatrix all({n, n});
  std::copy(sums.begin(), sums.end(), all.begin());
  for (i64 q = 0; q < n; ++q)
    all(q, q) += double(batch.members.size()) *
                 std::max(least_variance, damping * *variance_[static_cast<std::size_t>(q)]);
  return all;
}

template <class T>
void VariableProbe<T>::move_modes(Workspace<T>& with, const SmallMatrix& weights) {
  const double step = with.caution * with.options.probe_step / with.window2();
  const SmallMatrix inverse = inverse_of(weights);
  for (i64 q = 0; q < variable(); ++q) {
    const View<T, 3> mode = as_volume(parts_of(probe_->waves.view())[modes_ + q]);
    for (i64 r = 0; r < variable(); ++r) {
      const View<T, 3> slope = as_volume(parts_of(gradient_->waves.view())[modes_ + r]);
      with.arithmetic->run(
          MoveAlong<T>(mode, slope, step * inverse(q, r), {-no_limit, no_limit}, mode));
    }
  }
  with.op->set_probe(probe_->waves);
}

/// c of a few positions of the mini-batch, spread over it.
template <class T>
void VariableProbe<T>::find_curvature(Workspace<T>& with, const Batch& batch) {
  const std::vector<i64> sample = sample_of(batch.members, curvature_sample);
  const Array<C, 3> probe = with.waves_on_host("probe");
  const double count = static_cast<double>(sample.size());
  const RealWave first = real_wave<T>(probe.view()[0]);
  const double least = least_curvature * with.window2() * inner(first, first);
  const auto along = [&](View<const C, 3> direction) {
    std::vector<double> sum{0}, most{0}, each;
    for (std::size_t t = 0; t < with.tiles.size(); ++t) {
      const auto members = members_of(sample, with.tiles[t].own);
      if (members.empty()) continue;
      with.op->set_object(with.object_on(t));
      each.resize(members.size());
      sum[0] += with.op->curvature(with.places_on(with.tiles[t], members), {}, direction, each);
      most[0] = std::max(most[0], *std::max_element(each.begin(), each.end()));
      with.costs.count(double(members.size()));
    }
    with.team.sum(sum);
    with.team.maximum(most);
    return std::max({least, sum[0] / count, most[0] / 2});  // a step of 1 overshoots nowhere
  };
  if (intensity_)
    *of_intensity_ = along(probe);  // de adds de times itself to what a position mixes
  Array<C, 3> direction(probe.shape(), with.ledger, "probe");
  for (i64 q = 0; q < variable(); ++q) {
    const auto mode = probe.view()[modes_ + q];
    std::copy(mode.begin(), mode.end(), direction.begin());  // in the place of P_0
    *curvature_[static_cast<std::size_t>(q)] = along(direction);
  }
}

template <class T>
std::vector<RealWave> VariableProbe<T>::not_theirs(const Workspace<T>& with,
                                                   View<const C, 2> first) const {
  const std::array<i64, 3> one{1, first.shape[0], first.shape[1]};
  std::vector<RealWave> all;
  Array<C, 3> wave(one);
  std::transform(first.begin(), first.end(), wave.begin(), [](C v) { return C(0, 1) * v; });
  join(all, real_wave<T>(std::as_const(wave).view()[0]));
  for (const bool along_rows : {true, false}) {
    if (!with.state.has("shift")) break;
    std::copy(first.begin(), first.end(), wave.begin());
    differentiate<T>(wave, along_rows);
    join(all, real_wave<T>(std::as_const(wave).view()[0]));
  }
  return all;
}

template <class T>
void VariableProbe<T>::find_modes(Workspace<T>& with) {
  const OperatorSetup& setup = with.op->setup();
  const Ledger::Booking booking =
      book(with, bytes_of_start<T>(setup, variable(), std::ssize(fitted_here(with))));
  Array<C, 3> probe = with.waves_on_host("probe");
  const View<const C, 2> first = std::as_const(probe).view()[0];
  const RealWave wave = real_wave<T>(first);
  std::vector<RealWave> others = not_theirs(with, first);
  join(others, wave);
  const auto axes =
      VariableProbeStart<T>(with, *gradient_, std::move(others)).axes(variable(), start_sample);
  for (std::size_t q = 0; q < axes.size(); ++q)
    put_wave<T>(axes[q], std::sqrt(inner(wave, wave)), probe.view()[modes_ + static_cast<i64>(q)]);
  put_probe(with, probe);
  *found_ = 1;
}

namespace {

/// Σ of the waves with these factors.
RealWave mixed(const std::vector<RealWave>& waves, View<const double, 1> factors) {
  RealWave sum(waves.front().size());
  for (std::size_t i = 0; i < waves.size(); ++i) add(factors(static_cast<i64>(i)), waves[i], sum);
  return sum;
}

}  // namespace

/// The fitted ones among the own positions of this process's tiles.
template <class T>
std::vector<std::pair<std::size_t, i64>> VariableProbe<T>::fitted_here(
    const Workspace<T>& with) const {
  std::vector<std::pair<std::size_t, i64>> all;
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (const i64 position : members_of(with.fitted, with.tiles[t].own))
      all.emplace_back(t, place_in(with.tiles[t].own, position));
  return all;
}

/// Mean of (c_0, x) over the fitted positions of all ranks, and of its products.
template <class T>
auto VariableProbe<T>::moments(Workspace<T>& with) const -> Moments {
  const i64 n = variable() + 1;
  const auto count = static_cast<double>(with.fitted.size());
  std::vector<double> sums(static_cast<std::size_t>(n + n * n));
  for (const auto& [t, k] : fitted_here(with)) {
    const auto c = amplitudes_of(mixture_of(t, k));
    for (std::size_t i = 0; i < c.size(); ++i) {
      sums[i] += c[i] / count;
      for (std::size_t j = 0; j < c.size(); ++j)
        sums[c.size() * (i + 1) + j] += c[i] * c[j] / count;
    }
  }
  with.team.sum(sums);
  Moments all{{sums.begin(), sums.begin() + n}, SmallMatrix({n, n})};
  std::copy(sums.begin() + n, sums.end(), all.products.begin());
  return all;
}

template <class T>
void VariableProbe<T>::take_new_basis(Workspace<T>& with) {
  const i64 n = variable() + 1;
  const Ledger::Booking booking = book(with, bytes_of_new_basis(with.op->setup(), variable()));
  Array<C, 3> probe = with.waves_on_host("probe");
  const auto mode = [&](i64 i) { return probe.view()[i == 0 ? 0 : modes_ + i - 1]; };
  const std::vector<RealWave> others = not_theirs(with, mode(0));
  std::vector<RealWave> waves;
  for (i64 i = 0; i < n; ++i) {
    waves.push_back(real_wave<T>(View<const C, 2>(mode(i))));
    if (i > 0) take_out(others, waves.back());
  }
  const double power = inner(waves[0], waves[0]);
  SmallMatrix gram({n, n});
  for (i64 i = 0; i < n; ++i)
    for (i64 j = 0; j < n; ++j)
      gram(i, j) =
          inner(waves[static_cast<std::size_t>(i)], waves[static_cast<std::size_t>(j)]) / power;
  const Moments now = moments(with);
  const NewBasis basis = new_basis(gram, now.mean, now.products);
  const double grown =
      std::sqrt(std::inner_product(gram.begin(), gram.end(), now.products.begin(), 0.0));
  for (i64 i = 0; i < n; ++i) put_wave<T>(mixed(waves, basis.modes.view()[i]), grown, mode(i));
  for (const auto& [t, k] : fitted_here(with)) {
    Mixture mixture = mixture_of(t, k);
    const auto c = amplitudes_of(mixture);
    for (i64 q = 1; q < n; ++q) {
      const auto row = basis.mixtures.view()[q];
      mixture.x[static_cast<std::size_t>(q - 1)] =
          std::inner_product(c.begin(), c.end(), row.begin(), 0.0) / grown;
    }
    limit(mixture.x);
    put(t, k, mixture);
  }
  for (i64 q = 1; q < n; ++q)
    *variance_[static_cast<std::size_t>(q - 1)] =
        basis.variances[static_cast<std::size_t>(q - 1)] / (grown * grown);
  put_probe(with, probe);
}

/// A factor by which all are brighter is the probe's.
template <class T>
void VariableProbe<T>::keep_mean_intensity(Workspace<T>& with) {
  std::vector<double> mean{0};
  for (const auto& [t, k] : fitted_here(with))
    mean[0] += std::pow(1 + mixture_of(t, k).e, 2) / static_cast<double>(with.fitted.size());
  with.team.sum(mean);
  const double by = std::sqrt(mean[0]);
  for (const auto& [t, k] : fitted_here(with)) {
    Mixture mixture = mixture_of(t, k);
    mixture.e = (1 + mixture.e) / by - 1;
    put(t, k, mixture);
  }
  const View<T, 3> probe = parts_of(probe_->waves.view());
  with.arithmetic->run(MoveAlong<T>(probe, probe, 1 - by, {-no_limit, no_limit}, probe));
  with.op->set_probe(probe_->waves);
}

template <class T>
void VariableProbe<T>::end_iteration(Workspace<T>& with, const Batch& batch) {
  if (batch.everything_free) *free_iterations_ += 1;
  if (!moves_) return;
  if (variable() > 0) take_new_basis(with);
  if (intensity_) keep_mean_intensity(with);
  save(with);
}

template <class T>
OtherBytes VariableProbe<T>::other_bytes(const OperatorSetup& setup, i64 positions,
                                         bool /*device*/) const {
  const double probe = wave_bytes<T>(setup, setup.probe_modes());
  double moment = 2 * probe;  // of directions along which it bends the cost
  if (variable() > 0)
    moment = std::max({moment, probe + bytes_of_start<T>(setup, variable(), positions),
                       probe + bytes_of_new_basis(setup, variable())});
  return {.kept = {{"probe",
                    double(positions) * bytes_of_mixture(setup.modes_of_a_state(), variable())}},
          .moment = moment,
          .along_probe = true};
}

template class VariableProbe<float>;
template class VariableProbe<double>;

}  // namespace ptyle
