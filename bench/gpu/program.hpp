#pragma once

// What the GPU's benchmarks share as programs: their arguments, and the card's ceilings as the
// first line.

#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "gpu/card.hpp"

namespace ptyle::bench {

struct Arguments {
  bool emulated = false;       ///< small, on the host
  int iterations = 0;          ///< 0: the benchmark's own
  std::vector<GpuPath> paths;  ///< none: the benchmark's own
  std::vector<i64> numbers;    ///< windows or sizes of batches; none: the benchmark's own
};

inline std::string name_of(GpuPath path) {
  return path == GpuPath::fused    ? "on-chip"
         : path == GpuPath::sweeps ? "sweeps"
         : path == GpuPath::fft    ? "cufft"
                                   : "automatic";
}

inline i64 positive_number(const std::string& text) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != text.npos ||
      std::stoll(text) == 0)
    throw UserError("'" + text + "' is no positive whole number");
  return std::stoll(text);
}

/// Adds the paths of "cufft,sweeps,on-chip".
inline void add_paths(std::string_view list, std::vector<GpuPath>& paths) {
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    bool known = false;
    for (const GpuPath path : {GpuPath::fft, GpuPath::sweeps, GpuPath::fused})
      if (name == name_of(path)) paths.push_back(path), known = true;
    if (!known)
      throw UserError("--path: '" + std::string(name) + "' is none of cufft, sweeps, on-chip");
    if (comma == list.npos) return;
    list.remove_prefix(comma + 1);
  }
}

inline Arguments arguments_of(int argc, char** argv) {
  Arguments given;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto value = [&]() -> std::string {
      if (++i == argc) throw UserError(argument + " wants a value");
      return argv[i];
    };
    if (argument == "--emulated")
      given.emulated = true;
    else if (argument == "--path")
      add_paths(value(), given.paths);
    else if (argument == "--iterations")
      given.iterations = static_cast<int>(positive_number(value()));
    else
      given.numbers.push_back(positive_number(argument));
  }
  return given;
}

/// Prints what the card is and can do, and runs `work` on it, which returns whether what it saw was
/// right. Returns the exit status: 2 where there is no GPU or an argument is wrong, else 1 where
/// something failed. Each line is written as it is complete.
inline int run_on_card(
    const std::string& name, int argc, char** argv,
    const std::function<bool(Card&, const Ceilings&, const Arguments&)>& work) try {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  const Arguments given = arguments_of(argc, argv);
  const auto card = given.emulated ? emulated_card() : real_card();
  const Ceilings ceilings = card->ceilings();
  fmt::print(
      "{}; measured ceilings: copy {:.0f} GB/s, multiply-adds {:.1f} TFLOP/s, shared memory {:.1f} "
      "TB/s\n",
      card->name(), 1e-9 * ceilings.bytes, 1e-12 * ceilings.flops, 1e-12 * ceilings.shared_bytes);
  return work(*card, ceilings, given) ? 0 : 1;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}: {}\n", name, e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}

}  // namespace ptyle::bench
