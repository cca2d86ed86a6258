// Files with a measurement, and files without.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "session/open_experiment.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

constexpr i64 slow = 3, fast = 4, side = 8;

/// The contents of a test file, each part of which a test may spoil.
struct Contents {
  std::vector<float> patterns;
  h5::Shape pattern_shape{slow, fast, side, side};
  std::vector<double> positions;
  h5::Shape position_shape{slow, fast, 2};
  std::string unit = "angstrom";
  std::vector<std::uint8_t> mask;
  h5::Shape mask_shape{side, side};

  Contents() : patterns(slow * fast * side * side), positions(slow * fast * 2), mask(side * side) {
    for (std::size_t i = 0; i < patterns.size(); ++i) patterns[i] = float(1 + i % 101);
    for (i64 i = 0; i < slow * fast; ++i) {
      positions[2 * i] = 2.0 * double(i / fast);
      positions[2 * i + 1] = 3.0 * double(i % fast);
    }
  }
  /// Numbers only as many as the shapes ask for.
  std::string write(const std::string& path) const {
    h5::File file = h5::File::create(path);
    file.write("/patterns", pattern_shape, patterns.data());
    file.write("/positions", position_shape, positions.data());
    if (!unit.empty()) file.set("/positions", "units", unit);
    file.write("/detector/mask", mask_shape, mask.data());
    file.set("/", "energy_kV", 200.0);
    file.set("/", "semi_angle_mrad", 20.0);
    file.set("/", "defocus_A", 150.0);
    file.set("/", "pixel_size", 0.5);
    file.commit();
    return path;
  }
};

Experiment open(const std::string& file,
                const std::function<void(DataConfig&, ScanConfig&)>& change = {}) {
  DataConfig data;
  ScanConfig scan;
  data.file = file;
  if (change) change(data, scan);
  return open_experiment(data, {}, scan, {});
}

TEST(OpenExperiment, TakesWhatTheFileStates) {
  const TemporaryFolder folder;
  const Contents c;
  const Experiment e = open(c.write(folder / "a.h5"));
  EXPECT_EQ(e.patterns->count(), slow * fast);
  EXPECT_EQ(e.patterns->type(), "float32");
  EXPECT_EQ(e.calibration.pixel, 0.5);
  EXPECT_EQ(e.optics.energy, 200);
  EXPECT_EQ(e.optics.semi_angle, 20);
  EXPECT_EQ(e.optics.defocus, 150);
  EXPECT_EQ(e.positions[5].row, 2);
  EXPECT_EQ(e.positions[5].col, 3);
}

TEST(OpenExperiment, ReadsWhatARankKeepsAndSaysHowMuchItRead) {
  const TemporaryFolder folder;
  DataConfig data;
  data.file = Contents().write(folder / "a.h5");
  const Experiment whole = open_experiment(data, {}, {}, {});
  EXPECT_EQ(whole.bytes_read, slow * fast * side * side * 4);  // float32
  EXPECT_GT(whole.seconds_reading, 0);
  // The other of two ranks keeps the rest; its sums are those of the whole less this one's.
  Distribution distribution{0, 2, {}, {}, [](std::span<double>) {}};
  distribution.mine = [](std::span<const Position> at, i64 window, double pixel) {
    EXPECT_EQ(at.size(), std::size_t(slow * fast));
    EXPECT_EQ(at[5].col, 3);
    EXPECT_EQ(window, side);
    EXPECT_EQ(pixel, 0.5);
    return Kept{{4, 5, 8}, {6}};
  };
  distribution.sum = [](std::span<double> values) {
    if (values.size() == 3) {  // the first: how many patterns
      EXPECT_EQ(values[0], 3);
      values[0] = slow * fast;
    } else if (values.size() == slow * fast) {  // a figure of each: others' are like this one's
      std::replace(values.begin(), values.end(), 0.0, values[4]);
    }
  };
  const Experiment e = open_experiment(data, {}, {}, {}, nullptr, &distribution);
  EXPECT_EQ(e.bytes_read, 4 * side * side * 4);
  EXPECT_EQ(e.positions.size(), whole.positions.size());
  std::vector<float> a(side * side), b(a);
  for (const i64 i : {4, 5, 6, 8}) {
    whole.patterns->load(i, a.data());
    e.patterns->load(i, b.data());
    EXPECT_EQ(a, b) << i;
  }
  EXPECT_THROW(e.patterns->load(7, b.data()), std::logic_error);
  EXPECT_EQ(plan_experiment(data, {}, {}, {}).bytes_read, 0);
}

