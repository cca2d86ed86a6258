#pragma once

#include "device/ops/kinds.hpp"

namespace ptyle {

/// to += from.  Bytes: reads 2 volumes, writes 1.
template <class T>
struct AddTo {
  AddTo(View<const T, 3> source, View<T, 3> sum)
      : from(source.data), to(sum.data), values(source.size()) {}
  PTYLE_HOST_DEVICE void operator()(i64 i) const { to[i] += from[i]; }
  const T* from;
  T* to;
  i64 values;
};

}  // namespace ptyle
