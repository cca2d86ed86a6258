#pragma once

#include <memory>

#include "operator/gpu.hpp"

namespace ptyle::test {

/// The CUDA operator on an emulated GPU, which it owns; `backwards`: a block's threads run in the
/// other order.
template <class T>
std::unique_ptr<Operator<T>> make_emulated_operator(const OperatorSetup& setup,
                                                    const GpuOptions& options = {},
                                                    bool backwards = false,
                                                    Ledger* ledger = nullptr);

}  // namespace ptyle::test
