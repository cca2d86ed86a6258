// Several ranks prepare a measurement together, here as threads: each reads what it keeps, and all
// find what one alone finds.

#include <gtest/gtest.h>

#include <barrier>
#include <cmath>
#include <exception>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/frames_in_memory.hpp"

namespace ptyle {
namespace {

using testing::FramesInMemory;
using testing::measurement;
using testing::message_of;
using testing::pattern;
using testing::says;

/// Which patterns rank r of n keeps, of so many.
using Choice = std::function<Kept(int rank, int ranks, i64 patterns)>;

/// Every pattern is kept by its column of a raster 8 wide, as by tiles side by side.
Kept columns(int rank, int ranks, i64 patterns) {
  Kept kept;
  for (i64 i = 0; i < patterns; ++i)
    if (i % 8 * ranks / 8 == rank) kept.own.push_back(i);
  return kept;
}

/// The same, and the columns beside them too.
Kept with_neighbours(int rank, int ranks, i64 patterns) {
  Kept kept = columns(rank, ranks, patterns);
  for (i64 i = 0; i < patterns; ++i) {
    const auto of = [&](i64 column) {
      return column >= 0 && column < 8 && column * ranks / 8 == rank;
    };
    const i64 column = i % 8;
    if (!of(column) && (of(column - 1) || of(column + 1))) kept.extra.push_back(i);
  }
  return kept;
}

/// Adds what all threads bring, in the order of ranks, or takes the largest.
class Sum {
 public:
  explicit Sum(int ranks) : brought_(static_cast<std::size_t>(ranks)), all_here_(ranks) {}
  void operator()(int rank, std::span<double> values, bool largest = false) {
    brought_[rank].assign(values.begin(), values.end());
    all_here_.arrive_and_wait();
    std::fill(values.begin(), values.end(), largest ? -1e300 : 0.0);
    for (const auto& part : brought_) {
      ASSERT_EQ(part.size(), values.size());
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = largest ? std::max(values[i], part[i]) : values[i] + part[i];
    }
    all_here_.arrive_and_wait();
  }

