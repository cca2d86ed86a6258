// How much memory does a rank need? Lead Titanate, small and large, as the paper divides it.
//
// Planned for every rank from the formulas of `ptyle plan`; measured by running the tile of the
// largest rank alone, with the buffers that its exchanges would have but nobody to exchange with:
// the ledger's peak, and the process's less that of a rank that does next to nothing (the same
// program on 4 patterns of 32 x 32 and 2 slices). Patterns are counted as they are fitted, W x W of
// uint16. Waves and transmission are kept in the way that takes least
// memory. GB are 1e9 bytes. The last line is the largest rank of 4158, halo 60 px.
//
//   ./run-bench memory             the table, W = 256 and 192
//   ./run-bench memory --planned   without the measurements
//   ./run-bench memory --whole     what of a million positions a rank of 4158 holds and waits for

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/raster.hpp"
#include "core/units.hpp"
#include "exchange/side.hpp"
#include "physics/propagator.hpp"
#include "prepare/pattern_store.hpp"
#include "session/rank_memory.hpp"

namespace ptyle {
namespace {

constexpr double gb = 1e9;

struct Workload {
  const char* name;
  std::array<i64, 2> scan;
  double step = 1.45;  // Å
};
constexpr Workload small_set{"small", {63, 66}}, large_set{"large", {126, 132}};
constexpr Workload million{"million", {1000, 1000}, 0.2};

struct Case {
  Workload set;
  int ranks = 1;
  i64 window = 256;
  std::string halo, exchange;
  int slices = 100;
};

ReconstructConfig configuration(const Case& c) {
  ReconstructConfig config;
  config.object.slices = c.slices;
  config.object.type = ObjectType::potential;  // as the paper's
  config.object.slice_thickness = 1.25;
  config.ranks.halo = c.halo;
  config.ranks.exchange = scheme_named(c.exchange).value();
  config.solver.memory = 1e-6;  // as little as there is
  return config;
}

Division division_of(const Case& c, const ReconstructConfig& config, int only = -1) {
  return divide(positions_of(Raster{c.set.scan, {c.set.step, c.set.step}}), c.window, 0.1,
                config.ranks, c.ranks,
                exchanged_planes(config.object.slices, config.object.absorbs()), sizeof(float), 0,
                only);
}

OperatorSetup setup_of(const Case& c) {
  OperatorSetup setup;
  setup.window = c.window;
  setup.slices = c.slices;
  setup.epsilon = 1e-3;
  setup.propagator = propagator(c.window, 0.1, 0.0250793, 1.25);
  return setup;
}

struct Planned {
  std::string mesh, refused;
  double mean = 0, largest = 0;  // bytes
  int rank = 0;                  // the largest
};

Planned plan(const Case& c) {
  Planned planned;
  try {
    const ReconstructConfig config = configuration(c);
    const Division division = division_of(c, config);
    const OperatorSetup setup = setup_of(c);
    planned.mesh = division.sharing.mesh.describe();
    for (int rank = 0; rank < c.ranks; ++rank) {
      const double bytes = rank_memory<float>(config, setup, division, rank, 1,
                                              static_cast<std::size_t>(2 * c.window * c.window),
                                              memory_budget(config, 1, 0.0))
                               .total();
      planned.mean += bytes / c.ranks;
      if (bytes > planned.largest) planned.largest = bytes, planned.rank = rank;
    }
  } catch (const std::exception& e) {
    planned.refused = e.what();
  }
  return planned;
}

// One rank alone

class LoneExchange final : public Exchange<float> {
 public:
  LoneExchange(int rank, const ExchangePlan& plan, Arithmetic<float>* arithmetic)
      : side_(plan, rank, arithmetic),
        buffers_(plan.schedule.in_flight > 0 ? std::min(plan.schedule.in_flight, side_.chunks())
                                             : side_.chunks(),
                 side_, false, plan.ledger) {}
  Running start(std::span<const Stack<float>>) override { return Running(*this); }

 private:
  bool advance(bool) override { return true; }
  void abandon() noexcept override {}
  Side<float> side_;
  Buffers<float> buffers_;
};

/// One rank of many, whose others are not there.
class LoneTeam final : public Team {
 public:
  LoneTeam(int rank, int size) : rank_(rank), size_(size) {}
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] std::vector<int> here() const override { return {rank_}; }
  [[nodiscard]] int processes_on_node() const override { return 1; }
  [[nodiscard]] int rank_on_node() const override { return 0; }
  void sum(std::span<double>) override {}
  void maximum(std::span<double>) override {}
  Running start_sum(std::span<float>) override { return Running(nothing_); }
  Running start_sum(std::span<double>) override { return Running(nothing_); }
  std::vector<double> gather(std::span<const double>) override { return {}; }
  std::vector<float> gather(std::span<const float>) override { return {}; }
  std::unique_ptr<Exchange<float>> make_float_exchange(const ExchangePlan& plan,
                                                       Arithmetic<float>* arithmetic) override {
    return std::make_unique<LoneExchange>(rank_, plan, arithmetic);
  }
  std::unique_ptr<Exchange<double>> make_double_exchange(const ExchangePlan&,
                                                         Arithmetic<double>*) override {
    throw std::logic_error("this bench is in float");
  }
  std::unique_ptr<Delivery> make_delivery() override {
    throw std::logic_error("no position moves in this bench");
  }
  [[nodiscard]] TeamCosts costs() const override { return {}; }

