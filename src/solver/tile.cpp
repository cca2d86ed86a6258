#include "solver/tile.hpp"

#include <utility>

namespace ptyle {
namespace {

template <class T>
std::vector<View<T, 3>> those_there(Array<T, 3>& phase, Array<T, 3>& absorption) {
  std::vector<View<T, 3>> all{phase.view()};
  if (!absorption.empty()) all.push_back(absorption.view());
  return all;
}

}  // namespace

template <class T>
Accumulators<T>::Accumulators(std::array<i64, 3> shape, bool with_absorption,
                              const Arithmetic<T>& arithmetic)
    : phase(arithmetic.template array<T, 3>(shape, "gradient")),
      illumination(arithmetic.template array<T, 2>({shape[1], shape[2]}, "gradient")) {
  if (with_absorption) absorption = arithmetic.template array<T, 3>(shape, "gradient");
}

template <class T>
void Accumulators<T>::clear(Arithmetic<T>& arithmetic) {
  for (const View<T, 3>& volume : volumes()) arithmetic.clear(volume);
  arithmetic.clear(as_volume(illumination.view()));
}

template <class T>
std::vector<View<T, 3>> Accumulators<T>::volumes() {
  return those_there(phase, absorption);
}

template <class T>
std::vector<View<T, 3>> Tile<T>::volumes() {
  return those_there(phase, absorption);
}

template <class T>
Box Tile<T>::on_arrays(const Box& part) const {
  const i64 row = box.rows.begin, col = box.cols.begin;
  return {{part.rows.begin - row, part.rows.end - row},
          {part.cols.begin - col, part.cols.end - col}};
}

template <class T>
void Tile<T>::remember(Arithmetic<T>& arithmetic) {
  arithmetic.copy(phase.view(), synced_phase);
  if (!absorption.empty()) arithmetic.copy(absorption.view(), synced_absorption);
}

template <class T>
void Tile<T>::recall() {
  std::swap(phase, synced_phase);
  std::swap(absorption, synced_absorption);
}

template <class T>
Stack<T> tied_planes(Accumulators<T>& sums, i64 block, bool illumination) {
  Stack<T> stack;
  for (const View<T, 3>& volume : sums.volumes()) {
    if (block <= 1)
      stack.push_back(volume);
    else
      for (i64 s = 0; s < volume.shape[0]; s += block)
        stack.push_back({volume[s].data, {1, volume.shape[1], volume.shape[2]}});
  }
  if (illumination) stack.push_back(as_volume(sums.illumination.view()));
  return stack;
}

template struct Accumulators<float>;
template struct Tile<float>;
template Stack<float> tied_planes(Accumulators<float>&, i64, bool);
template struct Accumulators<double>;
template struct Tile<double>;
template Stack<double> tied_planes(Accumulators<double>&, i64, bool);

}  // namespace ptyle
