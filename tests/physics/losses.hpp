#pragma once

// Every loss (physics/loss) must pass this check, which reports what is wrong, so that a wrong loss
// can be shown to it.

#include <cmath>
#include <complex>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "physics/loss/losses.hpp"

namespace ptyle::test {

/// A detector pixel: intensity by the model, measured, weight, ε.
struct DetectorPixel {
  double model, measured, weight, epsilon;
};

inline std::vector<DetectorPixel> pixels() {
  std::vector<DetectorPixel> all;
  for (const double epsilon : {1e-6, 1e-3, 2.0})
    for (const double model : {0.3, 1.0, 17.0, 400.0})
      for (const double measured : {0.0, 0.5, 16.0, 500.0})
        all.push_back({model, measured, 0.7, epsilon});
  return all;
}

/// The names of a loss's properties that some pixel breaks, in numbers of type T.
///
///   residual     ∂f/∂Ψ* = w factor Ψ
///   perfect fit  f and factor are 0 at I = y
///   curvature    f" is that of the cost at a perfect fit
///   together     what vectors compute is the same
template <class L, class T>
class LossCheck {
 public:
  static std::set<std::string> faults() {
    LossCheck check;
    for (const DetectorPixel& p : pixels()) {
      check.residual(p);
      check.perfect_fit(p);
      check.curvature(p);
      if constexpr (L::in_vectors) check.together(p);
    }
    return check.faults_;
  }

 private:
  static constexpr double eps = std::numeric_limits<T>::epsilon();

  static double cost(const DetectorPixel& p, T model) {
    return L::template cost<T>(model, T(p.measured), T(p.weight), T(p.epsilon));
  }
  static T factor(const DetectorPixel& p) {
    return L::template factor<T>(T(p.model) + T(p.epsilon), T(p.measured), T(p.epsilon));
  }

  void expect_near(double value, double expected, double allowed, const char* what) {
    if (!(std::abs(value - expected) <= allowed)) faults_.insert(what);
  }

  // ∂f/∂Ψ* = ½ (∂f/∂Re Ψ + i ∂f/∂Im Ψ), by central differences of a step h |Ψ|. They err by h² of
  // the third derivative, and by the rounding of f, whose terms are as large as the counts, over h:
  // with h = ε^⅓ both are ε^⅔ of w (I + y + ε) / |Ψ|, times a few. Or of f / |Ψ|, where that is
  // more: all derivatives of a loss that is quadratic in I are.
  void residual(const DetectorPixel& p) {
    const double h = std::cbrt(eps), size = std::sqrt(p.model);
    const std::complex<double> psi = std::polar(size, 0.8);
    const auto slope = [&](std::complex<double> along) {
      const auto at = [&](double step) {
        return cost(p, static_cast<T>(std::norm(psi + step * size * along)));
      };
      return (at(h) - at(-h)) / (2 * h * size);
    };
    const std::complex<double> by_steps(slope({1, 0}) / 2, slope({0, 1}) / 2);
    const std::complex<double> residual = p.weight * double(factor(p)) * psi;
    const double terms = p.weight * (p.model + p.measured + p.epsilon) +
                         std::abs(cost(p, static_cast<T>(p.model))),
                 allowed = 20 * h * h * terms / size;
    expect_near(std::abs(by_steps - residual), 0, allowed, "residual");
  }

  // Where a loss is least at I + ε = y, its factor at I = y is what ε makes of it.
  void perfect_fit(DetectorPixel p) {
    p.measured = p.model;
    expect_near(cost(p, T(p.model)), 0, 0, "perfect fit");
    expect_near(factor(p), 0, p.epsilon / (p.model + p.epsilon) + 4 * eps, "perfect fit");
  }

  // Second differences with a step h (I + ε) err by h² of the fourth derivative, and by the
  // rounding of f over h²: with h = ε^¼ both are √ε of w / (I + ε), times a few.
  void curvature(DetectorPixel p) {
    const double lit = p.model + p.epsilon, h = std::sqrt(std::sqrt(eps)) * lit;
    // The fit is perfect at I = y, or at I + ε = y, as the loss's factor tells.
    p.measured = L::factor(lit, lit, p.epsilon) == 0 ? lit : p.model;
    const T ahead = static_cast<T>(p.model + h), behind = static_cast<T>(p.model - h);
    if (!(behind > 0)) return;
    const double by_steps =
        (cost(p, ahead) - 2 * cost(p, static_cast<T>(p.model)) + cost(p, behind)) / (h * h);
    const double bend = L::curvature(T(p.weight), T(lit));
    expect_near(by_steps, bend, 20 * std::sqrt(eps) * p.weight / lit, "curvature");
  }

  // A number and a vector of two. The cost is the same expression; a factor of two roots differs by
  // the rounding of each from that of one.
  void together(const DetectorPixel& p) {
    using Vector = typename VectorOf<T>::Type;
    const typename L::template Together<Vector> both(Vector{T(p.model), T(17)},
                                                     Vector{T(p.measured), T(9)}, T(p.epsilon));
    expect_near(both.cost(Vector{T(p.weight), T(1)})[0], cost(p, T(p.model)), 0, "together");
    expect_near(both.factor()[0], factor(p), 4 * eps * (1 + std::abs(double(factor(p)))),
                "together");
  }

  template <class N>
  struct VectorOf {
    typedef N Type __attribute__((vector_size(2 * sizeof(N))));
  };

  std::set<std::string> faults_;
};

}  // namespace ptyle::test
