// The files that a run leaves.

#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "session/write_result.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;
using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

/// Of five slices, with all that a result may have but ranks.
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
  write_outputs(result, out, {});
  for (const char* name : {"result.h5", "phase.tif", "phase-sum.png", "slices.png",
                           "absorption-sum.png", "probe.png", "r-factor.png"})
    EXPECT_TRUE(fs::exists(fs::path(out) / name)) << name;
  EXPECT_EQ(std::distance(fs::directory_iterator(out), {}), 7);  // and nothing else is left
  EXPECT_THROW(check_output(out, false), UserError);
  EXPECT_THROW(write_outputs(result, out, {}), UserError);
  EXPECT_NO_THROW(write_outputs(result, out, {.overwrite = true}));
}

TEST(Outputs, OfSlicesOneByOneAreWholeAndHoldFewOfThem) {
  const TemporaryFolder folder;
  Result result = some_result();
  result.ranks = {{"computing", "s", {3, 4}}, {"waiting", "s", {1, 0}}, {"bytes", "byte", {7, 8}}};
  const auto write = [&](const std::string& to, bool whole) {
    check_output(to, false);
    Ledger ledger;
    ResultWriter writer(result, result.phase.shape(), true, to, {}, &ledger);
    const i64 n = result.phase.shape()[0];
    for (i64 z = 0; z < (whole ? n : n - 1); ++z)
      writer.slice(z, result.phase.view()[z], result.absorption.view()[z]);
    if (whole) writer.finish();
    // two sums in double and at most three slices, however many there are
    EXPECT_LE(ledger.peak(), std::size_t(result.phase.view()[0].size() * (2 * 8 + 3 * 4)));
  };
  write(folder / "slices", true);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "slices"), {}), 8);
  EXPECT_TRUE(fs::exists(folder / "slices/ranks.png"));
  const Result back = read_result(folder / "slices/result.h5");
  EXPECT_TRUE(std::equal(back.phase.begin(), back.phase.end(), result.phase.begin()));
  EXPECT_TRUE(
      std::equal(back.absorption.begin(), back.absorption.end(), result.absorption.begin()));
  EXPECT_EQ(back.ranks.size(), 3u);

  write(folder / "dropped", false);
  EXPECT_TRUE(fs::is_empty(folder / "dropped"));
}

TEST(Outputs, SlicesOutOfOrderAreAFault) {
  const TemporaryFolder folder;
  const Result result = some_result();
  check_output(folder / "out", false);
  ResultWriter writer(result, result.phase.shape(), true, folder / "out", {});
  EXPECT_THROW(writer.slice(1, result.phase.view()[1], result.absorption.view()[1]),
               std::logic_error);
  writer.slice(0, result.phase.view()[0], result.absorption.view()[0]);
  EXPECT_THROW(writer.finish(), std::logic_error);
}

TEST(Outputs, WithoutTheTiffTheResultIsThereAllTheSame) {
  const TemporaryFolder folder;
  const Result result = some_result();
  fs::create_directories(folder / "out/phase.tif.part");  // in its way
  EXPECT_TRUE(says(message_of<UserError>([&] { write_outputs(result, folder / "out", {}); }),
                   {"phase.tif"}));
  EXPECT_EQ(read_result(folder / "out/result.h5").phase.shape(), result.phase.shape());
  EXPECT_TRUE(fs::exists(folder / "out/phase-sum.png"));
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
