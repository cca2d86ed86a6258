#include "analysis/side_bands.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/units.hpp"

namespace ptyle {
namespace {

constexpr double farthest = 1.3;  // apertures: of candidates
constexpr double ridge = 2e-3;    // of the weights' sum: bands that cover next to nothing

/// All that a frequency stands for, up to `most`.
std::vector<Position> repeats(Position q, Position slow, Position fast, double most) {
  std::vector<Position> all;
  const auto reach = [&](Position step) {
    return static_cast<i64>(std::ceil(most / std::hypot(step.row, step.col))) + 2;
  };
  for (i64 i = -reach(slow); i <= reach(slow); ++i)
    for (i64 j = -reach(fast); j <= reach(fast); ++j) {
      const double u = static_cast<double>(i), v = static_cast<double>(j);
      const Position at{q.row + u * slow.row + v * fast.row, q.col + u * slow.col + v * fast.col};
      if (std::hypot(at.row, at.col) <= most || (i == 0 && j == 0)) all.push_back(at);
    }
  return all;
}

/// exp(−2πi s κ) along one axis of the grid.
void phases(double slope, double block, i64 side, float* re, float* im) {
  for (i64 i = 0; i < side; ++i) {
    const double x = -2 * pi * slope * block * static_cast<double>(i - side / 2);
    re[i] = static_cast<float>(std::cos(x));
    im[i] = static_cast<float>(std::sin(x));
  }
}

constexpr std::size_t most_side = 64;
using Line = std::array<float, most_side>;

/// Sums over the grid, a line of lanes for each, so that vectors of the processor add alike.
struct Sums {
  Line g1_re{}, g1_im{}, g2_re{}, g2_im{}, n11{}, n12{}, n22{};
};

double total(const Line& line, i64 n) {
  return std::accumulate(line.begin(), line.begin() + n, 0.0);
}

}  // namespace

BeamModel BeamModel::opposite() const {
  return {rotation < 0 ? rotation + pi : rotation - pi, mirrored, -C10, -a, -b};
}

Aberrations BeamModel::aberrations() const {
  Aberrations found;
  found.C10 = C10;
  found.C12 = std::hypot(a, b);
  found.phi12 = found.C12 > 0 ? std::atan2(b, a) / 2 : 0;
  return found;
}

SeenFrequency seen(const BeamModel& m, Position q, double wavelength) {
  const double c = std::cos(m.rotation), s = std::sin(m.rotation);
  const Position at{c * q.row - s * q.col, s * q.row + c * q.col};
  Position slope{wavelength * ((m.C10 - m.a) * at.row + m.b * at.col),
                 wavelength * (m.b * at.row + (m.C10 + m.a) * at.col)};
  if (m.mirrored) return {{at.row, -at.col}, {slope.row, -slope.col}};
  return {at, slope};
}

SideBands::SideBands(const BrightFieldImages& images, ScanSpectra spectra, const BeamFrame& frame)
    : spectra_(std::move(spectra)), frame_(frame), side_(images.blocks().side()) {
  const auto& cells = images.blocks().cells();
  weights_.resize(static_cast<std::size_t>(side_ * side_));
  for (std::size_t k = 0; k < cells.size(); ++k) {
    weights_[cells[k]] = static_cast<float>(images.weights()[k]);
    weight_ += images.weights()[k];
  }
  values_.resize(static_cast<std::size_t>(count() * side_ * side_));
  for (i64 f = 0; f < count(); ++f) {
    for (std::size_t k = 0; k < cells.size(); ++k)
      values_[f * side_ * side_ + cells[k]] =
          weights_[cells[k]] * spectra_.values[static_cast<std::size_t>(f) * cells.size() + k];
    candidates_.push_back(repeats(frequency(f).q, spectra_.repeat_slow, spectra_.repeat_fast,
                                  farthest * frame.aperture));
  }
}

double SideBands::power() const {
  double sum = 0;
  for (const auto& f : spectra_.frequencies) sum += f.power;
  return sum;
}

double SideBands::explained(i64 f, Position q, const BeamModel& model) const {
  const SeenFrequency at = seen(model, q, frame_.wavelength);
  Line col_re, col_im, row_re, row_im;
  phases(at.slope.col, frame_.block, side_, col_re.data(), col_im.data());
  phases(at.slope.row, frame_.block, side_, row_re.data(), row_im.data());
  Sums sums;
  const Rim rim(frame_);
  const auto square = [&](i64 i, double by) {
    return rim.scaled(frame_.block * static_cast<double>(i - side_ / 2) + by);
  };
  Line minus, plus;
  for (i64 x = 0; x < side_; ++x) minus[x] = square(x, -at.q.col), plus[x] = square(x, at.q.col);
  for (i64 y = 0; y < side_; ++y) {
    const Complex<float>* v = values(f) + y * side_;
    const float* w = weights_.data() + y * side_;
    const float row_minus = square(y, -at.q.row), row_plus = square(y, at.q.row);
    for (i64 x = 0; x < side_; ++x) {
      const float a1 = rim.covered(row_minus, minus[x]), a2 = rim.covered(row_plus, plus[x]);
      const float re = row_re[y] * col_re[x] - row_im[y] * col_im[x],
                  im = row_re[y] * col_im[x] + row_im[y] * col_re[x];
      const float g_re = re * v[x].real() - im * v[x].imag(),
                  g_im = re * v[x].imag() + im * v[x].real();
      sums.g1_re[x] += a1 * g_re, sums.g1_im[x] += a1 * g_im;
      sums.g2_re[x] += a2 * g_re, sums.g2_im[x] += a2 * g_im;
      sums.n11[x] += w[x] * a1 * a1, sums.n12[x] += w[x] * a1 * a2, sums.n22[x] += w[x] * a2 * a2;
    }
  }
  const Complex<double> g1{total(sums.g1_re, side_), total(sums.g1_im, side_)},
      g2{total(sums.g2_re, side_), total(sums.g2_im, side_)};
  const double n11 = total(sums.n11, side_) + ridge * weight_,
               n22 = total(sums.n22, side_) + ridge * weight_, n12 = total(sums.n12, side_);
  return (n22 * std::norm(g1) + n11 * std::norm(g2) - 2 * n12 * (std::conj(g1) * g2).real()) /
         (n11 * n22 - n12 * n12);
}

std::vector<double> SideBands::each(const BeamModel& model) const {
  std::vector<double> most;
  for (i64 f = 0; f < count(); ++f) {
    double best = 0;
    for (const Position& q : candidates(f)) best = std::max(best, explained(f, q, model));
    most.push_back(best);
  }
  return most;
}

double SideBands::explained(const BeamModel& model) const {
  const auto all = each(model);
  return std::accumulate(all.begin(), all.end(), 0.0);
}

void SideBands::settle(const BeamModel& model) {
  for (i64 f = 0; f < count(); ++f) {
    auto& all = candidates_[f];
    const Position best = *std::max_element(all.begin(), all.end(), [&](Position p, Position q) {
      return explained(f, p, model) < explained(f, q, model);
    });
    all = {best};
  }
}

}  // namespace ptyle
