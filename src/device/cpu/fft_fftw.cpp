// FFTs by FFTW, whose plans are measured and can be kept for later runs.

#include <fftw3.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "core/pulse.hpp"
#include "device/cpu/fft_plan.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

std::mutex planner;  // FFTW plans, and ends plans, on one thread at a time

// FFTW's two precisions under one name.
template <class T>
struct Fftw;

template <>
struct Fftw<double> {
  using Plan = fftw_plan;
  using Value = fftw_complex;
  static constexpr auto plan = fftw_plan_many_dft;
  static constexpr auto run = fftw_execute_dft;
  static constexpr auto destroy = fftw_destroy_plan;
  static constexpr auto import_wisdom = fftw_import_wisdom_from_filename;
  static constexpr auto export_wisdom = fftw_export_wisdom_to_filename;
  static constexpr const char* file = "fftw-double.wisdom";
};

template <>
struct Fftw<float> {
  using Plan = fftwf_plan;
  using Value = fftwf_complex;
  static constexpr auto plan = fftwf_plan_many_dft;
  static constexpr auto run = fftwf_execute_dft;
  static constexpr auto destroy = fftwf_destroy_plan;
  static constexpr auto import_wisdom = fftwf_import_wisdom_from_filename;
  static constexpr auto export_wisdom = fftwf_export_wisdom_to_filename;
  static constexpr const char* file = "fftw-float.wisdom";
};

/// Ends a plan, under `planner`'s lock.
template <class T>
struct Destroy {
  void operator()(typename Fftw<T>::Plan plan) const { Fftw<T>::destroy(plan); }
};
template <class T>
using OwnPlan = std::unique_ptr<std::remove_pointer_t<typename Fftw<T>::Plan>, Destroy<T>>;

template <class T>
class FftwPlan final : public FftPlan<T> {
  using Lib = Fftw<T>;
  using Value = typename Lib::Value;

 public:
  /// Under `planner`'s lock.
  FftwPlan(i64 rows, i64 cols, FftAxes axes, FftRigor rigor) {
    const bool columns = axes == FftAxes::columns;
    Array<Complex<T>, 2> a({rows, cols}), b({rows, cols});
    for (const bool inverse : {false, true})
      for (const bool in_place : {true, false}) {
        if (columns && in_place) continue;
        plans_[inverse][in_place] =
            make(rows, cols, columns, a.data(), in_place ? a.data() : b.data(),
                 inverse ? FFTW_BACKWARD : FFTW_FORWARD,
                 rigor == FftRigor::measure ? FFTW_MEASURE : FFTW_ESTIMATE);
        beat();  // a plan of a large window is measured for seconds
      }
  }
  FftwPlan(const FftwPlan&) = delete;
  FftwPlan& operator=(const FftwPlan&) = delete;
  ~FftwPlan() override {
    const std::lock_guard lock(planner);
    for (auto& pair : plans_)
      for (auto& plan : pair) plan.reset();
  }
  void run(bool inverse, const Complex<T>* from, Complex<T>* to) const override {
    // FFTW takes its input as non-const, and keeps it all the same unless told otherwise.
    auto* in = reinterpret_cast<Value*>(const_cast<Complex<T>*>(from));
    Lib::run(plans_[inverse][from == to].get(), in, reinterpret_cast<Value*>(to));
  }

 private:
  static OwnPlan<T> make(i64 rows, i64 cols, bool columns, Complex<T>* from, Complex<T>* to,
                         int sign, unsigned flags) {
    const int n[] = {int(rows), int(cols)};
    const int count = columns ? int(cols) : 1, step = count, next = 1;
    auto* in = reinterpret_cast<Value*>(from);
    auto* out = reinterpret_cast<Value*>(to);
    OwnPlan<T> made(Lib::plan(columns ? 1 : 2, n, count, in, nullptr, step, next, out, nullptr,
                              step, next, sign, flags));
    if (!made)
      throw std::runtime_error(fmt::format("FFTW could not plan a {} x {} transform{}", rows, cols,
                                           columns ? " along the columns" : ""));
    return made;
  }

  OwnPlan<T> plans_[2][2];  // [inverse][in place]
};

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

template <class T>
std::unique_ptr<const FftPlan<T>> plan_fft(i64 rows, i64 cols, FftAxes axes, FftRigor rigor) {
  const std::lock_guard lock(planner);
  return std::make_unique<const FftwPlan<T>>(rows, cols, axes, rigor);
}

template std::unique_ptr<const FftPlan<float>> plan_fft(i64, i64, FftAxes, FftRigor);
template std::unique_ptr<const FftPlan<double>> plan_fft(i64, i64, FftAxes, FftRigor);

std::string fft_library() { return "FFTW"; }

void load_fft_wisdom(const std::string& folder) {
  const std::lock_guard lock(planner);
  load_wisdom<float>(folder);
  load_wisdom<double>(folder);
}

void save_fft_wisdom(const std::string& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return;
  const std::lock_guard lock(planner);
  save_wisdom<float>(folder);
  save_wisdom<double>(folder);
}

}  // namespace ptyle
