#pragma once

// The arrays of a fit as a caller sees them: by name, whole, or where they lie
// (session/reconstruction).

#include <array>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "session/division.hpp"
#include "session/reconstruction.hpp"
#include "solver/fit.hpp"

namespace ptyle {

/// (planes, rows, cols) of a field on the whole object.
template <class T>
std::array<i64, 3> whole_shape(const Field<T>& field, const ObjectFrame& frame);

/// mean ← share · values of the first state, mean + share · values of a later one.
void add_state(std::span<float> mean, std::size_t state, double share,
               std::span<const float> values);
/// The mean over states, by their shares, of volumes one behind the other; none: as they are.
Array<float, 3> mean_of_states(Array<float, 3> volumes, const std::vector<double>& shares);

/// Reconstruction::fields, field and here; all processes of the team call whole_field.
template <class T>
std::vector<FieldFacts> facts_of_fields(const Fit<T>& fit, const ObjectFrame& frame);
template <class T>
Array<float, 3> whole_field(const Fit<T>& fit, const Division& division, Team& team,
                            const std::string& name);
template <class T>
FieldHere field_here(const Fit<T>& fit, const std::string& name);

}  // namespace ptyle
