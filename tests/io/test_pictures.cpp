#include <cairo.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/error.hpp"
#include "core/units.hpp"
#include "io/pictures.hpp"
#include "io/temporary_folder.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

class Pictures : public ::testing::Test {
 protected:
  Pictures() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Pictures() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }

 private:
  fs::path folder_ =
      fs::temp_directory_path() / (std::string("ptyle-pictures-") +
                                   ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

/// A PNG read back.
struct Png {
  explicit Png(const std::string& path)
      : surface(cairo_image_surface_create_from_png(path.c_str()), cairo_surface_destroy) {
    EXPECT_EQ(cairo_surface_status(surface.get()), CAIRO_STATUS_SUCCESS);
    width = cairo_image_surface_get_width(surface.get());
    height = cairo_image_surface_get_height(surface.get());
  }
  [[nodiscard]] unsigned at(int y, int x) const {
    const auto* row =
        cairo_image_surface_get_data(surface.get()) +
        static_cast<std::ptrdiff_t>(y) * cairo_image_surface_get_stride(surface.get());
    return reinterpret_cast<const unsigned*>(row)[x] & 0xffffff;
  }
  [[nodiscard]] std::set<unsigned> colours() const {
    std::set<unsigned> all;
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) all.insert(at(y, x));
    return all;
  }
  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface;
  int width = 0, height = 0;
};

unsigned bytes_of(Colour c) {
  const auto byte = [](double v) { return static_cast<unsigned>(std::lround(v * 255)); };
  return byte(c.r) << 16 | byte(c.g) << 8 | byte(c.b);
}

