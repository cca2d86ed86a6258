#pragma once

// Gaussian blurs of the object: laterally of every slice, and along z from slice to slice.

#include "solver/part_options.hpp"

namespace ptyle {

struct BlurOptions {
  double lateral = 0;  ///< σ, px; 0: none
  double along_z = 0;  ///< σ, slices; 0: none

  [[nodiscard]] bool asked() const { return lateral > 0 || along_z > 0; }
  template <class T>
  void add_to(Parts<T>& parts) const;
};

template <class V>
void keys(V& v, BlurOptions& o) {
  v.section("object");
  v("blur", o.lateral, between(0, 100), "px", "lateral Gaussian blur each iteration, sigma");
  v("blur_z", o.along_z, between(0, 100), "slices",
    "the same along the beam, sigma: a filter exp(-2 pi^2 sigma^2 kz^2)")
      .also_called("kz_filter kz_regularization_filter kz_regularization_gamma");
}

}  // namespace ptyle
