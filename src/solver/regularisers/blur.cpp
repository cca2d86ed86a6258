#include "solver/regularisers/blur.hpp"

#include "solver/blur.hpp"
#include "solver/parts.hpp"

namespace ptyle {
namespace {

template <class T>
class Blur final : public Regulariser<T> {
 public:
  explicit Blur(double sigma) : sigma_(sigma) {}  ///< px
  [[nodiscard]] std::string key() const override { return "object.blur"; }
  [[nodiscard]] i64 reach() const override { return reach_of_blur(sigma_); }
  void apply(std::span<const View<T, 3>> volumes, Arithmetic<T>& arithmetic) const override {
    for (const View<T, 3>& volume : volumes)
      arithmetic.blur_lateral(volume, gaussian_weights(sigma_), 1);
  }

 private:
  double sigma_;
};

template <class T>
class BlurAlongZ final : public Regulariser<T> {
 public:
  explicit BlurAlongZ(double sigma) : sigma_(sigma) {}  ///< slices
  [[nodiscard]] std::string key() const override { return "object.blur_z"; }
  [[nodiscard]] i64 reach() const override { return 0; }
  void apply(std::span<const View<T, 3>> volumes, Arithmetic<T>& arithmetic) const override {
    for (const View<T, 3>& volume : volumes)
      if (volume.shape[0] > 1) arithmetic.blur_along_z(volume, gaussian_weights(sigma_));
  }

 private:
  double sigma_;
};

}  // namespace

template <class T>
void BlurOptions::add_to(Parts<T>& parts) const {
  if (lateral > 0) parts.regularisers.push_back(std::make_unique<Blur<T>>(lateral));
  if (along_z > 0) parts.regularisers.push_back(std::make_unique<BlurAlongZ<T>>(along_z));
}

template void BlurOptions::add_to(Parts<float>&) const;
template void BlurOptions::add_to(Parts<double>&) const;

}  // namespace ptyle
