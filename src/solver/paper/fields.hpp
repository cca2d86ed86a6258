#pragma once

#include "solver/variables/object.hpp"

namespace ptyle {

/// Fields of a course that goes on before copies agree, beside the object and its gradient.
template <class T>
struct BehindFields {
  BehindFields(State<T>& state, const OperatorSetup& setup);
  Volumes<T> synced;       ///< the object that all copies agreed on last
  ObjectGradient<T> own;   ///< a gradient of a rank's own positions, or sums that are on their way
  Field<T>* illumination;  ///< a plane: the illumination of the last exchange
};

/// to = from, on a tile.
template <class T>
void copy_values(Arithmetic<T>& arithmetic, const Volumes<T>& from, const Volumes<T>& to,
                 std::size_t tile);

}  // namespace ptyle
