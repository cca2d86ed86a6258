#include "solver/rules/low_pass.hpp"

#include <algorithm>
#include <cmath>

#include "core/units.hpp"
#include "solver/blur.hpp"

namespace ptyle {

double low_pass_sigma(const FitOptions& options) {
  const double k_c = options.continuation.k_c();
  return k_c > 0 ? 1 / (std::sqrt(2.0) * pi * k_c * options.pixel) : 0;
}

namespace {

/// By a Gaussian of this σ, of cores, on cores.
template <class T>
void blur_cores(Workspace<T>& with, const Volumes<T>& volumes, double sigma, i64 block) {
  std::vector<Stack<T>> stacks;
  for (std::size_t t = 0; t < with.tiles.size(); ++t) stacks.push_back(volumes.stack(t, block));
  with.halos.fill(stacks, reach_of_blur(sigma));
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (const View<T, 3>& volume : volumes.on(t)) {
      with.arithmetic->blur_lateral(volume, gaussian_weights(sigma), block);
      with.blank(t, volume);
    }
}

}  // namespace

template <class T>
void low_passed(const Trial<T>& trial, const Volumes<T>& volumes,
                const std::function<void()>& middle) {
  Workspace<T>& with = trial.with;
  const i64 block = std::max<i64>(1, with.options.continuation.block());
  const double sigma = low_pass_sigma(with.options) / std::sqrt(2.0);  // two make the whole
  if (sigma > 0) blur_cores(with, volumes, sigma, block);
  middle();
  if (sigma > 0) blur_cores(with, volumes, sigma, block);
  untie(with, volumes);
}

template void low_passed(const Trial<float>&, const Volumes<float>&, const std::function<void()>&);
template void low_passed(const Trial<double>&, const Volumes<double>&,
                         const std::function<void()>&);

}  // namespace ptyle
