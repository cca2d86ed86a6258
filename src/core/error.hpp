#pragma once

#include <stdexcept>
#include <string>

namespace ptyle {

/// The user's mistake (a missing file, a wrong shape, an unknown key): one sentence that says what,
/// where, and what would be right. The program prints it and exits with status 2. Every other
/// exception is ours and exits with status 1.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace ptyle
