#include "device/cpu/fft.hpp"

#include <fftw3.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <stdexcept>
#include <tuple>
#include <type_traits>

#include "core/pulse.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

std::mutex planner;  // FFTW plans on one thread at a time

// FFTW's two precisions under one name.
template <class T>
struct Fftw;

template <>
struct Fftw<double> {
  using Plan = fftw_plan;
  using Value = fftw_complex;
  static Plan make(int ny, int nx, Value* from, Value* to, int sign, unsigned flags) {
    return fftw_plan_dft_2d(ny, nx, from, to, sign, flags);
  }
  static Plan make_columns(int n, int count, Value* from, Value* to, int sign, unsigned flags) {
    return fftw_plan_many_dft(1, &n, count, from, nullptr, count, 1, to, nullptr, count, 1, sign,
                              flags);
  }
  static void run(Plan plan, Value* from, Value* to) { fftw_execute_dft(plan, from, to); }
  static void destroy(Plan plan) { fftw_destroy_plan(plan); }
  static constexpr auto import_wisdom = fftw_import_wisdom_from_filename;
  static constexpr auto export_wisdom = fftw_export_wisdom_to_filename;
  static constexpr const char* file = "fftw-double.wisdom";
};

template <>
struct Fftw<float> {
  using Plan = fftwf_plan;
  using Value = fftwf_complex;
  static Plan make(int ny, int nx, Value* from, Value* to, int sign, unsigned flags) {
    return fftwf_plan_dft_2d(ny, nx, from, to, sign, flags);
  }
  static Plan make_columns(int n, int count, Value* from, Value* to, int sign, unsigned flags) {
    return fftwf_plan_many_dft(1, &n, count, from, nullptr, count, 1, to, nullptr, count, 1, sign,
                               flags);
  }
  static void run(Plan plan, Value* from, Value* to) { fftwf_execute_dft(plan, from, to); }
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
  }
  return FFTW_ESTIMATE;
}

/// Ends a plan. FFTW wants that nobody plans meanwhile: whoever lets one go holds `planner`.
template <class T>
struct Destroy {
  void operator()(typename Fftw<T>::Plan plan) const { Fftw<T>::destroy(plan); }
};
template <class T>
using OwnPlan = std::unique_ptr<std::remove_pointer_t<typename Fftw<T>::Plan>, Destroy<T>>;

/// The plans that are kept for this size and rigor, or new ones.
template <class Plans>
std::shared_ptr<const Plans> kept_plans(i64 a, i64 b, FftRigor rigor) {
  static std::map<std::tuple<i64, i64, FftRigor>, std::weak_ptr<const Plans>> kept;
  const std::lock_guard lock(planner);
  auto& place = kept[{a, b, rigor}];
  auto plans = place.lock();
  if (!plans) place = plans = std::make_shared<const Plans>(a, b, rigor);
  return plans;
}

}  // namespace

template <class T>
struct Fft2<T>::Plans {
  using Lib = Fftw<T>;
  using Value = typename Lib::Value;
  using Plan = typename Lib::Plan;

  Plans(i64 ny, i64 nx, FftRigor rigor) {
    Array<Complex<T>, 2> a({ny, nx}), b({ny, nx});
    const auto flags = flags_of(rigor);
    for (const bool inverse : {false, true})
      for (const bool in_place : {true, false}) {
        const Plan made = Lib::make(int(ny), int(nx), reinterpret_cast<Value*>(a.data()),
                                    reinterpret_cast<Value*>(in_place ? a.data() : b.data()),
                                    inverse ? FFTW_BACKWARD : FFTW_FORWARD, flags);
        if (!made)
          throw std::runtime_error(fmt::format("FFTW could not plan a {} x {} transform", ny, nx));
        plans[inverse][in_place].reset(made);
        beat();  // a plan of a large window is measured for seconds
      }
  }
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;
  ~Plans() {
    const std::lock_guard lock(planner);
    for (auto& pair : plans)
      for (auto& plan : pair) plan.reset();
  }
  void run(bool inverse, const Complex<T>* from, Complex<T>* to) const {
    // FFTW takes its input as non-const, and keeps it all the same unless told otherwise.
    auto* in = reinterpret_cast<Value*>(const_cast<Complex<T>*>(from));
    Lib::run(plans[inverse][from == to].get(), in, reinterpret_cast<Value*>(to));
  }

