#pragma once

#include <exception>
#include <string>

namespace ptyle {

/// An exception as the user is told of it, by the program and by every binding alike.
struct Failure {
  enum class Kind { users_mistake, memory, ours } kind = Kind::ours;
  std::string sentence;
};
Failure failure_of(const std::exception& exception);

}  // namespace ptyle
