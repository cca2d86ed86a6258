#include "operator/emulated/make.hpp"

namespace ptyle {

template std::unique_ptr<Operator<float>> make_emulated_operator(OperatorSetup, emulated::Gpu&,
                                                                 Ledger*, const GpuOptions&);
template std::unique_ptr<Operator<float>> make_emulated_operator(OperatorSetup, const GpuOptions&,
                                                                 const emulated::Gpu::Properties&);

}  // namespace ptyle
