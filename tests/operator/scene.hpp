#pragma once

// Random scenes for the operator's tests: an object, a probe, weights, positions (some hanging over
// the object's edge, all with sub-pixel shifts) and measured counts.

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "core/array.hpp"
#include "core/random.hpp"
#include "operator/operator.hpp"
#include "physics/propagator.hpp"

namespace ptyle::test {

struct Case {
  i64 window = 16, slices = 3, modes = 1;
  bool absorption = false;
  Loss loss = Loss::amplitude;
  bool weights = false;   ///< random weights, a tenth of the pixels invalid
  double band_limit = 0;  ///< of the propagator
  bool tilted = true;     ///< is the specimen, so that the propagator is not the same at −k?
  int positions = 3;
  i64 basis = 0;  ///< modes that each position mixes; 0: none
  double background = 0;
  bool fits_propagator = false;
  bool descan = false;  ///< patterns are displaced by up to 3 px
  i64 states = 1;       ///< of the object
};

/// The cases with the losses of the table in turn, some twice where there are more losses.
inline std::vector<Case> over_losses(const std::vector<Case>& cases) {
  std::vector<Case> all;
  for (std::size_t i = 0; i < std::max(cases.size(), losses.size()); ++i) {
    all.push_back(cases[i % cases.size()]);
    all.back().loss = losses[i % losses.size()].loss;
  }
  return all;
}

inline constexpr Wanted everything{Part::object, Part::probe, Part::illumination};

/// Uniform and normal numbers.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : philox_(seed, 0, 0) {}
  double uniform(double from, double to) { return from + (to - from) * philox_.uniform(); }
  i64 integer(i64 from, i64 to) {  // from … to, both included
    return from + static_cast<i64>(uniform(0, 1) * static_cast<double>(to - from + 1));
  }
  Complex<double> normal() {  // complex, E|z|² = 1; Box and Muller
    return std::polar(std::sqrt(-std::log(philox_.uniform())), uniform(0, 2 * pi));
  }
  template <class T, int N>
  void fill(Array<T, N>& array, double from, double to) {
    for (T& v : array) v = static_cast<T>(static_cast<float>(uniform(from, to)));
  }
  template <class T, int N>
  void fill_normal(Array<Complex<T>, N>& array, double scale) {
    for (auto& v : array) v = Complex<T>(Complex<float>(scale * normal()));
  }

 private:
  Philox philox_;
};

template <class T>
struct Scene {
  OperatorSetup setup;
  Array<T, 3> phase, absorption;
  Array<Complex<T>, 3> probe;
  Array<T, 2> weight, valid;
  std::vector<Placement> places;
  std::vector<Array<T, 2>> measured;
  /// (positions, M, K), which places look at; null where nothing is mixed.
  std::shared_ptr<Array<Complex<double>, 3>> coefficients;

  /// The shape of Ψ.
  [[nodiscard]] std::array<i64, 3> waves() const {
    return {setup.modes, setup.window, setup.window};
  }
  [[nodiscard]] ObjectView<T> object() const { return {phase.view(), absorption.view()}; }
  [[nodiscard]] Measured<T> source() const {
    return [this](i64 i, T* to) {
      std::copy(measured[static_cast<std::size_t>(i)].begin(),
                measured[static_cast<std::size_t>(i)].end(), to);
    };
  }
  void load(Operator<T>& op) const {
    op.set_object(object());
    op.set_probe(probe.view());
    op.set_weights(weight.view(), valid.view());
  }
};

/// The places look at these coefficients, (positions, M, K).
inline void mix_by(std::vector<Placement>& places, const Array<Complex<double>, 3>& coefficients) {
  for (std::size_t p = 0; p < places.size(); ++p)
    places[p].coefficients = coefficients.view()[static_cast<i64>(p)].data;
}

inline constexpr double mean_counts = 100;  ///< of a detector pixel

/// Every value is one that float holds exactly, so that a scene is the same in both precisions.
inline Scene<double> make_scene(const Case& c, std::uint64_t seed) {
  Draw draw(seed);
  Scene<double> s;
  const i64 w = c.window, ny = w + 9, nx = w + 5;
  s.setup.window = w;
  s.setup.slices = c.slices;
  s.setup.states = c.states;
  s.setup.modes = c.modes;
  s.setup.basis = c.basis;
  s.setup.fits_propagator = c.fits_propagator;
  s.setup.descan = c.descan;
  s.setup.absorption = c.absorption;
  s.setup.loss = c.loss;
  s.setup.epsilon = 0.01 * mean_counts;
  s.setup.background = c.background;
  if (c.slices >
      1)  // 0.3 Å pixels, λ = 0.02 Å, 10 Å slices: phases up to about 3 rad; tilted: P(k) ≠ P(−k)
    s.setup.propagator =
        propagator(w, 0.3, 0.02, 10, c.tilted ? Tilt{0.005, -0.003} : Tilt{}, c.band_limit);
  s.phase = Array<double, 3>({s.setup.planes(), ny, nx});
  draw.fill(s.phase, -1, 1);
  if (c.absorption) {
    s.absorption = Array<double, 3>({s.setup.planes(), ny, nx});
    draw.fill(s.absorption, 0, 0.3);
  }
  s.probe = Array<Complex<double>, 3>({s.setup.probe_modes(), w, w});
  // Σ|probe|² is the mean intensity of a pixel, Parseval's theorem.
  draw.fill_normal(s.probe, std::sqrt(mean_counts / static_cast<double>(s.probe.size())));
  if (c.weights) {
    s.weight = Array<double, 2>({w, w});
    s.valid = Array<double, 2>({w, w});
    draw.fill(s.weight, 0.2, 2);
    for (double& v : s.valid) v = draw.uniform(0, 1) < 0.9 ? 1 : 0;
  }
  for (int p = 0; p < c.positions; ++p) {
    s.places.push_back({draw.integer(-w / 2, ny - w / 2), draw.integer(-w / 2, nx - w / 2),
                        draw.uniform(-0.5, 0.5), draw.uniform(-0.5, 0.5)});
    if (p == 0) s.places.back().shift_row = s.places.back().shift_col = 0;  // on a pixel
    s.measured.emplace_back(std::array<i64, 2>{w, w});
    for (double& y : s.measured.back())
      y = static_cast<float>(mean_counts * std::norm(draw.normal()));
  }
  for (Placement& at : s.places)
    if (c.descan) at.descan_row = draw.uniform(-3, 3), at.descan_col = draw.uniform(-3, 3);
  if (c.basis > 0) {  // M modes have together the power of the K
    s.coefficients = std::make_shared<Array<Complex<double>, 3>>(
        std::array<i64, 3>{c.positions, c.modes, c.basis});
    draw.fill_normal(*s.coefficients, 1 / std::sqrt(static_cast<double>(c.modes)));
    mix_by(s.places, *s.coefficients);
  }
  return s;
}

