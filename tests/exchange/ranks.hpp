#pragma once

// Ranks with something on their tiles, and what a sum over all of them is, worked out the plain
// way.

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "exchange/exchange.hpp"

namespace ptyle::test {

/// R × C cores of random sizes in [smallest, largest], with a corner that is not the origin.
inline Mesh random_mesh(int rows, int cols, i64 smallest, i64 largest, Halo halo,
                        std::uint64_t seed) {
  Philox random(seed, 0, 0);
  const auto lines = [&](int n) {
    std::vector<i64> at{static_cast<i64>(random() % 50) - 25};
    for (int i = 0; i < n; ++i)
      at.push_back(at.back() + smallest +
                   static_cast<i64>(random() % static_cast<std::uint32_t>(largest - smallest + 1)));
    return at;
  };
  const auto y = lines(rows), x = lines(cols);
  return {{{y.front(), y.back()}, {x.front(), x.back()}},
          std::vector<i64>(y.begin() + 1, y.end() - 1),
          std::vector<i64>(x.begin() + 1, x.end() - 1),
          halo};
}

/// The value that a rank holds at a pixel of the object on a plane.
template <class T>
using Value = std::function<T(int rank, i64 plane, Pixel)>;

/// The arrays of one rank: `slices` of them in one, and one plane more in another, as the gradient
/// and the illumination are.
template <class T>
class RankArrays {
 public:
  RankArrays(const Mesh& mesh, int rank, i64 slices, const Value<T>& value)
      : tile_(mesh.extended(rank)),
        slices_(slices),
        stack_({slices, tile_.rows.size(), tile_.cols.size()}),
        extra_({1, tile_.rows.size(), tile_.cols.size()}) {
    for_pixels([&](i64 plane, Pixel p, T& at) { at = value(rank, plane, p); });
  }

  [[nodiscard]] Stack<T> stack() { return {stack_.view(), extra_.view()}; }
  [[nodiscard]] i64 planes() const { return slices_ + 1; }
  [[nodiscard]] const Box& tile() const { return tile_; }
  T& at(i64 plane, Pixel p) {
    const i64 y = p.row - tile_.rows.begin, x = p.col - tile_.cols.begin;
    return plane < slices_ ? stack_(plane, y, x) : extra_(plane - slices_, y, x);
  }
  /// visit(plane, pixel, value) of every value.
  template <class Visit>
  void for_pixels(Visit&& visit) {
    for (i64 plane = 0; plane < planes(); ++plane)
      for (i64 y = tile_.rows.begin; y < tile_.rows.end; ++y)
        for (i64 x = tile_.cols.begin; x < tile_.cols.end; ++x)
          visit(plane, Pixel{y, x}, at(plane, {y, x}));
  }

 private:
  Box tile_;
  i64 slices_;
  Array<T, 3> stack_, extra_;
};

template <class T>
std::vector<RankArrays<T>> all_ranks(const Mesh& mesh, i64 slices, const Value<T>& value) {
  std::vector<RankArrays<T>> ranks;
  for (int rank = 0; rank < mesh.ranks(); ++rank) ranks.emplace_back(mesh, rank, slices, value);
  return ranks;
}

template <class T>
std::vector<Stack<T>> stacks_of(std::vector<RankArrays<T>>& ranks) {
  std::vector<Stack<T>> stacks;
  for (auto& rank : ranks) stacks.push_back(rank.stack());
  return stacks;
}

/// A whole number that names rank, plane and pixel; sums of thousands of them are exact in double.
inline Value<double> payload(const Mesh& mesh) {
  const Box object = mesh.object();
  return [object](int rank, i64 plane, Pixel p) {
    const i64 pixel = (p.row - object.rows.begin) * object.cols.size() + p.col - object.cols.begin;
    return double((plane * object.area() + pixel) * 8192 + rank + 1);
  };
}

/// Numbers of different size, and zeros of both signs: any other order of a sum shows.
template <class T>
Value<T> rough_numbers(std::uint64_t seed) {
  return [seed](int rank, i64 plane, Pixel p) {
    Philox random(seed, static_cast<std::uint32_t>(rank),
                  (static_cast<std::uint64_t>(plane + 1) << 40) ^
                      (static_cast<std::uint64_t>(p.row + 100000) << 20) ^
                      static_cast<std::uint64_t>(p.col + 100000));
    if (random() % 8 == 0) return random() % 4 == 0 ? T(0) : T(-0.0);
    const int power = static_cast<int>(random() % 8);
    return static_cast<T>(std::ldexp(random.uniform() - 0.5, power));
  };
}

/// ((0 + a) + b) + … over the ranks whose tiles hold the pixel: down each column of the mesh, then
/// over the columns.
template <class T>
T sum_in_order(const Mesh& mesh, i64 plane, Pixel p, const Value<T>& value) {
  T sum = 0;
  for (int c = 0; c < mesh.cols(); ++c) {
    if (!mesh.extended_cols(c).contains(p.col)) continue;
    T column = 0;
    for (int r = 0; r < mesh.rows(); ++r)
      if (mesh.extended_rows(r).contains(p.row)) column += value(mesh.rank(r, c), plane, p);
    sum += column;
  }
  return sum;
}

template <class T>
bool same_bits(T a, T b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

inline std::string text(const Mesh& mesh, std::string_view what) {
  return std::string(what) + " on " + mesh.describe() + ", halo " +
         std::to_string(mesh.halo().before) + ", " + std::to_string(mesh.halo().after);
}

/// Does an overlap reach past direct neighbours?
inline bool reaches_far(const Mesh& mesh) {
  for (int r = 0; r + 2 < mesh.rows(); ++r)
    if (!intersection(mesh.extended_rows(r), mesh.extended_rows(r + 2)).empty()) return true;
  for (int c = 0; c + 2 < mesh.cols(); ++c)
    if (!intersection(mesh.extended_cols(c), mesh.extended_cols(c + 2)).empty()) return true;
  return false;
}

}  // namespace ptyle::test
