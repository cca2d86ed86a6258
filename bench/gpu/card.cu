#include <iostream>

#include "device/cuda/gpu.hpp"
#include "gpu/card_on.hpp"

namespace ptyle::bench {

std::unique_ptr<Card> real_card() {
  const GpuCensus census = find_gpus();
  if (!census.gpus.empty())
    return std::make_unique<CardOn<cuda::Gpu>>(std::make_unique<cuda::Gpu>(0));
  std::cout << "skipped: there is no GPU (" << census.why_none << ")" << std::endl;
  return nullptr;
}

}  // namespace ptyle::bench
