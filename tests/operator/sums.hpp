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

}  // namespace ptyle::test
