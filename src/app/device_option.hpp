#pragma once

// --device, which stands for the key solver.device.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ptyle {

inline void add_device(CLI::App& command, std::string& device) {
  command.add_option("--device", device, "auto, cpu or cuda: where ranks compute (solver.device)");
}

/// Among the settings of --set, of which the last one holds.
inline void set_device(const std::string& device, std::vector<std::string>& settings) {
  if (!device.empty()) settings.push_back("solver.device=" + device);
}

}  // namespace ptyle
