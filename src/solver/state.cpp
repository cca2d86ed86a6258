#include "solver/state.hpp"

#include <algorithm>
#include <stdexcept>

namespace ptyle {

template <class T>
Field<T>& State<T>::declare(Field<T> field) {
  for (const Field<T>& other : fields_)
    if (other.name == field.name)
      throw std::logic_error("the field '" + field.name + "' is declared twice");
  return fields_.emplace_back(std::move(field));
}

template <class T>
double& State<T>::number(const std::string& name, double initial) {
  return numbers_.emplace(name, initial).first->second;
}

template <class T>
void State<T>::allocate(const Arithmetic<T>& arithmetic) {
  for (Field<T>& field : fields_) {
    if (field.kind == Kind::common) {
      if (field.waves.empty())
        field.waves = arithmetic.template array<Complex<T>, 3>(field.shape, field.account);
      continue;
    }
    if (!field.here.empty()) continue;
    for (const auto& [core, box, positions] : tiles_) {
      const Box& part = field.kind == Kind::cores ? core : box;
      field.here.push_back(arithmetic.template array<T, 3>(
          field.on_object() ? std::array<i64, 3>{field.shape[0], part.rows.size(), part.cols.size()}
                            : std::array<i64, 3>{1, positions, field.shape[2]},
          field.account));
    }
  }
}

template <class T>
void State<T>::resize_records(const Arithmetic<T>& arithmetic, std::size_t tile, i64 positions) {
  tiles_[tile].positions = positions;
  for (Field<T>& field : fields_)
    if (field.kind == Kind::records)
      field.here[tile] =
          arithmetic.template array<T, 3>({1, positions, field.shape[2]}, field.account);
}

template <class T>
const Field<T>& State<T>::field(const std::string& name) const {
  const auto at = std::find_if(fields_.begin(), fields_.end(),
                               [&](const Field<T>& field) { return field.name == name; });
  if (at == fields_.end()) throw std::out_of_range("there is no field '" + name + "'");
  return *at;
}

template <class T>
void State<T>::restore(const std::map<std::string, double>& numbers) {
  for (auto& [name, value] : numbers_) value = numbers.at(name);
}

template <class T>
double State<T>::bytes_of(const Field<T>& field, const TileSize& tile) const {
  const auto [planes, rows, last] = field.shape;
  switch (field.kind) {
    case Kind::voxels:
      return double(sizeof(T)) * double(planes * tile.box.area());
    case Kind::cores:
      return double(sizeof(T)) * double(planes * tile.core.area());
    case Kind::records:
      return double(sizeof(T)) * double(tile.positions * last);
    default:
      return double(sizeof(Complex<T>)) * double(planes * rows * last);
  }
}

template <class T>
std::map<std::string, double> State<T>::bytes(std::size_t tile, bool saved_alone) const {
  std::map<std::string, double> all;
  for (const Field<T>& field : fields_)
    if (field.saved || !saved_alone) all[field.account] += bytes_of(field, tiles_[tile]);
  return all;
}

template <class T>
double State<T>::saved_bytes(std::size_t tile, bool with_common) const {
  TileSize on_core = tiles_[tile];
  on_core.box = on_core.core;
  double bytes = 0;
  for (const Field<T>& field : fields_)
    if (field.saved && (with_common || field.kind != Kind::common))
      bytes += bytes_of(field, on_core);
  return bytes;
}

template class State<float>;
template class State<double>;

}  // namespace ptyle
