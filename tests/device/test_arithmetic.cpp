// Arithmetic on an emulated GPU, and on a real one where there is one, against the host's, on odd
// shapes. Both do the same operations on a
// value in the same order, so they give the same bits; only sums over voxels are in another order.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "core/random.hpp"
#include "device/cpu/run.hpp"
#include "device/emulated/arithmetic.hpp"
#include "device/gpu.hpp"
#include "device/kernels/sums.hpp"

namespace ptyle {
namespace {

/// Arrays of random numbers where an arithmetic works, and what it made of them.
template <class T>
class Bench {
 public:
  explicit Bench(Arithmetic<T>& arithmetic) : a(arithmetic) {}
  /// The same numbers for every Bench, of n values from −1 to 1.
  std::vector<T> numbers(i64 n) {
    Philox random(++seed_, 0, 0);
    std::vector<T> values(static_cast<std::size_t>(n));
    for (T& v : values) v = static_cast<T>(2 * random.uniform() - 1);
    return values;
  }
  template <std::size_t N>
  Array<T, int(N)> random(const std::array<i64, N>& shape) {
    auto array = a.template array<T, int(N)>(shape, "test");
    a.write(numbers(array.size()).data(), array.data(), array.size());
    return array;
  }
  /// An illumination: not negative.
  Array<T, 2> light(i64 ny, i64 nx) {
    auto array = a.template array<T, 2>({ny, nx}, "test");
    auto values = numbers(array.size());
    for (T& v : values) v = std::abs(v);
    a.write(values.data(), array.data(), array.size());
    return array;
  }
  /// One number, where the arrays live.
  double* there(double value) {
    auto& array = single_.emplace_back(a.template array<double, 1>({1}, "test"));
    a.write(&value, array.data(), 1);
    return array.data();
  }
  template <int N>
  void result(const Array<T, N>& array) {
    const std::size_t before = results.size();
    results.resize(before + static_cast<std::size_t>(array.size()));
    a.read(array.data(), results.data() + before, array.size());
  }
  Arithmetic<T>& a;
  std::vector<T> results;
  std::vector<double> sums;

 private:
  std::uint64_t seed_ = 0;
  std::vector<Array<double, 1>> single_;
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
class ArithmeticTest : public testing::Test {
 protected:
  using Work = std::function<void(Bench<T>&)>;
  /// Does it on the host and on emulated GPUs, whose threads run in either order, at once or late.
  void compare(const Work& work) {
    const auto host = make_cpu_arithmetic<T>(3);
    Bench<T> on_host(*host);
    work(on_host);
    ASSERT_FALSE(on_host.results.empty() && on_host.sums.empty());
    std::vector<double> sums;
    for (const emulated::Order order : orders) {
      emulated::Gpu gpu({.backwards = order != emulated::Order::at_once, .order = order});
      const auto own_arithmetic = make_emulated_arithmetic<T>(gpu, nullptr);
      Arithmetic<T>& arithmetic = *own_arithmetic;
      Bench<T> there(arithmetic);
      work(there);
      EXPECT_TRUE(same_bits(on_host.results, there.results)) << int(order);
      ASSERT_EQ(on_host.sums.size(), there.sums.size());
      for (std::size_t i = 0; i < there.sums.size(); ++i)
        // Some 1e4 terms of either sign below 1, in double.
        EXPECT_NEAR(there.sums[i], on_host.sums[i], 1e4 * 1e-16 * 100);
      if (order == emulated::Order::at_once)
        sums = there.sums;
      else
        EXPECT_EQ(sums, there.sums);
    }
    if (!find_gpus().gpus.empty()) compare_with_cuda(work, on_host);
  }

