#pragma once

// Arrays of ptyle as NumPy's, without a copy.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <array>
#include <utility>

#include "core/array.hpp"

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

/// An object as HTML with a picture, by a function of the package's module display.
inline nanobind::object shown(nanobind::handle self, const char* by) {
  return nanobind::module_::import_("ptyle.display").attr(by)(self);
}

}  // namespace ptyle::python
