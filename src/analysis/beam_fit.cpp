#include "analysis/beam_fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "analysis/least_squares.hpp"
#include "analysis/parallax.hpp"
#include "analysis/simplex.hpp"
#include "core/parallel.hpp"
#include "core/units.hpp"

namespace ptyle {
namespace {

constexpr i64 few = 40, many = 120;  // frequencies
constexpr i64 shifts_tried = 4;
constexpr std::size_t hills = 5;  // of each handedness
constexpr double rotations_apart = 15 * degree;
constexpr double infinite = std::numeric_limits<double>::infinity();

using Numbers = std::array<double, 4>;

/// Models as four numbers of order one: rotation in 5 degrees, aberrations in quarters of the depth
/// of focus λ/α².
class Scaled {
 public:
  explicit Scaled(const BeamFrame& f)
      : quarter_(1 / (4 * f.wavelength * f.aperture * f.aperture)) {}
  [[nodiscard]] Numbers of(const BeamModel& m) const {
    return {m.rotation / turn, m.C10 / quarter_, m.a / quarter_, m.b / quarter_};
  }
  [[nodiscard]] BeamModel model(const Numbers& x, bool mirrored) const {
    return {std::remainder(x[0] * turn, 2 * pi), mirrored, x[1] * quarter_, x[2] * quarter_,
            x[3] * quarter_};
  }
  [[nodiscard]] BeamErrors errors(const Numbers& x) const {
    return {x[0] * turn, x[1] * quarter_, x[2] * quarter_, x[3] * quarter_};
  }
  [[nodiscard]] double depth() const { return 4 * quarter_; }

 private:
  static constexpr double turn = 5 * degree;
  double quarter_;
};

struct Hill {
  BeamModel model;
  double explained = 0;
};

bool higher(const Hill& a, const Hill& b) { return a.explained > b.explained; }

/// The top of the hill that a model stands on, each frequency with the candidate that it says.
Hill climbed(const SideBands& bands, const BeamModel& from) {
  const Scaled scaled(bands.frame());
  BeamModel model = from;
  for (int pass = 0; pass < 2; ++pass) {
    SideBands settled = bands;
    settled.settle(model);
    const auto top = minimum_near<4>(
        [&](const Numbers& x) { return -settled.explained(scaled.model(x, from.mirrored)); },
        scaled.of(model), {1, 1, 1, 1}, 2e-3, 400);
    model = scaled.model(top, from.mirrored);
  }
  return {model, bands.explained(model)};
}

/// Step 1.
std::vector<BeamModel> starts(const SideBands& bands, int threads) {
  std::vector<BeamModel> all;
  for (const ShiftMatrix& shifts : find_shifts(bands, shifts_tried, threads))
    for (const BeamModel& model : models_of(shifts)) all.push_back(model);
  const double some = 0.7 * Scaled(bands.frame()).depth();
  for (double rotation = 0; rotation < pi - 1e-9; rotation += rotations_apart)
    for (const bool mirrored : {false, true})
      for (const double C10 : {-some, 0.0, some}) all.push_back({rotation, mirrored, C10, 0, 0});
  return all;
}

/// The best starts of either handedness, or of the one that is asked for, climbed, the best first.
std::vector<Hill> hills_of(const SideBands& bands, int threads, std::optional<bool> asked) {
  std::vector<Hill> begun;
  for (const BeamModel& model : starts(bands, threads)) begun.push_back({model, 0});
  parallel_for(static_cast<i64>(begun.size()), threads,
               [&](i64 k, int) { begun[k].explained = bands.explained(begun[k].model); });
  std::stable_sort(begun.begin(), begun.end(), higher);
  std::vector<Hill> tried;
  for (const bool mirrored : {false, true}) {
    if (mirrored != asked.value_or(mirrored)) continue;
    std::size_t of_hand = 0;
    for (const Hill& hill : begun)
      if (hill.model.mirrored == mirrored && of_hand++ < hills) tried.push_back(hill);
  }
  parallel_for(static_cast<i64>(tried.size()), threads,
               [&](i64 k, int) { tried[k] = climbed(bands, tried[k].model); });
  std::stable_sort(tried.begin(), tried.end(), higher);
  return tried;
}

/// Sums over cells of three by three frequencies.
std::vector<double> by_cell(const SideBands& bands, const std::vector<double>& each) {
  std::map<std::array<i64, 2>, double> cells;
  for (i64 f = 0; f < bands.count(); ++f) {
    const auto& [slow, fast] = bands.frequency(f).index;
    const auto third = [](i64 i) { return (i >= 0 ? i + 1 : i - 1) / 3; };
    cells[{third(slow), third(fast)}] += each[static_cast<std::size_t>(f)];
  }
  std::vector<double> sums;
  for (const auto& [cell, sum] : cells) sums.push_back(sum);
  return sums;
}

/// Step 4; `chance`: share of a frequency's power that noise leaves explained.
double better_by(const SideBands& bands, const BeamModel& first, const BeamModel& second,
                 double chance) {
  constexpr double something = 2;
  std::vector<double> powers;
  for (i64 f = 0; f < bands.count(); ++f) powers.push_back(bands.frequency(f).power);
  const auto power = by_cell(bands, powers), a = by_cell(bands, bands.each(first)),
             b = by_cell(bands, bands.each(second));
  double n = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::max(a[i], b[i]) > something * chance * power[i])) continue;
    const double more = (a[i] - b[i]) / power[i];
    n += 1;
    sum += more;
    squares += more * more;
  }
  if (n < 3 || !(squares > 0)) return 0;
  // 1 + t²/ν = 1 / (1 − (Σx)² / (n Σx²))
  const double freedom = n - 1, alike = std::min(sum * sum / (n * squares), 1 - 1e-9);
  const double normal =
      (8 * freedom + 1) / (8 * freedom + 3) * std::sqrt(-freedom * std::log(1 - alike));
  return sum < 0 ? -normal : normal;
}

