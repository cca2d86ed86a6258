#pragma once

// Fits of the scene that ranks share, all of them in this process.

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

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

inline Mesh mesh_of(int ranks, Halo halo = Halo::exact(FitScene::window)) {
  return scene().mesh(ranks, halo);
}

inline Array<double, 3> fitted(const FitOptions& o, const Sharing& sharing) {
  const auto team = make_local_team(sharing.mesh.ranks());
  auto fit = scene().fit(o, *team, sharing);
  for (int i = 0; i < iterations; ++i) fit.iterate();
  return stitched(fit, scene().object());
}

/// The end of a fit: its numbers, object and cost.
struct EndOfFit {
  std::map<std::string, double> numbers;
  Array<double, 3> object;
  double cost = 0;
};
inline EndOfFit end_of_fit(const FitScene& scene, const FitOptions& o, int count, int ranks = 1) {
  const auto team = make_local_team(ranks);
  auto fit = scene.fit(o, *team, {scene.mesh(ranks)});
  EndOfFit end;
  for (int i = 0; i < count; ++i) end.cost = fit.iterate().fitted.cost;
  end.numbers = fit.numbers();
  end.object = stitched(fit, scene.object());
  return end;
}

/// The source from which a fit of other ranks reads a part of a field.
inline void read_from(const Fit<double>& fit, const std::string& name, const Box& box,
                      View<double, 3> to) {
  const Field<double>& field = fit.state().field(name);
  for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
    const Tile& tile = fit.tiles()[t];
    const Box part = intersection(tile.core, box);
    for (i64 s = 0; s < to.shape[0]; ++s)
      for (i64 y = part.rows.begin; y < part.rows.end; ++y)
        for (i64 x = part.cols.begin; x < part.cols.end; ++x)
          to(s, y - box.rows.begin, x - box.cols.begin) =
              field.on(t)(s, y - field.box_on(tile).rows.begin, x - field.box_on(tile).cols.begin);
  }
}

inline std::vector<double> records_from(const Fit<double>& fit, const std::string& name,
                                        std::span<const i64> positions, i64 numbers) {
  std::vector<double> all;
  for (const i64 position : positions)
    for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
      const auto& own = fit.tiles()[t].own;
      const auto at = std::lower_bound(own.begin(), own.end(), position);
      if (at == own.end() || *at != position) continue;
      for (i64 k = 0; k < numbers; ++k)
        all.push_back(fit.state().field(name).on(t)(0, at - own.begin(), k));
    }
  return all;
}

/// The source from which a fit of other ranks reads all of its saved fields.
inline FieldReader<double> reader_of(const Fit<double>& fit) {
  return {[&fit](const std::string& name, const Box& box, View<double, 3> to) {
            read_from(fit, name, box, to);
          },
          [&fit](const std::string& name, std::span<const i64> positions, i64 numbers) {
            return records_from(fit, name, positions, numbers);
          },
          [&fit](const std::string& name) {
            const auto& waves = fit.state().field(name).waves;
            Array<Complex<double>, 3> here(waves.shape());
            fit.arithmetic().read(waves.data(), here.data(), waves.size());
            return here;
          }};
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

/// A fit of the scene that goes on from `first`, saved after `done` iterations, ends after `end` as
/// one that was never saved, to the bit.
inline void expect_goes_on(const FitScene& scene, const FitOptions& options,
                           const Fit<double>& first, int done, int end) {
  const auto team = make_local_team();
  auto whole = scene.fit(options, *team, {scene.mesh(1)});
  for (int i = 0; i < end; ++i) whole.iterate();
  auto second =
      scene.fit(options, *team, {scene.mesh(1)}, stitched(first, scene.object()), first.probe());
  second.restore(first.numbers(), reader_of(first));
  for (int i = done; i < end; ++i) second.iterate();
  EXPECT_EQ(second.numbers(), whole.numbers());
  EXPECT_EQ(apart(stitched(second, scene.object()), stitched(whole, scene.object())), 0);
}
inline void expect_goes_on(const FitScene& scene, const FitOptions& options, int done, int end) {
  const auto team = make_local_team();
  auto first = scene.fit(options, *team, {scene.mesh(1)});
  for (int i = 0; i < done; ++i) first.iterate();
  expect_goes_on(scene, options, first, done, end);
}

}  // namespace ptyle::test
