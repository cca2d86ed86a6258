#pragma once

namespace ptyle {

/// While it lives, FFTW knows what it learnt about this machine in earlier runs; kept in
/// $XDG_CACHE_HOME/ptyle or ~/.cache/ptyle. Where there is no such folder, nothing is kept, nor in
/// a build with ducc0. What was learnt since is written by one process of several, and not where a
/// run was refused.
class FftMemory {
 public:
  explicit FftMemory(bool writes);
  FftMemory(const FftMemory&) = delete;
  FftMemory& operator=(const FftMemory&) = delete;
  ~FftMemory();

 private:
  bool writes_;
};

}  // namespace ptyle
