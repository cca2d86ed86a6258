#include "device/emulated/gpu.hpp"
#include "gpu/card_on.hpp"

namespace ptyle::bench {

std::unique_ptr<Card> emulated_card() {
  return std::make_unique<CardOn<emulated::Gpu>>(std::make_unique<emulated::Gpu>());
}

}  // namespace ptyle::bench
