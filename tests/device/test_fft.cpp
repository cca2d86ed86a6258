#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {
namespace {

template <class T>
class Fft : public testing::Test {
 protected:
  using C = Complex<T>;
  // The error of an FFT of n points grows as ε log₂ n at worst (Higham, Accuracy and Stability of
  // Numerical Algorithms, theorem 24.2), with a constant of about 3; a large prime factor is done
  // by convolution, three transforms instead of one. ducc0 sums a smaller one, p, directly: √p ε at
  // random, and √37 is less than 9 log₂ 37.
  static double allowed(i64 points) {
    return 9 * static_cast<double>(std::numeric_limits<T>::epsilon()) *
           std::log2(static_cast<double>(points) + 1);
  }
  static Array<C, 2> noise(i64 ny, i64 nx) {
    Philox random(1, 2, static_cast<std::uint64_t>(1000 * ny + nx));
    Array<C, 2> wave({ny, nx});
    for (C& v : wave)
      v = C(static_cast<T>(random.uniform() - 0.5), static_cast<T>(random.uniform() - 0.5));
    return wave;
  }
  static double relative_difference(const Array<C, 2>& a, View<const Complex<double>, 2> b) {
    double difference = 0, norm = 0;
    for (i64 i = 0; i < a.size(); ++i) {
      difference += std::norm(Complex<double>(a.data()[i]) - b.data[i]);
      norm += std::norm(b.data[i]);
    }
    return std::sqrt(difference / norm);
  }
};
using Precisions = testing::Types<float, double>;
TYPED_TEST_SUITE(Fft, Precisions);

// Σ_{y,x} wave(y, x) exp(sign · 2πi (ky y / ny + kx x / nx)), in double precision.
template <class T>
Array<Complex<double>, 2> direct_sum(const Array<Complex<T>, 2>& wave, int sign) {
  const auto [ny, nx] = wave.shape();
  Array<Complex<double>, 2> rows({ny, nx}), out({ny, nx});
  for (i64 y = 0; y < ny; ++y)
    for (i64 k = 0; k < nx; ++k)
      for (i64 x = 0; x < nx; ++x)
        rows(y, k) += Complex<double>(wave(y, x)) *
                      std::polar(1.0, sign * 2 * pi * static_cast<double>(k * x % nx) / double(nx));
  for (i64 k = 0; k < ny; ++k)
    for (i64 x = 0; x < nx; ++x)
      for (i64 y = 0; y < ny; ++y)
        out(k, x) += rows(y, x) *
                     std::polar(1.0, sign * 2 * pi * static_cast<double>(k * y % ny) / double(ny));
  return out;
}

constexpr std::array<std::array<i64, 2>, 12> sizes{{{1, 1},
                                                    {2, 2},
                                                    {3, 3},
                                                    {7, 7},
                                                    {13, 13},
                                                    {16, 16},
                                                    {21, 21},
                                                    {30, 30},
                                                    {37, 37},
                                                    {5, 8},
                                                    {12, 1},
                                                    {31, 18}}};

TYPED_TEST(Fft, IsTheFourierSum) {
  for (const auto& [ny, nx] : sizes) {
    const Fft2<TypeParam> fft(ny, nx, FftRigor::estimate);
    for (const int sign : {-1, +1}) {
      auto wave = this->noise(ny, nx);
      const auto expected = direct_sum(wave, sign);
      sign < 0 ? fft.forward(wave.data()) : fft.inverse(wave.data());
      EXPECT_LT(this->relative_difference(wave, expected), this->allowed(ny * nx))
          << ny << " x " << nx << ", sign " << sign;
    }
  }
}

// The planes of a stack of an odd size do not start where an Array does.
TYPED_TEST(Fft, TransformsEveryPlaneOfAStack) {
  for (const auto& [ny, nx] : {std::array<i64, 2>{9, 15}, {5, 5}, {6, 10}}) {
    const Fft2<TypeParam> fft(ny, nx);
    Array<Complex<TypeParam>, 3> stack({3, ny, nx}), out({3, ny, nx});
    const auto wave = this->noise(ny, nx);
    const auto expected = direct_sum(wave, -1);
    for (i64 plane = 0; plane < 3; ++plane) {
      std::copy(wave.begin(), wave.end(), stack.view()[plane].begin());
      fft.forward(stack.view()[plane].data, out.view()[(plane + 1) % 3].data);
      fft.forward(stack.view()[plane].data);
    }
    Array<Complex<TypeParam>, 2> got({ny, nx});
    for (const auto& all : {stack.view(), out.view()})
      for (i64 plane = 0; plane < 3; ++plane) {
        std::copy(all[plane].begin(), all[plane].end(), got.begin());
        EXPECT_LT(this->relative_difference(got, expected), this->allowed(ny * nx));
      }
  }
}

TYPED_TEST(Fft, ThereAndBackIsTimesTheSize) {
  for (const FftRigor rigor : {FftRigor::estimate, FftRigor::measure})
    for (const auto& [ny, nx] : {std::array<i64, 2>{20, 20}, {17, 17}, {64, 48}}) {
      const Fft2<TypeParam> fft(ny, nx, rigor);
      auto wave = this->noise(ny, nx);
      Array<Complex<double>, 2> expected({ny, nx});
      for (i64 i = 0; i < wave.size(); ++i)
        expected.data()[i] = static_cast<double>(ny * nx) * Complex<double>(wave.data()[i]);
      fft.forward(wave.data());
      fft.inverse(wave.data());
      EXPECT_LT(this->relative_difference(wave, expected), 2 * this->allowed(ny * nx));
    }
}

// One plan run by several threads at once, each on its own data: the bits of a single thread.
TYPED_TEST(Fft, OnePlanServesAllThreads) {
  const Fft2<TypeParam> fft(24, 24);
  auto expected = this->noise(24, 24);
  fft.forward(expected.data());
  parallel_for(64, 4, [&](i64, int) {
    auto wave = this->noise(24, 24);
    fft.forward(wave.data());
    if (!std::equal(wave.begin(), wave.end(), expected.begin()))
      throw std::runtime_error("a thread saw another's data");
  });
}

// Plans of one size made on several threads at once.
TYPED_TEST(Fft, PlansAreMadeFromAnyThread) {
  parallel_for(32, 4, [&](i64 i, int) {
    const i64 n = 6 + i % 3;
    const Fft2<TypeParam> fft(n, n, FftRigor::estimate);
    auto wave = this->noise(n, n);
    const auto expected = direct_sum(wave, -1);
    fft.forward(wave.data());
    if (!(this->relative_difference(wave, expected) < this->allowed(n * n)))
      throw std::runtime_error("a wrong transform");
  });
}

TYPED_TEST(Fft, ImpossibleSizeIsRefused) { EXPECT_THROW((Fft2<TypeParam>(0, 8)), std::exception); }

TEST(QuickFftSize, IsTheNextWithoutALargePrime) {
  for (const auto& [n, size] :
       {std::array<i64, 2>{0, 1}, {1, 1}, {10, 10}, {11, 12}, {97, 98}, {1211, 1215}})
    EXPECT_EQ(quick_fft_size(n), size) << n;
}

TEST(FftMemory, WisdomIsWrittenAndReadBack) {
  const auto folder =
      std::filesystem::path(testing::TempDir()) / ("ptyle-wisdom-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  load_fft_wisdom(folder.string());  // nothing there yet: no error
  const Fft2<float> fft(8, 8, FftRigor::measure);
  save_fft_wisdom(folder.string());
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files += entry.file_size() > 0;
  EXPECT_EQ(files, fft_library() == "FFTW" ? 2 : 0);  // ducc0 learns nothing
  load_fft_wisdom(folder.string());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ptyle