TEST(OpenExperiment, ReadsEveryTypeOfNumberAlike) {
  const TemporaryFolder folder;
  const Contents c;
  const Experiment expected = open(c.write(folder / "float.h5"));
  std::vector<double> a(side * side), b(a);
  const auto check = [&]<class T>(const char* type, T) {
    const std::string path = folder / (std::string(type) + ".h5");
    {
      h5::File file = h5::File::create(path);
      const std::vector<T> values(c.patterns.begin(), c.patterns.end());
      file.create_dataset<T>("/dp", {slow * fast, side, side}, {5, side, side}, 2)
          .write(values.data());
      file.write("/positions", c.position_shape, c.positions.data());
      file.set("/", "energy_kV", 200.0);
      file.set("/", "pixel_size", 0.5);
      file.commit();
    }
    const Experiment e = open(path);
    EXPECT_EQ(e.patterns->type(), type);
    for (i64 i = 0; i < slow * fast; ++i) {
      expected.patterns->load(i, a.data());
      e.patterns->load(i, b.data());
      EXPECT_EQ(a, b) << type;
    }
  };
  check("uint8", std::uint8_t{});
  check("uint16", std::uint16_t{});
  check("uint32", std::uint32_t{});
  check("float32", double{});
}

TEST(OpenExperiment, ReadsPositionsAndMaskFromOtherFiles) {
  const TemporaryFolder folder;
  Contents c;
  const std::string data = c.write(folder / "a.h5");
  c.mask[3 * side + 2] = 1;
  for (double& p : c.positions) p *= 1e-10;
  c.position_shape = {slow * fast, 2};
  c.unit = "m";
  const std::string other = c.write(folder / "b.h5");
  const Experiment e = open(data, [&](DataConfig& d, ScanConfig& s) {
    d.mask = other + ":/detector/mask";
    s.file = other;
    s.positions = "positions";
    s.unit = LengthUnit::metre;
  });
  EXPECT_NEAR(e.positions[5].col, 3, 1e-12);
  EXPECT_EQ(std::count(e.valid.begin(), e.valid.end(), 0.0F), 1);
  EXPECT_EQ(e.valid(to_corner(3, side), to_corner(2, side)), 0);
  EXPECT_TRUE(e.warnings.empty());
}

TEST(OpenExperiment, StepGoesBeforeThePositionsInTheFile) {
  const TemporaryFolder folder;
  const Experiment e = open(Contents().write(folder / "a.h5"), [](DataConfig&, ScanConfig& s) {
    s.step = {10, 10};
    s.rotation = 90;
  });
  EXPECT_NEAR(e.positions[1].row, -10, 1e-12);
  EXPECT_NEAR(e.positions[1].col, 0, 1e-12);
}