 private:
  std::vector<std::vector<double>> brought_;
  std::barrier<> all_here_;
};

/// Frames and what is asked of them; each rank has its own.
struct Scene {
  FramesInMemory frames;
  Measurement m;
};
using MakeScene = std::function<std::unique_ptr<Scene>()>;

std::vector<Experiment> together(int ranks, const MakeScene& make, const Choice& choice) {
  std::vector<Experiment> out(static_cast<std::size_t>(ranks));
  std::vector<std::exception_ptr> failures(out.size());
  Sum sum(ranks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      try {
        const auto scene = make();
        Distribution distribution{rank, ranks, {}, {}, {}};
        distribution.mine = [&](std::span<const Position> at, i64, double) {
          return choice(rank, ranks, static_cast<i64>(at.size()));
        };
        distribution.sum = [&](std::span<double> values) { sum(rank, values); };
        distribution.maximum = [&](std::span<double> values) { sum(rank, values, true); };
        out[rank] = prepare(scene->m, nullptr, &distribution);
      } catch (...) {
        failures[rank] = std::current_exception();
      }
    });
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return out;
}

/// 48 patterns of a disc of `radius` about (row, col), every pixel with a number of its own added.
std::unique_ptr<Scene> discs(bool integers, double row, double col, double radius) {
  auto scene = std::make_unique<Scene>(Scene{FramesInMemory(48, 40, 40, integers, 65535), {}});
  FramesInMemory& f = scene->frames;
  for (i64 i = 0; i < f.count; ++i)
    for (i64 y = 0; y < 40; ++y)
      for (i64 x = 0; x < 40; ++x) {
        const bool inside = std::hypot(double(y) - row, double(x) - col) < radius;
        const double own = double((i * 1600 + y * 40 + x) % 251);
        f.at(i, y, x) = (inside ? 1000 : 0) + (integers ? own : own / 7);
      }
  scene->m = measurement(f);
  return scene;
}

/// Sums of whole numbers below 2^53 are exact; of n others, in another order, they differ by less
/// than n ε of the sum.
void expect_same_figures(const Experiment& one, const Experiment& e, bool integers) {
  const double off = integers ? 0 : 48 * std::numeric_limits<double>::epsilon();
  EXPECT_EQ(e.notes.size(), one.notes.size());
  if (integers) {
    EXPECT_EQ(e.notes, one.notes);
  }
  EXPECT_EQ(e.warnings, one.warnings);
  EXPECT_TRUE(std::equal(e.valid.begin(), e.valid.end(), one.valid.begin(), one.valid.end()));
  for (i64 i = 0; i < one.mean_pattern.size(); ++i)
    ASSERT_NEAR(e.mean_pattern.data()[i], one.mean_pattern.data()[i],
                off * one.mean_pattern.data()[i]);
  EXPECT_NEAR(e.mean_counts, one.mean_counts, off * one.mean_counts);
  ASSERT_EQ(e.disc.has_value(), one.disc.has_value());
  // the disc is a smooth function of counts with a slope of at least 100 a pixel at the rim
  if (one.disc) {
    EXPECT_NEAR(e.disc->radius, one.disc->radius, integers ? 0 : 1e-9);
  }
  EXPECT_NEAR(e.calibration.pixel, one.calibration.pixel,
              integers ? 0 : 1e-9 * one.calibration.pixel);
  ASSERT_EQ(e.positions.size(), one.positions.size());
}

void expect_same_patterns(const Experiment& one, const Experiment& e, const Kept& kept) {
  const auto held = e.patterns->held();
  EXPECT_EQ(held.size(), kept.own.size() + kept.extra.size());
  EXPECT_EQ(e.patterns->count(), one.patterns->count());
  EXPECT_EQ(e.patterns->type(), one.patterns->type());
  for (i64 i = 0; i < one.patterns->count(); ++i) {
    if (!std::binary_search(held.begin(), held.end(), i)) {
      EXPECT_THROW(pattern(e, i), std::logic_error);
      continue;
    }
    const auto a = pattern(one, i), b = pattern(e, i);
    ASSERT_TRUE(std::equal(a.begin(), a.end(), b.begin())) << i;
  }
}

TEST(Distribution, EveryRankFindsWhatOneFindsAndHoldsItsOwnPatterns) {
  const std::pair<const char*, std::function<void(Measurement&)>> cases[] = {
      {"plain", [](Measurement&) {}},
      {"centre found", [](Measurement& m) { m.data.find_centre = true; }},
      {"calibrated by the disc",
       [](Measurement& m) {
         m.optics.energy = 200;
         m.optics.semi_angle = 20;
         m.calibration.fit_disc = true;
       }},
      {"both, binned, a part of the scan, a background",
       [](Measurement& m) {
         m.data.find_centre = true;
         m.data.bin = 2;
         m.data.positions = {1, 47, 2};
         m.data.background = 2.5;
         m.data.readout_noise = 0.7;
         m.optics.energy = 200;
         m.optics.semi_angle = 20;
         m.calibration.fit_disc = true;
       }},
  };
  for (const bool integers : {true, false})
    for (const auto& [name, change] : cases)
      for (const int ranks : {1, 2, 3, 8, 11})  // of 11, some keep nothing
        for (const Choice& choice : {Choice(columns), Choice(with_neighbours)}) {
          SCOPED_TRACE(std::string(name) + (integers ? ", integers, " : ", floats, ") +
                       std::to_string(ranks));
          const auto make = [&, &change = change] {
            auto scene = discs(integers, 18.5, 21, 9.3);
            change(scene->m);
            return scene;
          };
          // with a background the counts are no whole numbers
          const bool exact = integers && make()->m.data.background == 0;
          const Experiment one = prepare(make()->m);
          const auto all = together(ranks, make, choice);
          for (int rank = 0; rank < ranks; ++rank) {
            expect_same_figures(one, all[rank], exact);
            expect_same_patterns(one, all[rank], choice(rank, ranks, one.patterns->count()));
          }
        }
}

TEST(Distribution, WhatIsWrongWithSomePatternsIsKnownToAllRanks) {
  const auto make = [] {
    auto scene = discs(true, 20, 20, 9);
    FramesInMemory& f = scene->frames;
    scene->m.data.saturation = 5000;
    for (i64 x = 0; x < 20; ++x) f.at(5, 3, x) = 6000;  // in the last third alone
    f.at(0, 1, 1) = -1;
    f.at(7, 2, 2) = -1;
    f.at(3, 2, 2) = -7;  // which a neighbour may keep too
    std::fill_n(&f.at(16, 0, 0), 1600, 0.0);
    return scene;
  };
  const Experiment one = prepare(make()->m);
  ASSERT_EQ(one.warnings.size(), 4u);
  EXPECT_TRUE(says(one.warnings[0], {"3 negative", "4.1 r.m.s."}));
  EXPECT_TRUE(says(one.warnings[1], {"20 of 1600", "data.saturation"}));
  EXPECT_TRUE(says(one.warnings[2], {"1 of 48", "1 with hardly any counts (number 16)"}));
  EXPECT_TRUE(says(one.warnings[3], {"darkest", "data.background"}));
  for (const Choice& choice : {Choice(columns), Choice(with_neighbours)})
    for (const Experiment& e : together(3, make, choice)) {
      expect_same_figures(one, e, true);
      EXPECT_EQ(std::count(e.valid.begin(), e.valid.end(), 0.0F), 20);
    }
}

TEST(Distribution, ARankReadsNoMoreThanItKeepsAndChunksWhole) {
  const auto bytes = [](i64 chunk, const Choice& choice) {
    const auto make = [&] {
      auto scene = discs(true, 20, 20, 9);
      scene->frames.bytes_a_value = 2;
      scene->frames.run = chunk;
      return scene;
    };
    std::vector<i64> frames;
    for (const Experiment& e : together(2, make, choice))
      frames.push_back(e.bytes_read / (2 * 1600));
    return frames;
  };
  EXPECT_EQ(bytes(1, columns), (std::vector<i64>{24, 24}));
  EXPECT_EQ(bytes(1, with_neighbours), (std::vector<i64>{30, 30}));
  // every other pattern, but half a chunk cannot be had
  const Choice odd = [](int rank, int ranks, i64 patterns) {
    Kept kept;
    for (i64 i = rank; i < patterns; i += ranks) kept.own.push_back(i);
    return kept;
  };
  EXPECT_EQ(bytes(1, odd), (std::vector<i64>{24, 24}));
  EXPECT_EQ(bytes(4, odd), (std::vector<i64>{12 * 3, 12 * 3}));
}

TEST(Distribution, RunsEndWithChunksOfTheFile) {
  const auto scene = discs(true, 20, 20, 9);
  scene->frames.run = 10;
  scene->m.data.positions = {7, 47};
  (void)prepare(scene->m);
  for (const auto& [first, n] : scene->frames.reads) {
    EXPECT_TRUE(first == 7 || first % 10 == 0) << first;
    EXPECT_TRUE(first + n == 47 || (first + n) % 10 == 0) << first + n;
  }
}

TEST(Distribution, ThatLeavesPatternsOutOrTakesThemTwiceIsRefused) {
  const auto make = [] { return discs(true, 20, 20, 9); };
  const auto fault = [&](std::vector<i64> own, std::vector<i64> extra) {
    return message_of<std::logic_error>([&] {
      together(1, make, [&](int, int, i64) { return Kept{own, extra}; });
    });
  };
  std::vector<i64> all(48);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(fault(all, {}), "");
  EXPECT_TRUE(says(fault(all, {3}), {"twice"}));
  EXPECT_TRUE(says(fault({1, 0}, {}), {"order"}));
  EXPECT_TRUE(says(fault({0, 48}, {}), {"no pattern"}));
  EXPECT_TRUE(says(fault({0, 1}, {2}), {"2 patterns", "there are 48"}));
}

TEST(Plan, KnowsPositionsAndWindowWithoutThePatterns) {
  const auto scene = discs(true, 20, 20, 9);
  scene->m.data.window = 32;
  const Experiment one = prepare(scene->m);
  scene->frames.reads.clear();
  const Experiment e = prepare_to_plan(scene->m);
  EXPECT_TRUE(scene->frames.reads.empty());
  EXPECT_EQ(e.patterns->window(), 32);
  EXPECT_EQ(e.patterns->count(), 48);
  EXPECT_TRUE(e.patterns->held().empty());
  EXPECT_EQ(e.patterns->type(), "uint16");
  EXPECT_EQ(e.patterns->bytes_a_pattern(), 2u * 32 * 32);
  EXPECT_EQ(e.positions.size(), 48u);
  EXPECT_EQ(e.positions[5].row, one.positions[5].row);

  scene->m.optics.energy = 200;
  scene->m.optics.semi_angle = 20;
  scene->m.calibration.fit_disc = true;
  EXPECT_EQ(prepare_to_plan(scene->m).calibration.pixel, prepare(scene->m).calibration.pixel);
}

}  // namespace
}  // namespace ptyle
