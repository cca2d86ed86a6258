#include "solver/paper/exchange_behind.hpp"

#include <algorithm>

#include "solver/batches.hpp"

namespace ptyle {

template <class T>
ExchangeBehind<T>::ExchangeBehind(Workspace<T>& with, Movers<T> movers, Descent<T>& descent)
    : Course<T>(with, movers), descent_(descent), fields_(with.state, with.op->setup()) {
  descent_.illumination_on_copies = true;
}

template <class T>
void ExchangeBehind<T>::take(const Batch& batch) {
  if (!batch.estimate && this->with_.options.continuation.finished()) return take_behind(batch);
  finish();
  Course<T>::take(batch);
}

template <class T>
void ExchangeBehind<T>::take_behind(const Batch& batch) {
  Workspace<T>& with = this->with_;
  const ObjectVariable<T>& object = this->movers_.object;
  accumulate_beside(batch);
  this->start_sums(batch);
  with.agree_to_stop();
  finish();
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    copy_values(*with.arithmetic, object.values, fields_.synced, t);
    if (known_ || !descent_.by_illumination())
      descent_.move_by_own(with, object, t, fields_.illumination->plane(t), fields_.synced,
                           object.gradient);
  }
  travelling_.emplace(
      with.halos.start_sum(object.gradients(with.options.continuation.block(), true)));
  swap_values(object.gradient, fields_.own);
  this->step_others(batch);
}

/// The default's, a few positions at a time, between which the exchange is helped along.
template <class T>
void ExchangeBehind<T>::accumulate_beside(const Batch& batch) {
  Workspace<T>& with = this->with_;
  const ObjectVariable<T>& object = this->movers_.object;
  this->begin(batch);
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    object.gradient.clear(*with.arithmetic, t);
    object.publish(with, t);
    const auto own = members_of(batch.members, with.tiles[t].own);
    const std::size_t few =
        travelling_ ? a_few_of(own.size()) : std::max<std::size_t>(1, own.size());
    for (std::size_t first = 0; first < own.size(); first += few) {
      const auto some = std::span(own).subspan(first, std::min(few, own.size() - first));
      this->gradient_of(batch, t, some, true, object.gradient);
      if (travelling_) travelling_->progress();
    }
  }
}

/// Positions after which an exchange is helped along: on a device so many that it stays busy.
template <class T>
std::size_t ExchangeBehind<T>::a_few_of(std::size_t positions) const {
  const auto few = static_cast<std::size_t>(2 * this->with_.options.threads);
  return this->with_.arithmetic->memory() ? std::max(few, (positions + 7) / 8) : few;
}

/// The sum that travelled behind has arrived: every copy of the object is the same afterwards.
template <class T>
void ExchangeBehind<T>::finish() {
  if (!travelling_) return;
  travelling_->finish();
  travelling_.reset();
  const ObjectVariable<T>& object = this->movers_.object;
  swap_values(object.values, fields_.synced);
  swap_values(object.gradient, fields_.own);
  descent_.move_by_sums({this->with_, this->movers_.object, {}, this->movers_.penalties});
  after_step();
  swap_values(object.gradient, fields_.own);
}

template <class T>
void ExchangeBehind<T>::after_step() {
  for (std::size_t t = 0; t < this->with_.tiles.size(); ++t)
    this->with_.arithmetic->copy(std::as_const(*this->movers_.object.gradient.illumination).on(t),
                                 fields_.illumination->on(t));
  known_ = true;
}

template class ExchangeBehind<float>;
template class ExchangeBehind<double>;

}  // namespace ptyle
