#pragma once

// The true object of a plan: phases of its slices.

#include <functional>

#include "simulate/plan.hpp"

namespace ptyle {

/// Calls take(z, phase) for z = 0 … slices−1 in order, phase = σ · projected potential, rad,
/// (ny, nx), band-limited, of one configuration's atoms. `stop` is asked now and then; true where
/// it ended the work early. Memory: two grids and two slices a thread.
bool make_slices(const Plan& plan, const std::vector<SpecimenAtom>& atoms,
                 const std::function<void(i64 z, View<const float, 2> phase)>& take,
                 const std::function<bool()>& stop = {});

}  // namespace ptyle
