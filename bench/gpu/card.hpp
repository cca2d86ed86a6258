#pragma once

// A GPU as the benchmarks see it: the real one (card.cu), or the emulated one, with which a
// benchmark only shows that it is right itself.

#include <memory>
#include <string>

#include "device/arithmetic.hpp"
#include "operator/gpu.hpp"

namespace ptyle::bench {

/// What the card can do at most, measured.
struct Ceilings {
  double bytes = 0;         ///< a second, read and written by a copy
  double flops = 0;         ///< a second, of multiply-adds in registers, two each
  double shared_bytes = 0;  ///< a second, read and written in shared memory, 8 at a time
};

class Card {
 public:
  virtual ~Card() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual GpuFacts facts() const = 0;
  virtual Memory& memory() = 0;
  virtual std::unique_ptr<Operator<float>> make(const OperatorSetup& setup,
                                                const GpuOptions& options,
                                                Ledger* ledger = nullptr) = 0;
  virtual std::unique_ptr<Arithmetic<float>> arithmetic(Ledger* ledger) = 0;
  virtual void wait() = 0;
  /// Seconds that a bare transform takes (cuFFT, in place, half of them inverse) in batches of so
  /// many, over at least `count` of them.
  virtual double bare_seconds(i64 window, i64 batch, i64 count) = 0;
  virtual Ceilings ceilings() = 0;
};

/// The first GPU. UserError where there is none or CUDA was not built.
std::unique_ptr<Card> real_card();
std::unique_ptr<Card> emulated_card();

}  // namespace ptyle::bench
