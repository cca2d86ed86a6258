// How long do 462 and 4158 ranks wait for each exchange, on a simulated network?
// Needs: libsimgrid-dev
//
//   ./run-bench exchange-sim
//
// The exchanges of src/exchange/mpi, compiled for SimGrid's MPI (bench/exchange_sim), run on a fat
// tree. Workload: large Lead Titanate, cores of equal size, 100 slices in float. No values are
// held and nothing is computed, so the time is the network's. For each number of ranks and halo:
//
//   1. the cost model (tiles/cost) predicts seconds, and chooses the chunks of `pipelined`; the
//      others go whole: chunks of theirs save memory, not time
//   2. smpirun simulates it, as many cases at a time as there are cores
//   3. `passes` is compared with its hops × (bytes/bandwidth + latency), the rest with `passes`
//
// Network: two levels of switches, 72 × 64 hosts, as many cables up as down (full bisection), one
// rank a host, in order; 12.5 GB/s each way and cable; 1.5 µs between hosts of different switches.
// Messages on a cable share it evenly (max–min); no protocol costs (bandwidth and latency factors
// of 1, no TCP window, no cross traffic). Routes are static, so they collide, as they do in
// reality; `owner` is simulated once more with 8 × 8 tiles to a switch.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/parallel.hpp"
#include "exchange_sim/case.hpp"
#include "tiles/cost.hpp"

namespace {

using namespace ptyle;

constexpr Network network{.bandwidth = 12.5e9, .latency = 1.5e-6};
constexpr int block = 8, hosts_a_switch = block * block, switches = 72;
constexpr i64 slices = 100, value_bytes = sizeof(float);

struct Setting {
  int rows = 0, cols = 0;
  i64 core = 0;
  Halo halo;
  double goal = 0;  // of the best over `passes`; 0: none
  [[nodiscard]] Mesh mesh() const { return bench::equal_cores(rows, cols, core, halo); }
};

struct Case {
  Setting setting;
  SumKind kind = SumKind::passes;
  std::string name;
  ExchangeCost predicted;
  bool blocks = false;   // ranks to switches by blocks of tiles
  double simulated = 0;  // s
};

/// A folder for the platform and the list of hosts, gone at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "exchange-sim-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
    std::ofstream(path_ / "platform.xml") << fmt::format(
        "<?xml version='1.0'?>\n"
        "<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
        "<platform version=\"4.1\">\n"
        "  <cluster id=\"tree\" prefix=\"node-\" radical=\"0-{0}\" suffix=\"\" speed=\"1Gf\"\n"
        "           bw=\"{3}Bps\" lat=\"{4}s\" sharing_policy=\"SPLITDUPLEX\"\n"
        "           topology=\"FAT_TREE\" topo_parameters=\"2;{1},{2};1,{1};1,1\"/>\n"
        "</platform>\n",
        hosts_a_switch * switches - 1, hosts_a_switch, switches, network.bandwidth,
        network.latency / 4);  // four cables between two switches' hosts
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string platform() const { return (path_ / "platform.xml").string(); }

  /// Writes the host of each rank: in order, or each block of tiles to the hosts of a switch.
  [[nodiscard]] std::string hosts(const Case& of) const {
    const Setting& s = of.setting;
    const auto file = path_ / fmt::format("hosts-{}-{}-{}-{}", s.rows, s.halo.before,
                                          name_of(of.kind), of.blocks);
    std::ofstream hosts(file);
    const int across = (s.cols + block - 1) / block;
    for (int r = 0; r < s.rows; ++r)
      for (int c = 0; c < s.cols; ++c) {
        const int in_block =
            (r / block * across + c / block) * hosts_a_switch + r % block * block + c % block;
        hosts << "node-" << (of.blocks ? in_block : r * s.cols + c) << '\n';
      }
    return file.string();
  }

 private:
  std::filesystem::path path_;
};

/// Ends of messages that are this close (s) are one event: without it the simulator solves the
/// whole network anew for each of a million messages. A fiftieth of a hop and 1/250 of the whole
/// together; they end early, by so much at most.
double resolution(const ExchangeCost& predicted) {
  return predicted.seconds / double(250 + 50 * predicted.hops);
}

