// FFTs by ducc0, of which only the files under BSD-3-Clause are there (cmake/ptyle_ducc0.cmake). It
// measures nothing, so that a size is transformed in the same way, to the same bits, in every run.

#include <ducc0/fft/fftnd_impl.h>
#include <fmt/format.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "device/cpu/fft_plan.hpp"

// ducc0's threads, of which there are none: what its headers declare, on the calling thread. Its
// own definitions start a thread for each processor as soon as one transform is asked for.
namespace ducc0::detail_threading {
namespace {

class Alone final : public Scheduler {
 public:
  explicit Alone(std::size_t work) : work_(work) {}
  [[nodiscard]] std::size_t num_threads() const override { return 1; }
  [[nodiscard]] std::size_t thread_num() const override { return 0; }
  Range getNext() override { return {0, std::exchange(work_, 0)}; }

 private:
  std::size_t work_;
};

}  // namespace

std::size_t adjust_nthreads(std::size_t) { return 1; }

void execParallel(std::size_t, std::function<void(Scheduler&)> body) {
  Alone alone(1);
  body(alone);
}

void execStatic(std::size_t work, std::size_t, std::size_t, std::function<void(Scheduler&)> body) {
  Alone alone(work);
  body(alone);
}

}  // namespace ducc0::detail_threading

namespace ptyle {
namespace {

/// ducc0 looks up what it knows of a length at each call, by itself.
template <class T>
class Ducc0Plan final : public FftPlan<T> {
 public:
  Ducc0Plan(i64 rows, i64 cols, FftAxes axes) : shape_{std::size_t(rows), std::size_t(cols)} {
    if (rows < 1 || cols < 1)
      throw std::runtime_error(fmt::format("no FFT has {} x {} points", rows, cols));
    axes_ = axes == FftAxes::both ? Sizes{0, 1} : Sizes{0};
  }
  void run(bool inverse, const Complex<T>* from, Complex<T>* to) const override {
    const ducc0::cfmav<Complex<T>> in(from, shape_);
    const ducc0::vfmav<Complex<T>> out(to, shape_);
    ducc0::c2c(in, out, axes_, !inverse, T(1), 1);
  }

 private:
  using Sizes = std::vector<std::size_t>;
  Sizes shape_, axes_;
};

}  // namespace

template <class T>
std::unique_ptr<const FftPlan<T>> plan_fft(i64 rows, i64 cols, FftAxes axes, FftRigor) {
  return std::make_unique<const Ducc0Plan<T>>(rows, cols, axes);
}

template std::unique_ptr<const FftPlan<float>> plan_fft(i64, i64, FftAxes, FftRigor);
template std::unique_ptr<const FftPlan<double>> plan_fft(i64, i64, FftAxes, FftRigor);

std::string fft_library() { return "ducc0"; }

void load_fft_wisdom(const std::string&) {}
void save_fft_wisdom(const std::string&) {}

}  // namespace ptyle
