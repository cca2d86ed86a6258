#include "python/errors.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "core/failure.hpp"
#include "exchange/team.hpp"
#include "session/agreement.hpp"

namespace nb = nanobind;

namespace ptyle::python {

namespace {

void raise_own(const char* type, const std::string& sentence) {
  PyErr_SetString(nb::module_::import_("ptyle.errors").attr(type).ptr(), sentence.c_str());
}

}  // namespace

void translate_exceptions() {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const nb::builtin_exception&) {
      throw;  // nanobind's own: a wrong type of an argument
    } catch (const RankFailed& other) {
      const bool users = other.status() == 2;
      raise_own(users ? "InputError" : "Error",
                fmt::format("rank {}: {}", other.rank(), other.what()));
    } catch (const NotWritten& e) {
      // The process that leads knows the sentence.
      const std::string sentence = e.what();
      raise_own("InputError", sentence.empty()
                                  ? fmt::format("rank {} could not write; it says why", e.rank())
                                  : sentence);
    } catch (const std::exception& e) {
      const Failure failure = failure_of(e);
      if (failure.kind == Failure::Kind::memory)
        return PyErr_SetString(PyExc_MemoryError, failure.sentence.c_str());
      const bool users = failure.kind == Failure::Kind::users_mistake;
      raise_own(users ? "InputError" : "Error", failure.sentence);
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
