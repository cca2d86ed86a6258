// The same frames, however their files lay them out, are the same bits.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "core/error.hpp"
#include "io/frames.hpp"
#include "io/temporary_folder.hpp"

namespace ptyle {
namespace {

using ptyle::testing::message_of;
using ptyle::testing::says;
using ptyle::testing::TemporaryFolder;

constexpr i64 slow = 5, fast = 7, ky = 6, kx = 9;

/// Every value another, as far as the type goes.
template <class T>
std::vector<T> counting(i64 n) {
  std::vector<T> v(static_cast<std::size_t>(n));
  for (i64 i = 0; i < n; ++i) v[i] = static_cast<T>(i * 31 % 251);
  return v;
}

/// A dataset whose axis d is axis order[d] of `values`, an array of `shape`.
template <class T>
std::vector<T> reordered(const std::vector<T>& values, const h5::Shape& shape,
                         const std::vector<int>& order) {
  const std::size_t rank = shape.size();
  h5::Shape stride(rank, 1), at(rank, 0);
  for (std::size_t d = rank - 1; d-- > 0;) stride[d] = stride[d + 1] * shape[d + 1];
  std::vector<T> out;
  for (;;) {
    i64 from = 0;
    for (std::size_t d = 0; d < rank; ++d) from += at[d] * stride[order[d]];
    out.push_back(values[from]);
    std::size_t d = rank;
    while (d-- > 0 && ++at[d] == shape[order[d]]) at[d] = 0;
    if (d == std::size_t(-1)) return out;
  }
}

/// All frames in runs of `run`.
template <class T>
std::vector<T> read_in_runs(const Frames& frames, i64 run) {
  const i64 size = frames.rows() * frames.cols();
  std::vector<T> all(static_cast<std::size_t>(frames.count() * size));
  for (i64 i = 0; i < frames.count(); i += run)
    frames.read(i, std::min(run, frames.count() - i), all.data() + i * size);
  return all;
}

template <class T>
class FramesOfType : public ::testing::Test {};
using Types = ::testing::Types<std::uint8_t, std::int16_t, std::uint32_t, float, double>;
TYPED_TEST_SUITE(FramesOfType, Types);

TYPED_TEST(FramesOfType, ComeInEveryOrderOfAxesAndEveryLayout) {
  using To = std::conditional_t<std::is_integral_v<TypeParam>, std::int64_t, float>;
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  int number = 0;
  for (const h5::Shape& shape : {h5::Shape{slow, fast, ky, kx}, h5::Shape{slow * fast, ky, kx}}) {
    const auto values = counting<TypeParam>(slow * fast * ky * kx);
    const std::vector<To> expected(values.begin(), values.end());
    const std::vector<std::string> all = shape.size() == 4
                                             ? std::vector<std::string>{"y", "x", "ky", "kx"}
                                             : std::vector<std::string>{"n", "ky", "kx"};
    std::vector<int> order(shape.size());
    std::iota(order.begin(), order.end(), 0);
    do {
      std::vector<std::string> axes;
      h5::Shape there;
      for (const int d : order) axes.push_back(all[d]), there.push_back(shape[d]);
      const auto lain = reordered(values, shape, order);
      h5::Shape odd(there.size(), 4), wide = there;
      wide.back() = 2;
      for (const h5::Shape& chunk : {h5::Shape{}, odd, wide}) {
        const std::string name = "/d" + std::to_string(number++);
        file.create_dataset<TypeParam>(name, there, chunk, chunk.empty() ? 0 : 1)
            .write(lain.data());
        // Blocks of a few frames, of whole lines, of all.
        const i64 few[] = {0, 3 * ky * kx * 8, 16 * ky * kx * 8};
        for (const i64 most : {few[number % 3], few[(number / 3 + 1) % 3], i64{1} << 20}) {
          const Frames frames(file, FramesAsked{name, axes, {}}, most);
          ASSERT_EQ(frames.count(), slow * fast);
          ASSERT_EQ(frames.rows(), ky);
          ASSERT_EQ(frames.cols(), kx);
          ASSERT_EQ(read_in_runs<To>(frames, 4), expected) << name << ", most " << most;
        }
      }
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST(FrameAxes, AreAskedForByNameOrNumber) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  file.write("/d", {ky, kx, slow, fast}, counting<float>(ky * kx * slow * fast).data());
  file.write("/n", {ky, kx, slow}, counting<float>(ky * kx * slow).data());
  const auto shape_of = [&](const char* name, const std::vector<std::string>& axes) {
    const Frames f(file, FramesAsked{name, axes, {}});
    return std::array<i64, 4>{f.scan_shape()[0], f.scan_shape()[1], f.rows(), f.cols()};
  };
  const std::array<i64, 4> right{slow, fast, ky, kx};
  EXPECT_EQ(shape_of("/d", {"ky", "kx", "y", "x"}), right);
  EXPECT_EQ(shape_of("/d", {"ky", "kx", "slow", "fast"}), right);
  EXPECT_EQ(shape_of("/d", {"2", "3", "0", "1"}), right);
  EXPECT_EQ(shape_of("/d", {"3", "2", "0", "1"}), (std::array<i64, 4>{fast, slow, ky, kx}));
  EXPECT_EQ(shape_of("/n", {"ky", "kx", "n"}), (std::array<i64, 4>{0, 0, ky, kx}));
  const auto fault = [&](const char* name, const std::vector<std::string>& axes) {
    return message_of<UserError>([&] { Frames(file, FramesAsked{name, axes, {}}); });
  };
  EXPECT_TRUE(says(fault("/d", {"ky", "kx", "n"}), {"[ky, kx, n]", "/d", "y and x"}));
  EXPECT_TRUE(says(fault("/d", {"ky", "ky", "y", "x"}), {"each once"}));
  EXPECT_TRUE(says(fault("/d", {"0", "1", "2", "2"}), {"each once"}));
  EXPECT_TRUE(says(fault("/n", {"y", "kx", "ky"}), {"needs n, ky and kx"}));
}

// A block of frames of a dataset that is in order, but whose chunks reach across the scan.
TEST(FrameBlock, HoldsWhatTheMemoryAllows) {
  const TemporaryFolder folder;
  constexpr i64 n = 4096, side = 32, all = n * side * side;
  h5::File file = h5::File::create(folder / "a.h5");
  const auto values = counting<std::uint8_t>(all);
  file.create_dataset<std::uint8_t>("/three", {n, side, side}, {n, 8, 8}, 1).write(values.data());
  file.create_dataset<std::uint8_t>("/four", {64, 64, side, side}, {64, 64, 4, 2}, 1)
      .write(values.data());
  const std::vector<std::int64_t> expected(values.begin(), values.end());
  for (const char* name : {"/three", "/four"})
    for (const i64 most : {all / 3, all / 64 / 2, 2 * all}) {
      const Frames frames(file, FramesAsked{name, {}, {}}, most);
      EXPECT_EQ(frames.frames_a_chunk(), 1) << name;
      EXPECT_GT(frames.kept(), 0) << name;
      EXPECT_LE(frames.kept(), most + (i64{2} << 20)) << name;  // beside a chunk and a piece
      EXPECT_EQ(read_in_runs<std::int64_t>(frames, 1000), expected) << name << ", most " << most;
    }
  // Chunks that are no larger than what is read at once stay as they were.
  file.create_dataset<std::uint8_t>("/frames", {n, side, side}, {16, side, side}, 1);
  const Frames by_frames(file, "/frames", all);
  EXPECT_EQ(by_frames.frames_a_chunk(), 16);
  EXPECT_EQ(by_frames.kept(), 0);
}

// Nothing is written into these: they are large only by their shapes.
TEST(FrameBlock, RefusesWhatWouldBeUnpackedForEver) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  file.create_dataset<std::uint16_t>("/often", {100000, 256, 256}, {100000, 8, 8}, 1);
  file.create_dataset<std::uint8_t>("/large", {20000, 256, 256}, {20000, 64, 64}, 1);
  file.create_dataset<std::uint16_t>("/columns", {256, 256, 300, 300});
  const auto fault = [&](const char* name, const std::vector<std::string>& axes) {
    return message_of<UserError>([&] { Frames(file, FramesAsked{name, axes, {}}, 10'000'000); });
  };
  EXPECT_TRUE(says(fault("/often", {}), {"'/often'", "100000 x 8 x 8", "across 100000 frames",
                                         "h5repack -l /often:CHUNK=1x256x256"}));
  EXPECT_TRUE(says(fault("/large", {}),
                   {"20000 x 64 x 64", "0.0819 GB", "h5repack -l /large:CHUNK=1x256x256"}));
  EXPECT_TRUE(says(fault("/columns", {"ky", "kx", "y", "x"}),
                   {"no frames in a row", "h5repack -l /columns:CHUNK=256x256x1x1"}));
}

TEST(FrameAxes, AreTakenFromWhatTheFileSays) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  const auto values = counting<float>(ky * kx * slow * fast);
  const float one = 0;
  using Names = std::array<std::array<const char*, 2>, 4>;
  const auto emd = [&](const std::string& group, int first, const Names& names) {
    file.write(group + "/data", {ky, kx, slow, fast}, values.data());
    for (int d = 0; d < 4; ++d) {
      const std::string dim = group + "/dim" + std::to_string(first + d);
      file.write(dim, {1}, &one);
      file.set(dim, "name", names[d][0]);
      file.set(dim, "units", names[d][1]);
    }
    const Frames frames(file, group + "/data");
    return frames.scan_shape() == std::array<i64, 2>{slow, fast} && frames.rows() == ky &&
           !frames.notes().empty();
  };
  EXPECT_TRUE(emd("/a", 1, {{{"Q_x", "[1/n_m]"}, {"Q_y", ""}, {"R_x", "[n_m]"}, {"R_y", ""}}}));
  EXPECT_TRUE(emd("/b", 0, {{{"Qx", "A^-1"}, {"Qy", "A^-1"}, {"Rx", "A"}, {"Ry", "A"}}}));
  EXPECT_TRUE(emd("/c", 1, {{{"y", "1/nm"}, {"x", "1/nm"}, {"y", "nm"}, {"x", "nm"}}}));
  EXPECT_FALSE(emd("/d", 1, {{{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}}}));  // says nothing
  EXPECT_FALSE(emd("/e", 1, {{{"Rx", "A"}, {"Ry", "A"}, {"Qx", ""}, {"Qy", ""}}}));
  file.write("/h/data", {ky, kx, slow, fast}, values.data());
  for (int d = 0; d < 4; ++d) {
    const std::string axis = "/h/axis-" + std::to_string(d);
    file.write(axis + "/none", {1}, &one);
    file.set(axis, "navigate", d < 2 ? 0 : 1);
  }
  EXPECT_EQ(Frames(file, "/h/data").rows(), ky);
  EXPECT_EQ(Frames(file, FramesAsked{"/h/data", {"y", "x", "ky", "kx"}, {}}).rows(), slow);
}

/// Discs of a scan of 16 x 12, whose totals differ a little; axes as `order` says.
std::vector<float> discs(const std::vector<int>& order, bool three) {
  constexpr i64 side = 24;
  std::vector<float> values;
  for (i64 i = 0; i < 192; ++i)
    for (i64 y = 0; y < side; ++y)
      for (i64 x = 0; x < side; ++x) {
        const bool inside = (y - 12) * (y - 12) + (x - 12) * (x - 12) < 25;
        values.push_back(float(inside ? 10 + (i * 7 + y * 3 + x * 5) % 6 : (i + y * x) % 2));
      }
  return three ? reordered(values, {192, side, side}, order)
               : reordered(values, {16, 12, side, side}, order);
}

TEST(Frames, WhoseAxesAreTheOtherWayRoundAreDoubted) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  file.write("/right", {16, 12, 24, 24}, discs({0, 1, 2, 3}, false).data());
  file.write("/wrong", {24, 24, 16, 12}, discs({2, 3, 0, 1}, false).data());
  file.write("/mixed", {16, 24, 24, 12}, discs({0, 2, 3, 1}, false).data());
  file.write("/row", {192, 24, 24}, discs({0, 1, 2}, true).data());
  EXPECT_FALSE(Frames(file, "/right").doubt());
  EXPECT_FALSE(Frames(file, "/row").doubt());
  const auto wrong = Frames(file, "/wrong").doubt();
  ASSERT_TRUE(wrong);
  EXPECT_TRUE(wrong->sure);
  EXPECT_TRUE(says(wrong->text, {"'/wrong'", "24 x 24 x 16 x 12", "data.axes=[ky, kx, y, x]",
                                 "data.axes=[y, x, ky, kx]"}));
  const auto asked = [&](const char* name, const std::vector<std::string>& axes) {
    return Frames(file, FramesAsked{name, axes, {}}).doubt().has_value();
  };
  EXPECT_FALSE(asked("/wrong", {"ky", "kx", "y", "x"}));
  EXPECT_FALSE(asked("/wrong", {"y", "x", "ky", "kx"}));  // as the user will have it
  const auto mixed = Frames(file, "/mixed").doubt();
  ASSERT_TRUE(mixed);
  EXPECT_TRUE(says(mixed->text, {"data.axes=[y, ky, kx, x]"}));
}

TEST(Frames, OfTheOtherWayRoundInThreeAxesAreDoubted) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  // 96 rows, so that there are as many "frames" as it takes.
  constexpr i64 side = 96, n = 60;
  std::vector<float> values(side * side * n);
  for (i64 y = 0; y < side; ++y)
    for (i64 x = 0; x < side; ++x)
      for (i64 i = 0; i < n; ++i)
        values[(y * side + x) * n + i] =
            float((y - 48) * (y - 48) + (x - 48) * (x - 48) < 250 ? 20 + (i * 7) % 5 : 0);
  file.write("/column", {side, side, n}, values.data());
  const auto doubt = Frames(file, "/column").doubt();
  ASSERT_TRUE(doubt);
  EXPECT_TRUE(says(doubt->text, {"data.axes=[ky, kx, n]"}));
}

