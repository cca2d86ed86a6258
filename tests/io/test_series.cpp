// Patterns in several datasets or files, and in virtual datasets.

#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <numeric>

#include "core/error.hpp"
#include "io/frames.hpp"
#include "io/name_pattern.hpp"
#include "io/temporary_folder.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;
using ptyle::testing::message_of;
using ptyle::testing::says;
using ptyle::testing::TemporaryFolder;

constexpr i64 n = 23, rows = 4, cols = 5, size = rows * cols;

std::vector<std::uint16_t> all_values() {
  std::vector<std::uint16_t> values(n * size);
  std::iota(values.begin(), values.end(), std::uint16_t{0});
  return values;
}

/// Frames [first, first + count) of all, into a dataset.
void put(h5::File& file, const std::string& path, i64 first, i64 count) {
  file.create_dataset<std::uint16_t>(path, {count, rows, cols}, {1, rows, cols}, 1)
      .write(all_values().data() + first * size);
}

/// A file of its own for them.
void put_into(const std::string& file_name, const std::string& path, i64 first, i64 count) {
  h5::File file = h5::File::create(file_name);
  put(file, path, first, count);
  file.commit();
}

/// Are they all frames, read in runs of any length?
bool are_all(const Frames& frames) {
  const auto expected = all_values();
  if (frames.count() != n) return false;
  for (i64 run = 1; run <= n; ++run) {
    std::vector<std::int64_t> read(n * size);
    for (i64 i = 0; i < n; i += run) frames.read(i, std::min(run, n - i), read.data() + i * size);
    if (!std::equal(expected.begin(), expected.end(), read.begin())) return false;
  }
  return true;
}

/// A file of links to datasets of others.
h5::File with_links(const std::string& path, const std::vector<std::array<std::string, 3>>& links) {
  {
    h5::File file = h5::File::create(path);
    const float one = 1;
    file.write("/entry/data/other", {1}, &one);
    file.commit();
  }
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  for (const auto& [name, file, dataset] : links)
    EXPECT_GE(H5Lcreate_external(file.c_str(), dataset.c_str(), id, name.c_str(), H5P_DEFAULT,
                                 H5P_DEFAULT),
              0);
  H5Fclose(id);
  return h5::File::open(path);
}

TEST(Series, OfNumberedDatasetsIsReadAsOne) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  put(file, "/entry/data/data_000001", 0, 10);
  put(file, "/entry/data/data_000002", 10, 10);
  put(file, "/entry/data/data_000003", 20, 3);
  file.write("/entry/dark_1", {2, rows, cols}, all_values().data());
  const Frames found(file, "");
  EXPECT_TRUE(are_all(found));
  EXPECT_EQ(found.frames_a_chunk(), 1);
  EXPECT_TRUE(says(found.name(), {"3 datasets '/entry/data/data_*'", "a.h5"}));
  ASSERT_EQ(found.notes().size(), 1u);
  EXPECT_TRUE(says(found.notes()[0], {"23 frames", "3 datasets", "frames: 10, 10 and 3"}));
  EXPECT_TRUE(are_all(Frames(file, "/entry/data/data_*")));
  EXPECT_TRUE(are_all(Frames(file, "entry/data/d*")));
  // One that is asked for is read alone, but the others are told of.
  const Frames one(file, "/entry/data/data_000003");
  EXPECT_EQ(one.count(), 3);
  ASSERT_EQ(one.notes().size(), 1u);
  EXPECT_TRUE(
      says(one.notes()[0], {"2 more datasets", "data.patterns=/entry/data/data_* reads all"}));
}

TEST(Series, OfGroupsWithNumbersIsInTheirOrder) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  for (i64 i = 0; i < 12; ++i)  // 9 before 10
    put(file, "/chunks/" + std::to_string(i) + "/data", 2 * i, i < 11 ? 2 : 1);
  const float one = 1;
  file.write("/chunks/meta/size", {1}, &one);
  EXPECT_TRUE(are_all(Frames(file, "")));
  EXPECT_TRUE(are_all(Frames(file, "/chunks/*/data")));
}

TEST(Series, OfSingleFramesIsReadAsOne) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  for (i64 i = 0; i < n; ++i)
    file.write("/entry/frame_" + std::to_string(1000 + i) + "/data", {rows, cols},
               all_values().data() + i * size);
  const Frames found(file, "");
  EXPECT_TRUE(are_all(found));
  EXPECT_TRUE(says(found.notes()[0], {"23 datasets '/entry/frame_*/data'", "23 frames: 1 each"}));
}

