#pragma once

// Variables that are objects in Python, which move the probe of a fit in the host's memory.

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <vector>

#include "solver/part_options.hpp"

namespace ptyle::python {

/// An object with the methods of ptyle.Variable.
struct PythonObject {
  nanobind::object object;
  std::string name;
};

/// The options that ask for them (solver/part_options), without keys: no file names an object.
struct PythonVariables {
  std::vector<std::shared_ptr<const PythonObject>> objects{};

  template <class T>
  void add_to(Parts<T>& parts) const;
};
template <class V>
void keys(V& /*v*/, PythonVariables& /*o*/) {}

/// Variables of a list of (object, name); the objects are let go of with the interpreter's lock.
PythonVariables variables_of(const nanobind::list& given);

void bind_mini_batch(nanobind::module_& m);

}  // namespace ptyle::python
