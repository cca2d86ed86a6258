#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.hpp"
#include "io/dataset.hpp"
#include "io/disk_space.hpp"
#include "io/temporary_folder.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

TEST(DiskSpace, IsRefusedWhereTheDiskHasLess) {
  const TemporaryFolder folder;
  const auto said = [&](double bytes) {
    return message_of<UserError>([&] { check_disk_space(folder / "", bytes, "the result"); });
  };
  EXPECT_EQ(said(1), "");
  EXPECT_TRUE(says(said(1e21), {"the result needs 1e+12 GB", folder / "", "free"}));
  const auto free = static_cast<double>(std::filesystem::space(folder / "").available);
  EXPECT_EQ(said(0.5 * free), "");  // others write too
  EXPECT_NE(said(2 * free), "");
}

TEST(DiskSpace, OfADataSetIsSoughtBeforeItIsBegun) {
  const TemporaryFolder folder;
  DatasetHeader header;
  header.pattern_type = h5::type_of<std::uint16_t>();
  header.detector = 1 << 24;  // 5.6e14 bytes a pattern
  header.positions.resize(1000);
  header.now = 1000;
  header.object = {1, 8, 8};
  EXPECT_TRUE(
      says(message_of<UserError>([&] { SimulatedSet::open(folder / "set.h5", header, false); }),
           {"set.h5", "5.629e+08 GB", "free"}));
  EXPECT_TRUE(std::filesystem::is_empty(folder / ""));
}

}  // namespace
}  // namespace ptyle
