#pragma once

// Total variation: differences between neighbouring voxels cost their amount, so that edges stay
// sharp; below `edge` they cost their square, as a quadratic penalty has it
// (device/ops/total_variation.hpp has the formula).

#include <memory>

#include "device/ops/total_variation.hpp"
#include "solver/penalties/penalty.hpp"

namespace ptyle {

template <class T>
std::unique_ptr<Penalty<T>> make_total_variation(const VariationWeights& weights);

}  // namespace ptyle
