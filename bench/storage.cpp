// Time and memory of a gradient by the ways to keep the forward waves, at S = 20 and 100
//
// W = 256, one mode, float, one thread; memory as the ledger has it, all of the operator's names
// together and waves and transmission alone. The ways run in turn; times are medians.
//
//   bench-storage [W]    last line: time of checkpoints, transmission as needed, over that of all
//                        stored and copied, at S = 100

#include <cmath>

#include "gradient.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

constexpr int rounds = 9;

double megabytes(const Ledger& ledger, std::string_view name = {}) {
  double total = 0;
  for (const auto& entry : ledger.entries())
    if (name.empty() || entry.name == name) total += 1e-6 * double(entry.at_peak);
  return total;
}

double measure(i64 window, i64 slices) {
  const Scene<float> scene(window, slices);
  Sums<float> sums(scene);
  const i64 k = static_cast<i64>(std::ceil(std::sqrt(double(slices))));
  std::vector<CpuOptions> ways;
  for (const bool copy : {true, false}) {
    ways.push_back({.waves = WaveStorage::store, .copy_transmission = copy});
    ways.push_back({.waves = WaveStorage::checkpoint, .checkpoint = k, .copy_transmission = copy});
    ways.push_back({.waves = WaveStorage::recompute, .copy_transmission = copy});
  }
  std::vector<std::unique_ptr<Ledger>> ledgers;
  std::vector<std::unique_ptr<Operator<float>>> operators;
  for (const CpuOptions& way : ways) {
    ledgers.push_back(std::make_unique<Ledger>());
    operators.push_back(make_cpu_operator<float>(scene.setup, 1, ledgers.back().get(), way));
    scene.load(*operators.back());
  }
  std::vector<std::vector<double>> times(ways.size());
  for (int round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < ways.size(); ++i)
      times[i].push_back(seconds([&] {
                           operators[i]->gradient(scene.places, scene.source(),
                                                  {Part::object, Part::probe}, sums.view());
                         }) /
                         double(scene.places.size()));
  fmt::print("W = {}, S = {}, computed by {}\n", window, slices, describe_path(window));
  fmt::print("    {:<36} {:>12} {:>8} {:>9} {:>9} {:>9}\n", "", "ms/gradient", "of store", "MB",
             "waves", "t");
  const double store = band(times[0]).median;
  for (std::size_t i = 0; i < ways.size(); ++i)
    fmt::print("    {:<36} {:>12.3f} {:>8.2f} {:>9.1f} {:>9.1f} {:>9.1f}\n", describe(ways[i]),
               1e3 * band(times[i]).median, band(times[i]).median / store, megabytes(*ledgers[i]),
               megabytes(*ledgers[i], "waves"), megabytes(*ledgers[i], "transmission"));
  std::fflush(stdout);
  return band(times[4]).median / store;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const i64 window = argc > 1 ? std::stoll(argv[1]) : 256;
    fmt::print("{}\n", processor());
    measure(window, 20);
    fmt::print("storage = {:.2f} ratio\n", measure(window, 100));
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench-storage: {}\n", e.what());
    return 1;
  }
}