TEST(OpenExperiment, TheUsersRotationGoesBeforeTheFilesAndNonsenseIsToldOf) {
  const TemporaryFolder folder;
  const auto with = [&](const char* name, double rotation, double step) {
    Contents c;
    const std::string path = c.write(folder / name);
    h5::File file = h5::File::update(path);
    file.set("/", "scan_rotation_deg", rotation);
    file.set("/", "scan_step_A", step);
    return path;
  };
  const auto raster = [](std::optional<double> rotation) {
    return [rotation](DataConfig&, ScanConfig& s) {
      s.file = "none";  // so that the file's own positions are not taken
      s.rotation = rotation;
    };
  };
  const std::string turned = with("turned.h5", 90, 10);
  EXPECT_NEAR(open(turned, raster({})).positions[1].row, -10, 1e-12);
  EXPECT_NEAR(open(turned, raster(0)).positions[1].row, 0, 1e-12);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string nonsense = with("nan.h5", nan, 10);
  const Experiment unturned = open(nonsense, raster({}));
  EXPECT_NEAR(unturned.positions[1].col, 10, 1e-12);
  ASSERT_FALSE(unturned.warnings.empty());
  EXPECT_TRUE(says(unturned.warnings.front(), {"'scan_rotation_deg'", "nan", "scan.rotation"}));
  EXPECT_EQ(open(nonsense, raster(0)).warnings.size() + 1, unturned.warnings.size());
  EXPECT_TRUE(says(message_of<UserError>([&] {
                     open(with("inf.h5", 0, std::numeric_limits<double>::infinity()), raster({}));
                   }),
                   {"no positions are given"}));
}

// As ptypy writes them: chunks of frames, each with their positions.
TEST(OpenExperiment, ReadsChunksOfPatternsAndPositions) {
  const TemporaryFolder folder;
  const Contents c;
  const Experiment whole = open(c.write(folder / "a.h5"));
  {
    h5::File file = h5::File::create(folder / "chunks.h5");
    for (i64 k = 0; k < 3; ++k) {
      const std::string chunk = "/chunks/" + std::to_string(k);
      file.write(chunk + "/data", {4, side, side}, c.patterns.data() + k * 4 * side * side);
      file.write(chunk + "/positions", {4, 2}, c.positions.data() + k * 8);
    }
    file.set("/", "pixel_size", 0.5);
    file.set("/", "energy_kV", 200.0);
    file.commit();
  }
  const auto positions = [](const char* name) {
    return [name](DataConfig&, ScanConfig& s) { s.positions = name; };
  };
  const Experiment e = open(folder / "chunks.h5", positions("/chunks/*/positions"));
  ASSERT_EQ(e.patterns->count(), slow * fast);
  EXPECT_TRUE(says(e.notes[0], {"3 datasets '/chunks/*/data'", "12 frames: 4 each"}));
  std::vector<float> a(side * side), b(a);
  for (i64 i = 0; i < slow * fast; ++i) {
    whole.patterns->load(i, a.data());
    e.patterns->load(i, b.data());
    EXPECT_EQ(a, b) << i;
    EXPECT_EQ(e.positions[i].row, whole.positions[i].row);
    EXPECT_EQ(e.positions[i].col, whole.positions[i].col);
  }
  EXPECT_TRUE(says(
      message_of<UserError>([&] { open(folder / "chunks.h5", positions("/chunks/0/positions")); }),
      {"4 positions", "12 patterns", "scan.positions=/chunks/*/positions reads 2"}));
}

TEST(OpenExperiment, ReadsSeveralFilesAsOne) {
  const TemporaryFolder folder;
  const Contents c;
  const Experiment whole = open(c.write(folder / "a.h5"));
  for (i64 k = 0; k < 3; ++k) {
    h5::File file = h5::File::create(folder / ("scan_" + std::to_string(9 + k) + ".h5"));
    file.write("/data", {4, side, side}, c.patterns.data() + k * 4 * side * side);
    file.write("/positions", {4, 2}, c.positions.data() + k * 8);
    file.set("/", "pixel_size", 0.5);
    file.set("/", "energy_kV", 200.0);
    file.commit();
  }
  const Experiment e = open(folder / "scan_*.h5");
  std::vector<float> a(side * side), b(a);
  for (i64 i = 0; i < slow * fast; ++i) {
    whole.patterns->load(i, a.data());
    e.patterns->load(i, b.data());
    EXPECT_EQ(a, b) << i;
    EXPECT_EQ(e.positions[i].col, whole.positions[i].col);
  }
  std::filesystem::remove(folder / "scan_10.h5");
  EXPECT_TRUE(says(message_of<UserError>([&] { open(folder / "scan_*.h5"); }), {"scan_10.h5"}));
}

