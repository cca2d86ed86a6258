// Attributes of a data file, as people have written them.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <limits>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "session/check.hpp"
#include "session/file_facts.hpp"

namespace ptyle {
namespace {

using testing::says;
using testing::TemporaryFolder;

using Change = std::function<void(h5::File&)>;

/// A change that sets one attribute.
template <class T>
Change sets(const char* name, T value) {
  return [name, value](h5::File& file) { file.set("/", name, value); };
}
Change sets(const char* name, std::initializer_list<double> values) {
  return [name, all = std::vector<double>(values)](h5::File& file) { file.set("/", name, all); };
}

/// A file with every attribute, one of them changed.
class Attributes {
 public:
  [[nodiscard]] std::string write(const Change& change) const {
    h5::File file = h5::File::create(folder_ / "a.h5", true);
    const std::vector<float> patterns(3 * 4 * 8 * 8, 1);
    file.write("/patterns", {3, 4, 8, 8}, patterns.data());
    file.set("/", "pixel_size", 0.2);
    file.set("/", "energy_kV", 200.0);
    file.set("/", "semi_angle_mrad", 20.0);
    file.set("/", "defocus_A", 150.0);
    file.set("/", "scan_rotation_deg", 30.0);
    file.set("/", "scan_shape", std::vector<i64>{3, 4});
    file.set("/", "scan_step_A", std::vector<double>{1, 2});
    file.set("/", "band_limit", 0.667);
    if (change) change(file);
    file.commit();
    return folder_ / "a.h5";
  }
  [[nodiscard]] StatedFacts read(const Change& change) const {
    return read_file_facts(h5::File::open(write(change)));
  }

