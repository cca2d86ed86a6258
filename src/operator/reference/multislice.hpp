#pragma once

// The multislice operator as the equations have it: double precision, one thread, a direct Fourier
// sum, no attention to speed. Every other backend is tested against it.

#include <vector>

#include "operator/operator.hpp"

namespace ptyle {

class ReferenceOperator final : public Operator<double> {
 public:
  using Value = Complex<double>;
  using Wave = std::vector<Value>;  ///< W·W values, row by row

  explicit ReferenceOperator(OperatorSetup setup);

  [[nodiscard]] const OperatorSetup& setup() const override { return setup_; }
  void set_object(const ObjectView<double>& object) override;
  void set_probe(View<const Value, 3> probe) override;
  void set_weights(View<const double, 2> weight, View<const double, 2> valid) override;
  void set_propagator(std::span<const Value> propagator) override;
  void set_background(double background) override;
  [[nodiscard]] std::vector<Value> propagator() const override {
    return setup_.slices > 1 ? setup_.propagator : std::vector<Value>();
  }

  void forward(const Placement& at, View<Value, 3> wave) const override;
  void tangent(const Placement& at, const ObjectView<double>& d_object,
               View<const Value, 3> d_probe, View<Value, 3> d_wave) const override;
  void adjoint(const Placement& at, View<const Value, 3> d,
               const Gradient<double>& sum) const override;
  Misfit gradient(std::span<const Placement> places, const Measured<double>& measured,
                  Wanted wanted, const Gradient<double>& sum) const override;
  [[nodiscard]] Misfit misfit(std::span<const Placement> places,
                              const Measured<double>& measured) const override;
  [[nodiscard]] double curvature(std::span<const Placement> places,
                                 const ObjectView<double>& d_object, View<const Value, 3> d_probe,
                                 std::span<double> each = {}) const override;
  void gauss_newton_product(std::span<const Placement> places, const ObjectView<double>& d_object,
                            View<const Value, 3> d_probe,
                            const Gradient<double>& sum) const override;

 private:
  /// The waves of one mode at one position.
  struct Passed {
    std::vector<Wave> u;  ///< u_s = t_s ψ_s, one a slice
    Wave detector;        ///< Ψ = FFT(u_{S−1} displaced)
  };
  /// A position's modes, and what they change by along a direction.
  struct Bent {
    std::vector<Passed> modes;
    std::vector<double> along;   ///< a = Re Σ_m conj(Ψ_m) (J d)_m
    std::vector<double> weight;  ///< 2 f", so that Σ_k weight a² is the curvature
  };

  [[nodiscard]] Wave fourier(const Wave& wave, int sign) const;
  [[nodiscard]] Wave fft(const Wave& wave) const { return fourier(wave, -1); }
  [[nodiscard]] Wave ifft(const Wave& wave) const;  // carries 1/W²
  [[nodiscard]] Wave propagated(const Wave& wave) const;
  [[nodiscard]] Wave propagated_back(const Wave& wave) const;
  [[nodiscard]] Wave shifted(const Wave& wave, const Placement& at, int direction) const;
  [[nodiscard]] Wave displaced(Wave wave, const Placement& at, int direction) const;
  [[nodiscard]] i64 voxel(const Placement& at, i64 pixel) const;
  [[nodiscard]] Value transmission(i64 plane, i64 voxel) const;
  [[nodiscard]] i64 plane(i64 mode, i64 slice) const;

  [[nodiscard]] Value coefficient(const Placement& at, i64 mode, i64 q) const;
  [[nodiscard]] Wave mixed(const Placement& at, i64 mode, const std::vector<Wave>& of) const;
  [[nodiscard]] Passed pass(const Placement& at, i64 mode) const;
  [[nodiscard]] Wave pass_tangent(const Placement& at, i64 mode, const Passed& passed,
                                  const ObjectView<double>& d_object, const Wave& d_probe) const;
  Wave pass_adjoint(const Placement& at, i64 mode, const Passed& passed, const Wave& detector,
                    double object_factor, const Gradient<double>& sum) const;
  [[nodiscard]] std::array<double, 2> shift_gradient(const Placement& at, i64 mode,
                                                     const Wave& chi) const;
  [[nodiscard]] std::array<double, 2> descan_gradient(const Placement& at, const Passed& passed,
                                                      const Wave& residual) const;
  void add_coefficient_gradient(const Placement& at, i64 mode, const Wave& chi,
                                View<Value, 2> sum) const;
  [[nodiscard]] std::vector<double> intensity(const std::vector<Passed>& modes) const;
  [[nodiscard]] Misfit compare(const std::vector<double>& model,
                               const std::vector<double>& measured) const;
  [[nodiscard]] double residual_factor(double model, double measured) const;
  [[nodiscard]] Bent bent(const Placement& at, const ObjectView<double>& d_object,
                          const std::vector<Wave>& d_probe) const;
  void add_illumination(const Placement& at, const std::vector<Passed>& modes,
                        const Gradient<double>& sum) const;

  OperatorSetup setup_;
  i64 n_;                       // W²
  std::array<i64, 3> shape_{};  // of the object
  std::vector<double> phase_, absorption_;
  std::vector<Wave> probe_;
  std::vector<double> weight_, valid_;
};

}  // namespace ptyle
