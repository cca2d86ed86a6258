#pragma once

// The film of examples/film.yaml as film and peers-film take it, and how they judge an object:
//
//   1. kept_set(film_recipe(), …): made once and kept; what is true of it is in the file
//   2. film_run: the configuration of examples/film-run.yaml, with two threads
//   3. agreement: SSIM and correlation of the summed phase (analysis/comparison); positions, r.m.s.
//      after their mean difference is removed; depth contrast, the mean correlation of the slices
//      after their mean along the beam is removed from both

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "analysis/comparison.hpp"
#include "core/parallel.hpp"
#include "io/result.hpp"
#include "kept_set.hpp"
#include "session/reconstruct_keys.hpp"
#include "session/simulate_keys.hpp"

namespace ptyle::bench {

constexpr int film_threads = 2;

inline std::string film_example(const std::string& name) {
  return std::string(PTYLE_EXAMPLES) + "/" + name;
}

inline Recipe film_recipe() { return read_simulate(film_example("film.yaml"), {}).recipe; }

/// The defaults, told what a microscope tells.
inline ReconstructConfig film_run(const std::string& film, int iterations) {
  ReconstructConfig config =
      read_reconstruct(film_example("film-run.yaml"), {"data.file=" + film}, true).config;
  config.solver.iterations = iterations;
  config.solver.threads = film_threads;
  return config;
}

/// The agreement of an object with the truth.
struct FilmAgreement {
  double ssim = 0, correlation = 0;  ///< of the summed phase
  double depth = 0;                  ///< contrast
  double positions = 0;              ///< Å r.m.s.
};

inline double rms_of_positions(std::span<const Position> a, std::span<const Position> b) {
  Position mean;
  const auto count = static_cast<double>(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    mean.row += (a[i].row - b[i].row) / count;
    mean.col += (a[i].col - b[i].col) / count;
  }
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum +=
        std::pow(a[i].row - b[i].row - mean.row, 2) + std::pow(a[i].col - b[i].col - mean.col, 2);
  return std::sqrt(sum / count);
}

/// Slices of the truth, as many as the result has.
inline Array<float, 3> binned(View<const float, 3> phase, i64 slices) {
  const i64 each = phase.shape[0] / slices;
  Array<float, 3> sum({slices, phase.shape[1], phase.shape[2]});
  for (i64 z = 0; z < each * slices; ++z)
    for (i64 i = 0; i < phase.shape[1] * phase.shape[2]; ++i)
      sum.view()[z / each].data[i] += phase[z].data[i];
  return sum;
}

/// Pearson's, over pixels of both; 0 where one is constant, as slices that are still binned are.
inline double pearson(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) ma += a[i] / n, mb += b[i] / n;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
    ab += (a[i] - ma) * (b[i] - mb);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

/// To the nearest pixel of the registration that compares the sums.
inline double depth_contrast(const Result& result, const Result& truth, const Comparison& c) {
  const i64 slices = result.phase.shape()[0];
  const Array<float, 3> reference = binned(truth.phase.view(), slices);
  Position lag;  // of the result's pixels against the truth's, px
  for (std::size_t i = 0; i < truth.positions.size(); ++i) {
    const auto n = static_cast<double>(truth.positions.size()) * truth.pixel_size;
    lag.row += (result.positions[i].row - truth.positions[i].row) / n;
    lag.col += (result.positions[i].col - truth.positions[i].col) / n;
  }
  const i64 rows = std::lround(lag.row + c.shift.row / truth.pixel_size),
            cols = std::lround(lag.col + c.shift.col / truth.pixel_size);
  std::vector<std::vector<double>> a(static_cast<std::size_t>(slices)), b(a.size());
  for (i64 y = 0; y < c.area.shape()[0]; ++y)
    for (i64 x = 0; x < c.area.shape()[1]; ++x) {
      if (!c.area(y, x)) continue;
      const i64 row = c.first_row + y, col = c.first_col + x;
      double mean_a = 0, mean_b = 0;
      for (i64 z = 0; z < slices; ++z) {
        mean_a += static_cast<double>(result.phase(z, row + rows, col + cols)) / double(slices);
        mean_b += static_cast<double>(reference(z, row, col)) / double(slices);
      }
      for (i64 z = 0; z < slices; ++z) {
        const auto s = static_cast<std::size_t>(z);
        a[s].push_back(result.phase(z, row + rows, col + cols) - mean_a);
        b[s].push_back(reference(z, row, col) - mean_b);
      }
    }
  double sum = 0;
  for (std::size_t z = 0; z < a.size(); ++z) sum += pearson(a[z], b[z]) / double(slices);
  return sum;
}

inline FilmAgreement agreement(const Result& result, const Result& truth) {
  const Comparison c = compare_objects(
      {result.phase.view(), result.positions, result.pixel_size, result.slice_thickness, {}},
      {truth.phase.view(), truth.positions, truth.pixel_size, truth.slice_thickness, {}},
      available_threads());
  return {c.summed.ssim, c.summed.correlation, depth_contrast(result, truth, c),
          rms_of_positions(result.positions, truth.positions)};
}

}  // namespace ptyle::bench
