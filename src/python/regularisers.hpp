#pragma once

// Regularisers that are functions in Python, for a fit in the host's memory.

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "solver/part_options.hpp"

namespace ptyle::python {

/// A function f(phase, absorption) that changes arrays (slice, row, col) in place; absorption is
/// None where it is not fitted.
struct PythonFunction {
  nanobind::callable function;
  std::string name;
  i64 reach = 0;  ///< how far from a voxel it looks laterally, px
};

/// The options that ask for them (solver/part_options), without keys: no file names a function.
struct PythonRegularisers {
  std::vector<std::shared_ptr<const PythonFunction>> functions{};

  template <class T>
  void add_to(Parts<T>& parts) const;
};
template <class V>
void keys(V& /*v*/, PythonRegularisers& /*o*/) {}

/// Regularisers of a list of (function, name, reach); the functions are let go of with the
/// interpreter's lock.
PythonRegularisers regularisers_of(const nanobind::list& given);

}  // namespace ptyle::python
