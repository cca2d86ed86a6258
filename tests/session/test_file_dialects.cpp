// Files as other programs lay them out: their calibration, positions and mask without a key.

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "core/units.hpp"
#include "io/temporary_folder.hpp"
#include "session/file_dialects.hpp"
#include "session/open_experiment.hpp"

namespace ptyle {
namespace {

using testing::TemporaryFolder;

constexpr i64 slow = 3, fast = 4, ky = 8, kx = 6;

/// Frame (y, x) holds 1000 y + 100 x + 10 ky + kx.
double value(i64 y, i64 x, i64 i, i64 j) { return double(1000 * y + 100 * x + 10 * i + j); }

void write_patterns(h5::File& file, const std::string& path) {
  std::vector<float> all;
  for (i64 y = 0; y < slow; ++y)
    for (i64 x = 0; x < fast; ++x)
      for (i64 i = 0; i < ky; ++i)
        for (i64 j = 0; j < kx; ++j) all.push_back(static_cast<float>(value(y, x, i, j)));
  file.write(path, {slow, fast, ky, kx}, all.data());
}

void write_number(h5::File& file, const std::string& path, double number,
                  const char* units = nullptr) {
  file.write(path, {1}, &number);
  if (units) file.set(path, "units", units);
}

class FileDialects : public ::testing::Test {
 protected:
  DialectFacts facts_of(const std::function<void(h5::File&)>& make) {
    h5::File made = h5::File::create(folder_ / "a.h5", true);
    make(made);
    made.commit();
    const h5::File file = h5::File::open(folder_ / "a.h5");
    return dialect_facts(file, Frames(file, FramesAsked{}));
  }
  static void expect(const DialectFacts& facts, const std::string& key,
                     const std::vector<double>& numbers) {
    ASSERT_TRUE(facts.values.contains(key)) << key;
    const auto& found = facts.values.at(key).numbers;
    ASSERT_EQ(found.size(), numbers.size()) << key;
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], numbers[i], 1e-12 * numbers[i]) << key;
  }
  TemporaryFolder folder_;
};

void add_axis(h5::File& file, const std::string& path, const std::string& name, double step,
              const std::string& units) {
  const std::array<double, 2> places{-step, 0};
  file.write(path, {2}, places.data());
  file.set(path, "name", name);
  file.set(path, "units", units);
}

TEST_F(FileDialects, AxesOfEmdBesideThePatterns) {
  const auto facts = facts_of([](h5::File& file) {
    write_patterns(file, "/datacube_root/datacube/data");
    add_axis(file, "/datacube_root/datacube/dim0", "Rx", 0.05, "nm");
    add_axis(file, "/datacube_root/datacube/dim1", "Ry", 0.06, "nm");
    add_axis(file, "/datacube_root/datacube/dim2", "Qx", 0.02, "A^-1");
    add_axis(file, "/datacube_root/datacube/dim3", "Qy", 0.02, "A^-1");
  });
  expect(facts, "calibration.dk", {0.02});
  expect(facts, "scan.step", {0.5, 0.6});
  EXPECT_EQ(facts.values.size(), 2U);
}

TEST_F(FileDialects, UnitsOfAxes) {
  const auto unit = [&](const char* units) {
    return facts_of([&](h5::File& file) {
      write_patterns(file, "/g/data");
      for (const char* axis : {"/g/dim1", "/g/dim2"}) add_axis(file, axis, "s", 2, "[n_m]");
      for (const char* axis : {"/g/dim3", "/g/dim4"}) add_axis(file, axis, "k", 0.5, units);
    });
  };
  for (const char* per_nm : {"1/nm", "[1_/_n_m]", "[n_m^-1]", "nm^-1", "nm⁻¹"})
    expect(unit(per_nm), "calibration.dk", {0.05});
  for (const char* of_pyxem : {"k_nm^-1", "$nm^{-1}$"})
    expect(unit(of_pyxem), "calibration.dk", {0.05});
  expect(unit("k_A^-1"), "calibration.dk", {0.5});
  expect(unit("q_A^-1"), "calibration.dk", {0.5 / (2 * pi)});
  expect(unit("2th_deg"), "calibration.mrad_per_pixel", {500 * pi / 180});
  expect(unit("2th_rad"), "calibration.mrad_per_pixel", {500});
  expect(unit("mrad"), "calibration.mrad_per_pixel", {0.5});
  expect(unit("rad"), "calibration.mrad_per_pixel", {500});
  expect(unit("mrad"), "scan.step", {20, 20});
  for (const char* nothing : {"px", "pixels", "", "furlong"})
    EXPECT_FALSE(unit(nothing).values.contains("calibration.dk")) << nothing;
}

