#include "solver/penalties/penalty.hpp"

namespace ptyle {

template <class T>
void add_gradients(const Penalties<T>& penalties, Workspace<T>& with,
                   const ObjectVariable<T>& object, std::size_t tile, double share) {
  const Tile& on = with.tiles[tile];
  const auto values = object.values.fields(), gradients = object.gradient.fields();
  for (const auto& one : penalties)
    for (std::size_t f = 0; f < values.size(); ++f)
      one->add_gradient(std::as_const(*values[f]).on(tile), on.on_arrays(on.core), share,
                        gradients[f]->on(tile), *with.arithmetic);
}

template <class T>
double cost_of(const Penalties<T>& penalties, Workspace<T>& with, const Volumes<T>& volumes) {
  double sum = 0;
  for (const auto& one : penalties)
    for (std::size_t t = 0; t < with.tiles.size(); ++t)
      for (const Field<T>* field : volumes.fields())
        sum +=
            one->cost(field->on(t), with.tiles[t].on_arrays(with.tiles[t].core), *with.arithmetic);
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
                              with.tiles[t].on_arrays(with.tiles[t].core), *with.arithmetic);
  return sum;
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

}  // namespace ptyle
