#pragma once

// How a window is computed on a GPU, and in what memory: decided without one.

#include <algorithm>
#include <stdexcept>

#include "core/error.hpp"
#include "operator/cuda/fused.hpp"
#include "operator/gpu.hpp"

namespace ptyle::gpu {

/// The way that is taken for a window of numbers of `bytes_a_number` bytes, on a GPU whose blocks
/// have so much shared memory, and may read each other's in `clusters` or not; where the propagator
/// is fitted, patterns are displaced or the object has states, it is that of cuFFT. Throws
/// UserError for a way that the window, the GPU or the setup does not allow.
inline GpuPath path_of(const OperatorSetup& setup, const GpuOptions& options,
                       std::size_t bytes_a_number, std::size_t shared_limit, bool clusters,
                       bool all_in_double) {
  const i64 w = setup.window;
  const bool narrow = bytes_a_number == 4 || all_in_double;  // what kernels are built for
  const auto complex = static_cast<i64>(2 * bytes_a_number);
  const bool sweeps = has_sweeps(w) && narrow;
  const bool fused = has_fused(w) && narrow && options.waves == WaveStorage::store &&
                     (clusters || fused_cluster(w) == 1) &&
                     static_cast<std::size_t>(fused_shared(w) * complex) <= shared_limit;
  const bool fft_alone = setup.fits_propagator || setup.descan || setup.states > 1;
  if (fft_alone && options.path != GpuPath::automatic && options.path != GpuPath::fft)
    throw UserError(std::string(setup.states > 1 ? "an object of several states"
                                : setup.descan   ? "the descan"
                                                 : "the propagator") +
                    " is fitted on a GPU by its library of FFTs alone");
  switch (options.path) {
    case GpuPath::automatic:
      if (fft_alone) return GpuPath::fft;
      return fused ? GpuPath::fused : sweeps ? GpuPath::sweeps : GpuPath::fft;
    case GpuPath::fused:
      if (!fused)
        throw UserError("a wave of " + std::to_string(w) +
                        "² cannot stay in this GPU's shared memory through all slices");
      break;
    case GpuPath::sweeps:
      if (!sweeps)
        throw UserError("a window of " + std::to_string(w) +
                        " pixels has no sweeps on a GPU in this precision; 64, 96, 128, 192 and "
                        "256 have in float");
      break;
    case GpuPath::fft:
      break;
  }
  return options.path;
}

/// Is P, W·W values, in numbers of type T the same at −ky as at ky?
template <class T>
bool mirrored(std::span<const std::complex<double>> p, i64 w) {
  for (i64 ky = 1; ky < w; ++ky)
    for (i64 kx = 0; kx < w; ++kx) {
      const auto a = p[static_cast<std::size_t>(ky * w + kx)],
                 b = p[static_cast<std::size_t>((w - ky) * w + kx)];
      if (static_cast<T>(a.real()) != static_cast<T>(b.real()) ||
          static_cast<T>(a.imag()) != static_cast<T>(b.imag()))
        return false;
    }
  return true;
}

/// Values (complex) that a position of a batch needs, by what holds them.
struct BatchPlan {
  BatchPlan(const OperatorSetup& setup, GpuPath path, const GpuOptions& options) {
    const i64 wave = setup.modes * setup.window * setup.window;
    const bool fused = path == GpuPath::fused;
    waves = fused ? 0 : wave;
    detector = wave;
    kept_slices = options.waves == WaveStorage::store ? setup.slices : 1;
    patch_slices = fused ? setup.slices : 1;
    patches = 1;  // of the illumination
    if (options.sums == GpuSums::ordered) patches += patch_slices * (setup.absorption ? 2 : 1);
    kept = kept_slices * wave;
    tangent = wave;
    mixed = setup.basis > 0 ? wave : 0;
    coefficients = setup.modes * setup.basis;
    overlaps = setup.modes * setup.probe_modes();
    descan = setup.descan ? 1 : 0;
    patch_values = (patches * wave + 1) / 2;
    frames = setup.window * setup.window;
  }
  i64 waves, detector, kept, tangent;
  i64 mixed;         ///< spectra that the position has mixed
  i64 patch_values;  ///< for `patches` patches of W² reals a wave
  i64 kept_slices, patch_slices, patches;
  i64 frames;  ///< numbers of a pattern that is not kept on the device
  /// The flags of a batch (tickets.hpp).
  [[nodiscard]] static i64 flags(i64 positions) { return 1 + 2 * positions; }
  i64 coefficients;  ///< complex numbers that a position is sent
  i64 overlaps;      ///< sums of two, of a position: its gradient by coefficients, or by its shift
  i64 descan;        ///< the same, by its descan
  [[nodiscard]] i64 values() const {
    return waves + detector + kept + tangent + mixed + patch_values;
  }
  template <class T>
  [[nodiscard]] std::size_t bytes() const {
    // Two frames: one is fetched while the other is computed with.
    return static_cast<std::size_t>(values()) * 2 * sizeof(T) +
           static_cast<std::size_t>(2 * frames) * sizeof(T);
  }

  /// Positions of a batch: as many as the memory allows, but in sweeps no more than let the waves
  /// stay in the L2 cache from one sweep to the next.
  template <class T>
  [[nodiscard]] i64 positions(i64 wanted, std::size_t budget, std::size_t l2, GpuPath path,
                              i64 modes) const {
    i64 most = std::min<i64>(wanted, static_cast<i64>(budget / bytes<T>()));
    most = std::min<i64>(most, 65535 / modes);  // blocks of a launch
    if (path == GpuPath::sweeps) {
      const auto wave = static_cast<std::size_t>(2 * waves) * 2 * sizeof(T);
      most = std::min<i64>(most, std::max<i64>(static_cast<i64>(l2 / wave), 32 / modes));
    }
    return std::max<i64>(1, most);
  }
};

/// Modes whose backward passes one block (or cluster, of so many at a time) takes one after the
/// other, so that they share patches: as many as keep the busiest one at most a twentieth longer
/// busy than one mode at a time would.
constexpr int modes_together(i64 positions, int modes, i64 clusters) {
  const auto longest = [&](i64 together) {  // in passes
    const i64 tickets = positions * ((modes + together - 1) / together);
    return (tickets + clusters - 1) / clusters * together;
  };
  int together = modes;
  while (20 * longest(together) > 21 * longest(1)) --together;
  return together;
}

/// Buffers are planned for somewhat more positions than are asked for: mini-batches, and ranks'
/// shares of them, differ in size.
constexpr i64 planned(i64 positions) { return positions + positions / 16; }
/// The part of a budget of `bytes` that goes to batches; patterns that stay get the rest.
inline std::size_t for_batches(std::size_t bytes) { return bytes / 10 * 7; }
/// The part of free memory that is used: the rest is for others and for cuFFT.
inline std::size_t usable(std::size_t free) { return free / 10 * 8; }
/// Patterns that stay are held in slabs of so much.
constexpr std::size_t pattern_slab = std::size_t{64} << 20;

}  // namespace ptyle::gpu
