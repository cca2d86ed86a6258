#pragma once

// The lateral low-pass of the multi-resolution schedule: a gradient is multiplied by
// exp(−(k/k_c)²), by a blur in real space, which neighbouring tiles' halos have room for.

#include <functional>

#include "solver/rules/rule.hpp"

namespace ptyle {

/// exp(−(k/k_c)²) is a Gaussian in real space: its σ, px; 0 where there is no lateral limit.
double low_pass_sigma(const FitOptions& options);

/// d = B A B g in place, B² the low-pass of the stage, of volumes whose cores have g, first planes
/// of blocks alone; `middle` is A, of cores likewise. So the whole is symmetric where A is. Without
/// a lateral limit d = A g. All planes of the blocks have d afterwards, on cores.
template <class T>
void low_passed(const Trial<T>& trial, const Volumes<T>& volumes,
                const std::function<void()>& middle);

}  // namespace ptyle