std::string command(const Folder& folder, const Case& c) {
  const Setting& s = c.setting;
  return fmt::format(
      "{} -np {} -platform {} -hostfile {} -no-privatize --log=root.thres:error"
      " --cfg=network/model:CM02 --cfg=network/latency-factor:1 --cfg=network/bandwidth-factor:1"
      " --cfg=network/weight-S:0 --cfg=network/TCP-gamma:0 --cfg=network/crosstraffic:0"
      " --cfg=surf/precision:{} --cfg=smpi/simulate-computation:no --cfg=smpi/test:0"
      " --cfg=contexts/factory:raw --cfg=contexts/stack-size:256"
      " {} {} {} {} {} {} {} {} {} {}",
      PTYLE_SMPIRUN, s.rows * s.cols, folder.platform(), folder.hosts(c), resolution(c.predicted),
      PTYLE_SIMULATED_RANKS, s.rows, s.cols, s.core, s.halo.before, s.halo.after, slices,
      name_of(c.kind), c.predicted.chunk, c.predicted.in_flight);
}

void simulate(const Folder& folder, Case& c) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string text = command(folder, c);
  std::string output;
  {
    const auto close = [](FILE* pipe) { return pclose(pipe); };
    const std::unique_ptr<FILE, decltype(close)> pipe(popen(text.c_str(), "r"), close);
    std::array<char, 256> part{};
    while (pipe && std::fgets(part.data(), part.size(), pipe.get())) output += part.data();
  }
  if (std::sscanf(output.c_str(), "seconds %lf", &c.simulated) != 1)
    throw std::runtime_error(fmt::format("the simulation failed: {}\n{}", text, output));
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  fmt::print(stderr, "simulated {} on {} ranks, halo {}: {:.0f} s\n", c.name,
             c.setting.rows * c.setting.cols, c.setting.halo.before, wall.count());
}

/// Simulates all, the long ones first.
void simulate(std::vector<Case>& cases) {
  const Folder folder;
  std::vector<Case*> order;
  for (Case& c : cases) order.push_back(&c);
  const auto load = [](const Case* c) {
    return c->predicted.bytes * double(c->predicted.messages * c->setting.rows * c->setting.cols);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const Case* a, const Case* b) { return load(a) > load(b); });
  std::atomic<std::size_t> next = 0;
  std::vector<std::string> errors(order.size());
  std::vector<std::thread> workers;
  for (int i = 0; i < available_threads(); ++i)
    workers.emplace_back([&] {
      for (std::size_t at = next++; at < order.size(); at = next++) try {
          simulate(folder, *order[at]);
        } catch (const std::exception& e) {
          errors[at] = e.what();
        }
    });
  for (std::thread& worker : workers) worker.join();
  for (const std::string& error : errors)
    if (!error.empty()) throw std::runtime_error(error);
}

std::string chunks(const ExchangeCost& cost) {
  if (cost.chunk == slices) return "whole";
  return fmt::format("{} x {}", cost.chunk, cost.in_flight);
}

/// hops × (bytes/bandwidth + latency) of `passes`, with the largest of its messages.
double own_estimate(const Case& passes) {
  i64 pixels = 0;
  for (const Round& round : sum_schedule(passes.setting.mesh(), SumKind::passes).rounds)
    for (const Message& m : round.messages) pixels = std::max(pixels, m.box.area());
  const double bytes = double(pixels * slices * value_bytes);
  const double estimate =
      double(passes.predicted.hops) * (bytes / network.bandwidth + network.latency);
  const double off = passes.simulated / estimate - 1;
  fmt::print(
      "passes: {} hops x ({:.2f} MB / 12.5 GB/s + 1.5 us) = {:.2f} ms; simulated {:+.1f} % "
      "from it ({})\n",
      passes.predicted.hops, 1e-6 * bytes, 1e3 * estimate, 100 * off,
      std::abs(off) <= 0.25 ? "within 25 %" : "NOT within 25 %");
  return off;
}