double luminance(Colour c) {  // relative, IEC 61966-2-1 primaries
  const auto linear = [](double v) {
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(c.r) + 0.7152 * linear(c.g) + 0.0722 * linear(c.b);
}

Array<double, 2> ramp(i64 rows, i64 cols) {
  Array<double, 2> image({rows, cols});
  for (i64 y = 0; y < rows; ++y)
    for (i64 x = 0; x < cols; ++x) image(y, x) = static_cast<double>(x);
  return image;
}

TEST_F(Pictures, SmallImageIsEnlargedByAWholeFactorInItsMapsColours) {
  ImagePanel panel = image_panel(ramp(30, 40).view(), "ramp", "value", 0.5, "", ColourMap::viridis);
  panel.range = Range{0, 39};
  write_picture(path("ramp.png"), {panel}, {.panel_px = 210});  // 5 × 40 = 200 fits
  const Png png(path("ramp.png"));
  EXPECT_FALSE(fs::exists(path("ramp.png.part")));
  EXPECT_GT(png.width, 200);
  EXPECT_LT(png.width, 400);
  // a row through the image: each pixel's colour 5 times, at an offset
  std::vector<unsigned> wanted;
  for (int x = 0; x < 40; ++x)
    wanted.insert(wanted.end(), 5, bytes_of(colour_at(ColourMap::viridis, x / 39.0)));
  std::vector<unsigned> row;
  for (int x = 0; x < png.width; ++x) row.push_back(png.at(80, x));
  EXPECT_NE(std::search(row.begin(), row.end(), wanted.begin(), wanted.end()), row.end());
}

TEST_F(Pictures, LargeImageIsReducedByItsAreaMean) {
  // a chess board of 0 and 2: where two whole pixels fall into one, all is 1
  Array<double, 2> board({400, 400});
  for (i64 y = 0; y < 400; ++y)
    for (i64 x = 0; x < 400; ++x) board(y, x) = (x + y) % 2 ? 2 : 0;
  ImagePanel panel = image_panel(board.view(), "", "", 1, "", ColourMap::gray);
  panel.range = Range{0, 2};
  write_picture(path("board.png"), {panel}, {.panel_px = 200});
  const Png png(path("board.png"));
  const unsigned middle = bytes_of(colour_at(ColourMap::gray, 0.5));
  int grays = 0;
  for (int y = 0; y < png.height; ++y)
    for (int x = 0; x < png.width; ++x) grays += png.at(y, x) == middle;
  EXPECT_GE(grays, 200 * 200);
}

TEST_F(Pictures, EveryKindOfPanelDrawsSomething) {
  Array<Complex<float>, 2> probe({21, 32});
  for (i64 y = 0; y < 21; ++y)
    for (i64 x = 0; x < 32; ++x)
      probe(y, x) = std::polar(1.0F, static_cast<float>(0.2 * static_cast<double>(x * y)));
  ChartPanel chart{.curves = {{"R", {1, 2, 3, 4}, {0.3, 0.1, 0.03, NAN}}}, .log_y = true};
  chart.mark_x = 2;
  chart.mark_name = "here";
  ScatterPanel scatter{.points = {{0, 0}, {1, 5}, {3, 2}},
                       .values = {1, 2, 3},
                       .moves = {{0.1, 0}, {0, -0.2}, {0.1, 0.1}},
                       .magnified = 5,
                       .unit = "A"};
  ImagePanel pattern =
      image_panel(ramp(50, 50).view(), "log", "counts", 0.02, "1/A", ColourMap::inferno);
  pattern.logarithmic = true;
  pattern.circles = {{25, 25, 10}};
  BarPanel bars{.parts = {{"computing", {3, 4}}, {"waiting", {1, 0}}}, .x_label = "rank"};
  const std::vector<Panel> kinds{image_panel(probe.view(), "probe", 0.1, "A"), chart, scatter,
                                 pattern, bars};
  for (const Panel& kind : kinds) {
    write_picture(path("kind.png"), {kind});
    EXPECT_GT(Png(path("kind.png")).colours().size(), 30U);
  }
  write_picture(path("all.png"), kinds, {.columns = 2, .title = "all"});
  const Png all(path("all.png"));
  EXPECT_GT(all.width, 2 * 440);
  EXPECT_GT(all.height, 2 * 270);
}

TEST_F(Pictures, BarsStandOnEachOtherAsHighAsTheirValues) {
  // Four bars, 500 px wide and 0.62 · 500 high in all, whose axis ends at 1.04 of the highest.
  BarPanel panel{.parts = {{"computing", {6, 3, 0, 6}}, {"waiting", {4, 2, 5, NAN}}}};
  write_picture(path("bars.png"), {panel}, {.panel_px = 500});
  const Png png(path("bars.png"));
  const unsigned lower = bytes_of(curve_colour(0)), upper = bytes_of(curve_colour(1));
  const double px = 310 / (1.04 * 10);
  // left margins, then the middle of each bar
  for (const auto& [bar, below, above] :
       {std::tuple{0, 6, 4}, std::tuple{1, 3, 2}, std::tuple{2, 0, 5}, std::tuple{3, 6, 0}}) {
    const int x = 14 + 82 + 62 + 125 * bar;
    int n_lower = 0, n_upper = 0;
    bool mixed = false;  // an upper one under a lower one
    for (int y = 66; y < png.height - 14 - 54; ++y) {
      n_lower += png.at(y, x) == lower;
      n_upper += png.at(y, x) == upper;
      mixed |= png.at(y, x) == upper && n_lower > 0;
    }
    EXPECT_NEAR(n_lower, below * px, 2) << bar;  // a pixel at either end is blended
    EXPECT_NEAR(n_upper, above * px, 2) << bar;
    EXPECT_FALSE(mixed);
  }
}

TEST_F(Pictures, ThousandsOfBarsAreShownByTheirMeans) {
  BarPanel panel{.parts = {{"even and odd", std::vector<double>(4158)}, {"rest", {}}}};
  for (std::size_t i = 0; i < 4158; i += 2) panel.parts[0].values[i] = 2;
  panel.parts[1].values.assign(4158, 1);
  write_picture(path("bars.png"), {panel}, {.panel_px = 77});  // 54 bars a column
  const Png png(path("bars.png"));
  const unsigned lower = bytes_of(curve_colour(0));
  std::set<int> heights;
  for (int x = 14 + 82; x < 14 + 82 + 77; ++x) {
    int n = 0;
    for (int y = 60; y < png.height; ++y) n += png.at(y, x) == lower;
    heights.insert(n);
  }
  EXPECT_EQ(heights.size(), 1U);  // each the mean 1 of 54
  EXPECT_NEAR(*heights.begin(), 48 / (1.04 * 2), 2);
}

TEST_F(Pictures, NothingToShowIsNoFailure) {
  Array<double, 2> constant({12, 12}), nan({12, 12});
  constant.fill(3);
  nan.fill(NAN);
  ImagePanel log_of_zero = image_panel(Array<double, 2>({5, 5}).view(), "", "", 1, "px");
  log_of_zero.logarithmic = true;
  write_picture(
      path("empty.png"),
      {image_panel(constant.view(), "", "", 1, "A"), image_panel(nan.view(), "", "", 1, "A"),
       log_of_zero, ChartPanel{}, ChartPanel{.log_x = true, .log_y = true}, ScatterPanel{},
       BarPanel{}, BarPanel{.parts = {{"nothing", {0, 0}}}}});
  EXPECT_GT(Png(path("empty.png")).width, 100);
}

TEST_F(Pictures, FolderThatIsNotThereIsTheUsersMistake) {
  EXPECT_THROW(write_picture(path("no/such/folder.png"), {ChartPanel{}}), UserError);
}

TEST(Colours, SequentialMapsRiseInLightnessFromEndToEnd) {
  for (const ColourMap map : {ColourMap::gray, ColourMap::viridis, ColourMap::inferno}) {
    double before = -1;
    for (int i = 0; i <= 64; ++i) {
      const double now = luminance(colour_at(map, i / 64.0));
      EXPECT_GT(now, before);
      before = now;
    }
  }
  // viridis ends where its anchors do
  EXPECT_EQ(bytes_of(colour_at(ColourMap::viridis, 0)), 0x440154U);
  EXPECT_EQ(bytes_of(colour_at(ColourMap::viridis, 1)), 0xfde725U);
}

TEST(Colours, CyclicMapClosesAndComplexIsBlackAtZero) {
  EXPECT_EQ(bytes_of(colour_at(ColourMap::cyclic, 0)), bytes_of(colour_at(ColourMap::cyclic, 1)));
  EXPECT_EQ(bytes_of(complex_colour(0, 1.2)), 0U);
  EXPECT_NE(bytes_of(complex_colour(1, 0)), bytes_of(complex_colour(1, pi)));
}

TEST_F(Pictures, AFullDiskLeavesNothing) {
  const auto picture = [&] {
    const testing::FileSizeLimit full(100);
    write_picture(path("a.png"), {image_panel(ramp(30, 40), "ramp", "counts", 1, "px")});
  };
  EXPECT_NE(testing::message_of<UserError>(picture).find("a.png"), std::string::npos);
  EXPECT_FALSE(fs::exists(path("a.png")) || fs::exists(path("a.png.part")));
}

TEST(Ticks, AreRoundAndInside) {
  const auto at = ticks(-0.13, 0.92, 5);
  ASSERT_EQ(at.size(), 5U);
  EXPECT_DOUBLE_EQ(at[0], 0);
  EXPECT_NEAR(at[4], 0.8, 1e-12);
  EXPECT_EQ(ticks(1, std::nextafter(1, 2), 5).size(), 1U);  // rounding alone
  EXPECT_DOUBLE_EQ(round_length(37), 20);
  EXPECT_DOUBLE_EQ(round_length(50), 50);
  EXPECT_NEAR(round_length(0.0199), 0.01, 1e-15);
}

TEST(Range, LeavesOutAHotPixelAndIsNeverEmpty) {
  auto image = ramp(100, 100);
  image(5, 5) = 1e6;
  const Range range = robust_range(image);
  EXPECT_LT(range.high, 100);
  EXPECT_LE(range.low, 1);
  Array<double, 2> constant({3, 3});
  EXPECT_GT(robust_range(constant).high, robust_range(constant).low);
}

}  // namespace
}  // namespace ptyle
