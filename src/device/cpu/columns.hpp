#pragma once

#include <algorithm>

#include "core/array.hpp"

namespace ptyle {

/// Numbers `first` to `first + n - 1` of the first `count` planes, of `plane` numbers each, into
/// the first rows of `columns`, (plane, column); and back.
template <class T>
void gather_columns(const T* planes, i64 plane, i64 count, i64 first, i64 n, View<T, 2> columns) {
  for (i64 z = 0; z < count; ++z) std::copy_n(planes + z * plane + first, n, &columns(z, 0));
}
template <class T>
void scatter_columns(View<const T, 2> columns, i64 plane, i64 count, i64 first, i64 n, T* planes) {
  for (i64 z = 0; z < count; ++z) std::copy_n(&columns(z, 0), n, planes + z * plane + first);
}

}  // namespace ptyle
