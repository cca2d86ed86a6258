#include <gtest/gtest.h>
#include <tiffio.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "io/raw_file.hpp"
#include "io/temporary_folder.hpp"
#include "io/tiff.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;
using ptyle::testing::FileSizeLimit;
using ptyle::testing::message_of;
using ptyle::testing::says;
using ptyle::testing::TemporaryFolder;

TEST(Tiff, StackIsReadBackByLibtiffWithItsCalibration) {
  const std::string path = (fs::temp_directory_path() / "ptyle-test-stack.tif").string();
  Array<float, 3> stack({3, 7, 10});
  for (i64 i = 0; i < stack.size(); ++i) stack.data()[i] = 0.25F * static_cast<float>(i) - 3;
  write_tiff(path, stack, {0.19, 1.25, "A"});
  EXPECT_FALSE(fs::exists(path + ".part"));

  const std::unique_ptr<TIFF, void (*)(TIFF*)> tiff(TIFFOpen(path.c_str(), "r"), TIFFClose);
  ASSERT_TRUE(tiff);
  EXPECT_EQ(TIFFNumberOfDirectories(tiff.get()), 3);
  char* description = nullptr;
  ASSERT_EQ(TIFFGetField(tiff.get(), TIFFTAG_IMAGEDESCRIPTION, &description), 1);
  const std::string text = description;
  EXPECT_TRUE(text.starts_with("ImageJ="));
  for (const char* line : {"\nimages=3\n", "\nslices=3\n", "\nunit=angstrom\n", "\nspacing=1.25\n",
                           "\nmin=-3\n", "\nmax=49.25\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line;
  for (std::uint16_t z = 0; z < 3; ++z) {
    ASSERT_EQ(TIFFSetDirectory(tiff.get(), z), 1);
    float resolution = 0;
    std::uint16_t unit = 0, bits = 0, format = 0;
    std::uint32_t width = 0, height = 0;
    TIFFGetField(tiff.get(), TIFFTAG_XRESOLUTION, &resolution);
    TIFFGetField(tiff.get(), TIFFTAG_RESOLUTIONUNIT, &unit);
    TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
    TIFFGetField(tiff.get(), TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetField(tiff.get(), TIFFTAG_SAMPLEFORMAT, &format);
    EXPECT_NEAR(resolution, 1 / 0.19, 1e-5);  // pixels an ångström
    EXPECT_EQ(unit, RESUNIT_NONE);
    EXPECT_EQ(bits, 32);
    EXPECT_EQ(format, SAMPLEFORMAT_IEEEFP);
    ASSERT_EQ(width, 10U);
    ASSERT_EQ(height, 7U);
    for (std::uint32_t y = 0; y < 7; ++y) {
      std::array<float, 10> row{};
      ASSERT_EQ(TIFFReadScanline(tiff.get(), row.data(), y), 1);
      for (i64 x = 0; x < 10; ++x) ASSERT_EQ(row[static_cast<std::size_t>(x)], stack(z, y, x));
    }
  }
  fs::remove(path);
}

/// The tags of DigitalMicrograph, by which RosettaSciIO finds the unit.
TEST(Tiff, EveryPageHasUnitAndScaleAsDigitalMicrographWritesThem) {
  const TemporaryFolder folder;
  for (const auto& [voxel, unit] :
       {std::pair<VoxelSize, std::string>{{0.19, 1.25, "A"}, "angstrom"},
        {{1, 0, "px"}, "pixel"}}) {
    write_tiff(folder / "a.tif", Array<float, 3>({2, 3, 4}), voxel);
    const std::unique_ptr<TIFF, void (*)(TIFF*)> tiff(TIFFOpen((folder / "a.tif").c_str(), "r"),
                                                      TIFFClose);
    ASSERT_TRUE(tiff);
    for (const std::uint16_t page : {0, 1}) {
      ASSERT_EQ(TIFFSetDirectory(tiff.get(), page), 1);
      std::uint32_t count = 0;
      const char* text = nullptr;
      const double* scale = nullptr;
      for (const ttag_t axis : {0, 1, 2}) {
        const bool there = axis < 2 || voxel.slice > 0;
        ASSERT_EQ(TIFFGetField(tiff.get(), 65003 + axis, &count, &text), there ? 1 : 0);
        if (!there) continue;
        EXPECT_EQ(std::string(text), unit);
        ASSERT_EQ(TIFFGetField(tiff.get(), 65009 + axis, &count, &scale), 1);
        EXPECT_EQ(*scale, axis < 2 ? voxel.pixel : voxel.slice);
      }
    }
  }
}

TEST(Tiff, StripsThatOthersWriteAreTheSameBytes) {
  const TemporaryFolder folder;
  Array<float, 3> stack({3, 7, 5});
  for (i64 i = 0; i < stack.size(); ++i) stack.data()[i] = static_cast<float>((i * 31) % 17) - 8;
  TiffStack whole(folder / "whole.tif", stack.shape(), {0.2, 1, "A"}, 3);
  TiffStack parts(folder / "parts.tif", stack.shape(), {0.2, 1, "A"}, 3);
  const auto places = parts.hand_out();
  ASSERT_EQ(places.size(), 9U);
  for (std::size_t i = 1; i < 9; ++i)  // without gaps, as readers of ImageJ's stacks expect
    EXPECT_EQ(places[i] - places[i - 1], i64{i % 3 == 0 ? 5 : 15} * i64{sizeof(float)}) << i;
  RawFile file(folder / "parts.tif.part", "parts.tif");
  for (std::size_t i = places.size(); i-- > 0;) {  // the last first
    const auto z = static_cast<i64>(i / 3), first = static_cast<i64>(i % 3) * 3;
    file.write(places[i], {&stack(z, first, 0), std::size_t(first < 6 ? 15 : 5)});
  }
  file.close();
  parts.set_range(-8, 8);
  parts.finish();
  for (i64 z = 0; z < 3; ++z)
    for (const i64 first : {0, 3, 6}) whole.rows({&stack(z, first, 0), {first < 6 ? 3 : 1, 5}});
  whole.finish();
  const auto bytes = [&](const char* name) {
    std::ifstream in(folder / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  EXPECT_EQ(bytes("parts.tif"), bytes("whole.tif"));
  EXPECT_GT(bytes("whole.tif").size(), 3 * 7 * 5 * sizeof(float));
}

TEST(Tiff, ADiskThatIsFullIsSaidOfARawFileToo) {
  const TemporaryFolder folder;
  const std::string path = folder.write_text("a.part", "0123");
  RawFile file(path, "a");
  const std::vector<float> values(4096);
  const FileSizeLimit full(4096);
  EXPECT_TRUE(says(message_of<UserError>([&] { file.write(0, values); }), {"'a'", "too large"}));
  EXPECT_TRUE(says(message_of<UserError>([&] { RawFile(folder / "none", "none"); }),
                   {"'none'", "No such file"}));
}

TEST(Tiff, StripsAreThePageThatTheyWereCutFrom) {
  const TemporaryFolder folder;
  Array<float, 3> stack({2, 7, 3});
  for (i64 i = 0; i < stack.size(); ++i) stack.data()[i] = static_cast<float>((i * 31) % 17);
  TiffStack file(folder / "a.tif", stack.shape(), {}, 3);
  for (i64 z = 0; z < 2; ++z)
    for (const auto& [first, rows] : {std::pair<i64, i64>{0, 3}, {3, 3}, {6, 1}}) {
      EXPECT_THROW(file.rows(Array<float, 2>({2, 3})), std::logic_error);
      file.rows({&stack(z, first, 0), {rows, 3}});
    }
  file.finish();
  const std::unique_ptr<TIFF, void (*)(TIFF*)> tiff(TIFFOpen((folder / "a.tif").c_str(), "r"),
                                                    TIFFClose);
  ASSERT_TRUE(tiff);
  char* description = nullptr;
  ASSERT_EQ(TIFFGetField(tiff.get(), TIFFTAG_IMAGEDESCRIPTION, &description), 1);
  EXPECT_NE(std::string(description).find("\nmin=0\nmax=16\n"), std::string::npos) << description;
  for (std::uint16_t z = 0; z < 2; ++z) {
    ASSERT_EQ(TIFFSetDirectory(tiff.get(), z), 1);
    EXPECT_EQ(TIFFNumberOfStrips(tiff.get()), 3U);
    for (std::uint32_t y = 0; y < 7; ++y) {
      std::array<float, 3> row{};
      ASSERT_EQ(TIFFReadScanline(tiff.get(), row.data(), y), 1);
      for (i64 x = 0; x < 3; ++x) EXPECT_EQ(row[static_cast<std::size_t>(x)], stack(z, y, x));
    }
  }
}

TEST(Tiff, PagesThatAreMissingOrOtherThanAnnouncedAreFaultsAndLeaveNothing) {
  const TemporaryFolder folder;
  const Array<float, 2> page({3, 4});
  {
    TiffStack stack(folder / "a.tif", {2, 3, 4}, {});
    stack.rows(page);
    EXPECT_THROW(stack.finish(), std::logic_error);
    EXPECT_THROW(stack.rows(Array<float, 2>({4, 3})), std::logic_error);
    stack.rows(page);
    EXPECT_THROW(stack.rows(page), std::logic_error);
    EXPECT_TRUE(fs::exists(folder / "a.tif.part"));
  }
  EXPECT_TRUE(fs::is_empty(folder / ""));
}

TEST(Tiff, AFullDiskLeavesNothing) {
  const TemporaryFolder folder;
  const auto write = [&] {
    const FileSizeLimit full(1000);
    write_tiff(folder / "a.tif", Array<float, 3>({2, 30, 40}), {1, 1, "A"});
  };
  EXPECT_TRUE(says(message_of<UserError>(write), {"a.tif"}));
  EXPECT_TRUE(fs::is_empty(folder / ""));
}

TEST(Tiff, FolderThatIsNotThereIsTheUsersMistake) {
  Array<float, 3> stack({1, 2, 2});
  EXPECT_THROW(write_tiff("/no/such/folder/stack.tif", stack, {}), UserError);
}

}  // namespace
}  // namespace ptyle