TEST(Series, OfExternalLinksNeedsAllFiles) {
  const TemporaryFolder folder;
  std::vector<std::array<std::string, 3>> links;
  for (const auto& [name, first, count] :
       {std::tuple("1", i64{0}, i64{9}), std::tuple("2", i64{9}, i64{9}),
        std::tuple("3", i64{18}, i64{5})}) {
    const std::string data = std::string("scan_data_00000") + name + ".h5";
    put_into(folder / data, "/entry/data/data", first, count);
    links.push_back({std::string("/entry/data/data_00000") + name, data, "/entry/data/data"});
  }
  EXPECT_TRUE(are_all(Frames(with_links(folder / "master.h5", links), "")));
  FramesAsked files{"", {}, data_files(folder / "scan_data_*.h5")};
  EXPECT_TRUE(are_all(Frames(h5::File::open(files.files[0]), files)));
  // Each of them may lack: the first, one between, the last, or all but one.
  for (const auto& gone : {std::vector<int>{0}, {1}, {2}, {1, 2}, {0, 1}, {0, 1, 2}}) {
    auto less = links;
    for (const int i : gone) less[i][1] = "gone_" + less[i][1];
    const h5::File master = with_links(folder / "less.h5", less);
    const std::string name = "'" + links[gone[0]][0] + "'";
    for (const char* asked : {"", "/entry/data/data_*"})
      EXPECT_TRUE(says(message_of<UserError>([&] { Frames(master, asked); }),
                       {name.c_str(), "gone_scan_data_00000", "has to lie beside"}))
          << gone.size();
    fs::remove(folder / "less.h5");
  }
  fs::remove(folder / "scan_data_000002.h5");
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)data_files(folder / "scan_data_*.h5"); }),
                   {"scan_data_000002.h5", "is missing"}));
}

TEST(Series, WithAHoleOrAMemberOfAnotherKindIsRefused) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  put(file, "/a/data_01", 0, 5);
  put(file, "/a/data_02", 5, 5);
  put(file, "/a/data_04", 10, 5);
  for (const char* asked : {"", "/a/data_*"})
    EXPECT_TRUE(says(message_of<UserError>([&] { Frames(file, asked); }),
                     {"'/a/data_03'", "is missing", "'/a/data_01' to '/a/data_04'"}));
  file.write("/a/data_03", {5, rows, cols + 1}, std::vector<std::uint16_t>(500).data());
  EXPECT_TRUE(says(message_of<UserError>([&] { Frames(file, ""); }),
                   {"'/a/data_03'", "5 x 4 x 6", "unlike those beside it"}));
  EXPECT_TRUE(says(message_of<UserError>([&] { Frames(file, "/a/data_*"); }),
                   {"'/a/data_03'", "5 x 4 x 6", "of one shape and type"}));
  EXPECT_TRUE(says(message_of<UserError>([&] { Frames(file, "/b/data_*"); }), {"'/b/data_*'"}));
}

TEST(Series, ScansOfTheirOwnAreNotJoinedUnasked) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  for (const char* name : {"/scan_1/data", "/scan_2/data"})
    file.write(name, {4, 5, rows, cols}, all_values().data());
  const Frames one(file, "");
  EXPECT_EQ(one.count(), 20);
  ASSERT_EQ(one.notes().size(), 1u);
  EXPECT_TRUE(says(one.notes()[0], {"1 more dataset like", "data.patterns=/scan_*/data"}));
  const Frames both(file, "/scan_*/data");
  EXPECT_EQ(both.count(), 40);
  EXPECT_EQ(both.scan_shape(), (std::array<i64, 2>{8, 5}));
}

TEST(Series, ManyDatasetsAreListedShortly) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  const float one = 1;
  for (int i = 0; i < 300; ++i) file.write("/v/x" + std::to_string(i), {1}, &one);
  const std::string message = message_of<UserError>([&] { Frames(file, ""); });
  EXPECT_TRUE(says(message, {"no dataset of patterns", "and 292 more"}));
  EXPECT_LT(message.size(), 600u);
}

/// The virtual dataset /dp of a new file, which `map` lays out.
h5::File virtual_set(const std::string& path, const std::vector<hsize_t>& dims,
                     const std::function<void(hid_t space, hid_t layout)>& map) {
  const hid_t id = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
              layout = H5Pcreate(H5P_DATASET_CREATE);
  map(space, layout);
  H5Sselect_all(space);
  const hid_t set =
      H5Dcreate2(id, "/dp", H5T_NATIVE_UINT16, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  EXPECT_GE(set, 0);
  H5Dclose(set);
  H5Pclose(layout);
  H5Sclose(space);
  H5Fclose(id);
  return h5::File::open(path);
}

/// A virtual dataset of 23 frames; parts of (first frame, file, dataset, frames that it has).
struct Part {
  i64 first, count;
  std::string file, dataset;
};

h5::File virtual_file(const std::string& path, const std::vector<Part>& parts, bool four = false) {
  std::vector<hsize_t> dims{n, rows, cols};
  if (four) dims.insert(dims.begin() + 1, 1);
  return virtual_set(path, dims, [&](hid_t space, hid_t layout) {
    for (const auto& part : parts) {
      const hsize_t start[4] = {static_cast<hsize_t>(part.first), 0, 0, 0};
      const hsize_t count3[3] = {static_cast<hsize_t>(part.count), rows, cols};
      const hsize_t count4[4] = {static_cast<hsize_t>(part.count), 1, rows, cols};
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nullptr, four ? count4 : count3, nullptr);
      const hid_t from = H5Screate_simple(3, count3, nullptr);
      EXPECT_GE(H5Pset_virtual(layout, space, part.file.c_str(), part.dataset.c_str(), from), 0);
      H5Sclose(from);
    }
  });
}

