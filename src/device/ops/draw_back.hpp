#pragma once

#include "device/ops/kinds.hpp"

namespace ptyle {

/// to = from + share·(to − from).  Bytes: reads 2 volumes, writes 1.
template <class T>
struct DrawBack {
  DrawBack(View<const T, 3> start, double part, View<T, 3> end)
      : from(start.data), to(end.data), share(static_cast<T>(part)), values(start.size()) {}
  PTYLE_HOST_DEVICE void operator()(i64 i) const { to[i] = from[i] + share * (to[i] - from[i]); }
  const T* from;
  T* to;
  T share;
  i64 values;
};

}  // namespace ptyle