 private:
  class Nothing final : public ExchangeEngine {
    bool advance(bool) override { return true; }
    void abandon() noexcept override {}
  };
  int rank_, size_;
  Nothing nothing_;
};

/// The rank's first mini-batch of positions, its step estimated and tried; prints the ledger's peak
/// and the process's, bytes, and the seconds until the fit is made.
void run_alone(const Case& c, int rank) {
  const auto begin = std::chrono::steady_clock::now();
  Ledger ledger;
  const ReconstructConfig config = configuration(c);
  const Division division = division_of(c, config, rank);
  OperatorSetup setup = setup_of(c);
  const PositionShare& share = division.shares[static_cast<std::size_t>(rank)];
  std::vector<i64> held = share.own;
  held.insert(held.end(), share.extra.begin(), share.extra.end());
  std::sort(held.begin(), held.end());
  const i64 count = static_cast<i64>(division.frame.positions.size());
  const auto store = make_pattern_store(held, count, c.window, 65535, 0, &ledger);
  const std::vector<std::int64_t> pattern(static_cast<std::size_t>(c.window * c.window), 1);
  for (const i64 i : held) store->put(i, std::span<const std::int64_t>(pattern));

  FitOptions options;
  options.batches = std::max<i64>(1, count / (8 * c.ranks));  // some 8 positions of this rank each
  options.probe_from = 1;
  options.extra = division.extra;
  FitData<float> data;
  data.positions = division.frame.positions;
  data.load = [&](i64 i, float* to) { store->load(i, to); };
  data.dk = 1 / (0.1 * double(c.window));
  const Box box = division.sharing.mesh.extended(rank);
  std::vector<TileStart<float>> start;
  start.push_back(
      {Array<float, 3>({c.slices, box.rows.size(), box.cols.size()}, &ledger, "object"), {}});
  Array<Complex<float>, 3> probe({1, c.window, c.window}, &ledger, "probe");
  probe.fill(1);
  const RankMemory memory = rank_memory<float>(config, setup, division, rank, 1,
                                               static_cast<std::size_t>(2 * c.window * c.window),
                                               memory_budget(config, 1, 0.0));
  LoneTeam team(rank, c.ranks);
  Fit<float> fit(make_cpu_operator<float>(std::move(setup), 1, &ledger, memory.options),
                 std::move(data), options, team, division.sharing, std::move(start),
                 std::move(probe), &ledger);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const std::size_t started = peak_resident_bytes(), stays = resident_bytes();
  int batches = 0;
  fit.iterate([&] { return ++batches > 0; });
  fmt::print("{} {} {} {} {}\n", ledger.peak(), peak_resident_bytes(), started, stays,
             seconds.count());
}

/// Runs this program again; its numbers.
std::array<double, 5> measured(const std::string& program, const std::string& arguments) {
  std::array<double, 5> numbers{};
  auto& [booked, peak, started, stays, seconds] = numbers;
  std::FILE* const pipe = popen((program + " " + arguments).c_str(), "r");
  if (!pipe ||
      std::fscanf(pipe, "%lf %lf %lf %lf %lf", &booked, &peak, &started, &stays, &seconds) != 5 ||
      pclose(pipe) != 0)
    throw std::runtime_error("a rank that ran alone failed");
  return numbers;
}

double paper_gb(const Case& c) {
  struct Row {
    int ranks;
    double small_gd, small_hve, large_gd, large_hve;
  };
  // Wang et al., SC22, tables II and III: GB a GPU; 0: not given.
  constexpr std::array rows{Row{6, 2.53, 2.80, 9.14, 9.47}, Row{54, 0.58, 0.78, 1.54, 1.8},
                            Row{198, 0.31, 0, 0.66, 0.78}, Row{462, 0.23, 0, 0.42, 0.48},
                            Row{4158, 0, 0, 0.18, 0}};
  for (const Row& row : rows)
    if (row.ranks == c.ranks) {
      const bool small = c.set.name == std::string("small");
      if (c.exchange == "voxel") return small ? row.small_hve : row.large_hve;
      return small ? row.small_gd : row.large_gd;
    }
  return 0;
}

std::string or_dash(double value, const char* format = "{:.3f}") {
  return value > 0 ? fmt::format(fmt::runtime(format), value) : "-";
}

int table(const std::string& program, bool measuring) {
  const double idle = measuring ? measured(program, "--idle")[1] : 0;
  if (measuring) fmt::print("a rank that does next to nothing: {:.4f} GB\n", idle / gb);
  double last = 0, worst = 0;
  for (const i64 window : {i64{256}, i64{192}})
    for (const Workload& set : {small_set, large_set}) {
      fmt::print(
          "\n{} Lead Titanate, W = {}, 100 slices, float; GB of a rank\n"
          "  exchange  halo   ranks  mesh     planned: mean  largest   ledger  process  "
          "ledger/process   paper\n",
          set.name, window);
      for (const char* exchange : {"owner", "voxel"})
        for (const char* halo : {"6.0", "exact"})
          for (const int ranks : {6, 54, 198, 462, 4158}) {
            if (set.name == std::string("small") && ranks > 462) continue;
            const Case c{set, ranks, window, halo, exchange};
            const Planned p = plan(c);
            const std::string head =
                fmt::format("  {:<8}  {:<5}  {:>5}", exchange,
                            halo == std::string("6.0") ? "60 px" : halo, ranks);
            const std::string paper =
                halo == std::string("6.0") ? or_dash(paper_gb(c), "{:.2f}") : "";
            if (!p.refused.empty()) {
              fmt::print("{}  cannot run: a core is smaller than its halo            paper {}\n",
                         head, paper);
              continue;
            }
            std::array<double, 5> m{};
            if (measuring)
              m = measured(program, fmt::format("--rank {} {} {} {} {} {}", p.rank, set.name, ranks,
                                                window, halo, exchange));
            const double process = m[1] - idle;
            fmt::print(
                "{}  {:<7}         {:.3f}    {:.3f}   {:>6}   {:>6}          {:>6}   {:>5}\n", head,
                p.mesh, p.mean / gb, p.largest / gb, or_dash(m[0] / gb),
                or_dash(measuring ? process / gb : 0), or_dash(measuring ? m[0] / process : 0),
                paper);
            std::fflush(stdout);
            if (measuring) worst = std::max(worst, std::abs(m[0] / process - 1));
            if (measuring) worst = std::max(worst, std::abs(m[0] / p.largest - 1));
            if (window == 256 && ranks == 4158 && exchange == std::string("owner") &&
                halo == std::string("6.0"))
              last = (measuring ? m[0] : p.largest) / gb;
          }
    }
  if (measuring)
    fmt::print("\nledger against process and against plan: {:.1f} % apart at most\n", 100 * worst);
  fmt::print("memory = {:.4f} GB\n", last);
  return 0;
}

/// A rank of 4158 that share a million positions, its own of 2 slices and windows of 32 px: what it
/// needs beside them, which all the others' positions cost it.
int whole(const std::string& program) {
  const auto idle = measured(program, "--idle"),
             one = measured(program, "--rank 2000 million 4158 32 exact owner");
  const auto mb = [&](std::size_t i) { return 1e-6 * (one[i] - idle[i]); };
  fmt::print(
      "beside its share, a rank of 4158 with a million positions in all needs\n"
      "  {:.2f} s until its fit is made, {:.0f} MB meanwhile, of which {:.0f} MB stay\n"
      "  {:.0f} MB in its first iteration; allocated by name: {:.0f} MB\n",
      one[4], mb(2), mb(3), mb(1), 1e-6 * (one[0] - idle[0]));
  fmt::print("memory = {:.4f} GB\n", 1e-3 * mb(1));
  return 0;
}

}  // namespace
}  // namespace ptyle

int main(int argc, char** argv) try {
  using namespace ptyle;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words[0] == "--planned") return table(argv[0], words.empty());
  if (words[0] == "--idle") {
    run_alone({{"tiny", {2, 2}}, 1, 32, "exact", "owner", 2}, 0);
    return 0;
  }
  if (words[0] == "--whole") return whole(argv[0]);
  if (words[0] != "--rank" || words.size() != 7) {
    fmt::print(stderr, "usage: ./run-bench memory [--planned | --whole]\n");
    return 2;
  }
  const Workload& set = words[2] == "small" ? small_set : words[2] == "large" ? large_set : million;
  run_alone({set, std::stoi(words[3]), std::stol(words[4]), words[5], words[6],
             words[2] == "million" ? 2 : 100},
            std::stoi(words[1]));
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "memory: {}\n", e.what());
  return 1;
}
