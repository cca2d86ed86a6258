#include "solver/penalties/penalty.hpp"

namespace ptyle {

namespace {

/// The terms of a tile's core.
template <class T>
PenaltyPart part_of(const Workspace<T>& with, std::size_t tile) {
  const Tile& on = with.tiles[tile];
  return {on.on_arrays(on.core), with.supports[tile].view()};
}

}  // namespace

template <class T>
void add_gradients(const Penalties<T>& penalties, Workspace<T>& with,
                   const ObjectVariable<T>& object, std::size_t tile, double share) {
  const auto values = object.values.on(tile), gradients = object.gradient.on(tile);
  for (const auto& one : penalties)
    for (std::size_t f = 0; f < values.size(); ++f)
      one->add_gradient(values[f], part_of(with, tile), share, gradients[f], *with.arithmetic);
}

template <class T>
double cost_of(const Penalties<T>& penalties, Workspace<T>& with, const Volumes<T>& volumes) {
  double sum = 0;
  for (const auto& one : penalties)
    for (std::size_t t = 0; t < with.tiles.size(); ++t)
      for (const View<T, 3>& volume : volumes.on(t))
        sum += one->cost(volume, part_of(with, t), *with.arithmetic);
  return sum;
}

template <class T>
double curvature_of(const Penalties<T>& penalties, Workspace<T>& with, const Volumes<T>& volumes,
                    const Volumes<T>& direction) {
  double sum = 0;
  for (const auto& one : penalties)
    for (std::size_t t = 0; t < with.tiles.size(); ++t) {
      const auto values = volumes.on(t), along = direction.on(t);
      for (std::size_t f = 0; f < values.size(); ++f)
        sum += one->curvature(values[f], along[f], part_of(with, t), *with.arithmetic);
    }
  return sum;
}

template <class T>
void add_products(const Penalties<T>& penalties, Workspace<T>& with, const Volumes<T>& volumes,
                  const Volumes<T>& direction, std::size_t tile, double share,
                  const Volumes<T>& product) {
  const auto values = volumes.on(tile), along = direction.on(tile), to = product.on(tile);
  for (const auto& one : penalties)
    for (std::size_t f = 0; f < values.size(); ++f)
      one->add_product(values[f], along[f], part_of(with, tile), share, to[f], *with.arithmetic);
}

template void add_gradients(const Penalties<float>&, Workspace<float>&,
                            const ObjectVariable<float>&, std::size_t, double);
template double cost_of(const Penalties<float>&, Workspace<float>&, const Volumes<float>&);
template double curvature_of(const Penalties<float>&, Workspace<float>&, const Volumes<float>&,
                             const Volumes<float>&);
template void add_gradients(const Penalties<double>&, Workspace<double>&,
                            const ObjectVariable<double>&, std::size_t, double);
template double cost_of(const Penalties<double>&, Workspace<double>&, const Volumes<double>&);
template double curvature_of(const Penalties<double>&, Workspace<double>&, const Volumes<double>&,
                             const Volumes<double>&);
template void add_products(const Penalties<float>&, Workspace<float>&, const Volumes<float>&,
                           const Volumes<float>&, std::size_t, double, const Volumes<float>&);
template void add_products(const Penalties<double>&, Workspace<double>&, const Volumes<double>&,
                           const Volumes<double>&, std::size_t, double, const Volumes<double>&);

}  // namespace ptyle
