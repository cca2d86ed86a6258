#include "analysis/parallax.hpp"

#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {
namespace {

constexpr i64 most_frequencies = 32;
// In depths of focus λ/α², over which the phase at the aperture's rim changes by π:
constexpr double grid_step = 0.35, least_focus = 0.5, most_focus = 30, alike = 0.7;
constexpr double some_astigmatism = 0.15;  // of the defocus
constexpr i64 from_a_ring = 4;

/// P(s) of each frequency.
class Agreement {
 public:
  explicit Agreement(const SideBands& bands)
      : bands_(bands),
        count_(std::min(most_frequencies, bands.count())),
        n_(quick_fft_size(4 * bands.side())),
        tables_({count_, n_, n_}) {
    const Fft2<float> fft(n_, n_, FftRigor::estimate);
    Array<Complex<float>, 2> plane({n_, n_});
    for (i64 f = 0; f < count_; ++f) {
      plane.fill({});
      const i64 side = bands.side();
      double all = 0;
      for (i64 y = 0; y < side; ++y)
        for (i64 x = 0; x < side; ++x) {
          plane(y, x) = bands.values(f)[y * side + x];
          all += static_cast<double>(std::norm(plane(y, x)));
        }
      fft.forward(plane.data());
      // By the root of their power: a few strong frequencies shall not decide alone.
      const auto scale = static_cast<float>(all > 0 ? 1 / std::sqrt(all) : 0);
      for (i64 i = 0; i < n_ * n_; ++i)
        tables_.view()[f].data[i] = scale * std::norm(plane.data()[i]);
    }
    rest_.assign(static_cast<std::size_t>(count_) + 1, 0);
    for (i64 f = count_ - 1; f >= 0; --f) {
      const auto table = tables_.view()[f];
      rest_[f] = rest_[f + 1] + static_cast<double>(*std::max_element(table.begin(), table.end()));
    }
  }

  /// Σ over the frequencies; less than `enough`, and no more than that, where that is not reached.
  [[nodiscard]] double of(Complex<double> u, Complex<double> v, double enough = 0) const {
    // s = u z + v z* in cycles a block
    const double scale = bands_.frame().wavelength * bands_.frame().block;
    const double xx = scale * (u.real() + v.real()), xy = scale * (v.imag() - u.imag()),
                 yx = scale * (u.imag() + v.imag()), yy = scale * (u.real() - v.real());
    double sum = 0;
    for (i64 f = 0; f < count_; ++f) {
      if (sum + rest_[f] < enough) return sum;
      float best = 0;
      const float* table = tables_.data() + f * n_ * n_;
      for (const Position& q : bands_.candidates(f)) {
        const double x = xx * q.col + xy * q.row, y = yx * q.col + yy * q.row;
        if (std::abs(x) >= 0.5 || std::abs(y) >= 0.5) continue;
        best = std::max(best, table[at(y) * n_ + at(x)]);
      }
      sum += static_cast<double>(best);
    }
    return sum;
  }

  /// The smallest frequency of all, 1/Å.
  [[nodiscard]] double least() const {
    double least = bands_.frame().aperture;
    for (i64 f = 0; f < count_; ++f)
      for (const Position& q : bands_.candidates(f))
        least = std::min(least, std::hypot(q.row, q.col));
    return least;
  }

