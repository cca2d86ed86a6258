#pragma once

// Exceptions of ptyle as Python's, and Python's signals as a reason to stop.

#include <nanobind/nanobind.h>

#include <chrono>
#include <optional>

namespace ptyle::python {

/// UserError becomes ptyle.InputError, want of memory MemoryError, all else ptyle.Error, each with
/// the program's sentence.
void translate_exceptions();

/// Ctrl-C while the interpreter's lock is released. asked() goes into the callbacks that the
/// session asks whether to stop; raise() throws what Python's signal handler raised,
/// KeyboardInterrupt say.
class Interrupt {
 public:
  bool asked();
  void raise();

 private:
  std::chrono::steady_clock::time_point looked_ = std::chrono::steady_clock::now();
  std::optional<nanobind::python_error> error_;
};

}  // namespace ptyle::python
