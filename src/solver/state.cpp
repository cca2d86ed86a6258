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
    for (const auto& [box, positions] : tiles_)
      field.here.push_back(arithmetic.template array<T, 3>(
          field.kind == Kind::voxels
              ? std::array<i64, 3>{field.shape[0], box.rows.size(), box.cols.size()}
              : std::array<i64, 3>{1, positions, field.shape[2]},
          field.account));
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
double State<T>::bytes_of(const Field<T>& field, const Box& box, i64 positions) const {
  const auto [planes, rows, last] = field.shape;
  switch (field.kind) {
    case Kind::voxels:
      return double(sizeof(T)) * double(planes * box.area());
    case Kind::records:
      return double(sizeof(T)) * double(positions * last);
    default:
      return double(sizeof(Complex<T>)) * double(planes * rows * last);
  }
}

template <class T>
std::map<std::string, double> State<T>::bytes(std::size_t tile, bool saved_alone) const {
  std::map<std::string, double> all;
  for (const Field<T>& field : fields_)
    if (field.saved || !saved_alone)
      all[field.account] += bytes_of(field, tiles_[tile].box, tiles_[tile].positions);
  return all;
}

template <class T>
double State<T>::saved_bytes(std::size_t tile, const Box& core, bool with_common) const {
  double bytes = 0;
  for (const Field<T>& field : fields_)
    if (field.saved && (with_common || field.kind != Kind::common))
      bytes += bytes_of(field, core, tiles_[tile].positions);
  return bytes;
}

template class State<float>;
template class State<double>;

}  // namespace ptyle
