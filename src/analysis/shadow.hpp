#pragma once

// The bright-field disc as a shadow image, which shows how the detector lies to the scan.
//
// With a defocused probe the disc is a shadow image: the beam of frequency k meets the specimen at
// p − Δf λ k (Δf > 0 underfocus; it follows from probe = IFFT(aperture · exp(−iχ))), so a feature
// moves over the disc by δ/(Δf λ) when the probe moves by δ. Neighbouring patterns, one of them
// shifted so, are alike where the orientation is right.
//
// 1. Pairs of neighbours whose shadows lie far enough apart, but well within the disc; one after
//    the other mostly along the rows and mostly along the columns of the scan.
// 2. Their discs, in blocks of pixels, less the mean of all of them.
// 3. For each handedness and rotation: the correlation of each pair, one shifted as its positions
//    say.

#include <array>
#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

/// The bright-field disc on the window, DC at [W/2, W/2], px.
struct BrightFieldDisc {
  double row = 0, col = 0, radius = 0;
};

/// The disc of a pattern in square blocks of pixels, at most 48 a side.
class DiscBlocks {
 public:
  DiscBlocks(const BrightFieldDisc& disc, i64 window);
  [[nodiscard]] i64 block() const { return block_; }  ///< px
  [[nodiscard]] i64 side() const { return side_; }    ///< blocks
  [[nodiscard]] i64 size() const { return side_ * side_; }
  /// Counts of each block over valid pixels within 0.9 of the radius (the rim's contrast does not
  /// move), of a pattern and valid pixels W·W, DC at [0,0].
  void cut(const float* pattern, View<const float, 2> valid, double* blocks) const;

 private:
  BrightFieldDisc disc_;
  i64 window_, block_, side_;
};

/// An orientation beside the one given: the detector's columns mirrored or not, and the positions
/// rotated by so many times 15 degrees.
struct Turn {
  int mirrored = 0, rotation = 0;
  static constexpr int rotations = 24;
};

/// How alike pairs of neighbours are.
class Likeness {
 public:
  /// Means of the correlation over all pairs; along = 0: those along rows, 1: along columns.
  [[nodiscard]] double mean(const Turn& turn, int along = -1) const;
  /// By how many of its standard errors the first one's mean is above the second's.
  [[nodiscard]] double above(const Turn& first, const Turn& second) const;
  [[nodiscard]] Turn best(int along = -1) const;

 private:
  friend class Shadows;
  using Pairs = std::vector<double>;
  [[nodiscard]] const Pairs& of(const Turn& turn) const;
  std::array<std::array<Pairs, Turn::rotations>, 2> correlations_;
  std::vector<int> along_;  // of each pair
};

/// Pairs of neighbours, whose discs are compared.
class Shadows {
 public:
  /// `px_per_length` = 1/(Δf λ dk), for lengths in the positions' unit.
  Shadows(const DiscBlocks& blocks, double disc_radius, std::span<const Position> positions,
          double px_per_length);
  /// The patterns that are needed, ascending: up to 400; none where too little defocus, or
  /// neighbours too far apart, leave the shadow without a say.
  [[nodiscard]] const std::vector<i64>& patterns() const { return patterns_; }
  /// `discs`: (pattern, block), of patterns(), is used up. `scale`: of the defocus given.
  [[nodiscard]] Likeness compare(std::vector<double> discs, double scale = 1) const;

 private:
  struct Pair {
    std::size_t first, second;  ///< in patterns_
    Position apart;             ///< of their shadows, blocks
    int along;
  };
  [[nodiscard]] double correlation(const double* a, const double* b, Position shift) const;
  i64 side_;
  std::vector<i64> patterns_;
  std::vector<Pair> pairs_;
};

}  // namespace ptyle
