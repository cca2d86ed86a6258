#pragma once

#include <cstddef>

namespace ptyle {

/// The memory of arrays that are not in the host's: a GPU's, of which only that device's code may
/// touch the values, and everybody else copies; or a file (core/scratch).
class Memory {
 public:
  virtual ~Memory() = default;
  /// Zeroed. Throws UserError where there is not as much.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* at) noexcept = 0;
  /// Between any two places, at least one of which is on the device; done when it returns.
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
};

}  // namespace ptyle
