#pragma once

// Sums of gradients, compared.

#include <gtest/gtest.h>

#include <algorithm>

#include "scene.hpp"

namespace ptyle::test {

template <class T>
bool same_bits(const Sums<T>& a, const Sums<T>& b) {
  return std::equal(a.phase.begin(), a.phase.end(), b.phase.begin()) &&
         std::equal(a.absorption.begin(), a.absorption.end(), b.absorption.begin()) &&
         std::equal(a.illumination.begin(), a.illumination.end(), b.illumination.begin()) &&
         std::equal(a.probe.begin(), a.probe.end(), b.probe.begin());
}

template <class T>
void expect_close(const Sums<T>& a, const Sums<T>& b, double allowed) {
  EXPECT_LT(relative_difference(a.phase, b.phase), allowed);
  EXPECT_LT(relative_difference(a.absorption, b.absorption), allowed);
  EXPECT_LT(relative_difference(a.illumination, b.illumination), allowed);
  EXPECT_LT(relative_difference(a.probe, b.probe), allowed);
}

/// Gradients of what is wanted, and the product with J'J, are those of the reference operator.
template <class Op>
void expect_reference(const Op& op, const Scene<double>& scene, const Wanted& wanted) {
  const auto oracle = make_reference_operator(scene.setup);
  scene.load(*oracle), scene.load(*op);
  const auto d = make_direction(scene, 404);
  Sums<double> expected(scene), product(scene), sums(scene), bent(scene);
  oracle->gradient(scene.places, scene.source(), wanted, expected.view());
  oracle->gauss_newton_product(scene.places, d.object(), d.probe, product.view());
  op->gradient(scene.places, scene.source(), wanted, sums.view());
  op->gauss_newton_product(scene.places, d.object(), d.probe, bent.view());
  const double allowed = 10 * tolerance<double>(scene.setup);  // waves go there and back
  expect_close(sums, expected, allowed);
  EXPECT_LT(relative_difference(sums.shift, expected.shift), allowed);
  EXPECT_LT(relative_difference(sums.descan, expected.descan), allowed);
  EXPECT_LT(relative_difference(bent.phase, product.phase), allowed);
  EXPECT_LT(relative_difference(bent.probe, product.probe), allowed);
}

}  // namespace ptyle::test
