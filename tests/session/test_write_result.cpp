// The files that a run leaves.

#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "session/write_result.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;
using testing::FileSizeLimit;
using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

/// A result of five slices, with all that it may have but ranks.
Result some_result() {
  Result r;
  r.phase = Array<float, 3>({5, 61, 70});
  r.absorption = Array<float, 3>(r.phase.shape());
  for (i64 i = 0; i < r.phase.size(); ++i) {
    r.phase.data()[i] = static_cast<float>((i * 7919) % 1009) / 1000;
    r.absorption.data()[i] = static_cast<float>((i * 5003) % 2003) / 20000;
  }
  r.probe = Array<Complex<float>, 3>({2, 16, 16});
  for (i64 i = 0; i < r.probe.size(); ++i) r.probe.data()[i] = {1, static_cast<float>(i % 7)};
  r.positions = {{1, 1}, {1, 5}, {5, 1}, {5, 5}};
  r.history.r_factor = {0.3, 0.1};
  r.pixel_size = 0.1;
  r.slice_thickness = 2;
  return r;
}

TEST(Outputs, AreAllWrittenAndNotOverwrittenUnasked) {
  const TemporaryFolder folder;
  const Result result = some_result();
  const std::string out = folder / "deep/er";
  EXPECT_TRUE(write_outputs(result, out, {}).empty());
  for (const char* name : {"result.h5", "phase.tif", "absorption.tif", "probe.tif", "phase-sum.png",
                           "slices.png", "absorption-sum.png", "spectrum.png", "depth.png",
                           "probe.png", "aperture.png", "r-factor.png"})
    EXPECT_TRUE(fs::exists(fs::path(out) / name)) << name;
  EXPECT_EQ(std::distance(fs::directory_iterator(out), {}), 12);  // and nothing else is left
  EXPECT_THROW(check_output(out, false), UserError);
  EXPECT_THROW(write_outputs(result, out, {}), UserError);
  EXPECT_NO_THROW(write_outputs(result, out, {.overwrite = true}));
}

/// Writes result.h5, a row at a time; `whole`: all of them.
void write_rows(const Result& result, const std::string& to, bool whole) {
  check_output(to, false);
  ResultWriter writer(result, result.phase.shape(), true, to, false);
  const auto [n, rows, cols] = result.phase.shape();
  for (i64 z = 0; z < n; ++z)
    for (i64 y = 0; y < rows; ++y)
      if (whole || z + 1 < n)
        writer.rows({&result.phase(z, y, 0), {1, cols}}, {&result.absorption(z, y, 0), {1, cols}});
  if (whole) writer.finish();
}

TEST(Outputs, OfSomeRowsAtATimeAreWhole) {
  const TemporaryFolder folder;
  Result result = some_result();
  result.ranks = {{"computing", "s", {3, 4}}, {"waiting", "s", {1, 0}}, {"bytes", "byte", {7, 8}}};
  write_rows(result, folder / "rows", true);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "rows"), {}), 1);  // the result first
  Ledger ledger;
  EXPECT_TRUE(write_copies(folder / "rows", {}, &ledger).empty());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "rows"), {}), 13);
  EXPECT_TRUE(fs::exists(folder / "rows/ranks.png"));
  const Result back = read_result(folder / "rows/result.h5");
  EXPECT_TRUE(std::equal(back.phase.begin(), back.phase.end(), result.phase.begin()));
  EXPECT_TRUE(
      std::equal(back.absorption.begin(), back.absorption.end(), result.absorption.begin()));
  EXPECT_EQ(back.ranks.size(), 3u);
  const double planned = writing_memory(result.phase.shape(), true, 2, 16, 4, {}).copies;
  EXPECT_LE(double(ledger.peak()), planned);
  EXPECT_EQ(ledger.now(), 0U);

  write_rows(result, folder / "dropped", false);
  EXPECT_TRUE(fs::is_empty(folder / "dropped"));
}

TEST(Outputs, OfALargeObjectTakeNoMoreMemoryThanOfASmallOne) {
  const WritingMemory small = writing_memory({20, 2000, 2000}, true, 2, 128, 100, {}),
                      large = writing_memory({20, 60000, 50000}, true, 2, 128, 100, {});
  // Slices of 16 MB and of 12 GB are cut into some rows of up to 4 MiB.
  EXPECT_LE(large.result, 1.1 * small.result);
  EXPECT_LE(large.copies, 1.1 * small.copies);
  EXPECT_LE(large.result, 4 * (4 << 20) + 2e6);
  EXPECT_EQ(rows_at_a_time(10, 10), 10);
  EXPECT_EQ(rows_at_a_time(10, i64{1} << 30), 1);
}

