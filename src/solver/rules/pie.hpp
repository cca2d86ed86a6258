#pragma once

// The sequential references: ePIE (Maiden and Rodenburg, Ultramicroscopy 109 (2009) 1256), rPIE
// (Maiden, Johnson and Li, Optica 4 (2017) 736) and, with several slices, 3PIE (Maiden, Humphry and
// Rodenburg, J. Opt. Soc. Am. A 29 (2012) 1606). Position after position, in an order that is drawn
// anew for every iteration:
//
//   1. ψ_0 = probe shifted, u_s = t_s ψ_s, ψ_{s+1} = IFFT(P FFT(u_s)), Ψ = FFT(u_{S−1})
//   2. Ψ' = Ψ √((y+ε)/(I+ε)) where y is measured, else Ψ;   Δ_{S−1} = IFFT(Ψ' − Ψ)
//   3. from the last slice to the first, of each both by the old t_s and ψ_s:
//        t_s' = t_s + a Σ_m ψ_sm* Δ_sm / D(Σ_m |ψ_sm|²)
//        δ_m = t_s* Δ_sm / D(|t_s|²),   Δ_{s−1} = IFFT(P* FFT(δ))
//   4. probe' = probe + b δ of the first slice, shifted back
//
//   ePIE: D(x) = max x, a = pie_alpha, b = pie_beta
//   rPIE: D(x) = (1 − c) x + c max x, a = b = 1, c = pie_alpha of an object, pie_beta of the probe
//
// Maxima are those in the window. The waves between slices always take a whole step, D = max. The
// modes are those of Thibault and Menzel (Nature 494 (2013) 68). What is fitted is φ and μ of
// t = exp(iφ − μ), so a slice moves by φ += arg(t'/t), μ −= ln|t'/t|, within its limits; a
// potential by its phase alone.

#include <optional>

#include "operator/stepwise.hpp"
#include "solver/rules/pie_options.hpp"
#include "solver/rules/rule.hpp"

namespace ptyle {

template <class T>
class PieRule final : public UpdateRule<T> {
  using C = Complex<T>;

 public:
  explicit PieRule(const PieOptions& options) : options_(options) {}
  void declare(State<T>& state) override;
  /// Goes through the positions of the mini-batch and moves object and probe. Throws UserError for
  /// what it cannot: a loss other than amplitude, modes that positions mix, memory of a device.
  void step(const Trial<T>& trial) override;
  [[nodiscard]] bool by_position() const override { return true; }
  [[nodiscard]] double step_in_use(const Workspace<T>& with) const override;
  [[nodiscard]] std::string whole_scan_for() const override { return "solver.rule: pie"; }

 private:
  void prepare(const Trial<T>& trial);
  void visit(const Trial<T>& trial, i64 position, Misfit& misfit);
  void forward(const ObjectView<T>& object, const Placement& at);
  [[nodiscard]] Misfit project(const FitData<T>& data, const OperatorSetup& setup);
  void move_slice(const Trial<T>& trial, i64 slice, const Placement& at);
  void take_back(i64 slice, double regularised, double step);
  void move_probe(const Placement& at);

  /// Planes of the field: ψ_s of all slices and modes; Δ of all modes; t_s; P / W²; a pattern and a
  /// sum.
  [[nodiscard]] C* incident(i64 slice, i64 mode) const { return plane(slice * modes_ + mode); }
  [[nodiscard]] C* difference(i64 mode) const { return plane(slices_ * modes_ + mode); }
  [[nodiscard]] C* transmission(i64 slice) const { return plane((slices_ + 1) * modes_ + slice); }
  [[nodiscard]] C* propagator() const { return plane((slices_ + 1) * modes_ + slices_); }
  [[nodiscard]] T* pattern() const {
    return reinterpret_cast<T*>(plane((slices_ + 1) * modes_ + slices_ + 1));
  }
  [[nodiscard]] T* sum() const { return pattern() + n_; }
  [[nodiscard]] C* plane(i64 number) const { return waves_->waves.data() + number * n_; }

  const PieOptions options_;
  std::optional<Stepwise<T>> steps_;  // made when they are first needed
  Field<T>*probe_ = nullptr, *waves_ = nullptr;
  i64 modes_ = 0, slices_ = 0, n_ = 0;
};

}  // namespace ptyle
