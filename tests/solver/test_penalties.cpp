// Fits with penalties: the same on any number of ranks, by every exchange of gradients and on the
// emulated GPU; smoother the larger the weight; and refused beside the paper's schemes.

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "solver/on_gpu.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/shared_fit.hpp"

namespace ptyle {
namespace {

using test::apart;
using test::fitted;
using test::mesh_of;
using test::rounding_of_operators;
using test::scene;

/// Weights that matter beside the scene's patterns, of W² electrons each.
FitOptions penalised(double lateral = 500) {
  FitOptions o = test::options(5);
  o.parts.of<PenaltyOptions>() = {.square = 20, .lateral = lateral, .along_z = 300};
  return o;
}

TEST(Penalties, AreTheSameOnAnyNumberOfRanksByAnyExchange) {
  const auto one = fitted(penalised(), {mesh_of(1)});
  EXPECT_GT(apart(fitted(test::options(5), {mesh_of(1)}), one), 0.05) << "they do nothing";
  for (const int ranks : {4, 6, 9})
    EXPECT_LT(apart(fitted(penalised(), {mesh_of(ranks)}), one), 1e-12) << ranks;
  for (const Scheme scheme : all_schemes)
    if (sum_kind(scheme)) {
      const auto four = fitted(penalised(), {mesh_of(4), scheme});
      EXPECT_LT(apart(four, one), 1e-12) << name_of(scheme);
    }
}

TEST(Penalties, OfTotalVariationAreTheSameOnAnyNumberOfRanks) {
  FitOptions o = penalised();
  o.parts.of<PenaltyOptions>().edge = 0.01;
  const auto one = fitted(o, {mesh_of(1)});
  EXPECT_GT(apart(fitted(penalised(), {mesh_of(1)}), one), 0.01) << "the edge does nothing";
  for (const int ranks : {4, 6, 9}) EXPECT_LT(apart(fitted(o, {mesh_of(ranks)}), one), 1e-12);
}

TEST(Penalties, AreTheSameWhileSlicesAreBinned) {
  FitOptions o = penalised();
  o.continuation = test::coarse_to_fine();
  EXPECT_LT(apart(fitted(o, {mesh_of(4)}), fitted(o, {mesh_of(1)})), 1e-12);
}

TEST(Penalties, AreTheSameOnTheEmulatedGpu) {
  const auto host = fitted(penalised(), {mesh_of(4)});
  const test::OnGpu gpu(true, {.guarded = true, .order = emulated::Order::others_first});
  const auto there = fitted(penalised(), {mesh_of(4)});
  EXPECT_LT(apart(there, host), rounding_of_operators);
}

double roughness(const Array<double, 3>& v) {
  double sum = 0;
  for (i64 z = 0; z < v.shape()[0]; ++z)
    for (i64 y = 0; y < v.shape()[1]; ++y)
      for (i64 x = 1; x < v.shape()[2]; ++x) sum += std::pow(v(z, y, x) - v(z, y, x - 1), 2);
  return sum;
}

TEST(Penalties, SmoothTheMoreTheLargerTheWeight) {
  double before = INFINITY;
  for (const double weight : {0.0, 50.0, 500.0, 5000.0}) {
    const double now = roughness(fitted(penalised(weight), {mesh_of(1)}));
    EXPECT_LT(now, before) << weight;
    before = now;
  }
}

TEST(Penalties, AreRefusedBetweenExchanges) {
  FitOptions o = penalised();
  EXPECT_NO_THROW(check_options(o, {mesh_of(4)}, 2));
  EXPECT_THROW(check_options(o, {mesh_of(4), Scheme::voxel}, 2), UserError);
  o.local_positions = 1;
  EXPECT_THROW(check_options(o, {mesh_of(4)}, 2), UserError);
}

}  // namespace
}  // namespace ptyle