TEST_F(FileDialects, UnitsThatAreNotKnownAreSaid) {
  const auto notes = [&](const char* units) {
    return facts_of([&](h5::File& file) {
             write_patterns(file, "/g/data");
             for (const char* axis : {"/g/dim3", "/g/dim4"}) add_axis(file, axis, "k", 0.5, units);
           })
        .notes;
  };
  for (const char* nothing : {"px", "pixels", "", "<undefined>"})
    EXPECT_TRUE(notes(nothing).empty()) << nothing;
  const auto said = notes("furlong");
  ASSERT_EQ(said.size(), 1U);
  EXPECT_NE(said[0].find("'furlong'"), std::string::npos) << said[0];
  EXPECT_NE(said[0].find("calibration.dk"), std::string::npos) << said[0];
}

TEST_F(FileDialects, PixelsThatAreNoSquaresAreNotTakenButSaid) {
  const auto facts = facts_of([](h5::File& file) {
    write_patterns(file, "/g/data");
    add_axis(file, "/g/dim3", "ky", 0.5, "mrad");
    add_axis(file, "/g/dim4", "kx", 0.6, "mrad");
  });
  EXPECT_TRUE(facts.values.empty());
  ASSERT_EQ(facts.notes.size(), 1U);
  EXPECT_NE(facts.notes[0].find("no squares"), std::string::npos);
}

TEST_F(FileDialects, CalibrationOfPy4dstem) {
  const auto facts = facts_of([](h5::File& file) {
    write_patterns(file, "/datacube_root/datacube/data");
    const std::string group = "/datacube_root/metadatabundle/calibration/";
    write_number(file, group + "Q_pixel_size", 0.3);
    write_number(file, group + "R_pixel_size", 1.5);
    write_number(file, group + "QR_rotation", 0.2);
  });
  // Units are texts, without which a number says nothing.
  EXPECT_TRUE(facts.values.empty());
  ASSERT_EQ(facts.notes.size(), 1U);
  EXPECT_NE(facts.notes[0].find("QR_rotation"), std::string::npos);
}

TEST_F(FileDialects, InstrumentOfHyperspy) {
  const auto facts = facts_of([](h5::File& file) {
    write_patterns(file, "/Experiments/scan/data");
    const std::string tem = "/Experiments/scan/metadata/Acquisition_instrument/TEM";
    write_number(file, tem + "/Detector/gain", 1);
    file.set(tem, "beam_energy", 200.0);
    file.set(tem, "convergence_angle", 21.5);
  });
  expect(facts, "optics.energy", {200});
  expect(facts, "optics.semi_angle", {21.5});
}

TEST_F(FileDialects, CxiInSiUnits) {
  const auto facts = facts_of([](h5::File& file) {
    write_patterns(file, "/entry_1/data_1/data");
    const std::vector<double> translation(3 * slow * fast, 1e-6);
    file.write("/entry_1/data_1/translation", {slow * fast, 3}, translation.data());
    const std::string instrument = "/entry_1/instrument_1/";
    write_number(file, instrument + "source_1/energy", 8.8e3 * 1.602176634e-19);
    write_number(file, instrument + "detector_1/distance", 2);
    write_number(file, instrument + "detector_1/x_pixel_size", 75e-6);
    write_number(file, instrument + "detector_1/y_pixel_size", 75e-6);
    const std::vector<std::uint32_t> mask(ky * kx, 0);
    file.write("/entry_1/instrument_1/detector_1/mask", {ky, kx}, mask.data());
  });
  expect(facts, "optics.xray_energy", {8.8});
  expect(facts, "calibration.mrad_per_pixel", {0.0375});
  EXPECT_EQ(facts.positions, "/entry_1/data_1/translation");
  EXPECT_EQ(facts.mask, "/entry_1/instrument_1/detector_1/mask");
}