/// The table of one setting; its first case is `passes`. Best over `passes`; good: goals are met.
double report(std::span<const Case> cases, bool& good) {
  const Setting& s = cases.front().setting;
  fmt::print("\n{} ranks ({} x {}), cores of {} x {} px, halo {} px{}\n\n", s.rows * s.cols, s.rows,
             s.cols, s.core, s.core, s.halo.before, s.halo.before == 128 ? " (exact)" : "");
  fmt::print(
      "exchange       slices x in flight  hops  messages  MB sent  predicted ms  simulated ms  "
      "passes =  port used\n");
  const double passes = cases.front().simulated;
  double best = passes;
  for (const Case& c : cases) {
    const ExchangeCost& cost = c.predicted;
    if (!c.blocks) best = std::min(best, c.simulated);
    fmt::print("{:14} {:>18}  {:4}  {:8}  {:7.1f}  {:12.3f}  {:12.3f}  {:6.1f} x  {:7.0f} %\n",
               c.name, chunks(cost), cost.hops, cost.messages, 1e-6 * cost.bytes,
               1e3 * cost.seconds, 1e3 * c.simulated, passes / c.simulated,
               100 * cost.bytes / network.bandwidth / c.simulated);
  }
  fmt::print("\n");
  good &= std::abs(own_estimate(cases.front())) <= 0.25;
  if (s.goal > 0) {
    const bool met = best <= s.goal * passes;
    fmt::print("best: 1/{:.1f} of passes (goal 1/{:.0f}: {})\n", passes / best, 1 / s.goal,
               met ? "met" : "MISSED");
    good &= met;
  }
  return best / passes;
}

void explain() {
  fmt::print(
      "\n"
      "Messages and MB: of the rank that sends most; port used: its bytes / 12.5 GB/s / "
      "simulated.\n"
      "passes     waits for 2(R-1) + 2(C-1) hops, one after the other; a rank sends in 4 of them.\n"
      "pipelined  sends the same bytes in chunks: what is left of the hops are those of a chunk,\n"
      "           still half of the time with 254 of them.\n"
      "separable  has 2 hops, but sends every overlap of two tiles, near or far, so its bytes "
      "grow\n"
      "           with halo/core. It is level with pipelined where tiles overlap with few others,\n"
      "           and loses where the halo is several cores deep.\n"
      "owner      has 4 hops with the fill, and sends each pixel outside a core once to its owner\n"
      "           and back: k copies of a pixel cannot be made equal with fewer than 2(k-1) "
      "values\n"
      "           sent. So it wins everywhere, and all that limits it is the port. What it loses "
      "to\n"
      "           the prediction are collisions of static routes; they depend on the placement\n"
      "           (blocks: 8 x 8 tiles to a switch). Chunks cost it no time, and save buffers.\n");
}

std::vector<Case> all_cases() {
  std::vector<Setting> settings;
  for (const auto& [rows, cols, core, goal] :
       {std::tuple{21, 22, i64{84}, 1.0 / 20}, {63, 66, i64{29}, 1.0 / 60}}) {
    settings.push_back({rows, cols, core, Halo::of(60), goal});
    settings.push_back({rows, cols, core, Halo::exact(256), 0});
  }
  std::vector<Case> cases;
  for (const Setting& setting : settings) {
    const auto add = [&](SumKind kind, const char* name, i64 chunk, bool blocks = false) {
      cases.push_back({setting, kind, name,
                       cost_of_sum(setting.mesh(), kind, slices, value_bytes, network, chunk),
                       blocks, 0});
    };
    add(SumKind::passes, "passes", slices);
    add(SumKind::pipelined, "pipelined", 0);
    add(SumKind::separable, "separable", slices);
    add(SumKind::owner, "owner", slices);
    add(SumKind::owner, "owner, blocks", slices, true);
    if (setting.rows < 63) add(SumKind::owner, "owner, chunks", 10);
  }
  return cases;
}

int run() {
  std::vector<Case> cases = all_cases();
  simulate(cases);
  fmt::print(
      "Fat tree of {} hosts, 12.5 GB/s each way, 1.5 us; {} slices in float; owner: sum and "
      "fill.\n",
      hosts_a_switch * switches, slices);
  bool good = true;
  double ratio = 0;
  for (std::size_t i = 0; i < cases.size();) {
    std::size_t end = i + 1;
    while (end < cases.size() && cases[end].kind != SumKind::passes) ++end;
    const double best = report(std::span(cases).subspan(i, end - i), good);
    if (cases[i].setting.rows == 63 && cases[i].setting.goal > 0) ratio = best;
    i = end;
  }
  explain();
  fmt::print("\nexchange-sim = {:.4f} x\n", ratio);
  return good ? 0 : 1;
}

}  // namespace

int main() {
  if (std::string_view(PTYLE_SMPIRUN).empty()) {
    fmt::print(stderr,
               "exchange-sim: SimGrid's MPI (smpicxx, smpirun) was not found when this was built; "
               "on Debian: apt-get install libsimgrid-dev, then ./run-bench exchange-sim again\n");
    return 2;
  }
  try {
    return run();
  } catch (const std::exception& e) {
    fmt::print(stderr, "exchange-sim: {}\n", e.what());
    return 1;
  }
}
