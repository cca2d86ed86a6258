// The regularisers that there are: a line each.

#include "solver/regularisers/blur.hpp"

namespace ptyle {

template <class T>
std::vector<std::unique_ptr<Regulariser<T>>> regularisers_of(const FitOptions& options) {
  std::vector<std::unique_ptr<Regulariser<T>>> all;
  if (options.blur > 0) all.push_back(std::make_unique<Blur<T>>(options.blur));
  if (options.blur_z > 0) all.push_back(std::make_unique<BlurAlongZ<T>>(options.blur_z));
  return all;
}

template std::vector<std::unique_ptr<Regulariser<float>>> regularisers_of(const FitOptions&);
template std::vector<std::unique_ptr<Regulariser<double>>> regularisers_of(const FitOptions&);

}  // namespace ptyle
