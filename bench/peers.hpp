#pragma once

// Peers beside ptyle: Python programs of bench/peers, run in the virtual environment that
// bench/peers/environment makes.

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include "core/array.hpp"
#include "core/error.hpp"

namespace ptyle::bench {

struct Output {
  std::string text;  ///< without the last end of line
  bool failed = false;
  [[nodiscard]] std::string last_line() const { return text.substr(text.rfind('\n') + 1); }
};

/// The output of a command; its standard error is seen at once.
inline Output output_of(const std::string& command) {
  const auto close = [](FILE* pipe) { return pclose(pipe); };
  std::unique_ptr<FILE, decltype(close)> pipe(popen(command.c_str(), "r"), close);
  if (!pipe) throw std::runtime_error("no shell can be started");
  Output output;
  std::array<char, 4096> some{};
  while (const std::size_t n = fread(some.data(), 1, some.size(), pipe.get()))
    output.text.append(some.data(), n);
  output.failed = pclose(pipe.release()) != 0;
  while (!output.text.empty() && output.text.back() == '\n') output.text.pop_back();
  return output;
}

/// The environment's Python, with PtyRAD and further `peers` ("phaser"). Throws UserError where one
/// of them is missing and cannot be installed.
inline std::string python_with(const std::string& peers = "") {
  const Output made = output_of(fmt::format("'{}/environment' {}", PTYLE_PEERS_DIR, peers));
  if (made.failed) throw UserError(made.last_line());
  return made.last_line();
}

/// The output of PROGRAM of bench/peers, given `arguments`. Throws UserError where it fails, as it
/// has said why.
inline Output output_of_peer(const std::string& python, const std::string& program,
                             const std::string& arguments) {
  Output output = output_of(
      fmt::format("'{}' -W ignore '{}/{}' {}", python, PTYLE_PEERS_DIR, program, arguments));
  if (output.failed) throw UserError(program + " stopped, for the reason above");
  return output;
}

/// The facts that a peer is told of a set of patterns, beside its file.
struct Told {
  std::array<int, 2> scan{};  ///< (slow, fast)
  i64 window = 0, slices = 0;
  int modes = 0;
  double mode_power = 0;  ///< fraction in each further mode; 0: by the peer's default
  double pixel = 0, step = 0, slice_thickness = 0;  ///< Å
  double energy = 0, semi_angle = 0, defocus = 0;   ///< kV, mrad, Å (positive = underfocus)
  int threads = 0;
};

/// The same as JSON, for the programs' command lines.
inline std::string json(const Told& t) {
  return fmt::format(
      R"({{"scan": [{}, {}], "window": {}, "slices": {}, "modes": {}, "mode_power": {}, )"
      R"("pixel": {}, "step": {}, "slice_thickness": {}, "energy": {}, "semi_angle": {}, )"
      R"("defocus": {}, "threads": {}}})",
      t.scan[0], t.scan[1], t.window, t.slices, t.modes, t.mode_power, t.pixel, t.step,
      t.slice_thickness, t.energy, t.semi_angle, t.defocus, t.threads);
}

}  // namespace ptyle::bench