/// By how much the errors of four numbers that few cells determine are larger: √(n / (n − 4)), with
/// n = (Σ p)² / Σ p² the number of cells of equal power that would say as much.
double for_few_cells(const SideBands& bands) {
  std::vector<double> powers;
  for (i64 f = 0; f < bands.count(); ++f) powers.push_back(bands.frequency(f).power);
  double sum = 0, squares = 0;
  for (const double p : by_cell(bands, powers)) sum += p, squares += p * p;
  const double n = sum * sum / squares;
  return std::sqrt(n / std::max(1.0, n - 4));
}

/// Step 3; `bands` are settled.
BeamErrors errors_of(const SideBands& bands, const BeamModel& model) {
  const Scaled scaled(bands.frame());
  const Numbers at = scaled.of(model);
  const double few_cells = for_few_cells(bands);
  constexpr double h = 0.06;  // 0.3 degrees; 1/67 of the depth of focus
  const auto each = [&](std::size_t i, double by, std::size_t j = 0, double by_j = 0) {
    Numbers x = at;
    x[i] += by;
    x[j] += by_j;
    return by_cell(bands, bands.each(scaled.model(x, model.mirrored)));
  };
  const auto sum = [](const std::vector<double>& v) {
    double all = 0;
    for (const double x : v) all += x;
    return all;
  };
  std::array<std::vector<double>, 4> slope;
  for (std::size_t i = 0; i < 4; ++i) {
    slope[i] = each(i, h);
    const auto below = each(i, -h);
    for (std::size_t c = 0; c < below.size(); ++c) slope[i][c] = (slope[i][c] - below[c]) / (2 * h);
  }
  std::array<Numbers, 4> curvature{};
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 4; ++j)
      curvature[i][j] = (sum(each(i, h, j, h)) - sum(each(i, h, j, -h)) - sum(each(i, -h, j, h)) +
                         sum(each(i, -h, j, -h))) /
                        (4 * h * h);
  // Rows of C⁻¹; Σ (row · d_i)² is the variance.
  Numbers error{};
  for (std::size_t i = 0; i < 4; ++i) {
    LeastSquares<4> equations;
    for (std::size_t j = 0; j < 4; ++j) equations.add(curvature[j], i == j ? 1 : 0);
    Numbers row{};
    const bool determined = equations.solve(row) && row[i] < 0;  // at a maximum
    double variance = 0;
    for (std::size_t c = 0; c < slope[0].size() && determined; ++c) {
      double x = 0;
      for (std::size_t j = 0; j < 4; ++j) x += row[j] * slope[j][c];
      variance += x * x;
    }
    error[i] = determined ? few_cells * std::sqrt(variance) : infinite;
  }
  return scaled.errors(error);
}

