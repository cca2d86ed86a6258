#include <gtest/gtest.h>
#include <hdf5.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "core/error.hpp"
#include "io/frames.hpp"
#include "io/temporary_folder.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;
using ptyle::testing::message_of;
using ptyle::testing::says;
using ptyle::testing::TemporaryFolder;

template <class T>
std::vector<T> counting(i64 n) {
  std::vector<T> v(static_cast<std::size_t>(n));
  std::iota(v.begin(), v.end(), T{0});
  return v;
}

TEST(Frames, RowsOfAnEmpadThatAreNoCountsAreLeftOut) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  const i64 stored = 130 * 128, counts = 128 * 128;
  auto values = counting<float>(6 * stored);
  file.write("/all_counts", {6, 130, 128}, values.data());
  for (i64 n = 0; n < 6; ++n) values[n * stored + counts + 3] = -7e30F;
  file.write("/three", {6, 130, 128}, values.data());
  file.create_dataset<float>("/four", {2, 3, 130, 128}, {2, 3, 10, 10}).write(values.data());
  EXPECT_EQ(Frames(file, "/all_counts").rows(), 130);
  for (const char* name : {"/three", "/four"}) {
    const Frames frames(file, name, 1 << 20);  // a block of /four
    ASSERT_EQ(frames.rows(), 128) << name;
    ASSERT_EQ(frames.notes().size(), 1U);
    EXPECT_TRUE(says(frames.notes()[0], {"last 2 of 130 rows", "EMPAD"}));
    std::vector<float> all(6 * counts);
    frames.read(0, 6, all.data());
    for (i64 i = 0; i < 6 * counts; ++i)
      ASSERT_EQ(all[i], float(i / counts * stored + i % counts)) << name;
  }
}

TEST(Frames, OfFourDimensionsAreTheSameAsOfThree) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  const auto values = counting<std::uint16_t>(3 * 5 * 4 * 7);
  file.write("/three", {15, 4, 7}, values.data());
  file.create_dataset<std::uint16_t>("/four", {3, 5, 4, 7}, {2, 2, 4, 7}, 1).write(values.data());
  const Frames three(file, "/three"), four(file, "four", 2000);
  EXPECT_EQ(three.count(), 15);
  EXPECT_EQ(four.count(), 15);
  EXPECT_EQ(four.rows(), 4);
  EXPECT_EQ(four.cols(), 7);
  EXPECT_EQ(three.scan_shape(), (std::array<i64, 2>{0, 0}));
  EXPECT_EQ(four.scan_shape(), (std::array<i64, 2>{3, 5}));
  EXPECT_EQ(four.frames_a_chunk(), 2);              // the others of a chunk are the next line's
  EXPECT_EQ(four.kept(), 3 * (2 * 2 * 4 * 7) * 2);  // three chunks hold two lines
  EXPECT_EQ(Frames(file, "/four", 600).kept(), 0);  // which are more than that
  for (i64 first = 0; first < 15; ++first)
    for (i64 n = 1; first + n <= 15; ++n) {  // over the ends of scan lines
      std::vector<float> a(static_cast<std::size_t>(n * 28)), b(a);
      three.read(first, n, a.data());
      four.read(first, n, b.data());
      ASSERT_EQ(a, b);
      ASSERT_EQ(a.front(), static_cast<float>(28 * first));
    }
}

// Parts of the next line in a line's chunks are not read from the file again: the file may be
// spoilt meanwhile. Without keeping them they are, as they are more than HDF5 keeps by itself.
TEST(Frames, OfTheNextLineComeFromTheChunksOfThisOne) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  constexpr i64 size = 64 * 64, line = 200 * size;
  const auto values = counting<std::uint16_t>(2 * line);
  const auto next_line = [&](i64 most) {
    {
      h5::File file = h5::File::create(path, true);
      file.create_dataset<std::uint16_t>("/data", {2, 200, 64, 64}, {2, 2, 64, 64})
          .write(values.data());
      file.commit();
    }
    const Frames frames(h5::File::open(path), "/data", most);
    std::vector<float> lines(static_cast<std::size_t>(2 * line));
    frames.read(0, 200, lines.data());
    std::fstream(path, std::ios::in | std::ios::out | std::ios::binary)
        << std::string(fs::file_size(path), '\xFF');
    frames.read(200, 200, lines.data() + line);
    return std::equal(values.begin(), values.end(), lines.begin());
  };
  EXPECT_TRUE(next_line(i64{1} << 24));
  EXPECT_FALSE(next_line(0));
}

