#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/error.hpp"
#include "device/emulated/arithmetic.hpp"
#include "exchange/local/exchange.hpp"
#include "exchange/ranks.hpp"
#include "tiles/bisection.hpp"

namespace ptyle {
namespace {

using test::all_ranks;
using test::payload;
using test::random_mesh;
using test::RankArrays;
using test::reaches_far;
using test::rough_numbers;
using test::same_bits;
using test::stacks_of;
using test::sum_in_order;
using test::text;
using test::Value;

template <class T>
void run(const Mesh& mesh, const Schedule& schedule, std::vector<RankArrays<T>>& ranks,
         int threads = 1) {
  const auto exchange =
      make_local_exchange<T>({mesh, schedule, ranks.front().planes(), threads, nullptr});
  const auto stacks = stacks_of(ranks);
  exchange->start(stacks).finish();
}

/// Meshes of every sort: lines, primes, halos smaller and larger than cores and than the object.
std::vector<Mesh> meshes() {
  std::vector<Mesh> all;
  std::uint64_t seed = 0;
  for (const auto& [rows, cols] : std::vector<std::pair<int, int>>{
           {1, 1}, {1, 2}, {2, 1}, {1, 7}, {7, 1}, {2, 3}, {3, 3}, {5, 4}, {7, 11}})
    for (const Halo halo :
         {Halo{0, 0}, Halo{1, 1}, Halo{2, 1}, Halo{4, 3}, Halo{9, 9}, Halo{0, 13}, Halo{200, 200}})
      all.push_back(random_mesh(rows, cols, 3, 8, halo, ++seed));
  return all;
}

/// The total over all ranks of every pixel of every plane of the object.
Array<double, 3> brute_force(const Mesh& mesh, std::vector<RankArrays<double>>& ranks) {
  const Box object = mesh.object();
  Array<double, 3> total({ranks.front().planes(), object.rows.size(), object.cols.size()});
  for (auto& rank : ranks)
    rank.for_pixels([&](i64 plane, Pixel p, double value) {
      total(plane, p.row - object.rows.begin, p.col - object.cols.begin) += value;
    });
  return total;
}

/// After a sum of payloads every rank has the total on its tile (with `owner`, on its core).
void expect_total(const Mesh& mesh, SumKind kind, ScheduleOptions options, i64 slices) {
  SCOPED_TRACE(text(mesh, name_of(kind)));
  auto ranks = all_ranks<double>(mesh, slices, payload(mesh));
  const auto total = brute_force(mesh, ranks);
  run(mesh, sum_schedule(mesh, kind, options), ranks);
  i64 wrong = 0, checked = 0;
  for (int r = 0; r < mesh.ranks(); ++r) {
    const Box valid = kind == SumKind::owner ? mesh.core(r) : mesh.extended(r);
    ranks[static_cast<std::size_t>(r)].for_pixels([&](i64 plane, Pixel p, double value) {
      if (!valid.contains(p)) return;
      ++checked;
      wrong +=
          value != total(plane, p.row - mesh.object().rows.begin, p.col - mesh.object().cols.begin);
    });
  }
  EXPECT_GT(checked, 0);
  EXPECT_EQ(wrong, 0) << "of " << checked;
}

TEST(LocalSum, IsTheSumOverAllRanks) {
  for (const Mesh& mesh : meshes())
    for (const SumKind kind : all_sum_kinds) {
      if (kind == SumKind::neighbor && reaches_far(mesh)) {
        EXPECT_THROW((void)sum_schedule(mesh, kind), UserError);
        continue;
      }
      for (const i64 chunk : {0, 1, 2, 3, 9}) expect_total(mesh, kind, {.chunk = chunk}, 3);
    }
}

TEST(LocalSum, Of64Times65Tiles) {
  for (const i64 halo : {1, 6}) {  // cores of 2 to 4 px: with 6, overlaps reach 6 tiles away
    const Mesh mesh = random_mesh(64, 65, 2, 4, Halo::of(halo), 17);
    for (const SumKind kind : all_sum_kinds) {
      // A whole object on each of 4160 ranks takes more memory than a test should.
      if (kind == SumKind::allreduce || (kind == SumKind::neighbor && halo > 1)) continue;
      expect_total(mesh, kind, {}, 1);
    }
  }
}

TEST(LocalSum, CopiesAreTheSumInTheOrderOfRanksToTheBit) {
  const Value<float> value = rough_numbers<float>(5);
  for (const Mesh& mesh : meshes()) {
    const Box object = mesh.object();
    Array<float, 3> expected({3, object.rows.size(), object.cols.size()});
    const auto expected_at = [&](i64 plane, Pixel p) -> float& {
      return expected(plane, p.row - object.rows.begin, p.col - object.cols.begin);
    };
    for (i64 plane = 0; plane < 3; ++plane)
      for (i64 y = object.rows.begin; y < object.rows.end; ++y)
        for (i64 x = object.cols.begin; x < object.cols.end; ++x)
          expected_at(plane, {y, x}) = sum_in_order(mesh, plane, {y, x}, value);
    for (const SumKind kind : all_sum_kinds) {
      if (kind == SumKind::neighbor) continue;  // adds in another order, but see below
      SCOPED_TRACE(text(mesh, name_of(kind)));
      auto ranks = all_ranks<float>(mesh, 2, value);
      run(mesh, sum_schedule(mesh, kind, {.chunk = 2}), ranks);
      i64 wrong = 0;
      for (int r = 0; r < mesh.ranks(); ++r) {
        const Box valid = kind == SumKind::owner ? mesh.core(r) : mesh.extended(r);
        ranks[static_cast<std::size_t>(r)].for_pixels([&](i64 plane, Pixel p, float have) {
          // == lets a zero have either sign: where nothing was added, a −0 stays one.
          wrong += valid.contains(p) && have != expected_at(plane, p);
        });
      }
      EXPECT_EQ(wrong, 0);
    }
  }
}

/// Every copy of a pixel against the first one met.
template <class T>
i64 copies_that_differ(const Mesh& mesh, std::vector<RankArrays<T>>& ranks) {
  i64 differ = 0;
  for (auto& rank : ranks)
    rank.for_pixels([&](i64 plane, Pixel p, T value) {
      auto& owner = ranks[static_cast<std::size_t>(mesh.tile_of(p))];
      differ += !same_bits(value, owner.at(plane, p));
    });
  return differ;
}

template <class T>
void expect_equal_copies() {
  for (const Mesh& mesh : meshes())
    for (const SumKind kind : all_sum_kinds) {
      if (kind == SumKind::neighbor && reaches_far(mesh)) continue;
      SCOPED_TRACE(text(mesh, name_of(kind)));
      auto ranks = all_ranks<T>(mesh, 2, rough_numbers<T>(9));
      run(mesh, sum_schedule(mesh, kind), ranks);
      if (kind == SumKind::owner) run(mesh, fill_schedule(mesh), ranks);
      EXPECT_EQ(copies_that_differ(mesh, ranks), 0);
    }
}
TEST(LocalSum, CopiesAreEqualToTheBitInFloat) { expect_equal_copies<float>(); }
TEST(LocalSum, CopiesAreEqualToTheBitInDouble) { expect_equal_copies<double>(); }

TEST(LocalSum, RoughNumbersShowAnotherOrder) {
  // The tests above rest on this: own part first is not the order of ranks.
  const Value<float> value = rough_numbers<float>(5);
  i64 differ = 0;
  for (i64 i = 0; i < 1000; ++i) {
    const float a = value(0, 0, {0, i}), b = value(1, 0, {0, i}), c = value(2, 0, {0, i});
    differ += (a + b) + c != (c + a) + b;
  }
  EXPECT_GT(differ, 100);
}

TEST(LocalSum, DoesNotDependOnChunksOrThreads) {
  const Mesh mesh = random_mesh(4, 3, 3, 9, {7, 6}, 3);
  for (const SumKind kind : {SumKind::pipelined, SumKind::separable, SumKind::owner}) {
    auto first = all_ranks<float>(mesh, 6, rough_numbers<float>(1));
    run(mesh, sum_schedule(mesh, kind), first);
    for (const i64 chunk : {1, 4, 7})
      for (const int threads : {1, 3}) {
        auto second = all_ranks<float>(mesh, 6, rough_numbers<float>(1));
        run(mesh, sum_schedule(mesh, kind, {.chunk = chunk}), second, threads);
        i64 differ = 0;
        for (std::size_t r = 0; r < first.size(); ++r)
          second[r].for_pixels([&](i64 plane, Pixel p, float value) {
            differ += !same_bits(value, first[r].at(plane, p));
          });
        EXPECT_EQ(differ, 0) << name_of(kind) << ", chunks of " << chunk << ", " << threads;
      }
  }
}

TEST(LocalFill, TakesCoresToEveryCopy) {
  auto check = [](const Mesh& mesh) {
    SCOPED_TRACE(text(mesh, "fill"));
    const auto value = payload(mesh);
    auto ranks = all_ranks<double>(mesh, 2, value);
    run(mesh, fill_schedule(mesh, {.chunk = 2}), ranks);
    i64 wrong = 0;
    for (auto& rank : ranks)
      rank.for_pixels([&](i64 plane, Pixel p, double have) {
        wrong += have != value(mesh.tile_of(p), plane, p);
      });
    EXPECT_EQ(wrong, 0);
  };
  for (const Mesh& mesh : meshes()) check(mesh);
  check(random_mesh(64, 65, 2, 4, {6, 5}, 2));
}

/// Bisections of scattered positions, whose cores leave some of the object out.
std::vector<Mesh> bisections() {
  std::vector<Mesh> all;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Philox random(seed, 7, 0);
    const auto below = [&](i64 n) { return static_cast<i64>(random.uniform() * double(n)); };
    std::vector<Pixel> centres;
    for (i64 i = 20 + below(60); i > 0; --i) centres.push_back({below(70), below(90) - 30});
    const i64 window = 4 + below(20);
    const Halo halo = below(3) == 0 ? Halo{below(8), below(8)} : Halo::exact(window);
    all.push_back(
        bisected_mesh(centres, {window, 1 + static_cast<int>(below(12)), halo, 0, 0, below(4)}));
  }
  return all;
}

TEST(LocalSum, OfBisectionsGoesToTheOwnersAndBackToEveryCopy) {
  for (const Mesh& mesh : bisections()) {
    for (const i64 chunk : {0, 2}) expect_total(mesh, SumKind::owner, {.chunk = chunk}, 3);
    const auto value = payload(mesh);
    auto ranks = all_ranks<double>(mesh, 2, value);
    run(mesh, fill_schedule(mesh), ranks);
    i64 wrong = 0;
    for (int r = 0; r < mesh.ranks(); ++r)
      ranks[static_cast<std::size_t>(r)].for_pixels([&](i64 plane, Pixel p, double have) {
        const int owner = mesh.tile_of(p);
        const bool owned = mesh.core(owner).contains(p);
        wrong += have != value(owned ? owner : r, plane, p);
      });
    EXPECT_EQ(wrong, 0);
  }
}

/// ⟨a, b⟩ over tiles or over cores, and Σ|a b| for its rounding.
struct Product {
  double value = 0, size = 0;
};
Product product(const Mesh& mesh, std::vector<RankArrays<double>>& a,
                std::vector<RankArrays<double>>& b, bool cores) {
  Product sum;
  for (int r = 0; r < mesh.ranks(); ++r) {
    const Box valid = cores ? mesh.core(r) : mesh.extended(r);
    a[static_cast<std::size_t>(r)].for_pixels([&](i64 plane, Pixel p, double value) {
      if (!valid.contains(p)) return;
      const double term = value * b[static_cast<std::size_t>(r)].at(plane, p);
      sum.value += term;
      sum.size += std::abs(term);
    });
  }
  return sum;
}

void expect_equal_products(const Product& a, const Product& b) {
  // A sum of n terms is right to n ε Σ|term| at worst; 10⁵ terms here, and a term is itself a sum
  // whose parts may cancel: 1e-10 of Σ|term| is far above both and far below a wrong message.
  const double size = std::max(a.size, b.size);
  EXPECT_GT(size, 0);
  EXPECT_NEAR(a.value, b.value, 1e-10 * size);
}

TEST(LocalSum, IsItsOwnTranspose) {
  for (const Mesh& mesh : meshes())
    for (const SumKind kind : all_sum_kinds) {
      if (kind == SumKind::owner || (kind == SumKind::neighbor && reaches_far(mesh))) continue;
      SCOPED_TRACE(text(mesh, name_of(kind)));
      auto x = all_ranks<double>(mesh, 1, rough_numbers<double>(1));
      auto hx = all_ranks<double>(mesh, 1, rough_numbers<double>(1));
      auto y = all_ranks<double>(mesh, 1, rough_numbers<double>(2));
      auto hy = all_ranks<double>(mesh, 1, rough_numbers<double>(2));
      run(mesh, sum_schedule(mesh, kind), hx);
      run(mesh, sum_schedule(mesh, kind), hy);
      expect_equal_products(product(mesh, hx, y, false), product(mesh, x, hy, false));
    }
}

TEST(LocalSum, OwnerAndFillAreTransposes) {
  for (const Mesh& mesh : meshes()) {
    SCOPED_TRACE(text(mesh, "owner"));
    auto x = all_ranks<double>(mesh, 1, rough_numbers<double>(1));
    auto hx = all_ranks<double>(mesh, 1, rough_numbers<double>(1));
    auto y = all_ranks<double>(mesh, 1, rough_numbers<double>(2));
    auto hy = all_ranks<double>(mesh, 1, rough_numbers<double>(2));
    run(mesh, sum_schedule(mesh, SumKind::owner), hx);
    run(mesh, fill_schedule(mesh), hy);
    expect_equal_products(product(mesh, hx, y, true), product(mesh, x, hy, false));
  }
}

TEST(LocalExchange, RunsAgainAndAgain) {
  const Mesh mesh = random_mesh(3, 4, 3, 6, Halo::of(5), 8);
  for (const SumKind kind : {SumKind::separable, SumKind::allreduce}) {
    const auto exchange = make_local_exchange<double>({mesh, sum_schedule(mesh, kind), 2, 1, {}});
    for (int time = 0; time < 3; ++time) {
      auto ranks = all_ranks<double>(mesh, 1, payload(mesh));
      const auto total = brute_force(mesh, ranks);
      const auto stacks = stacks_of(ranks);
      auto running = exchange->start(stacks);
      while (!running.progress()) {
      }
      running.finish();  // nothing is left to do
      ranks[5].for_pixels([&](i64 plane, Pixel p, double value) {
        EXPECT_EQ(value,
                  total(plane, p.row - mesh.object().rows.begin, p.col - mesh.object().cols.begin));
      });
    }
  }
}

TEST(LocalExchange, RefusesWhatWasNotPlanned) {
  const Mesh mesh = random_mesh(2, 2, 4, 6, Halo::of(2), 4);
  const Schedule schedule = sum_schedule(mesh, SumKind::owner);
  const auto exchange = make_local_exchange<float>({mesh, schedule, 3, 1, nullptr});
  auto ranks = all_ranks<float>(mesh, 2, rough_numbers<float>(1));
  auto more = all_ranks<float>(mesh, 3, rough_numbers<float>(1));
  auto stacks = stacks_of(ranks), planes = stacks_of(more), fewer = stacks;
  fewer.pop_back();
  auto swapped = stacks;
  std::swap(swapped[0], swapped[3]);
  EXPECT_THROW((void)exchange->start(planes), std::invalid_argument);
  EXPECT_THROW((void)exchange->start(fewer), std::invalid_argument);
  EXPECT_THROW((void)exchange->start(swapped), std::invalid_argument);
  EXPECT_NO_THROW(exchange->start(stacks).finish());
  EXPECT_THROW((void)make_local_exchange<float>({mesh, schedule, 0, 1, nullptr}),
               std::invalid_argument);
}

TEST(LocalExchange, IsNotStartedTwiceNorAfterBeingGivenUp) {
  const Mesh mesh = random_mesh(2, 2, 4, 6, Halo::of(2), 4);
  const auto exchange =
      make_local_exchange<float>({mesh, sum_schedule(mesh, SumKind::owner), 2, 1, nullptr});
  auto ranks = all_ranks<float>(mesh, 1, rough_numbers<float>(1));
  const auto stacks = stacks_of(ranks);
  {
    auto running = exchange->start(stacks);
    EXPECT_THROW((void)exchange->start(stacks), std::logic_error);
    running.finish();
    auto again = exchange->start(stacks);
  }
  EXPECT_THROW((void)exchange->start(stacks), std::logic_error);
}

TEST(LocalExchange, RefusesASchedulesMistakes) {
  const Mesh mesh = random_mesh(1, 3, 5, 5, Halo::of(2), 4);
  const auto refuse = [&](Message message, bool twice) {
    Schedule schedule = sum_schedule(mesh, SumKind::separable);
    schedule.rounds.push_back({Action::add, {message}});
    if (twice) schedule.rounds.back().messages.push_back(message);
    EXPECT_THROW((void)make_local_exchange<float>({mesh, schedule, 1, 1, nullptr}),
                 std::logic_error);
  };
  const Box shared = intersection(mesh.extended(0), mesh.extended(1));
  refuse({0, 1, shared}, true);
  refuse({0, 2, shared}, false);
  refuse({1, 1, shared}, false);
  refuse({0, 1, {}}, false);
}

TEST(LocalExchange, HasTheSameBitsOnAGpu) {
  for (const Halo halo : {Halo{2, 1}, Halo{9, 8}})
    for (const SumKind kind :
         {SumKind::passes, SumKind::separable, SumKind::owner, SumKind::allreduce}) {
      const Mesh mesh = random_mesh(3, 2, 4, 9, halo, 7);
      SCOPED_TRACE(text(mesh, name_of(kind)));
      emulated::Gpu gpu({.backwards = halo.before == 2});
      const auto own_arithmetic = make_emulated_arithmetic<float>(gpu, nullptr);
      Arithmetic<float>& arithmetic = *own_arithmetic;
      auto here = all_ranks<float>(mesh, 4, rough_numbers<float>(5));
      auto there = all_ranks<float>(mesh, 4, rough_numbers<float>(5));
      const auto run = [&](std::vector<RankArrays<float>>& ranks, Arithmetic<float>* where) {
        const auto stacks = stacks_of(ranks);
        for (const Schedule& schedule :
             {sum_schedule(mesh, kind, {.chunk = 2}), fill_schedule(mesh)})
          make_local_exchange<float>({mesh, schedule, 5, 1, nullptr}, where)
              ->start(stacks)
              .finish();
      };
      run(here, nullptr);
      run(there, &arithmetic);
      i64 differ = 0;
      for (std::size_t rank = 0; rank < here.size(); ++rank)
        here[rank].for_pixels([&](i64 plane, Pixel p, float value) {
          differ += !same_bits(value, there[rank].at(plane, p));
        });
      EXPECT_EQ(differ, 0);
    }
}

TEST(LocalExchange, BooksItsBuffers) {
  const Mesh mesh({{0, 10}, {0, 20}}, {}, std::vector<i64>{10}, Halo::of(4));
  Ledger ledger;
  const auto exchange =
      make_local_exchange<float>({mesh, sum_schedule(mesh, SumKind::separable), 6, 2, &ledger});
  // Each rank: 6 planes of the 10 × 8 px that both hold.
  EXPECT_EQ(ledger.now(), 2 * 6 * 80 * sizeof(float));
  ASSERT_EQ(ledger.entries().size(), 1u);
  EXPECT_EQ(ledger.entries()[0].name, "exchange buffers");
}

}  // namespace
}  // namespace ptyle
