#include "solver/rules/on_cores.hpp"

namespace ptyle {

template <class T>
Volumes<T> declare_as_object(State<T>& state, Kind kind, const std::string& name,
                             const std::string& account, bool saved) {
  const auto field = [&](const std::string& of) {
    const Field<T>& object = state.field(of);
    return &state.declare(
        {name + "." + of, account, kind, {object.shape[0], 0, 0}, saved, object.volumes});
  };
  Volumes<T> volumes;
  volumes.phase = field("phase");
  if (state.has("absorption")) volumes.absorption = field("absorption");
  return volumes;
}

template <class T>
Volumes<T> declare_on_cores(State<T>& state, const std::string& name, const std::string& account,
                            bool saved) {
  return declare_as_object(state, Kind::cores, name, account, saved);
}

/// carry(table of the tile's planes, all of them, the core's piece, values on the core).
template <class T>
template <class Carry>
void OnCores<T>::each(Workspace<T>& with, const Volumes<T>& on_tiles, const Volumes<T>& on_cores,
                      Carry&& carry) {
  Arithmetic<T>& arithmetic = *with.arithmetic;
  if (parts_.empty())
    for (const Tile& tile : with.tiles)
      parts_.push_back({arithmetic.pieces({{tile.on_arrays(tile.core)}}), {}});
  arithmetic.begin_exchange();  // in order with the rest
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const auto whole = on_tiles.on(t), cores = on_cores.on(t);
    for (std::size_t f = 0; f < whole.size(); ++f) {
      if (cores[f].empty()) continue;
      std::vector<T*> planes;
      for (i64 z = 0; z < whole[f].shape[0]; ++z) planes.push_back(whole[f][z].data);
      Planes<T>& table = parts_[t].planes[planes.front()];
      arithmetic.hold(table, std::move(planes), whole[f].shape[2]);
      carry(table, Interval{0, whole[f].shape[0]}, parts_[t].core, cores[f].data);
    }
  }
  arithmetic.end_exchange();
}

template <class T>
void OnCores<T>::take(Workspace<T>& with, const Volumes<T>& from, const Volumes<T>& to) {
  each(with, from, to, [&](const Planes<T>& planes, Interval all, const Pieces& core, T* values) {
    with.arithmetic->pack(planes, all, core, values);
  });
}

template <class T>
void OnCores<T>::put(Workspace<T>& with, const Volumes<T>& from, const Volumes<T>& to) {
  each(with, to, from, [&](const Planes<T>& planes, Interval all, const Pieces& core, T* values) {
    with.arithmetic->put(planes, all, core, values);
  });
}

template <class T>
void OnCores<T>::set_object(const Trial<T>& trial, const Volumes<T>& from) {
  Workspace<T>& with = trial.with;
  const ObjectVariable<T>& object = trial.object;
  put(with, from, object.values);
  for (Field<T>* field : object.values.fields())
    for (std::size_t t = 0; t < with.tiles.size(); ++t)
      keep_vacuum(with, t, limits_of(with.options, object.values, *field), field->on(t));
  with.halos.fill(object.stacks());
}

template <class T>
void copy(Workspace<T>& with, const Volumes<T>& from, const Volumes<T>& to) {
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const auto source = from.on(t), target = to.on(t);
    for (std::size_t f = 0; f < source.size(); ++f) with.arithmetic->copy(source[f], target[f]);
  }
}

template <class T>
void combine(Workspace<T>& with, double a, const Volumes<T>& from, double b, const Volumes<T>& to) {
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const auto source = from.on(t), target = to.on(t);
    for (std::size_t f = 0; f < source.size(); ++f)
      with.arithmetic->run(Combine<T>(a, source[f], b, target[f]));
  }
}

namespace {

/// The sum over all ranks of one(tile, number of the field).
template <class T, class One>
double sum_over_cores(Workspace<T>& with, const Volumes<T>& volumes, One&& one) {
  std::vector<double> sum{0};
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (std::size_t f = 0; f < volumes.fields().size(); ++f) {
      const auto [planes, rows, cols] = volumes.fields()[f]->on(t).shape;
      sum[0] += with.arithmetic->sum(one(t, f), {{0, rows}, {0, cols}});
    }
  with.team.sum(sum);
  return sum[0];
}

}  // namespace

template <class T>
double dot(Workspace<T>& with, const Volumes<T>& a, const Volumes<T>& b) {
  return sum_over_cores(with, a, [&](std::size_t t, std::size_t f) {
    return Dot<T>(a.fields()[f]->on(t), b.fields()[f]->on(t));
  });
}

template <class T>
double slope_of_step(Workspace<T>& with, const Volumes<T>& g, const Volumes<T>& from,
                     const Volumes<T>& to) {
  return sum_over_cores(with, g, [&](std::size_t t, std::size_t f) {
    return DotOfStep<T>(g.fields()[f]->on(t), from.fields()[f]->on(t), to.fields()[f]->on(t));
  });
}

template <class T>
void move_along(const Trial<T>& trial, const Volumes<T>& from, const Volumes<T>& d, double step,
                const Volumes<T>& to) {
  const Workspace<T>& with = trial.with;
  const Volumes<T>& object = trial.object.values;
  for (std::size_t f = 0; f < from.fields().size(); ++f) {
    const auto [low, high] = limits_of(with.options, object, *object.fields()[f]);
    for (std::size_t t = 0; t < with.tiles.size(); ++t)
      with.arithmetic->run(MoveAlong<T>(from.fields()[f]->on(t), d.fields()[f]->on(t), step,
                                        {low, high}, to.fields()[f]->on(t)));
  }
}

template Volumes<float> declare_as_object(State<float>&, Kind, const std::string&,
                                          const std::string&, bool);
template Volumes<float> declare_on_cores(State<float>&, const std::string&, const std::string&,
                                         bool);
template class OnCores<float>;
template void copy(Workspace<float>&, const Volumes<float>&, const Volumes<float>&);
template void combine(Workspace<float>&, double, const Volumes<float>&, double,
                      const Volumes<float>&);
template double dot(Workspace<float>&, const Volumes<float>&, const Volumes<float>&);
template double slope_of_step(Workspace<float>&, const Volumes<float>&, const Volumes<float>&,
                              const Volumes<float>&);
template void move_along(const Trial<float>&, const Volumes<float>&, const Volumes<float>&, double,
                         const Volumes<float>&);
template Volumes<double> declare_as_object(State<double>&, Kind, const std::string&,
                                           const std::string&, bool);
template Volumes<double> declare_on_cores(State<double>&, const std::string&, const std::string&,
                                          bool);
template class OnCores<double>;
template void copy(Workspace<double>&, const Volumes<double>&, const Volumes<double>&);
template void combine(Workspace<double>&, double, const Volumes<double>&, double,
                      const Volumes<double>&);
template double dot(Workspace<double>&, const Volumes<double>&, const Volumes<double>&);
template double slope_of_step(Workspace<double>&, const Volumes<double>&, const Volumes<double>&,
                              const Volumes<double>&);
template void move_along(const Trial<double>&, const Volumes<double>&, const Volumes<double>&,
                         double, const Volumes<double>&);

}  // namespace ptyle
