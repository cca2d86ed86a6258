#include "device/emulated/arithmetic.hpp"

#include "device/gpu_arithmetic.hpp"

namespace ptyle {

template <class T>
std::unique_ptr<Arithmetic<T>> make_emulated_arithmetic(emulated::Gpu& gpu, Ledger* ledger) {
  return std::make_unique<GpuArithmetic<T, emulated::Gpu>>(gpu, ledger);
}
template std::unique_ptr<Arithmetic<float>> make_emulated_arithmetic(emulated::Gpu&, Ledger*);
template std::unique_ptr<Arithmetic<double>> make_emulated_arithmetic(emulated::Gpu&, Ledger*);

}  // namespace ptyle
