#include "solver/course.hpp"

#include <chrono>

#include "solver/batches.hpp"

namespace ptyle {

template <class T>
void Course<T>::take(const Batch& batch) {
  if (movers_.rule.by_position()) {
    with_.agree_to_stop();
    return movers_.rule.step({with_, movers_.object, batch, movers_.penalties});
  }
  accumulate(batch);
  start_sums(batch);
  with_.agree_to_stop();
  const double share = share_of(batch);
  const double cost = batch.estimate ? report_cost(batch) : 0;
  sum_gradients();
  movers_.rule.step({with_, movers_.object, batch, movers_.penalties, share, cost});
  after_step();
  step_others(batch);
}

/// The batch's, of all ranks, with its share of the penalties.
template <class T>
double Course<T>::report_cost(const Batch& batch) {
  const double of_data = with_.costs.report(batch.number + 1);
  if (movers_.penalties.empty()) return of_data;
  std::vector<double> sum{cost_of<T>(movers_.penalties, with_, movers_.object.values)};
  with_.team.sum(sum);
  return of_data + share_of(batch) * sum[0];
}

template <class T>
void Course<T>::accumulate(const Batch& batch) {
  begin(batch);
  for (std::size_t t = 0; t < with_.tiles.size(); ++t) {
    movers_.object.gradient.clear(*with_.arithmetic, t);
    movers_.object.publish(with_, t);
    const auto own = members_of(batch.members, with_.tiles[t].own);
    if (!own.empty()) gradient_of(batch, t, own, true, movers_.object.gradient);
    gradient_of_neighbours(batch, t);
    add_gradients(movers_.penalties, with_, movers_.object, t, share_of(batch));
  }
}

template <class T>
void Course<T>::sum_gradients() {
  const i64 block = with_.options.continuation.block();
  for (std::size_t t = 0; t < with_.tiles.size(); ++t)
    for (const View<T, 3>& volume : movers_.object.gradient.on(t))
      with_.arithmetic->run(Tie<T>(volume, block));
  if (with_.halos.sums() && with_.team.size() > 1)
    with_.halos.start_sum(movers_.object.gradients(block, true)).finish();
  keep_vacuum<T>(with_, movers_.object.gradient);
}

template <class T>
void Course<T>::begin(const Batch& batch) {
  for (const auto& variable : movers_.others) variable->begin(with_, batch);
}

template <class T>
void Course<T>::gradient_of(const Batch& batch, std::size_t tile, std::span<const i64> members,
                            bool own, const ObjectGradient<T>& sums) {
  const std::vector<i64> list(members.begin(), members.end());
  Wanted wanted{Part::object, Part::illumination};
  Gradient<T> to{sums.phase->on(tile), {}, sums.illumination->plane(tile), {}};
  if (sums.absorption) to.absorption = sums.absorption->on(tile);
  to.misfit = with_.costs.of(batch.number, own);
  if (own)
    for (const auto& variable : movers_.others) variable->ask(batch, {tile, members}, wanted, to);
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  with_.op->gradient(with_.places_on(with_.tiles[tile], list), with_.measured_at(members), wanted,
                     to);
  seconds_of_gradients_ += std::chrono::duration<double>(Clock::now() - start).count();
  with_.costs.count(double(members.size()));
}

template <class T>
void Course<T>::gradient_of_neighbours(const Batch& batch, std::size_t tile) {
  const auto extra = members_of(batch.members, with_.tiles[tile].extra);
  if (!extra.empty()) gradient_of(batch, tile, extra, false, movers_.object.gradient);
}

template <class T>
void Course<T>::start_sums(const Batch& batch) {
  for (const auto& variable : movers_.others) variable->start_sum(with_, batch);
}

template <class T>
void Course<T>::step_others(const Batch& batch) {
  for (const auto& variable : movers_.others) variable->step(with_, batch);
}

template class Course<float>;
template class Course<double>;

}  // namespace ptyle
