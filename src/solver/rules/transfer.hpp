#pragma once

// Preconditioning by what the microscope transfers. By lateral frequency and depth, the
// Gauss-Newton matrix JᵀJ of a fit is large where all slices change alike and slowly over the
// object, and up to 10⁵ times smaller elsewhere; descent crawls there. Where the scan illuminates
// evenly it is a convolution, whose kernel is measured and inverted by its Fourier transform
// H(q, k_z):
//
//   M = w F⁻¹ (1/(H + μ h)) F w      w = 1/√max(l, 0.02)      (or H/(H² + μ² h²))
//                                        0 where l < 1e-5
//
// h the largest of H, l the illumination over its largest.
//
// 1. The kernel, once: of some positions all over the scan, patterns are computed of the object as
//    it is. With ε v added, v = ±1 at random, a sign a voxel, the gradient of the misfit to those
//    patterns is ε JᵀJ v, and its correlation with v the kernel, averaged over all voxels that the
//    probes reach: noise is little, as it is one number of thousands of voxels.
// 2. It is scaled from those positions to where the illumination of all is largest, tapered towards
//    the reach and the greatest distance of slices (triangles, whose transform is not negative, as
//    H has to be), inverted and cut off at the reach.
// 3. Blocks of what is preconditioned are convolved with it (device/cpu/block_filter), on the host:
//    the result does not depend on the mesh.

#include <memory>

#include "device/cpu/block_filter.hpp"
#include "solver/rules/illumination.hpp"
#include "solver/rules/on_cores.hpp"
#include "solver/rules/preconditioning.hpp"
#include "solver/rules/transfer_kernel.hpp"
#include "solver/rules/transfer_options.hpp"

namespace ptyle {

template <class T>
class ByTransfer final : public Preconditioning<T> {
 public:
  /// `averaged`: l is the mean of an iteration's mini-batches, instead of each one's own.
  explicit ByTransfer(const TransferOptions& options, bool averaged = false)
      : options_(options), averaged_(averaged) {}
  void declare(State<T>& state) override;
  void prepare(const Trial<T>& trial) override;
  void apply(const Trial<T>& trial, const Volumes<T>& volumes) override;
  [[nodiscard]] i64 reach() const override { return options_.pixels; }
  [[nodiscard]] double other_bytes(const OperatorSetup& setup, const Box& core,
                                   int threads) const override;

 private:
  [[nodiscard]] bool is_measured(const Trial<T>& trial) const;
  void measure(const Trial<T>& trial);
  [[nodiscard]] Kernel3 kernel_of(const Trial<T>& trial, std::size_t tile,
                                  const std::vector<i64>& members, double& illuminated) const;
  void add_signs(const Trial<T>& trial, std::size_t tile) const;
  [[nodiscard]] double largest_illumination(const Trial<T>& trial) const;
  void find_weights(const Trial<T>& trial, double most) const;
  void make_filter(const Trial<T>& trial, double most);

  const TransferOptions options_;
  const bool averaged_;
  MeanIllumination<T> mean_;
  OnCores<T> cores_;
  Volumes<T> kept_, made_;
  Field<T>* weight_ = nullptr;  // w
  Field<T>* kernel_ = nullptr;  // of an illumination of 1
  double* most_ = nullptr;      // illumination that the filter is made for
  std::unique_ptr<BlockFilter<T>> filter_;
};

}  // namespace ptyle
