#include "emulated.hpp"

namespace ptyle {

template class gpu::GpuOperator<float, emulated::Gpu>;
template class gpu::GpuOperator<double, emulated::Gpu>;

namespace test {
namespace {

struct OwnGpu {
  explicit OwnGpu(const emulated::Gpu::Properties& properties) : gpu(properties) {}
  emulated::Gpu gpu;
};

template <class T>
class OnOwnGpu final : private OwnGpu, public EmulatedOperator<T> {
 public:
  OnOwnGpu(const OperatorSetup& setup, const GpuOptions& options,
           const emulated::Gpu::Properties& properties)
      : OwnGpu(properties), EmulatedOperator<T>(setup, gpu, nullptr, options) {}
};

}  // namespace

template <class T>
std::unique_ptr<Operator<T>> make_emulated_operator(const OperatorSetup& setup,
                                                    const GpuOptions& options,
                                                    const emulated::Gpu::Properties& gpu) {
  return std::make_unique<OnOwnGpu<T>>(setup, options, gpu);
}
template std::unique_ptr<Operator<float>> make_emulated_operator(const OperatorSetup&,
                                                                 const GpuOptions&,
                                                                 const emulated::Gpu::Properties&);
template std::unique_ptr<Operator<double>> make_emulated_operator(const OperatorSetup&,
                                                                  const GpuOptions&,
                                                                  const emulated::Gpu::Properties&);

}  // namespace test
}  // namespace ptyle
