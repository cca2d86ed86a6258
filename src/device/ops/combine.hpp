#pragma once

#include "device/ops/kinds.hpp"

namespace ptyle {

/// to = a·from + b·to.  Bytes: reads 2 volumes, writes 1.
template <class T>
struct Combine {
  Combine(double of_from, View<const T, 3> source, double of_to, View<T, 3> target)
      : from(source.data),
        to(target.data),
        a(static_cast<T>(of_from)),
        b(static_cast<T>(of_to)),
        values(source.size()) {}
  PTYLE_HOST_DEVICE void operator()(i64 i) const { to[i] = a * from[i] + b * to[i]; }
  const T* from;
  T* to;
  T a, b;
  i64 values;
};

}  // namespace ptyle