/// A wide object, of which many rows make a slab, and pictures are reduced.
TEST(Outputs, AreBookedAsPlanned) {
  const TemporaryFolder folder;
  Result result = some_result();
  result.phase = Array<float, 3>({2, 1100, 1500});
  for (i64 i = 0; i < result.phase.size(); ++i)
    result.phase.data()[i] = static_cast<float>(i % 1500) / 1500;
  result.absorption = {};
  result.positions = {{1, 1}, {1, 140}, {100, 1}, {100, 140}};
  EXPECT_LT(rows_at_a_time(result.phase.shape()[1], result.phase.shape()[2]), 1100);
  check_output(folder / "out", false);
  write_result(folder / "out/result.h5", result, false);
  Ledger ledger;
  EXPECT_TRUE(write_copies(folder / "out", {}, &ledger).empty());
  const WritingMemory planned = writing_memory(result.phase.shape(), false, 2, 16, 4, {});
  EXPECT_LE(double(ledger.peak()), planned.copies);
  EXPECT_GE(double(ledger.peak()), 0.8 * planned.copies);
  Ledger little(static_cast<std::size_t>(planned.copies - planned.drawing));
  const auto missing = write_copies(folder / "out", {}, &little);
  ASSERT_EQ(missing.size(), 1U);
  EXPECT_TRUE(says(missing[0], {"pictures", "memory is not enough", "result.h5 is complete"}));
  EXPECT_TRUE(fs::exists(folder / "out/phase.tif"));
}

TEST(Outputs, RowsThatAreMissingAreAFault) {
  const TemporaryFolder folder;
  const Result result = some_result();
  check_output(folder / "out", false);
  ResultWriter writer(result, result.phase.shape(), true, folder / "out", false);
  writer.rows(result.phase.view()[0], result.absorption.view()[0]);
  EXPECT_THROW(writer.finish(), std::logic_error);
}

TEST(Outputs, WithoutTheOthersTheResultIsThereAllTheSame) {
  const Result result = some_result();
  for (const std::string name :
       {"phase.tif", "absorption.tif", "probe.tif", "phase-sum.png", "slices.png", "probe.png"}) {
    const TemporaryFolder folder;
    fs::create_directories(folder / ("out/" + name + ".part"));  // in its way
    const auto missing = write_outputs(result, folder / "out", {});
    ASSERT_EQ(missing.size(), 1U) << name;
    EXPECT_TRUE(says(missing[0], {name.c_str(), "cannot be made", "result.h5 is complete"}));
    EXPECT_EQ(read_result(folder / "out/result.h5").phase.shape(), result.phase.shape());
    for (const std::string other : {"phase.tif", "phase-sum.png", "slices.png", "r-factor.png"})
      EXPECT_EQ(fs::exists(folder / ("out/" + other)), other != name) << name << other;
  }
}

TEST(Outputs, ADiskThatIsFullAfterTheResultTakesNothingAway) {
  const TemporaryFolder folder;
  const Result result = some_result();
  check_output(folder / "out", false);
  write_result(folder / "out/result.h5", result, false);
  std::vector<std::string> missing;
  {
    const FileSizeLimit full(4096);
    missing = write_copies(folder / "out", {});
  }
  EXPECT_GE(missing.size(), 2U);
  EXPECT_TRUE(says(missing[0], {"phase.tif"}));
  EXPECT_EQ(read_result(folder / "out/result.h5").phase.shape(), result.phase.shape());
  for (const auto& entry : fs::directory_iterator(folder / "out"))
    EXPECT_NE(entry.path().extension(), ".part") << entry.path();
}

TEST(Outputs, OfAnEarlierResultDoNotStandBesideANewOne) {
  const TemporaryFolder folder;
  const Result result = some_result();
  EXPECT_TRUE(write_outputs(result, folder / "out", {}).empty());
  EXPECT_TRUE(
      write_outputs(result, folder / "out", {.overwrite = true, .pictures = false, .tiff = false})
          .empty());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "out"), {}), 1);
}

TEST(Outputs, AFolderThatHasVanishedIsMadeAgain) {
  const TemporaryFolder folder;
  const Result result = some_result();
  check_output(folder / "out", false);
  fs::remove(folder / "out");
  ResultWriter(result, result.phase.shape(), true, folder / "out", false);
  EXPECT_TRUE(fs::exists(folder / "out"));
}

TEST(Outputs, AnOccupiedNameIsRefusedBeforehand) {
  const TemporaryFolder folder;
  write_result(folder / "file", some_result(), false);
  EXPECT_THROW(check_output(folder / "file", true), UserError);
  EXPECT_THROW(check_output(folder / "file/below", true), UserError);
  EXPECT_NO_THROW(check_output(folder / "new", false));
  EXPECT_TRUE(fs::is_empty(folder / "new"));
}

}  // namespace
}  // namespace ptyle
