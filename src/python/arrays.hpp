#pragma once

// Arrays of ptyle as NumPy's, without a copy, and what the fit keeps of Python's objects.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "core/array.hpp"
#include "core/error.hpp"
#include "device/arithmetic.hpp"

namespace ptyle::python {

template <class T>
using NumPy = nanobind::ndarray<nanobind::numpy, T>;

/// An array that Python owns from here on.
template <class T, int N>
NumPy<T> given_away(Array<T, N>&& array) {
  auto* owned = new Array<T, N>(std::move(array));
  const nanobind::capsule owner(owned,
                                [](void* p) noexcept { delete static_cast<Array<T, N>*>(p); });
  std::array<std::size_t, N> shape;
  std::copy(owned->shape().begin(), owned->shape().end(), shape.begin());
  return NumPy<T>(owned->data(), N, shape.data(), owner);
}

/// One that belongs to a Python object, which lives as long as the view does.
template <class T, int N>
NumPy<T> seen(View<T, N> array, nanobind::handle owner) {
  std::array<std::size_t, N> shape;
  std::copy(array.shape.begin(), array.shape.end(), shape.begin());
  return NumPy<T>(array.data, N, shape.data(), owner);
}

/// Closes an array to writing as a call ends: it is the fit's, and may be gone later, so nobody is
/// to write into it any more. Views that a user has made of it can still be written, and are not to
/// be kept.
inline void close(nanobind::handle array) {
  array.attr("setflags")(nanobind::arg("write") = false);
}

/// Shares a holder of an object of Python's, which may be let go on any thread.
template <class T>
std::shared_ptr<const T> kept(T&& holder) {
  return {new T(std::move(holder)), [](const T* held) {
            const nanobind::gil_scoped_acquire lock;
            delete held;
          }};
}

/// Throws UserError where the fit's arrays are a GPU's: "WHAT in Python, which cannot reach …".
template <class T>
void check_on_host(const Arithmetic<T>& arithmetic, const std::string& what) {
  if (arithmetic.memory())
    throw UserError(what +
                    " in Python, which cannot reach a GPU's memory: set solver.device to cpu");
}

/// An object as HTML with a picture, by a function of the package's module display.
inline nanobind::object shown(nanobind::handle self, const char* by) {
  return nanobind::module_::import_("ptyle.display").attr(by)(self);
}

}  // namespace ptyle::python