TEST_F(FileDialects, TheIlluminationOfCxiIsAStart) {
  const auto facts = [&](const h5::Shape& shape, bool complex = true) {
    return facts_of([&](h5::File& file) {
      write_patterns(file, "/entry_1/data_1/data");
      i64 numbers = 1;
      for (const i64 n : shape) numbers *= n;
      const std::string at = "/entry_1/instrument_1/source_1/illumination";
      if (complex)
        file.write(at, shape, std::vector<Complex<float>>(numbers, {1, 2}).data());
      else
        file.write(at, shape, std::vector<float>(numbers, 1).data());
    });
  };
  // Frames of 8 x 6 lie in a window of 8.
  EXPECT_EQ(facts({ky, ky}).probe, "/entry_1/instrument_1/source_1/illumination");
  EXPECT_EQ(facts({3, ky, ky}).probe, "/entry_1/instrument_1/source_1/illumination");
  for (const DialectFacts& no : {facts({ky, ky}, false), facts({16, 16}), facts({ky})}) {
    EXPECT_EQ(no.probe, "");
    ASSERT_EQ(no.notes.size(), 1U);
    EXPECT_NE(no.notes[0].find("illumination"), std::string::npos);
  }
}

TEST_F(FileDialects, NexusSaysItsUnits) {
  const auto facts = facts_of([](h5::File& file) {
    write_patterns(file, "/entry/data/data");
    write_number(file, "/entry/instrument/beam/incident_energy", 9.1, "keV");
    write_number(file, "/entry/instrument/detector/distance", 500, "mm");
    write_number(file, "/entry/instrument/detector/x_pixel_size", 0.1, "mm");
    write_number(file, "/entry/instrument/detector/y_pixel_size", 100, "um");
  });
  expect(facts, "optics.xray_energy", {9.1});
  expect(facts, "calibration.mrad_per_pixel", {0.2});
}

TEST_F(FileDialects, WhatMakesNoSenseIsNotTaken) {
  const auto facts = facts_of([](h5::File& file) {
    write_patterns(file, "/Experiments/scan/data");
    const std::string tem = "/Experiments/scan/metadata/Acquisition_instrument/TEM";
    write_number(file, tem + "/Detector/gain", 1);
    file.set(tem, "beam_energy", -200.0);
    file.set(tem, "convergence_angle", "wide");
    write_number(file, "/entry/instrument/detector/distance", 0);
    write_number(file, "/entry/instrument/detector/x_pixel_size", 1);
    write_number(file, "/entry/instrument/detector/y_pixel_size", 1);
  });
  EXPECT_TRUE(facts.values.empty());
}

/// RosettaSciIO writes EMD 0.2 with its axes in reverse order: (kx, ky, x, y).
TEST_F(FileDialects, AxesInReverseOrderAreReadByTheirNames) {
  h5::File made = h5::File::create(folder_ / "a.h5");
  std::vector<float> all;
  for (i64 j = 0; j < kx; ++j)
    for (i64 i = 0; i < ky; ++i)
      for (i64 x = 0; x < fast; ++x)
        for (i64 y = 0; y < slow; ++y) all.push_back(static_cast<float>(value(y, x, i, j)));
  made.write("/signals/s/data", {kx, ky, fast, slow}, all.data());
  add_axis(made, "/signals/s/dim1", "kx", 0.2, "[1_/_n_m]");
  add_axis(made, "/signals/s/dim2", "ky", 0.2, "[1_/_n_m]");
  add_axis(made, "/signals/s/dim3", "x", 0.06, "[n_m]");
  add_axis(made, "/signals/s/dim4", "y", 0.05, "[n_m]");
  made.commit();
  const h5::File file = h5::File::open(folder_ / "a.h5");
  const Frames frames(file, FramesAsked{});
  EXPECT_EQ(frames.scan_shape(), (std::array<i64, 2>{slow, fast}));
  std::vector<float> read(slow * fast * ky * kx);
  frames.read(0, slow * fast, read.data());
  std::size_t k = 0;
  for (i64 y = 0; y < slow; ++y)
    for (i64 x = 0; x < fast; ++x)
      for (i64 i = 0; i < ky; ++i)
        for (i64 j = 0; j < kx; ++j) ASSERT_EQ(read[k++], value(y, x, i, j));
  expect(dialect_facts(file, frames), "scan.step", {0.5, 0.6});
}

}  // namespace
}  // namespace ptyle