// The detector's axes come first: asked, not taken; read where the user says so.
TEST(OpenExperiment, AsksWhichAxesAreTheDetectors) {
  const TemporaryFolder folder;
  constexpr i64 w = 24, n = 10;
  std::vector<float> values(w * w * n * n);
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x)
      for (i64 i = 0; i < n * n; ++i)
        values[(y * w + x) * n * n + i] =
            float((y - 12) * (y - 12) + (x - 12) * (x - 12) < 30 ? 20 + (i * 7 + x) % 5 : 0);
  {
    h5::File file = h5::File::create(folder / "a.h5");
    file.write("/data", {w, w, n, n}, values.data());
    file.commit();
  }
  const auto with = [&](std::vector<std::string> axes) {
    return open(folder / "a.h5", [axes](DataConfig& d, ScanConfig& s) {
      d.axes = axes;
      s.step = {2, 2};
      s.unit = LengthUnit::pixel;
    });
  };
  EXPECT_TRUE(
      says(message_of<UserError>([&] { with({}); }), {"/data", "data.axes=[ky, kx, y, x]"}));
  const Experiment e = with({"ky", "kx", "y", "x"});
  EXPECT_EQ(e.patterns->count(), n * n);
  std::vector<float> pattern(w * w);
  e.patterns->load(n + 3, pattern.data());
  EXPECT_EQ(pattern[0], values[(12 * w + 12) * n * n + n + 3]);
  EXPECT_EQ(with({"y", "x", "ky", "kx"}).patterns->count(), w * w);
  DataConfig data;
  data.file = folder / "a.h5";
  const Experiment looked = look_at_experiment(data, {}, {}, {});  // goes on, with a warning
  EXPECT_TRUE(says(looked.refusals.at(0), {"data.axes=[ky, kx, y, x]"}));
}

/// One malformed file or contradiction, and the words that its message must have.
struct Mistake {
  const char* name;
  std::function<void(Contents&)> spoil;
  std::function<void(DataConfig&, ScanConfig&)> configure;
  std::initializer_list<std::string> words;
};

TEST(OpenExperiment, SaysWhatIsWrongInOneSentence) {
  const auto nothing = [](Contents&) {};
  const auto plain = [](DataConfig&, ScanConfig&) {};
  const Mistake mistakes[] = {
      {"no such dataset",
       nothing,
       [](DataConfig& d, ScanConfig&) { d.patterns = "/pattern"; },
       {"no dataset '/pattern'", "/patterns (3 x 4 x 8 x 8)"}},
      {"two dimensions",
       nothing,
       [](DataConfig& d, ScanConfig&) { d.patterns = "/detector/mask"; },
       {"/detector/mask", "8 x 8", "(N, ky, kx)"}},
      {"five dimensions",
       [](Contents& c) {
         c.pattern_shape = {1, slow, fast, side, side};
       },
       [](DataConfig& d, ScanConfig&) { d.patterns = "/patterns"; },
       {"/patterns", "1 x 3 x 4 x 8 x 8"}},
      {"mask of another shape",
       [](Contents& c) {
         c.mask_shape = {side, side - 1};
       },
       [](DataConfig& d, ScanConfig&) { d.mask = "/detector/mask"; },
       {"mask", "8 x 7", "8 x 8"}},
      {"no such mask",
       nothing,
       [](DataConfig& d, ScanConfig&) { d.mask = "/mask"; },
       {"no dataset '/mask'", "/detector/mask"}},
      {"no such file of a mask",
       nothing,
       [](DataConfig& d, ScanConfig&) { d.mask = "nowhere.h5:/mask"; },
       {"nowhere.h5"}},
      {"fewer positions",
       [](Contents& c) {
         c.position_shape = {slow, fast - 1, 2};
       },
       plain,
       {"/positions", "9 positions", "12 patterns"}},
      {"positions without two columns",
       [](Contents& c) { c.position_shape = {slow * fast}; },
       plain,
       {"/positions", "(N, 2)"}},
      {"no such positions",
       nothing,
       [](DataConfig&, ScanConfig& s) { s.positions = "/position"; },
       {"no dataset '/position'", "/positions"}},
      {"all zero",
       [](Contents& c) { std::fill(c.patterns.begin(), c.patterns.end(), 0.0F); },
       plain,
       {"all 12 patterns", "zero"}},
      {"positions and step",
       nothing,
       [](DataConfig&, ScanConfig& s) {
         s.positions = "/positions";
         s.step = {1, 1};
       },
       {"scan.positions", "scan.step"}},
      {"one step",
       nothing,
       [](DataConfig&, ScanConfig& s) {
         s.step = {1, 0};
       },
       {"scan.step"}},
      {"part beyond the end",
       nothing,
       [](DataConfig& d, ScanConfig&) {
         d.positions = {0, 13};
       },
       {"data.positions [0, 13]", "12 patterns"}},
  };
  const TemporaryFolder folder;
  for (const Mistake& m : mistakes) {
    Contents c;
    m.spoil(c);
    const std::string path = c.write(folder / (std::string(m.name) + ".h5"));
    EXPECT_TRUE(says(message_of<UserError>([&] { open(path, m.configure); }), m.words)) << m.name;
  }
}

