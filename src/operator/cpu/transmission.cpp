#include "operator/cpu/transmission.hpp"

#include "core/parallel.hpp"

namespace ptyle::cpu {

template <class T>
void Transmission<T>::set(const ObjectView<T>& object, bool absorption, bool copy, int threads,
                          Ledger* ledger) {
  object_ = object;
  if (!absorption) object_.absorption = {};
  if (!copy) {
    re_ = Array<T, 3>(), im_ = Array<T, 3>();
    return;
  }
  if (re_.shape() != object.phase.shape) {
    re_ = Array<T, 3>(), im_ = Array<T, 3>();
    re_ = Array<T, 3>(object.phase.shape, ledger, "transmission");
    im_ = Array<T, 3>(object.phase.shape, ledger, "transmission");
  }
  constexpr i64 block = 1 << 14;
  const i64 voxels = re_.size();
  const T* mu = object_.absorption.data;
  parallel_for((voxels + block - 1) / block, threads, [&](i64 b, int) {
    const i64 from = b * block, n = std::min(block, voxels - from);
    transmission(object.phase.data + from, mu ? mu + from : nullptr, re_.data() + from,
                 im_.data() + from, n);
  });
}

template <class T>
typename Transmission<T>::Row Transmission<T>::made_row(i64 s, const Placement& at, i64 y,
                                                        i64 window, T* buffer) const {
  const auto [slices, ny, nx] = object_.phase.shape;
  const Inside in(at, window, ny, nx);
  const bool whole = in.x0 == 0 && in.x1 == window && y >= in.y0 && y < in.y1;
  T *re = buffer, *im = buffer + window;
  if (!whole) {
    std::fill(re, re + window, T(1));
    std::fill(im, im + window, T(0));
  }
  if (y < in.y0 || y >= in.y1) return {re, im};
  const i64 from = (s * ny + at.row + y) * nx + at.col + in.x0, n = in.x1 - in.x0;
  if (re_.empty()) {
    const T* mu = object_.absorption.data;
    transmission(object_.phase.data + from, mu ? mu + from : nullptr, re + in.x0, im + in.x0, n);
  } else {
    std::copy_n(re_.data() + from, n, re + in.x0);
    std::copy_n(im_.data() + from, n, im + in.x0);
  }
  return {re, im};
}

template class Transmission<float>;
template class Transmission<double>;

}  // namespace ptyle::cpu
