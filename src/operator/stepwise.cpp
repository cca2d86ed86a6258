#include "operator/stepwise.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/units.hpp"
#include "operator/cpu/pointwise.hpp"

namespace ptyle {

using cpu::mul;

template <class T>
void Stepwise<T>::turn(const Placement& at, int direction, C* wave) const {
  if (at.shift_row == 0 && at.shift_col == 0) return;
  std::vector<C> row(w_), col(w_);
  for (i64 i = 0; i < w_; ++i) {
    const double f = direction * 2 * pi * double(frequency_index(i, w_)) / double(w_);
    row[i] = C(std::polar(1 / double(w_ * w_), f * at.shift_row));  // and the inverse FFT's factor
    col[i] = C(std::polar(1.0, f * at.shift_col));
  }
  fft_.forward(wave);
  for (i64 y = 0; y < w_; ++y)
    for (i64 x = 0; x < w_; ++x) wave[y * w_ + x] = mul(mul(row[y], col[x]), wave[y * w_ + x]);
  fft_.inverse(wave);
}

template <class T>
void Stepwise<T>::propagate(const C* propagator, C* wave) const {
  fft_.forward(wave);
  cpu::apply_propagator<false>(propagator, wave, w_ * w_);
  fft_.inverse(wave);
}

template <class T>
void Stepwise<T>::propagate_back(const C* propagator, C* wave) const {
  fft_.forward(wave);
  cpu::apply_propagator<true>(propagator, wave, w_ * w_);
  fft_.inverse(wave);
}

template <class T>
void Stepwise<T>::from_detector(C* wave) const {
  fft_.inverse(wave);
  const T scale = T(1) / static_cast<T>(w_ * w_);
  for (i64 i = 0; i < w_ * w_; ++i) wave[i] *= scale;
}

template <class T>
void Stepwise<T>::transmission(const ObjectView<T>& object, i64 slice, const Placement& at,
                               C* t) const {
  std::fill_n(t, w_ * w_, C(1));
  const cpu::Inside in(at, w_, object.phase.shape[1], object.phase.shape[2]);
  for (i64 y = in.y0; y < in.y1; ++y)
    for (i64 x = in.x0; x < in.x1; ++x) {
      const i64 row = at.row + y, col = at.col + x;
      const T mu = object.absorption.empty() ? T(0) : object.absorption(slice, row, col);
      t[y * w_ + x] = std::polar(std::exp(-mu), object.phase(slice, row, col));
    }
}

template class Stepwise<float>;
template class Stepwise<double>;

}  // namespace ptyle
