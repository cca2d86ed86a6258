#pragma once

// A loss that only tests know. The losses of physics/loss are compiled into loops, vectors and
// kernels, so that a new one is a line of their table; one from outside is an operator that has the
// waves of another, and compares them by itself.

#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "operator/operator.hpp"

namespace ptyle::test {

/// Roots that are far apart count by their distance a = √(I+ε) − √(y+ε), others by its square:
///
///   f  = 2w (√(1+a²) − 1)
///   f' = w a / √(1+a²) √(I+ε)              by I
///   f" = w / 2 (I+ε) at a perfect fit
struct RobustLoss {
  static constexpr const char* name = "robust";
  static constexpr double epsilon = 1e-5;

  template <class T>
  static T cost(T model, T measured, T weight, T epsilon) {
    return 2 * weight * (std::hypot(T(1), apart(model + epsilon, measured + epsilon)) - 1);
  }
  template <class T>
  static T factor(T lit, T measured, T epsilon) {
    const T a = apart(lit, measured + epsilon);
    return a / (std::hypot(T(1), a) * std::sqrt(lit));
  }
  template <class T>
  static T curvature(T weight, T lit) {
    return weight / (2 * lit);
  }
  static constexpr bool in_vectors = false;

 private:
  template <class T>
  static T apart(T lit, T measured) {
    return std::sqrt(lit) - std::sqrt(measured);
  }
};

/// Another operator's waves, compared by the loss L.
template <class L, class T>
class OperatorOfLoss final : public Operator<T> {
 public:
  explicit OperatorOfLoss(std::unique_ptr<Operator<T>> waves)
      : waves_(std::move(waves)), pixels_(setup().window * setup().window) {
    set_weights({}, {});
  }
  [[nodiscard]] const OperatorSetup& setup() const override { return waves_->setup(); }
  [[nodiscard]] Memory* memory() const override { return waves_->memory(); }
  void set_object(const ObjectView<T>& object) override { waves_->set_object(object); }
  void set_probe(View<const Complex<T>, 3> probe) override { waves_->set_probe(probe); }
  void set_weights(View<const T, 2> weight, View<const T, 2> valid) override {
    const std::vector<T> ones(static_cast<std::size_t>(pixels_), T(1));
    weight_ = weight.empty() ? ones : std::vector<T>(weight.begin(), weight.end());
    valid_ = valid.empty() ? ones : std::vector<T>(valid.begin(), valid.end());
  }
  void set_propagator(std::span<const std::complex<double>> propagator) override {
    waves_->set_propagator(propagator);
  }
  void set_background(double background) override { waves_->set_background(background); }

  void forward(const Placement& at, View<Complex<T>, 3> wave) const override {
    waves_->forward(at, wave);
  }
  void tangent(const Placement& at, const ObjectView<T>& d_object,
               View<const Complex<T>, 3> d_probe, View<Complex<T>, 3> d_wave) const override {
    waves_->tangent(at, d_object, d_probe, d_wave);
  }
  void adjoint(const Placement& at, View<const Complex<T>, 3> d,
               const Gradient<T>& sum) const override {
    waves_->adjoint(at, d, sum);
  }

  Misfit gradient(std::span<const Placement> places, const Measured<T>& measured, Wanted wanted,
                  const Gradient<T>& sum) const override {
    if (wanted.has(Part::illumination))
      (void)waves_->gradient(places, measured, {Part::illumination},
                             {{}, {}, sum.illumination, {}});
    if (wanted.has(Part::shift)) throw std::logic_error("a toy loss has no gradient of shifts");
    Misfit total;
    for (std::size_t p = 0; p < places.size(); ++p) {
      Pattern one = pattern(places[p], measured, static_cast<i64>(p));
      total += misfit_of(one);
      for (i64 k = 0; k < pixels_; ++k) {
        const auto i = static_cast<std::size_t>(k);
        const T factor =
            2 * weight_[i] * valid_[i] * L::factor(one.model[i] + eps(), one.measured[i], eps());
        for (i64 m = 0; m < setup().modes; ++m) one.waves.view()[m].data[k] *= factor;
      }
      Gradient<T> to;
      if (wanted.has(Part::object)) to.phase = sum.phase, to.absorption = sum.absorption;
      if (wanted.has(Part::probe)) to.probe = sum.probe;
      add_adjoint(places[p], one.waves, to);
    }
    return reported_there(total, sum.misfit);
  }
  [[nodiscard]] Misfit misfit(std::span<const Placement> places,
                              const Measured<T>& measured) const override {
    Misfit total;
    for (std::size_t p = 0; p < places.size(); ++p)
      total += misfit_of(pattern(places[p], measured, static_cast<i64>(p)));
    return total;
  }
  [[nodiscard]] double curvature(std::span<const Placement> places, const ObjectView<T>& d_object,
                                 View<const Complex<T>, 3> d_probe,
                                 std::span<double> each) const override {
    double total = 0;
    for (std::size_t p = 0; p < places.size(); ++p) {
      const double before = total;
      const Pattern one = bent(places[p], d_object, d_probe);
      for (std::size_t i = 0; i < one.along.size(); ++i)
        total += one.along[i] * one.along[i] * bend_of(one, i);
      if (!each.empty()) each[p] = total - before;
    }
    return total;
  }
  void gauss_newton_product(std::span<const Placement> places, const ObjectView<T>& d_object,
                            View<const Complex<T>, 3> d_probe,
                            const Gradient<T>& sum) const override {
    for (const Placement& at : places) {
      Pattern one = bent(at, d_object, d_probe);
      for (i64 k = 0; k < pixels_; ++k) {
        const auto i = static_cast<std::size_t>(k);
        const auto factor = static_cast<T>(2 * one.along[i] * bend_of(one, i));
        for (i64 m = 0; m < setup().modes; ++m) one.waves.view()[m].data[k] *= factor;
      }
      add_adjoint(at, one.waves, sum);
    }
  }