 private:
  /// The nearest of the n places of a period.
  [[nodiscard]] i64 at(double cycles) const {
    const auto i = static_cast<i64>((cycles + 1) * static_cast<double>(n_) + 0.5);
    return i >= n_ ? i - n_ : i;
  }
  const SideBands& bands_;
  i64 count_, n_;
  Array<float, 3> tables_;
  std::vector<double> rest_;  // of each frequency, the most that it and those after it may add
};

bool better(const ShiftMatrix& a, const ShiftMatrix& b) { return a.agreement > b.agreement; }

/// Step 2 at a distance from no shift.
std::vector<ShiftMatrix> best_of_ring(const Agreement& agreement, double radius, double step) {
  std::vector<ShiftMatrix> best;
  const auto n = static_cast<i64>(std::ceil(2 * pi * radius / step));
  const auto consider = [&](Complex<double> u, Complex<double> v) {
    const bool full = static_cast<i64>(best.size()) == from_a_ring;
    const double enough = full ? best.front().agreement : 0;
    const double value = agreement.of(u, v, enough);
    if (full && value <= enough) return;
    best.push_back({u, v, value});
    std::push_heap(best.begin(), best.end(), better);
    if (!full) return;
    std::pop_heap(best.begin(), best.end(), better);
    best.pop_back();
  };
  for (i64 i = 0; i < n; ++i) {
    const auto large = std::polar(radius, 2 * pi * static_cast<double>(i) / static_cast<double>(n));
    for (int k = 0; k < 7; ++k) {
      const Complex<double> small =
          k == 0 ? Complex<double>{} : std::polar(some_astigmatism * radius, pi / 3 * k);
      consider(large, small);
      consider(small, large);
    }
  }
  return best;
}

/// Step 3.
void climb(const Agreement& agreement, ShiftMatrix& m, double step, double least) {
  constexpr std::array<Complex<double>, 4> ways{{{1, 0}, {-1, 0}, {0, 1}, {0, -1}}};
  while (step > least) {
    bool higher = false;
    for (const auto& way : ways)
      for (const auto& next : {ShiftMatrix{m.u + step * way, m.v}, {m.u, m.v + step * way}}) {
        const double value = agreement.of(next.u, next.v);
        if (value <= m.agreement) continue;
        m = {next.u, next.v, value};
        higher = true;
      }
    if (!higher) step /= 2;
  }
}

}  // namespace

std::vector<ShiftMatrix> find_shifts(const SideBands& bands, i64 most, int threads) {
  std::vector<ShiftMatrix> found;
  if (bands.count() == 0) return found;
  const Agreement agreement(bands);
  const double aperture = bands.frame().aperture, wavelength = bands.frame().wavelength;
  const double depth = 1 / (wavelength * aperture * aperture);
  // Beyond, even the smallest frequency's s is more than the blocks tell apart.
  const double farthest =
      std::min(most_focus * depth, 0.5 / (bands.frame().block * wavelength * agreement.least()));
  const auto rings =
      static_cast<i64>(std::max(0.0, std::floor((farthest / depth - least_focus) / grid_step)) + 1);
  std::vector<std::vector<ShiftMatrix>> of_ring(static_cast<std::size_t>(rings));
  parallel_for(rings, threads, [&](i64 k, int) {
    const i64 ring = rings - 1 - k;  // the longest first
    const double radius = (least_focus + grid_step * static_cast<double>(ring)) * depth;
    of_ring[ring] = best_of_ring(agreement, radius, grid_step * depth);
  });
  std::vector<ShiftMatrix> all;
  for (const auto& ring : of_ring) all.insert(all.end(), ring.begin(), ring.end());
  std::stable_sort(all.begin(), all.end(), better);
  constexpr std::size_t climbing = 32;
  all.resize(std::min(climbing, all.size()));
  parallel_for(static_cast<i64>(all.size()), threads,
               [&](i64 k, int) { climb(agreement, all[k], grid_step * depth, 0.03 * depth); });
  std::stable_sort(all.begin(), all.end(), better);
  for (const ShiftMatrix& m : all) {
    const bool known = std::any_of(found.begin(), found.end(), [&](const ShiftMatrix& other) {
      return std::abs(m.u - other.u) + std::abs(m.v - other.v) < alike * depth;
    });
    if (!known && static_cast<i64>(found.size()) < most) found.push_back(m);
  }
  return found;
}

std::array<BeamModel, 2> models_of(const ShiftMatrix& m) {
  // s = λ H R(θ) q is, with A = C12 e^(2iϕ12), λ (C10 e^(−iθ) z + A e^(iθ) z*); mirrored columns
  // make −z* of z.
  const double straight = -std::arg(-m.u), mirrored = std::arg(m.v);
  const Complex<double> a = m.v * std::polar(1.0, -straight),
                        b = -std::conj(m.u * std::polar(1.0, mirrored));
  return {BeamModel{straight, false, -std::abs(m.u), a.real(), a.imag()},
          BeamModel{mirrored, true, -std::abs(m.v), b.real(), b.imag()}};
}

}  // namespace ptyle
