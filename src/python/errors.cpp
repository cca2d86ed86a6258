#include "python/errors.hpp"

#include <utility>

#include "core/failure.hpp"

namespace nb = nanobind;

namespace ptyle::python {

void translate_exceptions() {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const nb::builtin_exception&) {
      throw;  // nanobind's own: a wrong type of an argument
    } catch (const std::exception& e) {
      const Failure failure = failure_of(e);
      if (failure.kind == Failure::Kind::memory)
        return PyErr_SetString(PyExc_MemoryError, failure.sentence.c_str());
      const bool users = failure.kind == Failure::Kind::users_mistake;
      const nb::object type =
          nb::module_::import_("ptyle.errors").attr(users ? "InputError" : "Error");
      PyErr_SetString(type.ptr(), failure.sentence.c_str());
    }
  });
}

bool Interrupt::asked() {
  if (error_) return true;
  // A mini-batch may take less than the lock does.
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < std::chrono::milliseconds(20)) return false;
  looked_ = now;
  const nb::gil_scoped_acquire lock;
  if (PyErr_CheckSignals() != 0) error_.emplace();
  return error_.has_value();
}

void Interrupt::raise() {
  if (!error_) return;
  nb::python_error error = std::move(*error_);
  error_.reset();
  throw error;
}

}  // namespace ptyle::python