 private:
  struct Pattern {
    Array<Complex<T>, 3> waves;
    std::vector<T> model, measured;
    std::vector<double> along = {};  ///< a = Re Σ_m conj(Ψ_m) (J d)_m
  };
  [[nodiscard]] T eps() const { return static_cast<T>(setup().epsilon); }
  /// f is real: its change is 2 Re⟨∂f/∂Ψ*, dΨ⟩, of which parameters that are real see all, and
  /// ∂f/∂probe* half. `doubled`: 2 ∂f/∂Ψ*, which is used up.
  void add_adjoint(const Placement& at, Array<Complex<T>, 3>& doubled,
                   const Gradient<T>& to) const {
    if (!to.phase.empty()) waves_->adjoint(at, doubled, {to.phase, to.absorption, {}, {}});
    for (auto& value : doubled) value /= T(2);
    if (!to.probe.empty()) waves_->adjoint(at, doubled, {{}, {}, {}, to.probe});
  }
  Pattern bent(const Placement& at, const ObjectView<T>& d_object,
               View<const Complex<T>, 3> d_probe) const {
    const Measured<T> nothing = [this](i64, T* to) { std::fill_n(to, pixels_, T(0)); };
    Pattern one = pattern(at, nothing, 0);
    one.along.resize(one.model.size());
    Array<Complex<T>, 3> change(one.waves.shape());
    waves_->tangent(at, d_object, d_probe, change);
    for (i64 i = 0; i < change.size(); ++i)
      one.along[static_cast<std::size_t>(i % pixels_)] +=
          double((std::conj(one.waves.data()[i]) * change.data()[i]).real());
    return one;
  }
  /// 2 f"
  double bend_of(const Pattern& one, std::size_t i) const {
    return 2 * double(L::curvature(weight_[i] * valid_[i], one.model[i] + eps()));
  }
  Pattern pattern(const Placement& at, const Measured<T>& measured, i64 number) const {
    const i64 w = setup().window;
    const auto n = static_cast<std::size_t>(pixels_);
    Pattern one{Array<Complex<T>, 3>({setup().modes, w, w}), std::vector<T>(n), std::vector<T>(n)};
    waves_->forward(at, one.waves);
    measured.load(number, one.measured.data());
    for (i64 i = 0; i < one.waves.size(); ++i)
      one.model[static_cast<std::size_t>(i % pixels_)] += std::norm(one.waves.data()[i]);
    return one;
  }
  Misfit misfit_of(const Pattern& one) const {
    Misfit sum;
    for (std::size_t i = 0; i < one.model.size(); ++i) {
      const double apart = std::sqrt(double(one.model[i])) - std::sqrt(double(one.measured[i]));
      sum.cost += double(L::cost(one.model[i], one.measured[i], weight_[i] * valid_[i], eps()));
      sum.r_numerator += double(valid_[i]) * apart * apart;
      sum.r_denominator += double(valid_[i] * one.measured[i]);
    }
    return sum;
  }
  /// `sum` may lie where the operator computes.
  Misfit reported_there(const Misfit& misfit, View<double, 1> sum) const {
    if (sum.empty() || !memory()) return reported(misfit, sum);
    Array<double, 1> here({3});
    memory()->copy(here.data(), sum.data, 3 * sizeof(double));
    (void)reported(misfit, here);
    memory()->copy(sum.data, here.data(), 3 * sizeof(double));
    return {};
  }

  std::unique_ptr<Operator<T>> waves_;
  i64 pixels_;
  std::vector<T> weight_, valid_;
};

}  // namespace ptyle::test
