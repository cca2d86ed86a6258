#include <gtest/gtest.h>

#include <cstdlib>

#include "app/wall_time.hpp"
#include "core/error.hpp"

namespace ptyle {
namespace {

constexpr std::time_t now = 1700000000;

class WallTimeTest : public testing::Test {
 protected:
  ~WallTimeTest() override { unsetenv("SLURM_JOB_END_TIME"); }
  static void job_ends_at(const std::string& end) { setenv("SLURM_JOB_END_TIME", end.c_str(), 1); }
};

TEST_F(WallTimeTest, IsAsTheUserSays) {
  EXPECT_EQ(wall_time({}, now).seconds, 0);
  job_ends_at(std::to_string(now + 1000));
  EXPECT_EQ(wall_time("1.5", now).seconds, 90);
  EXPECT_EQ(wall_time("1:30:10", now).seconds, 5410);
  EXPECT_EQ(wall_time("1:30:10", now).of_job, "");
  for (const char* wrong : {"", "soon", "1:30", "-5", "0", "1:2:3:4", "1h"})
    EXPECT_THROW((void)wall_time(wrong, now), UserError) << wrong;
}

TEST_F(WallTimeTest, ElseOfTheSlurmJob) {
  const auto seconds_of_job = [](std::time_t left) {
    job_ends_at(std::to_string(now + left));
    return wall_time({}, now).seconds;
  };
  EXPECT_EQ(seconds_of_job(4 * 3600), 4 * 3600 - 600);  // a twentieth would be 720 s
  EXPECT_EQ(seconds_of_job(3600), 3600 - 180);
  EXPECT_EQ(seconds_of_job(300), 300 - 30);
  EXPECT_EQ(seconds_of_job(20), 10);
  EXPECT_NE(wall_time({}, now).of_job.find("the Slurm job ends at"), std::string::npos);
  EXPECT_EQ(seconds_of_job(-5), 0);                  // of a job before
  EXPECT_EQ(seconds_of_job(100L * 366 * 86400), 0);  // without a limit
  for (const char* wrong : {"", "UNLIMITED", "12x"}) {
    job_ends_at(wrong);
    EXPECT_EQ(wall_time({}, now).seconds, 0) << wrong;
  }
}

}  // namespace
}  // namespace ptyle