TEST(OpenExperiment, FilesThatAreNoneAreRefused) {
  const TemporaryFolder folder;
  const auto fault = [](const std::string& path) {
    return message_of<UserError>([&] { open(path); });
  };
  EXPECT_TRUE(says(fault(""), {"data.file"}));
  EXPECT_TRUE(says(fault(folder / "none.h5"), {"does not exist"}));
  EXPECT_TRUE(says(fault(folder.write_text("empty.h5", "")), {"is empty"}));
  EXPECT_TRUE(says(fault(folder.write_text("text.h5", "1 2 3\n")), {"not an HDF5 file"}));
  const std::string whole = Contents().write(folder / "whole.h5");
  const auto bytes = std::filesystem::file_size(whole);
  for (double share : {0.3, 0.6, 0.95}) {
    const std::string half = folder / "half.h5";
    std::filesystem::copy_file(whole, half, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(half, static_cast<std::uintmax_t>(share * double(bytes)));
    EXPECT_TRUE(says(fault(half), {"half.h5", "truncated"})) << share;
  }
}

/// Frames from all over the file, by which axes are doubted, are read by one rank for all: others
/// read what they keep.
TEST(OpenExperiment, OneRankLooksWhetherFramesArePatterns) {
  const TemporaryFolder folder;
  Contents c;  // a disc of the detector's along the first two axes, which should be the last
  c.pattern_shape = {24, 24, 16, 12};
  c.patterns.clear();
  for (i64 y = 0; y < 24; ++y)
    for (i64 x = 0; x < 24; ++x)
      for (i64 i = 0; i < 16 * 12; ++i) {
        const bool inside = (y - 12) * (y - 12) + (x - 12) * (x - 12) < 25;
        c.patterns.push_back(float(inside ? 10 + (i * 7 + y * 3 + x * 5) % 6 : (i + y * x) % 2));
      }
  DataConfig data;
  data.file = c.write(folder / "a.h5");
  ScanConfig scan;
  scan.step = {2, 3};
  CalibrationConfig calibration;
  calibration.pixel_size = 0.5;
  const auto open_on = [&](int rank) {
    const Distribution distribution{rank, 2,
                                    [](std::span<const Position> all, i64, double) {
                                      Kept kept;
                                      kept.own.resize(all.size());
                                      std::iota(kept.own.begin(), kept.own.end(), i64{0});
                                      return kept;
                                    },
                                    [](std::span<double>) {}, [](std::span<double>) {}};
    return open_experiment(data, calibration, scan, {}, nullptr, &distribution);
  };
  EXPECT_TRUE(says(message_of<UserError>([&] { open_on(0); }), {"axes", "data.axes="}));
  EXPECT_EQ(open_on(1).positions.size(), 24U * 24U);
}

}  // namespace
}  // namespace ptyle