 private:
  OwnPlan<T> plans[2][2];  // [inverse][in place]
};

template <class T>
Fft2<T>::Fft2(i64 ny, i64 nx, FftRigor rigor) : plans_(kept_plans<Plans>(ny, nx, rigor)) {}

template <class T>
void Fft2<T>::forward(Complex<T>* in_place) const {
  plans_->run(false, in_place, in_place);
}

template <class T>
void Fft2<T>::inverse(Complex<T>* in_place) const {
  plans_->run(true, in_place, in_place);
}

template <class T>
void Fft2<T>::forward(const Complex<T>* from, Complex<T>* to) const {
  plans_->run(false, from, to);
}

template <class T>
void Fft2<T>::inverse(const Complex<T>* from, Complex<T>* to) const {
  plans_->run(true, from, to);
}

template <class T>
struct FftColumns<T>::Plans {
  using Lib = Fftw<T>;
  using Value = typename Lib::Value;

  Plans(i64 n, i64 count, FftRigor rigor) {
    Array<Complex<T>, 2> a({n, count}), b({n, count});
    for (const bool inverse : {false, true}) {
      const auto made = Lib::make_columns(int(n), int(count), reinterpret_cast<Value*>(a.data()),
                                          reinterpret_cast<Value*>(b.data()),
                                          inverse ? FFTW_BACKWARD : FFTW_FORWARD, flags_of(rigor));
      if (!made)
        throw std::runtime_error(fmt::format("FFTW could not plan {} transforms of {}", count, n));
      plans[inverse].reset(made);
    }
  }
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;
  ~Plans() {
    const std::lock_guard lock(planner);
    for (auto& plan : plans) plan.reset();
  }
  void run(bool inverse, const Complex<T>* from, Complex<T>* to) const {
    auto* in = reinterpret_cast<Value*>(const_cast<Complex<T>*>(from));
    Lib::run(plans[inverse].get(), in, reinterpret_cast<Value*>(to));
  }

 private:
  OwnPlan<T> plans[2];  // [inverse]
};

template <class T>
FftColumns<T>::FftColumns(i64 n, i64 count, FftRigor rigor)
    : plans_(kept_plans<Plans>(n, count, rigor)) {}

template <class T>
void FftColumns<T>::forward(const Complex<T>* from, Complex<T>* to) const {
  plans_->run(false, from, to);
}

template <class T>
void FftColumns<T>::inverse(const Complex<T>* from, Complex<T>* to) const {
  plans_->run(true, from, to);
}

namespace {

template <class T>
void load_wisdom(const fs::path& folder) {
  const fs::path file = folder / Fftw<T>::file;
  Fftw<T>::import_wisdom(file.c_str());  // what it cannot read, it has not learnt
}

// Under a name of this process's own first: others may read and write the same file meanwhile.
template <class T>
void save_wisdom(const fs::path& folder) {
  const fs::path file = folder / Fftw<T>::file;
  const fs::path part = fmt::format("{}.{}.part", file.string(), getpid());
  std::error_code error;
  if (Fftw<T>::export_wisdom(part.c_str()) != 0) fs::rename(part, file, error);
  fs::remove(part, error);
}

}  // namespace

void load_fft_wisdom(const std::string& folder) {
  const std::lock_guard lock(planner);
  load_wisdom<float>(folder);
  load_wisdom<double>(folder);
}

void save_fft_wisdom(const std::string& folder) {
  const std::lock_guard lock(planner);
  save_wisdom<float>(folder);
  save_wisdom<double>(folder);
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
