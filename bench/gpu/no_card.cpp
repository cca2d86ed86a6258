#include "core/error.hpp"
#include "gpu/card.hpp"

namespace ptyle::bench {

std::unique_ptr<Card> real_card() { throw UserError("built without CUDA, as nvcc was not found"); }

}  // namespace ptyle::bench
