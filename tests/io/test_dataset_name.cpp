#include <gtest/gtest.h>

#include "io/dataset_name.hpp"

namespace ptyle {
namespace {

TEST(DatasetName, IsSplitIntoFileAndDataset) {
  const auto name = split_dataset("file.h5:/group/probe");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->file, "file.h5");
  EXPECT_EQ(name->dataset, "/group/probe");
  const auto drive = split_dataset("/mnt/C:/file.h5:/probe");
  ASSERT_TRUE(drive);
  EXPECT_EQ(drive->file, "/mnt/C:/file.h5");
  EXPECT_EQ(drive->dataset, "/probe");
  for (const char* alone : {"", "file.h5", "/probe", "probe", ":/probe"})
    EXPECT_FALSE(split_dataset(alone)) << alone;
  EXPECT_EQ(file_part("file.h5:/probe"), "file.h5");
  EXPECT_EQ(file_part("file.h5"), "file.h5");
}

}  // namespace
}  // namespace ptyle
