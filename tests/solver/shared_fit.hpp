#pragma once

// Fits of the scene that ranks share, all of them in this process.

#include <algorithm>
#include <cmath>

#include "solver/scene.hpp"

namespace ptyle::test {

inline constexpr int iterations = 3;

/// The operators' FFTs differ by some 1e-16 of the largest amplitude, which is of order one; the
/// residual divides by an amplitude of √ε = 3e-5 where a detector pixel is dark.
inline constexpr double rounding_of_operators = 1e-16 / 3e-5 * 10;

inline FitOptions options(i64 batches) {
  FitOptions o;
  o.batches = batches;
  o.probe_from = 1;
  o.verify = true;
  return o;
}

inline Continuation coarse_to_fine() {
  return Continuation({.aperture_k = 1, .nyquist_k = 1.25, .slices = 2, .depths_of_focus = 1});
}

/// Of so many ranks; the object is as large as the scene's.
inline Mesh mesh_of(int ranks, Halo halo = Halo::exact(FitScene::window)) {
  const auto centres = scene().centres();
  const auto shape = automatic_shape(centres, ranks);
  const Mesh cut = balanced_mesh(centres, FitScene::window, shape, halo);
  std::vector<i64> rows, cols;
  for (int r = 1; r < cut.rows(); ++r) rows.push_back(cut.core_rows(r).begin);
  for (int c = 1; c < cut.cols(); ++c) cols.push_back(cut.core_cols(c).begin);
  return {scene().object(), rows, cols, halo};
}

inline Array<double, 3> fitted(const FitOptions& o, const Sharing& sharing) {
  const auto team = make_local_team(sharing.mesh.ranks());
  auto fit = scene().fit(o, *team, sharing);
  for (int i = 0; i < iterations; ++i) fit.iterate();
  return stitched(fit, scene().object());
}

/// While it is there, fits of the scene start with several modes.
class SeveralModes {
 public:
  SeveralModes() { scene().shares = {0.7, 0.2, 0.1}; }
  SeveralModes(const SeveralModes&) = delete;
  ~SeveralModes() { scene().shares = {1}; }
};

inline double largest(View<const double, 3> v) {
  double most = 0;
  for (const double x : v) most = std::max(most, std::abs(x));
  return most;
}

inline double apart(const Array<double, 3>& a, const Array<double, 3>& b) {
  double most = 0;
  for (i64 i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a.data()[i] - b.data()[i]));
  return most / largest(b);
}

}  // namespace ptyle::test
