#pragma once

#include <fmt/format.h>
#include <mpi.h>

#include <array>
#include <stdexcept>
#include <string>

namespace ptyle {

/// Throws std::runtime_error with MPI's own words if a call failed.
inline void check_mpi(int status, const char* call) {
  if (status == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  if (MPI_Error_string(status, text.data(), &length) != MPI_SUCCESS) length = 0;
  throw std::runtime_error(fmt::format("{} failed with status {}: {}", call, status,
                                       std::string(text.data(), static_cast<std::size_t>(length))));
}

}  // namespace ptyle
