#include "device/cpu/fft.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "device/cpu/fft_plan.hpp"

namespace ptyle {
namespace {

/// The plan that is kept for this size, or a new one.
template <class T>
std::shared_ptr<const FftPlan<T>> kept_plan(i64 rows, i64 cols, FftAxes axes, FftRigor rigor) {
  static std::mutex mutex;
  static std::map<std::tuple<i64, i64, FftAxes, FftRigor>, std::weak_ptr<const FftPlan<T>>> kept;
  const std::lock_guard lock(mutex);
  auto& place = kept[{rows, cols, axes, rigor}];
  auto plan = place.lock();
  if (!plan) place = plan = plan_fft<T>(rows, cols, axes, rigor);
  return plan;
}

}  // namespace

template <class T>
Fft2<T>::Fft2(i64 ny, i64 nx, FftRigor rigor) : plan_(kept_plan<T>(ny, nx, FftAxes::both, rigor)) {}

template <class T>
void Fft2<T>::forward(Complex<T>* in_place) const {
  plan_->run(false, in_place, in_place);
}

template <class T>
void Fft2<T>::inverse(Complex<T>* in_place) const {
  plan_->run(true, in_place, in_place);
}

template <class T>
void Fft2<T>::forward(const Complex<T>* from, Complex<T>* to) const {
  plan_->run(false, from, to);
}

template <class T>
void Fft2<T>::inverse(const Complex<T>* from, Complex<T>* to) const {
  plan_->run(true, from, to);
}

template <class T>
FftColumns<T>::FftColumns(i64 n, i64 count, FftRigor rigor)
    : plan_(kept_plan<T>(n, count, FftAxes::columns, rigor)) {}

template <class T>
void FftColumns<T>::forward(const Complex<T>* from, Complex<T>* to) const {
  plan_->run(false, from, to);
}

template <class T>
void FftColumns<T>::inverse(const Complex<T>* from, Complex<T>* to) const {
  plan_->run(true, from, to);
}

bool factors_into(i64 n, std::initializer_list<i64> primes) {
  for (const i64 p : primes)
    while (n % p == 0) n /= p;
  return n == 1;
}

i64 quick_fft_size(i64 n) {
  i64 size = std::max<i64>(n, 1);
  while (!factors_into(size, {2, 3, 5, 7})) ++size;
  return size;
}

template class Fft2<float>;
template class Fft2<double>;
template class FftColumns<float>;
template class FftColumns<double>;

}  // namespace ptyle
