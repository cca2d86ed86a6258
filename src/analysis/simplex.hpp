#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace ptyle {

/// The minimum of a function of N numbers near `start`, by the simplex of Nelder and Mead, Computer
/// Journal 7 (1965) 308; no derivatives. `size`: of the first simplex along each number. It ends
/// where the simplex is `small` of that along all, or after `most` values.
template <std::size_t N, class F>
std::array<double, N> minimum_near(F&& f, const std::array<double, N>& start,
                                   const std::array<double, N>& size, double small, int most) {
  using Point = std::array<double, N>;
  struct Corner {
    Point at;
    double value;
  };
  int used = 0;
  const auto corner = [&](const Point& at) {
    ++used;
    return Corner{at, f(at)};
  };
  std::array<Corner, N + 1> simplex;
  for (std::size_t i = 0; i <= N; ++i) {
    Point at = start;
    if (i > 0) at[i - 1] += size[i - 1];
    simplex[i] = corner(at);
  }
  const auto by_value = [](const Corner& a, const Corner& b) { return a.value < b.value; };
  while (true) {
    std::stable_sort(simplex.begin(), simplex.end(), by_value);
    double extent = 0;
    for (std::size_t i = 1; i <= N; ++i)
      for (std::size_t d = 0; d < N; ++d)
        extent = std::max(extent, std::abs(simplex[i].at[d] - simplex[0].at[d]) / size[d]);
    if (extent < small || used >= most) return simplex[0].at;
    Point middle{};  // of all but the worst
    for (std::size_t i = 0; i < N; ++i)
      for (std::size_t d = 0; d < N; ++d) middle[d] += simplex[i].at[d] / N;
    Corner& worst = simplex[N];
    const auto along = [&](double t) {
      Point at;
      for (std::size_t d = 0; d < N; ++d) at[d] = middle[d] + t * (middle[d] - worst.at[d]);
      return corner(at);
    };
    const Corner mirrored = along(1);
    if (mirrored.value < simplex[0].value) {
      const Corner farther = along(2);
      worst = farther.value < mirrored.value ? farther : mirrored;
    } else if (mirrored.value < simplex[N - 1].value) {
      worst = mirrored;
    } else {
      const Corner nearer = along(mirrored.value < worst.value ? 0.5 : -0.5);
      if (nearer.value < std::min(mirrored.value, worst.value)) {
        worst = nearer;
      } else {
        for (std::size_t i = 1; i <= N; ++i) {
          Point at;
          for (std::size_t d = 0; d < N; ++d) at[d] = (simplex[0].at[d] + simplex[i].at[d]) / 2;
          simplex[i] = corner(at);
        }
      }
    }
  }
}

}  // namespace ptyle