 private:
  static constexpr emulated::Order orders[] = {emulated::Order::at_once, emulated::Order::as_needed,
                                               emulated::Order::others_first};
  /// A real GPU rounds a product and a sum once where the host does twice.
  static void compare_with_cuda(const Work& work, const Bench<T>& on_host) {
    const auto gpu = open_gpu(0);
    const auto arithmetic = make_gpu_arithmetic<T>(*gpu);
    Bench<T> there(*arithmetic);
    work(there);
    ASSERT_EQ(on_host.results.size(), there.results.size());
    T largest = 0;
    for (const T v : on_host.results) largest = std::max(largest, std::abs(v));
    for (std::size_t i = 0; i < there.results.size(); ++i)
      ASSERT_NEAR(there.results[i], on_host.results[i],
                  100 * std::numeric_limits<T>::epsilon() * largest);
    for (std::size_t i = 0; i < there.sums.size(); ++i)
      EXPECT_NEAR(there.sums[i], on_host.sums[i], 1e4 * 100 * std::numeric_limits<T>::epsilon());
  }
};
using Precisions = testing::Types<float, double>;
TYPED_TEST_SUITE(ArithmeticTest, Precisions);

constexpr std::array<i64, 3> odd{19, 13, 37}, one{1, 5, 3};

TYPED_TEST(ArithmeticTest, ClearsCopiesAndAdds) {
  this->compare([](Bench<TypeParam>& b) {
    for (const auto& shape : {odd, one}) {
      auto x = b.random(shape), y = b.random(shape), z = b.random(shape);
      b.a.run(AddTo<TypeParam>(x.view(), y));
      b.result(y);
      b.a.copy(x.view(), z);
      b.result(z);
      b.a.clear(x);
      b.result(x);
      b.a.clear({});
    }
  });
}

TYPED_TEST(ArithmeticTest, BinsAndUnbins) {
  this->compare([](Bench<TypeParam>& b) {
    for (const i64 block : {1, 2, 5, 19, 40}) {
      auto x = b.random(odd);
      b.a.run(Tie<TypeParam>(x, block));
      b.result(x);
      b.a.run(Untie<TypeParam>(x, block));
      b.result(x);
    }
  });
}

TYPED_TEST(ArithmeticTest, Weighs) {
  this->compare([](Bench<TypeParam>& b) {
    auto x = b.random(odd);
    std::vector<double> rows, cols;
    for (int i = 0; i < odd[1]; ++i) rows.push_back(1.0 / (i + 1));
    for (int i = 0; i < odd[2]; ++i) cols.push_back(1.0 / (i + 3));
    b.a.weigh(x, rows, cols);
    rows[0] = 7;  // and once more with others
    b.a.weigh(x, rows, cols);
    b.result(x);
  });
}

TYPED_TEST(ArithmeticTest, BlanksWhatIsOutsideTheSupport) {
  this->compare([](Bench<TypeParam>& b) {
    auto x = b.random(odd);
    Array<std::uint8_t, 2> support({odd[1], odd[2]});
    for (i64 i = 0; i < support.size(); ++i) support.data()[i] = i % 3 != 1;
    const auto there = b.a.brought(std::move(support), "object");
    b.a.run(Blank<TypeParam>(x, there.view()));
    b.result(x);
    const auto here = b.a.on_host(std::as_const(x).view());
    for (i64 i = 0; i < here.view.size(); ++i)
      EXPECT_EQ(here.view.data[i] == 0, i % (odd[1] * odd[2]) % 3 == 1) << i;
  });
}

TYPED_TEST(ArithmeticTest, Preconditions) {
  using M = Preconditioner<TypeParam>;
  this->compare([](Bench<TypeParam>& b) {
    const Box whole{{0, odd[1]}, {0, odd[2]}}, core{{2, 9}, {5, 30}}, some{{4, 13}, {0, 11}};
    const auto light = b.light(odd[1], odd[2]);
    for (const Box& region : {whole, core, some})
      for (const i64 block : {1, 4})
        for (const M& m :
             {M::by_illumination(light.view(), 3.0, b.there(0.1)), M::uniform(3.0 * 0.1)}) {
          auto g = b.random(odd);
          const Precondition<TypeParam> precondition(g, m, region, block);
          b.sums.push_back(b.a.sum(precondition, core));
          b.result(g);
          b.a.run(precondition);
          b.result(g);
        }
  });
}

TYPED_TEST(ArithmeticTest, DescendsAsPreconditionAndMove) {
  this->compare([](Bench<TypeParam>& b) {
    auto object = b.random(odd), other = b.random(odd), g = b.random(odd);
    b.a.copy(std::as_const(object).view(), other);
    const auto light = b.light(odd[1], odd[2]);
    const Box whole{{0, odd[1]}, {0, odd[2]}};
    const auto m = Preconditioner<TypeParam>::by_illumination(light.view(), 2.0, b.there(0.3));
    b.a.run(Descend<TypeParam>(object, g.view(), m, 0.7, {-0.6, 0.8}));
    b.result(object);
    const std::size_t n = b.results.size();
    b.a.run(Precondition<TypeParam>(g, m, whole, 1));
    b.a.run(MoveAlong<TypeParam>(other.view(), g.view(), 0.7, {-0.6, 0.8}, other));
    b.result(other);
    EXPECT_TRUE(std::equal(b.results.begin(), b.results.begin() + static_cast<i64>(n),
                           b.results.begin() + static_cast<i64>(n)));
    EXPECT_EQ(*std::min_element(b.results.begin(), b.results.end()), TypeParam(-0.6));
  });
}

TYPED_TEST(ArithmeticTest, Moves) {
  this->compare([](Bench<TypeParam>& b) {
    auto from = b.random(odd), d = b.random(odd), to = b.random(odd);
    b.a.run(MoveAlong<TypeParam>(from.view(), d.view(), 0.5, {-0.4, 0.9}, to));
    b.result(to);
    b.a.run(DrawBack<TypeParam>(from.view(), 0.3, to));
    b.result(to);
    const auto light = b.light(odd[1], odd[2]);
    using M = Preconditioner<TypeParam>;
    const auto by_light = M::by_illumination(light.view(), 2.0, b.there(0.1));
    b.a.run(MovePreconditioned<TypeParam>(from.view(), d.view(), by_light, 0.5, {-1, 1}, to));
    b.result(to);
    b.a.run(
        MovePreconditioned<TypeParam>(from.view(), d.view(), M::uniform(2.0), 0.5, {-1, 1}, from));
    b.result(from);
    constexpr double none = std::numeric_limits<double>::infinity();
    b.a.run(MoveAlong<TypeParam>(from.view(), d.view(), 0.5, {-none, none}, d));
    b.result(d);
  });
}

TYPED_TEST(ArithmeticTest, CombinesAndExtrapolates) {
  this->compare([](Bench<TypeParam>& b) {
    auto x = b.random(odd), y = b.random(odd), g = b.random(odd);
    b.a.run(Combine<TypeParam>(0.3, x.view(), -1.5, y));
    b.result(y);
    b.a.run(KeepFree<TypeParam>(x.view(), g.view(), {-0.5, 0.25}, y));
    b.result(y);
    b.a.run(Extrapolate<TypeParam>(x, 0.7, {-0.5, 0.6}, y));
    b.result(x);
    b.result(y);
    b.a.clear(y);  // mean squares are not negative
    for (const int steps : {1, 7}) {
      b.a.run(Adam<TypeParam>({0.9, 0.99, steps, 1e-3}, x, y, g));
      for (const auto* array : {&x, &y, &g}) b.result(*array);
    }
  });
}

TYPED_TEST(ArithmeticTest, FreesValuesFromTheirLimits) {
  const auto host = make_cpu_arithmetic<TypeParam>(1);
  Array<TypeParam, 3> v({1, 1, 6}), g({1, 1, 6}), d({1, 1, 6});
  const TypeParam at[] = {0, 0, 1, 1, TypeParam(0.5), 0}, slope[] = {1, -1, 1, -1, 1, 0};
  std::copy_n(at, 6, v.data());
  std::copy_n(slope, 6, g.data());
  d.fill(3);
  host->run(KeepFree<TypeParam>(v.view(), g.view(), {0, 1}, d));
  const std::vector<TypeParam> free{0, 3, 3, 0, 3, 3};
  EXPECT_TRUE(std::equal(free.begin(), free.end(), d.begin()));
}

TYPED_TEST(ArithmeticTest, SumsProducts) {
  this->compare([](Bench<TypeParam>& b) {
    for (const auto& shape : {odd, one}) {
      const auto x = b.random(shape), y = b.random(shape), z = b.random(shape);
      const Box whole{{0, shape[1]}, {0, shape[2]}};
      b.sums.push_back(b.a.sum(Dot<TypeParam>(x.view(), y.view()), whole));
      b.sums.push_back(b.a.sum(DotOfStep<TypeParam>(x.view(), y.view(), z.view()), whole));
      double dot = 0, of_step = 0;
      const auto here = b.a.on_host(x.view()), from = b.a.on_host(y.view()),
                 to = b.a.on_host(z.view());
      for (i64 i = 0; i < here.view.size(); ++i) {
        const double value = here.view.data[i];
        dot += value * double(from.view.data[i]);
        of_step += value * (double(to.view.data[i]) - double(from.view.data[i]));
      }
      EXPECT_NEAR(b.sums[b.sums.size() - 2], dot, 1e-12);
      EXPECT_NEAR(b.sums.back(), of_step, 1e-12);
    }
  });
}

TYPED_TEST(ArithmeticTest, Warps) {
  this->compare([](Bench<TypeParam>& b) {
    for (const auto& shape : {odd, one})
      for (const Displacement& by : {Displacement{{0.01, -0.02, 0.03, 0.004}, {6.5, 17.25}},
                                     Displacement{{2, 0.5, -0.7, 1}, {-8, 40}}}) {
        const auto from = b.random(shape);
        auto to = b.random(shape);
        b.a.run(Warp<TypeParam>(from.view(), by, to.view(), {-1e30, 1e30}));
        b.result(to);
      }
  });
}

TYPED_TEST(ArithmeticTest, Penalises) {
  this->compare([](Bench<TypeParam>& b) {
    const PenaltyWeights weights{0.3, 0.7, 0.2};
    const VariationWeights of_edges{0.7, 0.2, 0.25};
    for (const auto& shape : {odd, one})
      for (const Box& core : {Box{{0, shape[1]}, {0, shape[2]}}, Box{{1, 4}, {0, 2}}}) {
        const auto volume = b.random(shape);
        auto g = b.random(shape);
        b.a.run(PenaltyGradient<TypeParam>(volume.view(), weights, core, 0.25, g.view()));
        b.result(g);
        b.sums.push_back(b.a.sum(PenaltyCost<TypeParam>(volume.view(), weights, core), core));
        const auto direction = b.random(shape);
        for (const View<const TypeParam, 3> along :
             {View<const TypeParam, 3>{}, direction.view()}) {
          b.a.run(
              VariationGradient<TypeParam>(volume.view(), along, of_edges, core, 0.25, g.view()));
          b.result(g);
          b.sums.push_back(
              b.a.sum(VariationCost<TypeParam>(volume.view(), along, of_edges, core), core));
        }
      }
  });
}

TYPED_TEST(ArithmeticTest, Blurs) {
  this->compare([](Bench<TypeParam>& b) {
    for (const auto& shape : {odd, one})
      for (const std::vector<double>& weights :
           {std::vector<double>{0.6, 0.2}, std::vector<double>(50, 0.01)}) {
        auto x = b.random(shape);
        b.a.blur_along_z(x, weights);
        b.result(x);
        for (const i64 every : {1, 3}) {
          b.a.blur_lateral(x, weights, every);
          b.result(x);
        }
      }
  });
}

TYPED_TEST(ArithmeticTest, FindsTheLargestWithinABox) {
  this->compare([](Bench<TypeParam>& b) {
    const auto x = b.light(300, 700);  // more values than one sweep of all blocks
    for (const double share : {1.0, 0.5})
      for (const Box& box : {Box{{0, 300}, {0, 700}}, Box{{7, 8}, {3, 9}}, Box{{4, 4}, {0, 9}}}) {
        double* const to = b.there(7);
        b.a.largest(Value<TypeParam>(x.view(), box), share, to);
        b.a.read(to, &b.sums.emplace_back(), 1);
      }
    EXPECT_GT(b.sums[0], 0.999);
    EXPECT_EQ(b.sums[2], 0);
    EXPECT_EQ(b.sums[3], b.sums[0] / 2);
  });
}

TYPED_TEST(ArithmeticTest, FindsHowFarApart) {
  this->compare([](Bench<TypeParam>& b) {
    auto x = b.random(std::array<i64, 2>{41, 57}), y = b.random(std::array<i64, 2>{41, 57});
    b.sums.push_back(b.a.largest(Apart<TypeParam>(x.view(), y.view())));
    b.sums.push_back(b.a.largest(Apart<TypeParam>(x.view(), x.view())));
    EXPECT_GT(b.sums[0], 1.5);
    EXPECT_EQ(b.sums[1], 0);
    const TypeParam no_number = std::numeric_limits<TypeParam>::quiet_NaN();
    b.a.write(&no_number, x.data() + 40, 1);
    EXPECT_EQ(b.a.largest(Apart<TypeParam>(x.view(), y.view())),
              std::numeric_limits<double>::infinity());
  });
}

TYPED_TEST(ArithmeticTest, PacksPutsAndAddsInOrder) {
  this->compare([](Bench<TypeParam>& b) {
    auto x = b.random(odd), extra = b.random(std::array<i64, 3>{1, odd[1], odd[2]});
    Planes<TypeParam> planes;
    std::vector<TypeParam*> list;
    for (i64 p = 0; p < odd[0]; ++p) list.push_back(x.view()[p].data);
    list.push_back(extra.data());
    b.a.hold(planes, list, odd[2]);
    i64 pixels = 0;
    const auto pieces_of = [&](const std::vector<Box>& boxes) {
      std::vector<Piece> pieces;
      pixels = 0;
      for (const Box& box : boxes) {
        pieces.push_back({box, 11, pixels});
        pixels += box.area();
      }
      return b.a.pieces(pieces);
    };
    // Those that are put do not overlap.
    const Pieces apart = pieces_of({{{0, 4}, {2, 37}}, {{4, 9}, {0, 5}}, {{4, 12}, {5, 20}}});
    const Pieces all = pieces_of({{{0, 4}, {2, 37}}, {{3, 9}, {0, 5}}, {{2, 12}, {4, 20}}});
    for (const Interval which : {Interval{0, 20}, Interval{17, 20}, Interval{5, 6}}) {
      auto buffer = b.random(std::array<i64, 1>{11 + which.size() * pixels});
      for (const i64 before : {0, 1, 3}) {
        b.a.begin_exchange();
        b.a.add(planes, which, all, before, buffer.data());
        b.a.end_exchange();
        b.result(x);
        b.result(extra);
      }
      b.a.begin_exchange();
      b.a.pack(planes, which, all, buffer.data());
      b.a.end_exchange();
      b.result(buffer);
      buffer = b.random(std::array<i64, 1>{buffer.size()});
      b.a.begin_exchange();
      b.a.put(planes, which, apart, buffer.data());
      b.a.end_exchange();
      b.result(x);
      b.result(extra);
    }
  });
}

// Operations that no list knows of: whoever has a backend can run them.

/// v ← 3 v
struct Tripled {
  float* v;
  i64 values;
  PTYLE_HOST_DEVICE void operator()(i64 i) const { v[i] *= 3; }
};
/// v ← v + 100 row + col, on each second plane; its sum is that of the new values.
struct Numbered {
  float* v;
  Pixels where;
  [[nodiscard]] PTYLE_HOST_DEVICE float at(i64 row, i64 col) const {
    return static_cast<float>(100 * row + col);
  }
  PTYLE_HOST_DEVICE double operator()(i64 i, float number) const { return v[i] += number; }
};
/// The largest of a block of planes into its first.
struct Greatest {
  float* v;
  Pixels where;
  [[nodiscard]] PTYLE_HOST_DEVICE float first(i64 i) const { return v[i]; }
  PTYLE_HOST_DEVICE void next(i64 i, float& most) const { most = v[i] > most ? v[i] : most; }
  PTYLE_HOST_DEVICE void last(i64 i, float most, i64) const { v[i] = most; }
};
/// −v
struct Negative {
  const float* v;
  i64 rows, cols;
  PTYLE_HOST_DEVICE double operator()(i64 row, i64 col) const {
    return -double(v[row * cols + col]);
  }
};

Pixels on_planes(Array<float, 3>& volume, i64 every, const Box& region) {
  Pixels pixels = pixels_of(volume.view(), every);
  pixels.region = region;
  return pixels;
}

TEST(Operation, OfATestsOwnRunsOnThreadsAndOnAGpu) {
  // Whole numbers, so that sums are exact in any order.
  const Box region{{1, 12}, {2, 35}}, core{{3, 9}, {0, 30}};
  Array<float, 3> expected(odd);
  for (i64 i = 0; i < expected.size(); ++i) expected.data()[i] = static_cast<float>(i % 101 - 50);
  const Array<float, 3> start = converted<float>(std::as_const(expected).view());
  double sum = 0, least = 0;
  for (float& v : expected) v *= 3;
  for (i64 z = 0; z < odd[0]; z += 2)
    for (i64 y = 1; y < 12; ++y)
      for (i64 x = 2; x < 35; ++x) {
        const float v = expected(z, y, x) += static_cast<float>(100 * y + x);
        if (core.contains(Pixel{y, x})) sum += v * (z + 1 < odd[0] ? 2 : 1);
      }
  for (i64 z = 0; z < odd[0]; ++z)
    for (i64 i = 0; i < odd[1] * odd[2]; ++i) {
      float& most = expected.view()[z / 5 * 5].data[i];
      most = std::max(most, expected.view()[z].data[i]);
    }
  for (const float v : expected) least = std::min<double>(least, v);

  const auto check = [&](const float* values) {
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), values));
  };
  for (const int threads : {1, 3}) {
    const Host host{threads};
    auto v = converted<float>(start.view());
    run_on(host, Tripled{v.data(), v.size()});
    EXPECT_EQ(sum_on(host, Numbered{v.data(), on_planes(v, 2, region)}, core), sum);
    run_on(host, Greatest{v.data(), pixels_of(v.view(), 5)});
    EXPECT_EQ(largest_on(host, Negative{v.data(), 1, v.size()}), -least);
    check(v.data());
  }
  for (const bool backwards : {false, true}) {
    emulated::Gpu gpu({.backwards = backwards, .order = emulated::Order::as_needed});
    const auto a = make_emulated_arithmetic<float>(gpu);
    auto v = a->brought(converted<float>(start.view()), "test");
    auto reported = a->array<double, 1>({1000}, "sums");
    run_on(gpu, Tripled{v.data(), v.size()});
    const Numbered numbered{v.data(), on_planes(v, 2, region)};
    ASSERT_LE(parts_of_sum(numbered), 400);
    sum_on(gpu, numbered, core, reported.data());
    run_on(gpu, Greatest{v.data(), pixels_of(v.view(), 5)});
    largest_on(gpu, Negative{v.data(), 1, v.size()}, 1, reported.data() + 400,
               reported.data() + 999);
    check(a->on_host(std::as_const(v).view()).view.data);
    const auto here = a->on_host(std::as_const(reported).view());
    EXPECT_EQ(here.view(0), sum);
    EXPECT_EQ(here.view(999), -least);
  }
}

