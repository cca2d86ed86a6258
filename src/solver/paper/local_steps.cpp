#include "solver/paper/local_steps.hpp"

#include <algorithm>

#include "solver/batches.hpp"

namespace ptyle {

template <class T>
LocalSteps<T>::LocalSteps(Workspace<T>& with, Movers<T> movers, Descent<T>& descent)
    : Course<T>(with, movers), descent_(descent), fields_(with.state, with.op->setup()) {
  descent_.illumination_on_copies = true;
}

template <class T>
void LocalSteps<T>::take(const Batch& batch) {
  if (local())
    for (std::size_t t = 0; t < this->with_.tiles.size(); ++t)
      copy_values(*this->with_.arithmetic, this->movers_.object.values, fields_.synced, t);
  Course<T>::take(batch);
}

template <class T>
void LocalSteps<T>::accumulate(const Batch& batch) {
  if (!local()) return Course<T>::accumulate(batch);
  Workspace<T>& with = this->with_;
  const ObjectVariable<T>& object = this->movers_.object;
  const auto few = static_cast<std::size_t>(with.options.local_positions);
  this->begin(batch);
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    object.gradient.clear(*with.arithmetic, t);
    object.publish(with, t);
    const auto own = members_of(batch.members, with.tiles[t].own);
    for (std::size_t first = 0; first < own.size(); first += few) {
      const auto some = std::span(own).subspan(first, std::min(few, own.size() - first));
      fields_.own.clear(*with.arithmetic, t);
      this->gradient_of(batch, t, some, true, fields_.own);
      step_locally(t);
    }
    this->gradient_of_neighbours(batch, t);
  }
}

/// A rank's own gradient, just computed, to the sums and at once to its object.
template <class T>
void LocalSteps<T>::step_locally(std::size_t tile) {
  Workspace<T>& with = this->with_;
  const ObjectVariable<T>& object = this->movers_.object;
  const auto own = fields_.own.stack(tile, 1, true), sums = object.gradient.stack(tile, 1, true);
  for (std::size_t f = 0; f < own.size(); ++f) with.arithmetic->run(AddTo<T>(own[f], sums[f]));
  // Before the first exchange there is no illumination to divide by, and no step.
  if (known_ || !descent_.by_illumination())
    descent_.move_by_own(with, object, tile, fields_.illumination->plane(tile), object.values,
                         fields_.own);
  object.publish(with, tile);
}

/// Copies agree on what they remember, not on what ranks have made of it meanwhile.
template <class T>
void LocalSteps<T>::sum_gradients() {
  Course<T>::sum_gradients();
  if (local() && this->with_.options.update == Update::consistent)
    swap_values(this->movers_.object.values, fields_.synced);
}

template <class T>
void LocalSteps<T>::after_step() {
  for (std::size_t t = 0; t < this->with_.tiles.size(); ++t)
    this->with_.arithmetic->copy(std::as_const(*this->movers_.object.gradient.illumination).on(t),
                                 fields_.illumination->on(t));
  known_ = true;
}

template class LocalSteps<float>;
template class LocalSteps<double>;

}  // namespace ptyle
