#pragma once

// A batch of positions on its way through the slices: its buffers, and what it is compared with and
// added to.

#include "operator/cuda/mixing.hpp"
#include "operator/cuda/points.hpp"

namespace ptyle::gpu {

/// The batch's buffers and what all passes look at.
template <class T>
struct Batch {
  Z<T>*waves = nullptr, *detector = nullptr, *kept = nullptr, *tangent = nullptr;
  Z<T>* mixed = nullptr;  ///< spectra that positions mix; null: they mix none
  Mixing<T> mixing;
  T* patches = nullptr;  ///< (pointwise.hpp)
  const Place<T>* places = nullptr;
  const PatternOnGpu* patterns = nullptr;
  int* flags = nullptr;  ///< 1 + 2 positions (tickets.hpp)
  int positions = 0;
  int top = 0, left = 0, rows = 0, cols = 0;  ///< of the object: holds all windows
};

template <class T>
struct ObjectOnGpu {
  const Z<T>* t = nullptr;
  const T *d_phase = nullptr, *d_absorption = nullptr;  ///< of a tangent
  int ny = 0, nx = 0;
};

/// The patterns that the detector is compared with.
template <class T>
struct DetectorArguments {
  const T *weight, *valid;
  Sums<3>* sums;  ///< space for those of all chunks
  Loss loss;
  T eps, background;
};

/// The arrays that a batch's gradient is added to; null: not wanted.
template <class T>
struct GatherTo {
  T *phase = nullptr, *absorption = nullptr, *illumination = nullptr;
  T scale = 2;
  double* through = nullptr;  ///< Σ χ̂ conj(û) of all slices, W·W pairs; on cuFFT's path alone
  Sums<2>* descan = nullptr;  ///< ∂f/∂d of each position; likewise
  [[nodiscard]] bool of_object() const { return phase || absorption || illumination; }
  /// Is u looked at on the way back?
  [[nodiscard]] bool wanted() const { return of_object() || through || descan; }
};

}  // namespace ptyle::gpu
