// Resuming: a fit goes on from the numbers of another, and from its fields by their names. And the
// end: it keeps nothing else.

#include <algorithm>

#include "solver/fit.hpp"

namespace ptyle {

template <class T>
std::map<std::string, double> Fit<T>::numbers() const {
  std::map<std::string, double> all = with_->options.continuation.state();
  all.insert(with_->state.numbers().begin(), with_->state.numbers().end());
  return all;
}

template <class T>
void Fit<T>::keep_only_saved() {
  course_.reset();
  regularisers_.clear();
  with_->op.reset();
  with_->halos.give_up();
  with_->supports.clear();
  for (Field<T>& field : with_->state.fields()) {
    if (field.saved) continue;
    field.here.clear();
    field.waves = {};
  }
}

template <class T>
void Fit<T>::restore(const std::map<std::string, double>& numbers, const FieldReader<T>& reader) {
  with_->options.continuation.restore(numbers);
  with_->state.restore(numbers);
  for (Field<T>& field : with_->state.fields()) {
    const bool started = &field == object_->values.phase || &field == object_->values.absorption;
    if (field.saved && !started) restore(field, reader);
  }
  for (const auto& variable : *variables_) variable->publish(*with_);
  for (const auto& variable : *variables_) hand_over(*variable);
  apply_detector_limit();
}

template <class T>
void Fit<T>::restore(Field<T>& field, const FieldReader<T>& reader) {
  if (field.kind == Kind::common) {
    if (!reader.waves) return;
    const Array<Complex<T>, 3> waves = reader.waves(field.name);
    return with_->arithmetic->write(waves.data(), field.waves.data(), waves.size());
  }
  if (field.on_object() ? !reader.voxels : !reader.records) return;
  for (std::size_t t = 0; t < with_->tiles.size(); ++t) {
    const Tile& tile = with_->tiles[t];
    Array<T, 3> here(field.here[t].shape());
    if (field.on_object()) {
      reader.voxels(field.name, field.box_on(tile), here.view());
    } else {
      const auto values = reader.records(field.name, tile.own, field.shape[2]);
      std::transform(values.begin(), values.end(), here.begin(),
                     [](double value) { return static_cast<T>(value); });
    }
    with_->arithmetic->write(here.data(), field.here[t].data(), here.size());
  }
}

template void Fit<float>::keep_only_saved();
template void Fit<double>::keep_only_saved();
template std::map<std::string, double> Fit<float>::numbers() const;
template std::map<std::string, double> Fit<double>::numbers() const;
template void Fit<float>::restore(const std::map<std::string, double>&, const FieldReader<float>&);
template void Fit<double>::restore(const std::map<std::string, double>&,
                                   const FieldReader<double>&);

}  // namespace ptyle
