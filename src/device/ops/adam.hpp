#pragma once

#include <cmath>

#include "device/ops/kinds.hpp"

namespace ptyle {

/// Factors of an Adam step [Kingma and Ba 2015].
struct AdamFactors {
  double beta1 = 0.9, beta2 = 0.999;  ///< what the means keep of what they were
  int steps = 1;                      ///< that they are made of, this one among them
  double floor = 0;                   ///< ε, in the unit of a gradient
};

/// m ← β1 m + (1 − β1) g,  v ← β2 v + (1 − β2) g²,  and in the place of g
/// d = m / (1 − β1ⁿ) / (√(v / (1 − β2ⁿ)) + ε), n the number of steps.
/// Bytes: reads and writes 3 volumes.
template <class T>
struct Adam {
  Adam(const AdamFactors& factors, View<T, 3> mean, View<T, 3> mean_square, View<T, 3> gradient)
      : m(mean.data),
        v(mean_square.data),
        g(gradient.data),
        beta1(static_cast<T>(factors.beta1)),
        beta2(static_cast<T>(factors.beta2)),
        of_m(static_cast<T>(1 / (1 - std::pow(factors.beta1, factors.steps)))),
        of_v(static_cast<T>(1 / (1 - std::pow(factors.beta2, factors.steps)))),
        floor(static_cast<T>(factors.floor)),
        values(gradient.size()) {}
  PTYLE_HOST_DEVICE void operator()(i64 i) const {
    m[i] = beta1 * m[i] + (1 - beta1) * g[i];
    v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
    g[i] = of_m * m[i] / (std::sqrt(of_v * v[i]) + floor);
  }
  T *m, *v, *g;
  T beta1, beta2, of_m, of_v, floor;
  i64 values;
};

}  // namespace ptyle