TEST(Arithmetic, AddsInTheOrderOfThePieces) {
  // (1e20 + −1e20) + 1 is 1, and 1e20 + (−1e20 + 1) is 0.
  emulated::Gpu gpu({.order = emulated::Order::as_needed});
  const auto own_a = make_emulated_arithmetic<double>(gpu, nullptr);
  Arithmetic<double>& a = *own_a;
  const Box all{{0, 1}, {0, 1}};
  for (const i64 before : {1, 2}) {
    auto own = a.array<double, 1>({1}, "test"), parts = a.array<double, 1>({2}, "test");
    const double value = before == 1 ? -1e20 : 1, received[] = {1e20, before == 1 ? 1 : -1e20};
    a.write(&value, own.data(), 1);
    a.write(received, parts.data(), 2);
    Planes<double> planes;
    a.hold(planes, {own.data()}, 1);
    a.begin_exchange();
    a.add(planes, {0, 1}, a.pieces({{all, 0, 0}, {all, 0, 1}}), before, parts.data());
    a.end_exchange();
    double sum = 0;
    a.read(own.data(), &sum, 1);
    EXPECT_EQ(sum, 1);
  }
}

TEST(Arithmetic, ArraysLiveAndAreBookedThere) {
  emulated::Gpu gpu;
  Ledger ledger;
  const auto own_a = make_emulated_arithmetic<float>(gpu, &ledger);
  const Arithmetic<float>& a = *own_a;
  Array<float, 2> here({3, 5});
  here.fill(2);
  const auto there = a.brought(std::move(here), "object");
  EXPECT_TRUE(gpu.holds(there.data()));
  EXPECT_EQ(ledger.now(), 15 * sizeof(float));
  const auto back = a.on_host(there.view());
  EXPECT_FALSE(gpu.holds(back.view.data));
  EXPECT_EQ(back.view(2, 4), 2);
  const Array<float, 1> pinned({4}, nullptr, "", a.pinned());
  EXPECT_FALSE(gpu.holds(pinned.data()));
}

}  // namespace
}  // namespace ptyle
