#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "core/error.hpp"
#include "core/random.hpp"
#include "io/result.hpp"
#include "session/compare.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

constexpr double pixel = 0.1, lattice = 3.9;  // Å

/// Gaussian columns of lead and titanium in two slices, on an array that starts at (row, col) Å.
Result crystal(double row, double col, double displacement = 0) {
  Result r;
  r.phase = Array<float, 3>({2, 230, 240});
  r.pixel_size = pixel;
  r.slice_thickness = 2;
  r.probe = Array<Complex<float>, 3>({2, 32, 32});
  for (i64 i = 0; i < r.probe.size(); ++i) r.probe.data()[i] = {1, static_cast<float>(i % 7)};
  for (int i = 0; i < 9; ++i)
    for (int j = 0; j < 9; ++j) r.positions.push_back({5 - row + 1.4 * i, 5.5 - col + 1.4 * j});
  for (int i = -2; i < 9; ++i)
    for (int j = -2; j < 9; ++j)
      for (const int Z : {82, 22}) {
        const double centre = Z == 82 ? 0 : 0.5;
        const Atom atom{Z, (i + centre) * lattice - row, (j + centre) * lattice - col, 1};
        r.atoms.push_back(atom);
        const double moved = Z == 22 ? displacement : 0;
        for (i64 y = 0; y < 230; ++y)
          for (i64 x = 0; x < 240; ++x) {
            const double dy = static_cast<double>(y) * pixel - atom.row - moved;
            const double dx = static_cast<double>(x) * pixel - atom.col;
            const double r2 = dy * dy + dx * dx;
            if (r2 > 4) continue;
            const double phase = (Z == 82 ? 0.8 : 0.4) * std::exp(-r2 / (2 * 0.3 * 0.3));
            for (i64 z = 0; z < 2; ++z) r.phase(z, y, x) += static_cast<float>(phase);
          }
      }
  return r;
}

class Compare : public testing::Test {
 protected:
  Compare() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Compare() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }
  CompareReport compare_files(bool overwrite = false) {
    return compare({path("result.h5"), path("truth.h5"), path("out"), overwrite},
                   [this](const std::string& line) { lines_.push_back(line); });
  }
  fs::path folder_ =
      fs::temp_directory_path() / (std::string("ptyle-compare-") +
                                   testing::UnitTest::GetInstance()->current_test_info()->name());
  std::vector<std::string> lines_;
};

TEST_F(Compare, FindsDisplacedColumnsAndWritesItsFiles) {
  write_result(path("truth.h5"), crystal(1, 2), false);
  Result result = crystal(1.7, 1.4, 0.12);  // titanium 0.12 Å off, on another array
  result.atoms.clear();
  Philox random(1, 0, 0);
  for (float& v : result.phase) v += static_cast<float>(0.02 * (random.uniform() - 0.5));
  write_result(path("result.h5"), result, false);
  const CompareReport report = compare_files();
  EXPECT_GT(report.figures.summed.correlation, 0.97);
  EXPECT_EQ(report.figures.slices.size(), 2U);
  ASSERT_EQ(report.columns.size(), 2U);
  const ColumnDistances &lead = report.columns[0], &titanium = report.columns[1];
  EXPECT_EQ(lead.symbol, "Pb");
  EXPECT_GE(lead.columns, 4);
  EXPECT_GE(titanium.columns, 4);
  EXPECT_EQ(lead.lost + titanium.lost, 0);
  // registration shares the displacement: between 0 and 0.12 Å goes to lead, the rest to titanium
  EXPECT_NEAR(lead.median + titanium.median, 0.12, 0.01);
  EXPECT_LT(lead.median, titanium.median);
  for (const char* name : {"out/comparison.txt", "out/comparison.png", "out/frc.png"})
    EXPECT_GT(fs::file_size(path(name)), 100U) << name;
  EXPECT_TRUE(std::any_of(lines_.begin(), lines_.end(), [](const std::string& line) {
    return line.starts_with("columns.Ti.largest = 0.");
  }));
  EXPECT_THROW(compare_files(), UserError);
  EXPECT_NO_THROW(compare_files(true));
}

TEST_F(Compare, LostColumnsAreCounted) {
  write_result(path("truth.h5"), crystal(1, 2), false);
  Result result = crystal(1, 2);
  result.phase.fill(0.1F);
  write_result(path("result.h5"), result, false);
  const CompareReport report = compare_files();
  for (const ColumnDistances& d : report.columns) {
    EXPECT_EQ(d.lost, d.columns);
    EXPECT_TRUE(std::isnan(d.largest));
  }
}

TEST_F(Compare, PixelUnitsAgainstAngstromsAreRefused) {
  write_result(path("truth.h5"), crystal(1, 2), false);
  Result result = crystal(1, 2);
  result.units = "px";
  write_result(path("result.h5"), result, false);
  EXPECT_THROW(compare_files(), UserError);
}

}  // namespace
}  // namespace ptyle
