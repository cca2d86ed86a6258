#include "emulated.hpp"

#include "device/emulated/gpu.hpp"
#include "operator/cuda/gpu_operator.hpp"

namespace ptyle::test {
namespace {

/// The operator with the GPU that it computes on.
template <class T>
class Emulated final : public Operator<T> {
  using C = Complex<T>;

 public:
  Emulated(const OperatorSetup& setup, const GpuOptions& options, bool backwards, Ledger* ledger)
      : gpu_({.backwards = backwards}), op_(setup, gpu_, ledger, options) {}
  const OperatorSetup& setup() const override { return op_.setup(); }
  void set_object(const ObjectView<T>& object) override { op_.set_object(object); }
  void set_probe(View<const C, 3> probe) override { op_.set_probe(probe); }
  void set_weights(View<const T, 2> weight, View<const T, 2> valid) override {
    op_.set_weights(weight, valid);
  }
  void forward(const Placement& at, View<C, 3> wave) const override { op_.forward(at, wave); }
  void tangent(const Placement& at, const ObjectView<T>& d_object, View<const C, 3> d_probe,
               View<C, 3> d_wave) const override {
    op_.tangent(at, d_object, d_probe, d_wave);
  }
  void adjoint(const Placement& at, View<const C, 3> d, const Gradient<T>& sum) const override {
    op_.adjoint(at, d, sum);
  }
  Misfit gradient(std::span<const Placement> places, const Measured<T>& measured, Wanted wanted,
                  const Gradient<T>& sum) const override {
    return op_.gradient(places, measured, wanted, sum);
  }
  Misfit misfit(std::span<const Placement> places, const Measured<T>& measured) const override {
    return op_.misfit(places, measured);
  }
  double curvature(std::span<const Placement> places, const ObjectView<T>& d_object,
                   View<const C, 3> d_probe) const override {
    return op_.curvature(places, d_object, d_probe);
  }

 private:
  emulated::Gpu gpu_;
  gpu::GpuOperator<T, emulated::Gpu> op_;
};

}  // namespace

template <class T>
std::unique_ptr<Operator<T>> make_emulated_operator(const OperatorSetup& setup,
                                                    const GpuOptions& options, bool backwards,
                                                    Ledger* ledger) {
  return std::make_unique<Emulated<T>>(setup, options, backwards, ledger);
}
template std::unique_ptr<Operator<float>> make_emulated_operator(const OperatorSetup&,
                                                                 const GpuOptions&, bool, Ledger*);
template std::unique_ptr<Operator<double>> make_emulated_operator(const OperatorSetup&,
                                                                  const GpuOptions&, bool, Ledger*);

}  // namespace ptyle::test