TEST(VirtualFrames, WithoutNumbersAreRefusedWhereTheyAreRead) {
  const TemporaryFolder folder;
  for (const auto& [name, first, count] :
       {std::tuple("0.h5", i64{0}, i64{10}), std::tuple("1.h5", i64{10}, i64{10}),
        std::tuple("2.h5", i64{20}, i64{3})})
    put_into(folder / name, "/d", first, count);
  const std::vector<Part> whole{
      {0, 10, "0.h5", "/d"}, {10, 10, "1.h5", "/d"}, {20, 3, "2.h5", "d"}};
  EXPECT_TRUE(are_all(Frames(virtual_file(folder / "whole.h5", whole), "")));
  int number = 0;
  const auto check = [&](const std::vector<Part>& parts, i64 from, i64 to,
                         std::initializer_list<std::string> words, bool four = false) {
    const std::string name = "part_" + std::to_string(number++) + ".h5";
    const Frames frames(virtual_file(folder / name, parts, four), "");
    EXPECT_EQ(frames.count(), n);
    std::vector<std::int64_t> frame(n * size);
    for (i64 i = 0; i < n; ++i) {
      const std::string fault = message_of<UserError>([&] { frames.read(i, 1, frame.data()); });
      if (i < from || i > to) {
        EXPECT_EQ(fault, "") << i;
        EXPECT_EQ(frame[0], all_values()[i * size]) << i;
      } else {
        EXPECT_TRUE(says(fault, words)) << i;
      }
    }
    EXPECT_NE(message_of<UserError>([&] { frames.read(0, n, frame.data()); }), "");
  };
  auto parts = whole;
  parts[1].file = "not_copied.h5";
  check(parts, 10, 19,
        {"frames 10 to 19", "'/dp'", "'not_copied.h5'", "copy", "data.skip=[10-19]"});
  check(parts, 10, 19, {"frames 10 to 19", "'not_copied.h5'"}, true);
  parts = whole;
  parts[2].dataset = "/e";
  check(parts, 20, 22, {"frames 20 to 22", "'/e'", "'2.h5'", "no such dataset"});
  parts = whole;
  parts.erase(parts.begin());
  check(parts, 0, 9, {"frames 0 to 9", "nothing is mapped"});
  parts = {{0, 10, "a", "/d"}, {10, 10, "b", "/d"}, {20, 3, "c", "/d"}};
  check(parts, 0, n - 1, {"2 more parts"});
}

// Every other frame from another file, as detectors of several modules write them.
TEST(VirtualFrames, OfWhichAPartIsMissingAreNotDoubted) {
  const TemporaryFolder folder;
  constexpr hsize_t frames = 32, side = 16;  // enough to be sampled
  const h5::File file =
      virtual_set(folder / "a.h5", {frames, side, side}, [](hid_t space, hid_t layout) {
        EXPECT_GE(H5Pset_virtual(layout, space, "not_copied.h5", "/d", space), 0);
      });
  // Frames that data.skip leaves out are not looked at, so that the rest may be read.
  EXPECT_FALSE(Frames(file, "").doubt());
}

TEST(VirtualFrames, ThatTakeTurnsAreRefusedEachByItself) {
  const TemporaryFolder folder;
  h5::File even = h5::File::create(folder / "even.h5");
  std::vector<std::uint16_t> values(12 * size);
  for (i64 i = 0; i < 12; ++i)
    std::copy_n(all_values().data() + 2 * i * size, size, values.data() + i * size);
  even.write("/d", {12, rows, cols}, values.data());
  even.commit();
  const auto take_turns = [](hid_t space, hid_t layout) {
    const hsize_t stride[3] = {2, 1, 1};
    for (const auto& [name, first, frames] :
         {std::tuple("even.h5", 0, 12), std::tuple("odd.h5", 1, 11)}) {
      const hsize_t start[3] = {static_cast<hsize_t>(first), 0, 0},
                    count[3] = {static_cast<hsize_t>(frames), rows, cols};
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start, stride, count, nullptr);
      const hid_t from = H5Screate_simple(3, count, nullptr);
      EXPECT_GE(H5Pset_virtual(layout, space, name, "/d", from), 0);
      H5Sclose(from);
    }
  };
  const Frames frames(virtual_set(folder / "a.h5", {n, rows, cols}, take_turns), "");
  std::vector<std::int64_t> frame(size);
  for (i64 i = 0; i < n; ++i) {
    const std::string fault = message_of<UserError>([&] { frames.read(i, 1, frame.data()); });
    if (i % 2 == 0) {
      EXPECT_EQ(fault, "") << i;
      EXPECT_EQ(frame[1], all_values()[i * size + 1]) << i;
    } else {
      EXPECT_TRUE(says(fault, {"'odd.h5'", "data.skip=["})) << i;
    }
  }
  EXPECT_TRUE(says(message_of<UserError>([&] { frames.read(1, 1, frame.data()); }),
                   {"frames 1, 3, ...", "data.skip=[1, 3, ...]"}));
}

