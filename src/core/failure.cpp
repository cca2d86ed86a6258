#include "core/failure.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <new>

#include "core/error.hpp"

namespace ptyle {

Failure failure_of(const std::exception& exception) {
  if (dynamic_cast<const UserError*>(&exception))
    return {Failure::Kind::users_mistake, exception.what()};
  // A name that the system will not look at.
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&exception))
    return {Failure::Kind::users_mistake,
            fmt::format("{}: {}", file->path1().string(), file->code().message())};
  if (dynamic_cast<const std::bad_alloc*>(&exception))
    return {Failure::Kind::memory,
            "the memory is not enough; fewer threads, a smaller window, fewer slices or more ranks "
            "need less"};
  return {Failure::Kind::ours, fmt::format("a fault of ptyle itself: {}", exception.what())};
}

}  // namespace ptyle
