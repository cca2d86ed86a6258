#include "solver/rules/rule.hpp"

#include <algorithm>

#include "solver/batches.hpp"

namespace ptyle {

template <class T>
void Trial<T>::fill_copies() const {
  if (with.halos.sums() && with.halos.on_cores_only())
    with.halos.fill(object.gradients(with.options.continuation.block(), false));
}

template <class T>
double Trial<T>::penalty() const {
  double sum = 0;
  for (const auto& one : penalties) sum += share * one->steepness();
  return sum;
}

template <class T>
double Trial<T>::cost_of(const Volumes<T>& volumes) const {
  std::vector<double> cost{0};
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const Tile& tile = with.tiles[t];
    with.op->set_object(volumes.view(t));
    for (const auto* positions : {&tile.own, &tile.extra}) {
      const auto members = members_of(batch.members, *positions);
      cost[0] += with.op->misfit(with.places_on(tile, members), with.measured_at(members)).cost;
      with.costs.count(double(members.size()));
    }
  }
  cost[0] += share * ptyle::cost_of(penalties, with, volumes);
  with.team.sum(cost);
  return cost[0];
}

template <class T>
double Trial<T>::curvature(const std::vector<i64>& positions, const Volumes<T>& direction) const {
  std::vector<double> sum{0};
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const Tile& tile = with.tiles[t];
    object.publish(with, t);
    for (const auto* of : {&tile.own, &tile.extra}) {
      const auto members = members_of(positions, *of);
      sum[0] += with.op->curvature(with.places_on(tile, members), direction.view(t), {});
      with.costs.count(double(members.size()));
    }
  }
  const double part = double(positions.size()) / double(batch.members.size());
  sum[0] += part * share * curvature_of<T>(penalties, with, object.values, direction);
  with.team.sum(sum);
  return sum[0];
}

template <class T>
void Trial<T>::product(const Volumes<T>& direction, const Volumes<T>& product) const {
  const i64 block = std::max<i64>(1, with.options.continuation.block());
  std::vector<Stack<T>> stacks;
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const Tile& tile = with.tiles[t];
    for (const View<T, 3>& volume : product.on(t)) with.arithmetic->clear(volume);
    Gradient<T> to{product.phase->on(t), {}, {}, {}};
    if (product.absorption) to.absorption = product.absorption->on(t);
    object.publish(with, t);
    for (const auto* of : {&tile.own, &tile.extra}) {
      const auto members = members_of(batch.members, *of);
      with.op->gauss_newton_product(with.places_on(tile, members), direction.view(t), {}, to);
      with.costs.count(1.5 * double(members.size()));
    }
    add_products(penalties, with, object.values, direction, t, share, product);
    for (const View<T, 3>& volume : product.on(t)) with.arithmetic->run(Tie<T>(volume, block));
    stacks.push_back(product.stack(t, block));
  }
  if (with.halos.sums() && with.team.size() > 1) with.halos.start_sum(stacks).finish();
  untie<T>(with, product);
  keep_vacuum<T>(with, product);
}

template <class T>
std::array<double, 2> limits_of(const FitOptions& options, const Volumes<T>& object,
                                const Field<T>& field) {
  if (&field == object.phase) return {options.phase_min, options.phase_max};
  return {0, 1e30};  // nothing amplifies
}

template <class T>
void move_object(const Trial<T>& trial, double step, bool into_direction) {
  Workspace<T>& with = trial.with;
  const ObjectVariable<T>& object = trial.object;
  const auto values = object.values.fields(), directions = object.gradient.fields();
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (std::size_t f = 0; f < values.size(); ++f) {
      const auto [low, high] = limits_of(with.options, object.values, *values[f]);
      const View<T, 3> to = (into_direction ? directions : values)[f]->on(t);
      with.arithmetic->run(
          MoveAlong<T>(values[f]->on(t), directions[f]->on(t), step, {low, high}, to));
      keep_vacuum<T>(with, t, {low, high}, to);
    }
}

template <class T>
void untie(const Workspace<T>& with, const Volumes<T>& volumes) {
  const i64 block = std::max<i64>(1, with.options.continuation.block());
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (const View<T, 3>& volume : volumes.on(t)) with.arithmetic->run(Untie<T>(volume, block));
}

template void move_object(const Trial<float>&, double, bool);
template void move_object(const Trial<double>&, double, bool);
template void untie(const Workspace<float>&, const Volumes<float>&);
template void untie(const Workspace<double>&, const Volumes<double>&);
template struct Trial<float>;
template struct Trial<double>;
template std::array<double, 2> limits_of(const FitOptions&, const Volumes<float>&,
                                         const Field<float>&);
template std::array<double, 2> limits_of(const FitOptions&, const Volumes<double>&,
                                         const Field<double>&);

}  // namespace ptyle
