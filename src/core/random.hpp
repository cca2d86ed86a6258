#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "core/annotation.hpp"

namespace ptyle {

/// Counter-based random numbers, Philox 4×32 with 10 rounds (Salmon et al., SC11): the numbers
/// depend only on the key (seed, stream, index), never on who draws them or in which order. A
/// standard generator: std::normal_distribution and its kin take it.
class Philox {
 public:
  using result_type = std::uint32_t;
  using Block = std::array<std::uint32_t, 4>;

  /// The cipher itself: four numbers from a counter and a key, in 10 rounds.
  PTYLE_HOST_DEVICE static Block rounds(Block c, std::array<std::uint32_t, 2> k) {
    for (int r = 0; r < 10; ++r) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c[0];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c[2];
      c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
           static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
      k[0] += 0x9E3779B9;
      k[1] += 0xBB67AE85;
    }
    return c;
  }

  /// The k-th number (k = 0, 1, …) that Philox(seed, stream, index) draws.
  PTYLE_HOST_DEVICE static std::uint32_t at(std::uint64_t seed, std::uint32_t stream,
                                            std::uint64_t index, std::uint32_t k) {
    return rounds(
        {k / 4, stream, static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32)},
        {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)})[k % 4];
  }

  /// e.g. Philox(seed, iteration, position)
  Philox(std::uint64_t seed, std::uint32_t stream, std::uint64_t index)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        counter_{0, stream, static_cast<std::uint32_t>(index),
                 static_cast<std::uint32_t>(index >> 32)} {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  result_type operator()() {
    if (used_ == 4) {
      block_ = rounds(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }

  /// Uniform in (0, 1).
  double uniform() { return uniform((*this)()); }
  static double uniform(result_type number) { return (number + 0.5) / 4294967296.0; }

 private:
  std::array<std::uint32_t, 2> key_;
  Block counter_;
  Block block_{};
  int used_ = 4;
};

}  // namespace ptyle
