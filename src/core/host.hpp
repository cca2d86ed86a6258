#pragma once

#include <unistd.h>

#include <array>
#include <fstream>
#include <string>

namespace ptyle {

/// The name of this machine; "unknown" where the system does not say it.
inline std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

/// The words that this process was called by, joined by blanks; empty where the system does not
/// know them.
inline std::string command_line() {
  std::ifstream arguments("/proc/self/cmdline", std::ios::binary);
  std::string call, one;
  while (std::getline(arguments, one, '\0')) call += (call.empty() ? "" : " ") + one;
  return call;
}

}  // namespace ptyle