 private:
  TemporaryFolder folder_;
};

TEST(FileFacts, AreTakenWithoutAWord) {
  const StatedFacts said = Attributes().read({});
  const FileFacts& f = said.facts;
  const auto& reservations = said.reservations;
  EXPECT_TRUE(reservations.empty());
  EXPECT_EQ(f.pixel_size, 0.2);
  EXPECT_EQ(f.energy, 200);
  EXPECT_EQ(f.semi_angle, 20);
  EXPECT_EQ(f.defocus, 150);
  EXPECT_EQ(f.scan_rotation, 30);
  EXPECT_EQ(f.band_limit, 0.667);
  EXPECT_EQ(f.scan_shape, (std::array<i64, 2>{3, 4}));
  EXPECT_EQ(f.scan_step, (std::array<double, 2>{1, 2}));
}

TEST(FileFacts, TextsAndEqualNumbersStandForTheirNumber) {
  const Attributes attributes;
  const auto taken = [&](const Change& change) {
    const StatedFacts said = attributes.read(change);
    const FileFacts& facts = said.facts;
    const auto& reservations = said.reservations;
    EXPECT_TRUE(reservations.empty()) << reservations.front().text;
    return facts;
  };
  EXPECT_EQ(taken(sets("pixel_size", "0.3")).pixel_size, 0.3);
  EXPECT_EQ(taken(sets("pixel_size", " +3e-1 ")).pixel_size, 0.3);
  EXPECT_EQ(taken(sets("pixel_size", {0.3, 0.3})).pixel_size, 0.3);
  EXPECT_EQ(taken(sets("pixel_size", {0.3, 0.3 + 1e-9, 0.3})).pixel_size, 0.3);
  EXPECT_EQ(taken(sets("scan_rotation_deg", "90")).scan_rotation, 90);
  EXPECT_EQ(taken(sets("defocus_A", "-120")).defocus, -120);
  EXPECT_EQ(taken(sets("scan_step_A", "1.5")).scan_step, (std::array<double, 2>{1.5, 1.5}));
  EXPECT_EQ(taken(sets("energy_kV", i64{80})).energy, 80);
}

TEST(FileFacts, AnEnergyThatCanOnlyBeInElectronvoltsIsTakenAsSuch) {
  const Attributes attributes;
  for (const auto& [written, energy] : {std::pair{80000.0, 80.0}, {300e3, 300.0}, {20e3, 20.0}}) {
    const StatedFacts said = attributes.read(sets("energy_kV", written));
    const FileFacts& facts = said.facts;
    const auto& reservations = said.reservations;
    EXPECT_EQ(facts.energy, energy);
    ASSERT_EQ(reservations.size(), 1U);
    EXPECT_TRUE(
        says(reservations[0].text, {"'energy_kV'", "a.h5", "eV", fmt::format("{:g} kV", energy)}));
  }
  EXPECT_FALSE(attributes.read(sets("energy_kV", 1e12)).facts.energy);
}

TEST(FileFacts, WhatMakesNoSenseIsNotTakenAndTold) {
  constexpr double infinite = std::numeric_limits<double>::infinity(),
                   nan = std::numeric_limits<double>::quiet_NaN();
  struct Case {
    Change change;
    const char *key, *name, *shown;
  };
  const Case cases[] = {
      {sets("pixel_size", -0.2), "calibration.pixel_size", "pixel_size", "is -0.2"},
      {sets("pixel_size", 0.0), "calibration.pixel_size", "pixel_size", "is 0"},
      {sets("pixel_size", {0.2, 0.3}), "calibration.pixel_size", "pixel_size", "is [0.2, 0.3]"},
      {sets("pixel_size", "0.2 nm"), "calibration.pixel_size", "pixel_size", "is \"0.2 nm\""},
      {sets("pixel_size", "0,2"), "calibration.pixel_size", "pixel_size", "is \"0,2\""},
      {sets("pixel_size", ""), "calibration.pixel_size", "pixel_size", "is \"\""},
      {sets("pixel_size", "nan"), "calibration.pixel_size", "pixel_size", "is \"nan\""},
      {sets("energy_kV", -80.0), "optics.energy", "energy_kV", "is -80"},
      {sets("energy_kV", nan), "optics.energy", "energy_kV", "is nan"},
      {sets("semi_angle_mrad", 25000.0), "optics.semi_angle", "semi_angle_mrad", "is 25000"},
      {sets("defocus_A", infinite), "optics.defocus", "defocus_A", "is inf"},
      {sets("defocus_A", "\x1b[31mred\n"), "optics.defocus", "defocus_A", "\"\\x1b[31mred\\n\""},
      {sets("scan_rotation_deg", 5000.0), "scan.rotation", "scan_rotation_deg", "is 5000"},
      {sets("band_limit", 66.7), "object.band_limit", "band_limit", "is 66.7"},
      {sets("scan_step_A", {1, -1}), "scan.step", "scan_step_A", "is [1, -1]"},
      {sets("scan_step_A", {1, 2, 3}), "scan.step", "scan_step_A", "is [1, 2, 3]"},
      {sets("scan_shape", {3.5, 4}), "data.scan_shape", "scan_shape", "is [3.5, 4]"},
      {sets("scan_shape", {3e10, 4}), "data.scan_shape", "scan_shape", "is [3e+10, 4]"},
      {sets("scan_shape", 12.0), "data.scan_shape", "scan_shape", "is 12"},
      {sets("scan_shape", "3 x 4"), "data.scan_shape", "scan_shape", "is \"3 x 4\""},
  };
  const Attributes attributes;
  for (const Case& c : cases) {
    const StatedFacts said = attributes.read(c.change);
    const FileFacts& facts = said.facts;
    const auto& reservations = said.reservations;
    ASSERT_EQ(reservations.size(), 1U) << c.name << ' ' << c.shown;
    EXPECT_EQ(reservations[0].key, c.key);
    EXPECT_TRUE(says(reservations[0].text, {"the attribute '" + std::string(c.name) + "' of '",
                                            "a.h5", c.shown, "is not taken, it must be", c.key}));
    const std::string key = c.key;
    const bool taken = key == "calibration.pixel_size" ? facts.pixel_size.has_value()
                       : key == "optics.energy"        ? facts.energy.has_value()
                       : key == "optics.semi_angle"    ? facts.semi_angle.has_value()
                       : key == "optics.defocus"       ? facts.defocus.has_value()
                       : key == "scan.rotation"        ? facts.scan_rotation.has_value()
                       : key == "object.band_limit"    ? facts.band_limit.has_value()
                       : key == "scan.step"            ? facts.scan_step[0] > 0
                                                       : facts.scan_shape[0] > 0;
    EXPECT_FALSE(taken) << c.name << ' ' << c.shown;
  }
}

TEST(FileFacts, OfTwoNamesTheFirstHoldsAndTheOtherHasToAgree) {
  const Attributes attributes;
  EXPECT_TRUE(attributes.read(sets("object_pixel_size_angstrom", 0.2)).reservations.empty());
  const StatedFacts said = attributes.read(sets("object_pixel_size_angstrom", 0.4));
  const FileFacts& facts = said.facts;
  const auto& reservations = said.reservations;
  EXPECT_EQ(facts.pixel_size, 0.2);
  ASSERT_EQ(reservations.size(), 1U);
  EXPECT_TRUE(says(reservations[0].text, {"'object_pixel_size_angstrom'", "0.4", "0.2"}));
}

TEST(FileFacts, AShapeWithTheScansAxesExchangedIsDoubted) {
  const Attributes attributes;
  const auto said = [&](const Change& change, const std::vector<std::string>& axes = {}) {
    const h5::File file = h5::File::open(attributes.write(change));
    FramesAsked asked;
    asked.axes = axes;
    const Frames frames(file, asked);
    return read_file_facts(file, &frames).reservations;
  };
  EXPECT_TRUE(said({}).empty());
  const Change exchanged = [](h5::File& file) {
    file.set("/", "scan_shape", std::vector<i64>{4, 3});
  };
  EXPECT_TRUE(said(exchanged, {"x", "y", "ky", "kx"}).empty());
  const auto doubts = said(exchanged);
  ASSERT_EQ(doubts.size(), 1U);
  EXPECT_EQ(doubts[0].key, "data.axes");
  EXPECT_TRUE(says(doubts[0].text, {"4 x 3", "has 3 x 4", "data.axes=[x, y, ky, kx]"}));
}

TEST(FileFacts, WhatALayoutSaysBeyondLimitsIsTold) {
  const TemporaryFolder folder;
  const auto facts = [&](double energy) {
    h5::File made = h5::File::create(folder / "a.h5", true);
    const std::vector<float> patterns(3 * 4 * 8 * 8, 1);
    made.write("/Experiments/scan/data", {3, 4, 8, 8}, patterns.data());
    const std::string tem = "/Experiments/scan/metadata/Acquisition_instrument/TEM";
    const double nothing = 0;
    made.write(tem + "/nothing", {1}, &nothing);
    made.set(tem, "beam_energy", energy);
    made.commit();
    const h5::File file = h5::File::open(folder / "a.h5");
    const Frames frames(file, FramesAsked{});
    return read_file_facts(file, &frames);
  };
  EXPECT_EQ(facts(200).facts.energy, 200);
  EXPECT_TRUE(facts(200).reservations.empty());
  const StatedFacts volts = facts(200e3);
  EXPECT_EQ(volts.facts.energy, 200);
  ASSERT_EQ(volts.reservations.size(), 1U);
  EXPECT_TRUE(says(volts.reservations[0].text, {"beam_energy", "in eV", "200 kV"}));
  const StatedFacts senseless = facts(1e12);
  EXPECT_FALSE(senseless.facts.energy);
  ASSERT_EQ(senseless.reservations.size(), 1U);
  EXPECT_TRUE(says(senseless.reservations[0].text, {"is not taken", "optics.energy"}));
}

TEST(FileFacts, NothingIsToldOfWhatTheUserGives) {
  const Attributes attributes;
  const auto warnings = [&](const Change& change, const CalibrationConfig& calibration,
                            const OpticsConfig& optics) {
    return warnings_of(attributes.read(change), calibration, {}, optics, false, true);
  };
  const Change negative = sets("pixel_size", -0.2), infinite = sets("defocus_A", "inf");
  EXPECT_EQ(warnings(negative, {}, {}).size(), 1U);
  EXPECT_EQ(warnings(negative, {.dk = 0.1}, {}).size(), 0U);
  EXPECT_EQ(warnings(infinite, {}, {}).size(), 1U);
  EXPECT_EQ(warnings(infinite, {}, {.defocus = 0}).size(), 0U);
  EXPECT_EQ(warnings(sets("scan_shape", 12.0), {}, {}).size(), 0U) << "the dataset has it";
}

TEST(FileFacts, OpticsOfAnotherBeamAreToldOf) {
  const Attributes attributes;
  const auto warnings = [&](const OpticsConfig& optics) {
    return warnings_of(attributes.read({}), {}, {}, optics, false, true);
  };
  EXPECT_TRUE(warnings({.energy = 200}).empty());
  const auto other = warnings({.energy = 300});
  ASSERT_EQ(other.size(), 1U);
  EXPECT_TRUE(says(other[0], {"300 kV", "200 kV", "semi-angle and defocus are not taken"}));
  EXPECT_TRUE(warnings({.energy = 300, .semi_angle = 20, .defocus = 0}).empty());
}

TEST(FileFacts, WhatIsMissingIsSaidWithWhatTheFileHas) {
  const Attributes attributes;
  const auto fault = [&](const Change& change) {
    ReconstructConfig config;
    config.data.file = attributes.write(change);
    return testing::message_of<UserError>(
        [&] { (void)checked(config, {Purpose::Folder::unused}); });
  };
  EXPECT_EQ(fault({}), "");
  EXPECT_TRUE(says(fault(sets("pixel_size", -0.2)),
                   {"calibration: one of these must be given", "'pixel_size'", "is -0.2"}));
  EXPECT_TRUE(says(fault(sets("semi_angle_mrad", "wide")),
                   {"probe.start: optics needs optics.semi_angle", "is \"wide\""}));
  EXPECT_TRUE(says(fault(sets("scan_step_A", -1.0)), {"scan: either scan.positions", "is -1"}));
}

}  // namespace
}  // namespace ptyle
