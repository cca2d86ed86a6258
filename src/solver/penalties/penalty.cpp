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
  const auto values = object.values.fields(), gradients = object.gradient.fields();
  for (const auto& one : penalties)
    for (std::size_t f = 0; f < values.size(); ++f)
      one->add_gradient(std::as_const(*values[f]).on(tile), part_of(with, tile), share,
                        gradients[f]->on(tile), *with.arithmetic);
}

template <class T>
double cost_of(const Penalties<T>& penalties, Workspace<T>& with, const Volumes<T>& volumes) {
  double sum = 0;
  for (const auto& one : penalties)
    for (std::size_t t = 0; t < with.tiles.size(); ++t)
      for (const Field<T>* field : volumes.fields())
        sum += one->cost(field->on(t), part_of(with, t), *with.arithmetic);
  return sum;
}

template <class T>
double curvature_of(const Penalties<T>& penalties, Workspace<T>& with, const Volumes<T>& volumes,
                    const Volumes<T>& direction) {
  double sum = 0;
  const auto values = volumes.fields(), along = direction.fields();
  for (const auto& one : penalties)
    for (std::size_t t = 0; t < with.tiles.size(); ++t)
      for (std::size_t f = 0; f < values.size(); ++f)
        sum += one->curvature(std::as_const(*values[f]).on(t), std::as_const(*along[f]).on(t),
                              part_of(with, t), *with.arithmetic);
  return sum;
}

template <class T>
void add_products(const Penalties<T>& penalties, Workspace<T>& with, const Volumes<T>& volumes,
                  const Volumes<T>& direction, std::size_t tile, double share,
                  const Volumes<T>& product) {
  const auto values = volumes.fields(), along = direction.fields(), to = product.fields();
  for (const auto& one : penalties)
    for (std::size_t f = 0; f < values.size(); ++f)
      one->add_product(std::as_const(*values[f]).on(tile), std::as_const(*along[f]).on(tile),
                       part_of(with, tile), share, to[f]->on(tile), *with.arithmetic);
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
