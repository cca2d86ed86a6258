#pragma once

namespace ptyle {

/// While it lives, FFTW knows what it learnt about this machine in earlier runs; kept in
/// $XDG_CACHE_HOME/ptyle or ~/.cache/ptyle. Where there is no such folder, nothing is kept.
class FftMemory {
 public:
  FftMemory();
  FftMemory(const FftMemory&) = delete;
  FftMemory& operator=(const FftMemory&) = delete;
  ~FftMemory();
};

}  // namespace ptyle
