#include "device/cpu/fft.hpp"

#include <fftw3.h>
#include <fmt/format.h>

#include <map>
#include <mutex>
#include <tuple>
#include <type_traits>

namespace ptyle {
namespace {

std::mutex planner;  // FFTW plans on one thread at a time

// FFTW's two precisions under one name.
template <class T>
struct Fftw;

template <>
struct Fftw<double> {
  using Plan = fftw_plan;
  static Plan make(int ny, int nx, Complex<double>* data, int sign, unsigned flags) {
    auto* p = reinterpret_cast<fftw_complex*>(data);
    return fftw_plan_dft_2d(ny, nx, p, p, sign, flags);
  }
  static void run(Plan plan, Complex<double>* data) {
    auto* p = reinterpret_cast<fftw_complex*>(data);
    fftw_execute_dft(plan, p, p);
  }
  static void destroy(Plan plan) { fftw_destroy_plan(plan); }
  static constexpr auto import_wisdom = fftw_import_wisdom_from_filename;
  static constexpr auto export_wisdom = fftw_export_wisdom_to_filename;
  static constexpr const char* file = "fftw-double.wisdom";
};

template <>
struct Fftw<float> {
  using Plan = fftwf_plan;
  static Plan make(int ny, int nx, Complex<float>* data, int sign, unsigned flags) {
    auto* p = reinterpret_cast<fftwf_complex*>(data);
    return fftwf_plan_dft_2d(ny, nx, p, p, sign, flags);
  }
  static void run(Plan plan, Complex<float>* data) {
    auto* p = reinterpret_cast<fftwf_complex*>(data);
    fftwf_execute_dft(plan, p, p);
  }
  static void destroy(Plan plan) { fftwf_destroy_plan(plan); }
  static constexpr auto import_wisdom = fftwf_import_wisdom_from_filename;
  static constexpr auto export_wisdom = fftwf_export_wisdom_to_filename;
  static constexpr const char* file = "fftw-float.wisdom";
};

unsigned flags_of(FftRigor rigor) {
  switch (rigor) {
    case FftRigor::estimate:
      return FFTW_ESTIMATE;
    case FftRigor::measure:
      return FFTW_MEASURE;
    case FftRigor::patient:
      return FFTW_PATIENT;
  }
  return FFTW_ESTIMATE;
}

}  // namespace

template <class T>
struct Fft2<T>::Plans {
  Plans(i64 ny, i64 nx, FftRigor rigor) {
    Array<Complex<T>, 2> scratch({ny, nx});
    const auto flags = flags_of(rigor);
    forward = Fftw<T>::make(int(ny), int(nx), scratch.data(), FFTW_FORWARD, flags);
    inverse = Fftw<T>::make(int(ny), int(nx), scratch.data(), FFTW_BACKWARD, flags);
    if (!forward || !inverse)
      throw std::runtime_error(fmt::format("FFTW could not plan a {} x {} transform", ny, nx));
  }
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;
  ~Plans() {
    const std::lock_guard lock(planner);
    if (forward) Fftw<T>::destroy(forward);
    if (inverse) Fftw<T>::destroy(inverse);
  }
  typename Fftw<T>::Plan forward{}, inverse{};
};

template <class T>
Fft2<T>::Fft2(i64 ny, i64 nx, FftRigor rigor) {
  static std::map<std::tuple<i64, i64, FftRigor>, std::weak_ptr<const Plans>> kept;
  const std::lock_guard lock(planner);
  auto& place = kept[{ny, nx, rigor}];
  plans_ = place.lock();
  if (!plans_) place = plans_ = std::make_shared<const Plans>(ny, nx, rigor);
}

template <class T>
void Fft2<T>::forward(Complex<T>* in_place) const {
  Fftw<T>::run(plans_->forward, in_place);
}

template <class T>
void Fft2<T>::inverse(Complex<T>* in_place) const {
  Fftw<T>::run(plans_->inverse, in_place);
}

void load_fft_wisdom(const std::string& folder) {
  const std::lock_guard lock(planner);
  Fftw<float>::import_wisdom((folder + "/" + Fftw<float>::file).c_str());
  Fftw<double>::import_wisdom((folder + "/" + Fftw<double>::file).c_str());
}

void save_fft_wisdom(const std::string& folder) {
  const std::lock_guard lock(planner);
  Fftw<float>::export_wisdom((folder + "/" + Fftw<float>::file).c_str());
  Fftw<double>::export_wisdom((folder + "/" + Fftw<double>::file).c_str());
}

template class Fft2<float>;
template class Fft2<double>;

}  // namespace ptyle