template <class T>
Scene<T> in_precision(const Scene<double>& s) {
  Scene<T> out{s.setup,
               converted<T>(s.phase.view()),
               converted<T>(s.absorption.view()),
               converted<Complex<T>>(s.probe.view()),
               converted<T>(s.weight.view()),
               converted<T>(s.valid.view()),
               s.places,
               {},
               s.coefficients};
  for (const auto& y : s.measured) out.measured.push_back(converted<T>(y.view()));
  return out;
}

/// A direction in the space of objects and probes.
template <class T>
struct Direction {
  Array<T, 3> phase, absorption;
  Array<Complex<T>, 3> probe;
  [[nodiscard]] ObjectView<T> object() const { return {phase.view(), absorption.view()}; }
};

template <class T>
Direction<T> make_direction(const Scene<T>& s, std::uint64_t seed) {
  Draw draw(seed);
  Direction<T> d{Array<T, 3>(s.phase.shape()), Array<T, 3>(s.absorption.shape()),
                 Array<Complex<T>, 3>(s.probe.shape())};
  draw.fill(d.phase, -1, 1);
  draw.fill(d.absorption, -1, 1);
  draw.fill_normal(d.probe, std::sqrt(mean_counts / static_cast<double>(d.probe.size())));
  return d;
}

/// A gradient's sums, zero at first.
template <class T>
struct Sums {
  explicit Sums(const Scene<T>& s)
      : phase(s.phase.shape()),
        absorption(s.absorption.shape()),
        illumination({s.phase.shape()[1], s.phase.shape()[2]}),
        probe(s.probe.shape()),
        shift({static_cast<i64>(s.places.size()), 2}),
        coefficients({static_cast<i64>(s.places.size()), s.setup.modes, s.probe.shape()[0]}),
        propagator({s.setup.window, s.setup.window}),
        descan({static_cast<i64>(s.places.size()), 2}) {}
  Gradient<T> view() {
    return {phase.view(), absorption.view(),   illumination.view(), probe.view(), {},
            shift.view(), coefficients.view(), propagator.view(),   descan.view()};
  }
  Array<T, 3> phase, absorption;
  Array<T, 2> illumination;
  Array<Complex<T>, 3> probe;
  Array<double, 2> shift;
  Array<Complex<double>, 3> coefficients;
  Array<Complex<double>, 2> propagator;
  Array<double, 2> descan;
};

/// Re⟨a, b⟩, summed in double precision.
template <class A, class B>
double dot(const A& a, const B& b) {
  double sum = 0;
  for (i64 i = 0; i < a.size(); ++i)
    sum += std::real(std::conj(Complex<double>(a.data()[i])) * Complex<double>(b.data()[i]));
  return sum;
}

/// ⟨direction, sums⟩ over object and probe.
template <class T>
double dot(const Direction<T>& d, const Sums<T>& g) {
  return dot(d.phase, g.phase) + dot(d.absorption, g.absorption) + dot(d.probe, g.probe);
}

/// ‖a − b‖ / ‖b‖
template <class A, class B>
double relative_difference(const A& a, const B& b) {
  double difference = 0, norm = 0;
  for (i64 i = 0; i < b.size(); ++i) {
    difference += std::norm(Complex<double>(a.data()[i]) - Complex<double>(b.data()[i]));
    norm += std::norm(Complex<double>(b.data()[i]));
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

/// Allowed relative difference (root mean square) between two ways of computing the same thing.
/// Each of a position's 4S transforms adds independent errors of about ε √(log2 W²) (Higham,
/// Accuracy and Stability of Numerical Algorithms, ch. 24, as a random walk), so together ε √(4S
/// log2 W²). The residual divides by |Ψ|, which is small at some pixels, and prime W costs FFTW two
/// longer transforms: 10 times that is allowed.
template <class T>
double tolerance(const OperatorSetup& s) {
  const double stages =
      4.0 * static_cast<double>(s.slices) * 2 * std::log2(static_cast<double>(s.window));
  return 10 * static_cast<double>(std::numeric_limits<T>::epsilon()) * std::sqrt(stages);
}

}  // namespace ptyle::test
