#pragma once

#include <memory>

#include "device/arithmetic.hpp"
#include "device/emulated/gpu.hpp"

namespace ptyle {

/// make_gpu_arithmetic (device/gpu.hpp) on an emulated GPU, compiled once for all who test with it.
template <class T>
std::unique_ptr<Arithmetic<T>> make_emulated_arithmetic(emulated::Gpu& gpu,
                                                        Ledger* ledger = nullptr);

}  // namespace ptyle
