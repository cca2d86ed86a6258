#include <gtest/gtest.h>

#include <fstream>

#include "app/new_folder.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

TEST(NewFolder, RemovesOnlyWhatIsNewAndEmpty) {
  const auto base = fs::path(testing::TempDir()) / "ptyle_new_folder";
  fs::remove_all(base);
  fs::create_directories(base / "old");
  const auto made = base / "old" / "a" / "b";
  {
    const NewFolder folder(made);
    fs::create_directories(made);
  }
  EXPECT_TRUE(fs::exists(base / "old"));
  EXPECT_FALSE(fs::exists(base / "old" / "a"));
  {
    NewFolder folder(made);
    fs::create_directories(made);
    folder.keep();
  }
  EXPECT_TRUE(fs::exists(made));
  fs::remove(made);
  {
    const NewFolder folder(made);
    fs::create_directories(made);
    std::ofstream(base / "old" / "a" / "file") << "x";
  }
  EXPECT_FALSE(fs::exists(made));
  EXPECT_TRUE(fs::exists(base / "old" / "a" / "file"));
  { const NewFolder folder(base / "never made"); }
  fs::remove_all(base);
}

}  // namespace
}  // namespace ptyle