TEST(Frames, AreFoundInKnownLayoutsAndElseByTheirShape) {
  const TemporaryFolder folder;
  int number = 0;
  for (const char* path : {"/dp", "/datacube_root/datacube/data", "/entry_1/data_1/data", "/data",
                           "/patterns", "/some/where"}) {
    h5::File file = h5::File::create(folder / std::to_string(number++));
    file.write("/dark", {2, 4, 4}, counting<float>(32).data());
    file.write("/wide", {60, 60}, counting<float>(3600).data());
    file.write(path, {5, 4, 4}, counting<std::uint8_t>(80).data());
    EXPECT_EQ(Frames(file, "").info().path, path);
    EXPECT_EQ(Frames(file, "/dark").count(), 2);
  }
}

TEST(Frames, OfEveryTypeKnowTheirLargestValue) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  const auto largest = [&]<class T>(const char* name, T) {
    file.write(name, {1, 2, 2}, counting<T>(4).data());
    return Frames(file, name).largest();
  };
  EXPECT_EQ(largest("/a", std::uint8_t{}), 255);
  EXPECT_EQ(largest("/b", std::int16_t{}), 32767);
  EXPECT_EQ(largest("/c", std::uint32_t{}), 4294967295.0);
  EXPECT_EQ(largest("/d", 0.0F), 0);
  EXPECT_FALSE(Frames(file, "/d").is_integer());
}

TEST(Frames, ThatAreNoneAreRefused) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  file.write("/image", {4, 4}, counting<float>(16).data());
  const std::vector<std::complex<float>> wave(16);
  file.write("/wave", {1, 4, 4}, wave.data());
  const auto fault = [&](const char* name) {
    return message_of<UserError>([&] { Frames(file, name); });
  };
  EXPECT_TRUE(says(fault("/image"), {"/image", "4 x 4", "(N, ky, kx)"}));
  EXPECT_TRUE(says(fault("/wave"), {"/wave", "complex64", "real"}));
  EXPECT_TRUE(says(fault(""), {"no dataset of patterns", "/image (4 x 4, float32)", "/wave"}));
  EXPECT_TRUE(says(fault("/waves"), {"no dataset '/waves'", "/wave (1 x 4 x 4)"}));
}

/// Masters of detectors link to the files of their frames.
TEST(Frames, AreFoundThroughLinks) {
  const TemporaryFolder folder;
  {
    h5::File frames = h5::File::create(folder / "frames.h5");
    frames.write("/raw", {5, 4, 4}, counting<std::uint8_t>(80).data());
    frames.commit();
  }
  const auto links = [&](const char* name, auto&& make) {
    h5::File file = h5::File::create(folder / name);
    file.write("/other/larger", {9, 4, 4}, counting<std::uint8_t>(144).data());
    file.commit();
    const hid_t id = H5Fopen((folder / name).c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    EXPECT_GE(make(id), 0);
    H5Fclose(id);
    return h5::File::open(folder / name);
  };
  const auto external = [](const char* file) {
    return [file](hid_t id) {
      return H5Lcreate_external(file, "/raw", id, "/data", H5P_DEFAULT, H5P_DEFAULT);
    };
  };
  EXPECT_EQ(Frames(links("external.h5", external("frames.h5")), "").count(), 5);
  EXPECT_EQ(Frames(links("hard.h5",
                         [](hid_t id) {
                           return H5Lcreate_hard(id, "/other/larger", id, "/dp", H5P_DEFAULT,
                                                 H5P_DEFAULT);
                         }),
                   "")
                .info()
                .path,
            "/dp");
  EXPECT_EQ(Frames(links("soft.h5",
                         [](hid_t id) {
                           return H5Lcreate_soft("/other/larger", id, "/dp", H5P_DEFAULT,
                                                 H5P_DEFAULT);
                         }),
                   "")
                .info()
                .path,
            "/dp");
  const h5::File dangling = links("dangling.h5", external("gone.h5"));
  EXPECT_EQ(Frames(dangling, "").count(), 9);
  EXPECT_TRUE(says(message_of<UserError>([&] { Frames(dangling, "/data"); }),
                   {"'/data'", "a link to '/raw' in 'gone.h5'"}));
}

}  // namespace
}  // namespace ptyle
