#include <gtest/gtest.h>

#include <filesystem>
#include <new>

#include "core/error.hpp"
#include "core/failure.hpp"

namespace ptyle {
namespace {

TEST(Failure, TellsTheUsersMistakesFromOurs) {
  using Kind = Failure::Kind;
  const Failure users = failure_of(UserError("a is b"));
  EXPECT_EQ(users.kind, Kind::users_mistake);
  EXPECT_EQ(users.sentence, "a is b");

  const Failure file = failure_of(std::filesystem::filesystem_error(
      "what", "/a/b", std::make_error_code(std::errc::permission_denied)));
  EXPECT_EQ(file.kind, Kind::users_mistake);
  EXPECT_EQ(file.sentence, "/a/b: Permission denied");

  EXPECT_EQ(failure_of(std::bad_alloc()).kind, Kind::memory);

  const Failure ours = failure_of(std::logic_error("impossible"));
  EXPECT_EQ(ours.kind, Kind::ours);
  EXPECT_EQ(ours.sentence, "a fault of ptyle itself: impossible");
}

}  // namespace
}  // namespace ptyle
