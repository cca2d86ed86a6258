#include "solver/blur.hpp"

#include <cmath>

namespace ptyle {

i64 reach_of_blur(double sigma) { return static_cast<i64>(std::ceil(3.5 * sigma)); }

std::vector<double> gaussian_weights(double sigma) {
  const i64 reach = reach_of_blur(sigma);
  std::vector<double> weights;
  double total = 0;
  for (i64 i = 0; i <= reach; ++i) {
    weights.push_back(std::exp(-0.5 * double(i * i) / (sigma * sigma)));
    total += (i == 0 ? 1 : 2) * weights.back();
  }
  for (double& w : weights) w /= total;
  return weights;
}

}  // namespace ptyle
