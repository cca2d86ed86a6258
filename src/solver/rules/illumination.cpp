#include "solver/rules/illumination.hpp"

#include <algorithm>
#include <cmath>

namespace ptyle {
namespace {

template <class T>
View<const T, 2> illumination_of(const Trial<T>& trial, std::size_t tile) {
  return std::as_const(*trial.object.gradient.illumination).plane(tile);
}

}  // namespace

template <class T>
void MeanIllumination<T>::declare(State<T>& state) {
  mean_ = &state.declare({"illumination.mean", "gradient", Kind::voxels, {1, 0, 0}, true});
  batches_ = &state.number("illumination.batches");
}

template <class T>
void MeanIllumination<T>::take(const Trial<T>& trial) const {
  const Workspace<T>& with = trial.with;
  const double all = double(with.fitted.size()) / double(trial.batch.members.size());
  *batches_ = std::min(std::round(all), *batches_ + 1);
  const double part = 1 / *batches_;
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const View<T, 3> now = trial.object.gradient.illumination->on(t), mean = mean_->on(t);
    with.arithmetic->run(Combine<T>(part, now, 1 - part, mean));
    with.arithmetic->copy(mean, now);
  }
}

template <class T>
void ByIllumination<T>::declare(State<T>& state) {
  if (averaged_ && options_.by_illumination()) mean_.declare(state);
}

template <class T>
void ByIllumination<T>::prepare(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  Arithmetic<T>& arithmetic = *with.arithmetic;
  if (!options_.by_illumination()) return;
  if (averaged_) mean_.take(trial);
  if (floor_.empty())
    floor_ = arithmetic.template array<double, 1>(
        {std::max<i64>(1, static_cast<i64>(with.tiles.size()))}, "sums");
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    arithmetic.largest(
        Value<T>(illumination_of(trial, t), with.tiles[t].on_arrays(with.tiles[t].core)),
        options_.damping, floor_.data() + t);
  if (with.team.size() == 1) return;
  std::vector<double> largest(static_cast<std::size_t>(floor_.size()));
  arithmetic.read(floor_.data(), largest.data(), floor_.size());
  std::vector<double> floor{*std::max_element(largest.begin(), largest.end())};
  with.team.maximum(floor);
  arithmetic.write(floor.data(), floor_.data(), 1);
}

template <class T>
void ByIllumination<T>::apply(const Trial<T>& trial, const Volumes<T>& volumes) {
  const i64 block = std::max<i64>(1, trial.with.options.continuation.block());
  for (std::size_t t = 0; t < trial.with.tiles.size(); ++t) {
    const Tile& tile = trial.with.tiles[t];
    const Preconditioner<T> m = on(trial, t);
    for (const View<T, 3>& volume : volumes.on(t))
      trial.with.arithmetic->run(Precondition<T>(volume, m, tile.on_arrays(tile.core), block));
  }
}

template <class T>
Preconditioner<T> ByIllumination<T>::of(const Workspace<T>& with, View<const T, 2> illumination,
                                        double penalty) const {
  return options_.by_illumination()
             ? Preconditioner<T>::by_illumination(illumination, with.window2(), floor_.data(),
                                                  penalty)
             : Preconditioner<T>::uniform(with.window2() *
                                          with.state.numbers().at("largest_probe"));
}

template <class T>
Preconditioner<T> ByIllumination<T>::on(const Trial<T>& trial, std::size_t tile) const {
  return of(trial.with, illumination_of(trial, tile), trial.penalty());
}

template class MeanIllumination<float>;
template class MeanIllumination<double>;
template class ByIllumination<float>;
template class ByIllumination<double>;

}  // namespace ptyle
