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
    for (const Box& box : tiles_)
      field.here.push_back(arithmetic.template array<T, 3>(
          {field.shape[0], box.rows.size(), box.cols.size()}, field.account));
  }
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
std::map<std::string, double> State<T>::bytes(std::size_t tile) const {
  std::map<std::string, double> all;
  for (const Field<T>& field : fields_) {
    const auto [planes, rows, cols] = field.shape;
    all[field.account] += field.kind == Kind::voxels
                              ? double(sizeof(T)) * double(planes * tiles_[tile].area())
                              : double(sizeof(Complex<T>)) * double(planes * rows * cols);
  }
  return all;
}

template <class T>
double State<T>::saved_bytes(const Box& core, bool with_common) const {
  double bytes = 0;
  for (const Field<T>& field : fields_) {
    const auto [planes, rows, cols] = field.shape;
    if (!field.saved) continue;
    if (field.kind == Kind::voxels)
      bytes += double(sizeof(T)) * double(planes * core.area());
    else if (with_common)
      bytes += double(sizeof(Complex<T>)) * double(planes * rows * cols);
  }
  return bytes;
}

template class State<float>;
template class State<double>;

}  // namespace ptyle
