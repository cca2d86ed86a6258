#include "device/emulated/arithmetic.hpp"
#include "gpu/card_on.hpp"
#include "operator/emulated/operator.hpp"

namespace ptyle::bench {
namespace {

class EmulatedCard final : public CardOn<emulated::Gpu> {
 public:
  using CardOn::CardOn;
  std::unique_ptr<Operator<float>> make(const OperatorSetup& setup, const GpuOptions& options,
                                        Ledger* ledger) override {
    return make_emulated_operator<float>(setup, gpu_, ledger, options);
  }
  std::unique_ptr<Arithmetic<float>> arithmetic(Ledger* ledger) override {
    return make_emulated_arithmetic<float>(gpu_, ledger);
  }
};

}  // namespace

std::unique_ptr<Card> emulated_card() {
  return std::make_unique<EmulatedCard>(std::make_unique<emulated::Gpu>());
}

}  // namespace ptyle::bench
