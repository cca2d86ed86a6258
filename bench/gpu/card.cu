#include "core/error.hpp"
#include "device/cuda/gpu.hpp"
#include "gpu/card_on.hpp"

namespace ptyle::bench {

std::unique_ptr<Card> real_card() {
  const GpuCensus census = find_gpus();
  if (census.gpus.empty()) throw UserError("there is no GPU (" + census.why_none + ")");
  return std::make_unique<CardOn<cuda::Gpu>>(std::make_unique<cuda::Gpu>(0));
}

}  // namespace ptyle::bench
