#include "solver/variables/background.hpp"

#include <algorithm>
#include <cmath>

#include "core/quantile.hpp"
#include "solver/parts.hpp"
#include "solver/variables/detector_sample.hpp"

namespace ptyle {
namespace {

constexpr const char* name = "detector.background";
/// Patterns of a sample: W² pixels each tell of one number.
constexpr i64 patterns = 16;
/// The part of the pixels that is dark.
constexpr double dark_part = 0.25;
/// A background that moves by less, of itself and of a pixel's mean counts, is found.
constexpr double found = 0.05, found_of_mean = 1e-3;

}  // namespace

template <class T>
void BackgroundVariable<T>::declare(State<T>& state) {
  background_ = &state.number(name);
  moved_ = &state.number("detector.background.moved");
}

template <class T>
void BackgroundVariable<T>::publish(Workspace<T>& with) {
  if (!offset_) offset_ = with.op->setup().background;
  with.op->set_background(*offset_ + *background_);
}

template <class T>
auto BackgroundVariable<T>::dark_pixels(Workspace<T>& with, const std::vector<i64>& sample) const
    -> Dark {
  const i64 pixels = with.op->setup().window * with.op->setup().window;
  // Σ I, Σ y and the number of patterns, a pixel each
  Array<double, 2> sums({3, pixels}, with.ledger, "probe");
  double *const lit = sums.data(), *const read = lit + pixels, *const number = read + pixels;
  for_each_pattern<T>(with, sample, [&](const double* model, const T* measured) {
    for (i64 k = 0; k < pixels; ++k) {
      if (!with.data.is_measured(k, measured[k])) continue;
      lit[k] += model[k];
      read[k] += double(measured[k]) - *offset_;
      number[k] += 1;
    }
  });
  with.team.sum({sums.data(), static_cast<std::size_t>(sums.size())});
  Dark dark;
  dark.pixels.resize(static_cast<std::size_t>(pixels));
  Array<double, 1> levels({pixels}, with.ledger, "probe");
  i64 seen = 0;
  for (i64 k = 0; k < pixels; ++k)
    if (number[k] > 0) levels.data()[seen++] = lit[k] /= number[k];  // their mean from here on
  if (seen == 0) return dark;
  // Pixels that are alike but for the rounding of sums are all dark, or none of them.
  const double level =
      (1 + 1e-9) * quantile({levels.data(), static_cast<std::size_t>(seen)}, dark_part);
  double all = 0, of_all = 0, counts_of_dark = 0, of_dark = 0;
  for (i64 k = 0; k < pixels; ++k) {
    all += read[k], of_all += number[k];
    if (!(number[k] > 0 && lit[k] <= level)) continue;
    dark.pixels[static_cast<std::size_t>(k)] = 1;
    counts_of_dark += read[k], of_dark += number[k];
  }
  dark.counts = counts_of_dark / of_dark, dark.counts_of_all = all / of_all;
  return dark;
}

template <class T>
double BackgroundVariable<T>::intercept(Workspace<T>& with, const Dark& dark,
                                        const std::vector<i64>& sample) const {
  std::vector<double> sums(5, 0);  // Σ w, w S, w S², w y, w S y
  for_each_pattern<T>(with, sample, [&](const double* model, const T* measured) {
    for (std::size_t k = 0; k < dark.pixels.size(); ++k) {
      if (dark.pixels[k] == 0 || !with.data.is_measured(static_cast<i64>(k), measured[k])) continue;
      const double s = model[k] - *offset_ - *background_, y = double(measured[k]) - *offset_,
                   w = 1 / (s + dark.counts);
      sums[0] += w;
      sums[1] += w * s;
      sums[2] += w * s * s;
      sums[3] += w * y;
      sums[4] += w * s * y;
    }
  });
  with.team.sum(sums);
  if (!(sums[0] > 0)) return 0;
  const double variance = sums[0] * sums[2] - sums[1] * sums[1];
  const bool varies = variance > 1e-9 * sums[0] * sums[2];
  const double slope =
      varies ? std::clamp((sums[0] * sums[4] - sums[1] * sums[3]) / variance, 0.0, 1.0) : 0;
  return (sums[3] - slope * sums[1]) / sums[0];
}

template <class T>
void BackgroundVariable<T>::end_iteration(Workspace<T>& with, const Batch& batch) {
  due_ = !batch.lateral_limit;
  *moved_ = 0;
  if (!due_) return;
  const std::vector<i64> sample = sample_of(with.fitted, patterns);
  const Dark dark = dark_pixels(with, sample);
  mean_ = dark.counts_of_all;
  const double before = *background_;
  *background_ = dark.counts > 0 ? std::max(0.0, intercept(with, dark, sample)) : 0;
  *moved_ = *background_ - before;
  publish(with);
}

template <class T>
bool BackgroundVariable<T>::still_finding() const {
  return std::abs(*moved_) > std::max(found * *background_, found_of_mean * mean_);
}

template <class T>
OtherBytes BackgroundVariable<T>::other_bytes(const OperatorSetup& setup, i64 /*positions*/,
                                              bool /*device*/) const {
  const double pixels = pattern_bytes<double>(setup);
  return {.moment = 3 * pixels + std::max(for_each_pattern_bytes<T>(setup), pixels)};
}

template class BackgroundVariable<float>;
template class BackgroundVariable<double>;

}  // namespace ptyle