// Frames that have nothing in common but their dark are none that anything is wrong with.
TEST(Frames, OfFewCountsOrChangingBeamAreNotDoubted) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  auto values = discs({0, 1, 2, 3}, false);
  for (std::size_t i = 0; i < values.size(); ++i)  // most of the beam is away half of the time
    if (i / (24 * 24) % 2 == 1) values[i] *= 0.01F;
  file.write("/beam", {16, 12, 24, 24}, values.data());
  std::fill(values.begin(), values.end(), 0.0F);
  file.write("/dark", {16, 12, 24, 24}, values.data());
  for (std::size_t i = 0; i < values.size(); i += 601) values[i] = 1;  // less than one a frame
  file.write("/few", {16, 12, 24, 24}, values.data());
  for (const char* name : {"/beam", "/dark", "/few"})
    EXPECT_FALSE(Frames(file, name).doubt()) << name;
}

// They are no frames; which are, is found when they are read.
TEST(Frames, OfWhichSomeAreAtTheTypesLimitAreNotDoubted) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  const auto counts = discs({0, 1, 2}, true);
  std::vector<std::uint16_t> values(counts.begin(), counts.end());
  for (std::size_t i = 0; i < values.size(); ++i)
    if (i / (24 * 24) % 5 == 2) values[i] = 65535;
  file.write("/full", {192, 24, 24}, values.data());
  EXPECT_FALSE(Frames(file, "/full").doubt());
}

}  // namespace
}  // namespace ptyle
