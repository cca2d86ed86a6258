#pragma once

#include <unistd.h>

#include <array>
#include <string>

namespace ptyle {

/// The name of this machine; "unknown" where the system does not say it.
inline std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

}  // namespace ptyle
