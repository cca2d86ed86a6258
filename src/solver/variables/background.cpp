#include "solver/variables/background.hpp"

#include <algorithm>
#include <cmath>

#include "physics/loss/losses.hpp"
#include "solver/parts.hpp"
#include "solver/variables/detector_sample.hpp"

namespace ptyle {
namespace {

constexpr const char* name = "detector.background";
/// Patterns of a sample: W² pixels each tell of one number.
constexpr i64 patterns = 16;
/// Newton's steps of an iteration. Roots of counts let b no more than grow by 2√(b_true / b) times
/// in one of them, so that from nearly nothing it takes some.
constexpr int most_steps = 4;
/// A part of b that is nothing.
constexpr double enough = 0.01;
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
double BackgroundVariable<T>::newton_step(Workspace<T>& with, const std::vector<i64>& sample) {
  const OperatorSetup& setup = with.op->setup();
  const i64 pixels = setup.window * setup.window;
  const Array<T, 2> weight = with.detector_weight();
  std::vector<double> sums(4, 0);  // f', f", y and pixels
  for_each_pattern<T>(with, sample, [&](const double* model, const T* measured) {
    with_loss(setup.loss, [&](auto loss) {
      for (i64 k = 0; k < pixels; ++k) {
        const double w = (weight.empty() ? 1.0 : double(weight.data()[k])) *
                         (with.data.valid.empty() ? 1.0 : double(with.data.valid.data[k]));
        const double y = double(measured[k]), lit = model[k] + setup.epsilon;
        if (!(w > 0) || y < 0 || !(lit > 0)) continue;
        sums[0] += w * loss.factor(lit, y, setup.epsilon);
        sums[1] += loss.curvature(w, lit);
        sums[2] += y;
        sums[3] += 1;
      }
    });
  });
  with.team.sum(sums);
  mean_ = sums[3] > 0 ? sums[2] / sums[3] : 0;
  const double step = -sums[0] / sums[1];
  return std::isfinite(step) ? step : 0;
}

template <class T>
void BackgroundVariable<T>::end_iteration(Workspace<T>& with, const Batch& batch) {
  due_ = !batch.lateral_limit;
  *moved_ = 0;
  if (!due_) return;
  const std::vector<i64> sample = sample_of(with.fitted, patterns);
  const double before = *background_;
  for (int i = 0; i < most_steps; ++i) {
    const double from = *background_;
    *background_ = std::max(0.0, from + newton_step(with, sample));
    publish(with);
    if (std::abs(*background_ - from) <= enough * *background_) break;
  }
  *moved_ = *background_ - before;
}

template <class T>
bool BackgroundVariable<T>::still_finding() const {
  return std::abs(*moved_) > std::max(found * *background_, found_of_mean * mean_);
}

template <class T>
OtherBytes BackgroundVariable<T>::other_bytes(const OperatorSetup& setup, i64 /*positions*/,
                                              bool /*device*/) const {
  return {.moment = for_each_pattern_bytes<T>(setup)};
}

template class BackgroundVariable<float>;
template class BackgroundVariable<double>;

}  // namespace ptyle