/// A scan of n lines blurs frequencies by about 1/n of the reciprocal step, which makes C10 too
/// small and feigns astigmatism: sets of 4, 5 and 6 lines without either have 4 %, 1.5 % and 2.5 %
/// of C10.
void add_blur(BeamErrors& error, const BeamModel& model, const ScanRaster& raster) {
  const auto lines = static_cast<double>(std::min(raster.shape[0], raster.shape[1]));
  const double blur = 0.5 / (lines * lines) * (std::abs(model.C10) + std::hypot(model.a, model.b));
  for (double* e : {&error.C10, &error.a, &error.b}) *e = std::hypot(*e, blur);
}

/// Is one of them, or its equal, next to the other?
bool alike(const BeamModel& a, const BeamModel& b, const Scaled& scaled) {
  const auto near = [&](const BeamModel& m) {
    const double turned = std::remainder(a.rotation - m.rotation, 2 * pi);
    const Numbers x = scaled.of(a), y = scaled.of(m);
    // Two of the four numbers' units.
    return std::abs(turned) < 10 * degree && std::abs(x[1] - y[1]) < 2 &&
           std::hypot(x[2] - y[2], x[3] - y[3]) < 2;
  };
  return a.mirrored == b.mirrored && (near(b) || near(b.opposite()));
}

SideBands strongest(const BrightFieldImages& images, const ScanSpectra& all, i64 count,
                    const BeamFrame& frame) {
  ScanSpectra some = all;
  const auto n = std::min(static_cast<std::size_t>(count), all.frequencies.size());
  some.frequencies.resize(n);
  some.values.resize(n * static_cast<std::size_t>(images.blocks().count()));
  return {images, std::move(some), frame};
}

/// Two amplitudes of 2/N each of white noise over N blocks; the best of n candidates about ln n
/// more.
double by_chance(const SideBands& bands, i64 blocks) {
  double shares = 0;
  for (i64 f = 0; f < bands.count(); ++f)
    shares += (2 + std::log(static_cast<double>(bands.candidates(f).size()))) /
              static_cast<double>(blocks * bands.count());
  return shares;
}

}  // namespace

BeamFit fit_beam(const BrightFieldImages& images, const ScanRaster& raster, const BeamFrame& frame,
                 int threads, std::optional<bool> mirrored) {
  BeamFit fit;
  fit.error = {infinite, infinite, infinite, infinite};
  const ScanSpectra spectra = strongest_frequencies(images, raster, many, threads);
  const SideBands bands = strongest(images, spectra, few, frame);
  if (bands.count() == 0 || bands.power() <= 0) return fit;
  const auto hills = hills_of(bands, threads, mirrored);
  const BeamModel found = hills.front().model;
  fit.explained = hills.front().explained / bands.power();
  fit.by_chance = by_chance(bands, images.blocks().count());
  const Scaled scaled(frame);
  std::optional<BeamModel> elsewhere, other_hand;
  for (const Hill& hill : hills) {
    if (hill.model.mirrored != found.mirrored) {
      if (!other_hand) other_hand = hill.model;
    } else if (!elsewhere && !alike(hill.model, found, scaled)) {
      elsewhere = hill.model;
    }
  }
  const SideBands all = strongest(images, spectra, many, frame);
  fit.other_hand = other_hand.value_or(found);
  fit.handedness = other_hand ? better_by(all, found, *other_hand, fit.by_chance) : 0;
  fit.certainty = elsewhere ? better_by(all, found, *elsewhere, fit.by_chance) : infinite;
  fit.model = climbed(all, found).model;
  SideBands settled = all;
  settled.settle(fit.model);
  fit.error = errors_of(settled, fit.model);
  add_blur(fit.error, fit.model, raster);
  return fit;
}

}  // namespace ptyle
