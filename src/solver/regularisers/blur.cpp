#include "solver/regularisers/blur.hpp"

#include "solver/blur.hpp"

namespace ptyle {

template <class T>
i64 Blur<T>::reach() const {
  return reach_of_blur(sigma_);
}

template <class T>
void Blur<T>::apply(View<T, 3> volume, Arithmetic<T>& arithmetic) const {
  arithmetic.blur_lateral(volume, gaussian_weights(sigma_), 1);
}

template <class T>
void BlurAlongZ<T>::apply(View<T, 3> volume, Arithmetic<T>& arithmetic) const {
  if (volume.shape[0] > 1) arithmetic.blur_along_z(volume, gaussian_weights(sigma_));
}

template class Blur<float>;
template class Blur<double>;
template class BlurAlongZ<float>;
template class BlurAlongZ<double>;

}  // namespace ptyle
