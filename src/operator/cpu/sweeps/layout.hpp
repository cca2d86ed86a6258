#pragma once

// The places of a wave's values between the sweeps: blocks of L columns, each W rows of L real and
// L imaginary parts (kernels.hpp).

#include <algorithm>

#include "operator/cpu/sweeps/order.hpp"

namespace ptyle::cpu {

template <class T>
class SweepLayout {
 public:
  SweepLayout(i64 window, int lanes)
      : tables_(window, lanes),
        g_(tables_.geometry),
        w_(window),
        lanes_(lanes),
        plane_(sweep_wave_size(window, lanes)) {}

 protected:
  template <class V>
  V* mode(V* waves, i64 m) const {
    return waves + m * plane_;
  }
  template <class V>
  V* row_of(V* wave, i64 y) const {
    return wave + y * 2 * lanes_;
  }
  template <class V>
  V& real(V* wave, i64 c, i64 y, i64 lane) const {
    return wave[c * g_.block + y * 2 * lanes_ + lane];
  }
  template <class V>
  V& imaginary(V* wave, i64 c, i64 y, i64 lane) const {
    return wave[c * g_.block + y * 2 * lanes_ + lanes_ + lane];
  }
  /// Calls f(x, re, im) for every pixel of a row of a wave in real space.
  template <class F>
  void each_in_row(T* wave, i64 y, F&& f) const {
    for (i64 v = 0; v < g_.vectors; ++v)
      for (i64 l = 0; l < lanes_; ++l)
        f(v * lanes_ + l, real(wave, v, y, l), imaginary(wave, v, y, l));
  }
  /// Calls f(y, x, re, im) for every pixel of a wave in real space.
  template <class F>
  void each_pixel(T* wave, F&& f) const {
    for (i64 v = 0; v < g_.vectors; ++v)
      for (i64 y = 0; y < w_; ++y)
        for (i64 l = 0; l < lanes_; ++l)
          f(y, v * lanes_ + l, real(wave, v, y, l), imaginary(wave, v, y, l));
  }
  /// The index, in natural order, of the detector pixel that stands at (c, y, lane).
  [[nodiscard]] i64 detector_pixel(i64 c, i64 y, i64 lane) const {
    return tables_.row_frequency[static_cast<std::size_t>(y)] * w_ +
           tables_.column_frequency[static_cast<std::size_t>(c * lanes_ + lane)];
  }
  /// A pattern from natural order to that of the blocks, a row of it at a time, which stays in the
  /// cache meanwhile.
  void put_in_order(const T* pattern, T* blocks) const {
    const i64* frequency = tables_.column_frequency.data();
    for (i64 y = 0; y < w_; ++y) {
      const T* row = pattern + tables_.row_frequency[static_cast<std::size_t>(y)] * w_;
      for (i64 c = 0; c < g_.vectors; ++c) {
        T* to = blocks + (c * w_ + y) * lanes_;
        for (i64 l = 0; l < lanes_; ++l) to[l] = row[frequency[c * lanes_ + l]];
      }
    }
  }
  /// Row y of a wave to the order in which u is kept, and back.
  void keep_row(const T* wave, i64 y, T* u) const {
    for (i64 v = 0; v < g_.vectors; ++v)
      std::copy_n(&real(wave, v, y, 0), 2 * lanes_, u + v * 2 * lanes_);
  }
  void put_back(const T* u, i64 y, T* wave) const {
    for (i64 v = 0; v < g_.vectors; ++v)
      std::copy_n(u + v * 2 * lanes_, 2 * lanes_, &real(wave, v, y, 0));
  }

  Tables<T> tables_;
  Geometry<T> g_;
  i64 w_, lanes_, plane_;
};

}  // namespace ptyle::cpu