TEST(VirtualFrames, OfASourceThatIsTooSmallAreRefused) {
  const TemporaryFolder folder;
  put_into(folder / "0.h5", "/d", 0, 10);
  // The whole extent is asked of it by a selection, as h5py does.
  const auto whole = [](hid_t space, hid_t layout) {
    const hsize_t start[3] = {0, 0, 0}, dims[3] = {n, rows, cols};
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nullptr, dims, nullptr);
    H5Pset_virtual(layout, space, "0.h5", "/d", space);
  };
  const Frames frames(virtual_set(folder / "a.h5", {n, rows, cols}, whole), "");
  std::vector<std::int64_t> frame(size);
  EXPECT_TRUE(says(message_of<UserError>([&] { frames.read(12, 1, frame.data()); }),
                   {"'0.h5'", "too small", "10 x 4 x 5"}));
}

TEST(VirtualFrames, OfASourceThatIsVirtualItselfAreLookedForThere) {
  const TemporaryFolder folder;
  put_into(folder / "0.h5", "/d", 0, 20);
  put_into(folder / "1.h5", "/d", 20, 3);
  (void)virtual_file(folder / "inner.h5", {{0, 20, "0.h5", "/d"}, {20, 3, "1.h5", "/d"}});
  const auto read = [&](const char* name, const std::string& source) {
    const Frames frames(virtual_file(folder / name, {{0, n, source, "/dp"}}), "");
    std::vector<std::int64_t> all(n * size);
    return message_of<UserError>([&] { frames.read(0, n, all.data()); });
  };
  EXPECT_EQ(read("whole.h5", "inner.h5"), "");
  std::filesystem::remove(folder / "1.h5");
  EXPECT_TRUE(says(read("part.h5", "inner.h5"),
                   {"'inner.h5'", "virtual itself", "'1.h5'", "copy the missing file"}));
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)read("itself.h5", "itself.h5"); }),
                   {"'itself.h5'", "made of each other"}));
}

TEST(NamePattern, OrdersByNumbersAndFindsWhatIsMissing) {
  EXPECT_TRUE(natural_less("a_9", "a_10"));
  EXPECT_FALSE(natural_less("a_10", "a_9"));
  EXPECT_TRUE(natural_less("a_09/b", "a_10/b"));
  EXPECT_FALSE(natural_less("a", "a"));
  EXPECT_TRUE(natural_less("a_1", "a_01") != natural_less("a_01", "a_1"));
  EXPECT_TRUE(matches("/a/*/b_*", "/a/12/b_3"));
  EXPECT_FALSE(matches("/a/*/b_*", "/a/12/c_3"));
  EXPECT_EQ(number_at_star("d_*", "d_007"), 7);
  EXPECT_EQ(number_at_star("d_*", "d_x7"), std::nullopt);
  EXPECT_EQ(number_at_star("*_*", "1_7"), std::nullopt);
  const auto missing = [](std::vector<std::string> names) {
    return missing_between("d_*", names).value_or("");
  };
  EXPECT_EQ(missing({"d_1", "d_2", "d_3"}), "");
  EXPECT_EQ(missing({"d_9", "d_11"}), "d_10");
  EXPECT_EQ(missing({"d_009", "d_011"}), "d_010");
  EXPECT_EQ(missing({"d_0", "d_10", "d_20", "d_30"}), "");  // every tenth
  EXPECT_EQ(missing({"d_0", "d_10", "d_30", "d_40"}), "d_1");
  EXPECT_EQ(in_order("d_*", {"d_10", "d_master", "d_9"}),
            (std::vector<std::string>{"d_9", "d_10"}));
  EXPECT_EQ(in_order("d_*", {"d_b", "d_a"}), (std::vector<std::string>{"d_a", "d_b"}));
  EXPECT_EQ(patterns_of("/e1/d_02"), (std::vector<std::string>{"/e*/d_02", "/e1/d_*"}));
}

}  // namespace
}  // namespace ptyle
