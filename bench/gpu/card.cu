#include "core/error.hpp"
#include "device/cuda/gpu.hpp"
#include "gpu/card_on.hpp"

namespace ptyle::bench {
namespace {

class RealCard final : public CardOn<cuda::Gpu> {
 public:
  using CardOn::CardOn;
  std::unique_ptr<Operator<float>> make(const OperatorSetup& setup, const GpuOptions& options,
                                        Ledger* ledger) override {
    return make_gpu_operator<float>(setup, memory(), ledger, options);
  }
  std::unique_ptr<Arithmetic<float>> arithmetic(Ledger* ledger) override {
    return make_gpu_arithmetic<float>(memory(), ledger);
  }
};

}  // namespace

std::unique_ptr<Card> real_card() {
  const GpuCensus census = find_gpus();
  if (census.gpus.empty()) throw UserError("there is no GPU (" + census.why_none + ")");
  return std::make_unique<RealCard>(std::make_unique<cuda::Gpu>(0));
}

}  // namespace ptyle::bench
