#include "device/emulated/gpu.hpp"
#include "device/gpu_arithmetic.hpp"
#include "gpu/card_on.hpp"
#include "operator/cuda/gpu_operator.hpp"

namespace ptyle::bench {
namespace {

class EmulatedCard final : public CardOn<emulated::Gpu> {
 public:
  using CardOn::CardOn;
  std::unique_ptr<Operator<float>> make(const OperatorSetup& setup, const GpuOptions& options,
                                        Ledger* ledger) override {
    return std::make_unique<gpu::GpuOperator<float, emulated::Gpu>>(setup, gpu_, ledger, options);
  }
  std::unique_ptr<Arithmetic<float>> arithmetic(Ledger* ledger) override {
    return std::make_unique<GpuArithmetic<float, emulated::Gpu>>(gpu_, ledger);
  }
};

}  // namespace

std::unique_ptr<Card> emulated_card() {
  return std::make_unique<EmulatedCard>(std::make_unique<emulated::Gpu>());
}

}  // namespace ptyle::bench
