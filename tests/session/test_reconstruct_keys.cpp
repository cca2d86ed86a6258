#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.hpp"
#include "e2e/small_data.hpp"
#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "session/reconstruct_keys.hpp"
#include "solver/toys.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

/// A folder with a configuration and a small data file; removed at the end.
class ReconstructKeys : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder = fs::path(::testing::TempDir()) / (std::string("ptyle_keys_") + test->name());
    fs::remove_all(folder);
    fs::create_directories(folder);
    write_small_data(folder / "patterns.h5", {});
  }
  void TearDown() override { fs::remove_all(folder); }

  ReconstructInput read(const std::string& yaml, const std::vector<std::string>& settings = {}) {
    const auto file = folder / "run.yaml";
    std::ofstream(file) << yaml;
    return read_reconstruct(file.string(), settings, false, false, true, parts);
  }
  /// The faults, with the folder's name taken out.
  std::string faults(const std::string& yaml, const std::vector<std::string>& settings = {}) {
    try {
      read(yaml, settings);
    } catch (const UserError& e) {
      std::string text = e.what();
      const auto name = folder.string() + "/";
      for (auto at = text.find(name); at != std::string::npos; at = text.find(name))
        text.erase(at, name.size());
      return text;
    }
    return "";
  }

  fs::path folder;
  PartOptions parts = known_parts();
};

const std::string good =
    "data:\n  file: patterns.h5\n"
    "calibration:\n  pixel_size: 0.2\n"
    "scan:\n  positions: /positions\n"
    "optics:\n  energy: 300\n  semi_angle: 20\n";

TEST_F(ReconstructKeys, TemplateIsAConfiguration) {
  const auto input =
      read(reconstruct_template(), {"calibration.pixel_size=0.2", "scan.positions=/positions"});
  EXPECT_EQ(input.config.data.file, (folder / "patterns.h5").string());
  EXPECT_EQ(input.config.optics.energy, 300);
}

/// All else has a default, or is one of several ways to say it.
TEST_F(ReconstructKeys, TemplateSetsWhatEverybodyHasToFillIn) {
  std::istringstream lines(reconstruct_template());
  std::vector<std::string> set;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("  ") && !line.starts_with("  #"))
      set.push_back(line.substr(2, line.find(':') - 2));
  EXPECT_EQ(set, (std::vector<std::string>{"file", "energy", "semi_angle", "defocus"}));
}

TEST_F(ReconstructKeys, C10IsToldApartFromTheDefocus) {
  EXPECT_EQ(faults(good + "  C10: -100\n"),
            "run.yaml:10: optics.C10: there is no such key; did you mean optics.defocus (C10 is "
            "minus the defocus)?");
}

TEST_F(ReconstructKeys, AFileOfDataIsNoConfiguration) {
  std::ofstream(folder / "run.yaml", std::ios::binary).write("\x89HDF\r\n\x1a\n\0\0\0\0", 12);
  EXPECT_TRUE(ptyle::testing::says(ptyle::testing::message_of<UserError>([&] {
                                     (void)read_reconstruct((folder / "run.yaml").string(), {},
                                                            false);
                                   }),
                                   {"is no configuration", "--write-config run.yaml"}));
}

TEST_F(ReconstructKeys, TemplateWithEveryCommentTakenAwayHasOnlyFaultsBetweenKeys) {
  std::istringstream lines(reconstruct_template());
  std::string yaml;
  for (std::string line; std::getline(lines, line);)
    yaml += (line.starts_with("  # ") ? "  " + line.substr(4) : line) + "\n";
  const auto text = faults(yaml);
  EXPECT_NE(text.find("only one calibration may be given, there are 6"), std::string::npos) << text;
  for (const char* wrong : {"no such", "out of its limits", "is not", "not YAML", "must be a"})
    EXPECT_EQ(text.find(wrong), std::string::npos) << wrong << "\n" << text;
}

TEST_F(ReconstructKeys, ResolvedReadsBackAsTheSame) {
  const auto first = read(good, {"data.centre=[126.1, 127.7]", "object.slices=6",
                                 "object.slice_thickness=2.5", "solver.loss=poisson"});
  fs::create_directories(folder / "other");
  std::ofstream(folder / "other" / "config.yaml") << first.resolved;
  const auto second = read_reconstruct((folder / "other" / "config.yaml").string(), {}, false);
  EXPECT_EQ(second.resolved, first.resolved);
  EXPECT_EQ(second.config.output.folder, (folder / "run").string());
  EXPECT_EQ(second.config.object.slices, 6);
  EXPECT_EQ(*second.config.data.centre, *first.config.data.centre);
}

// As configurations of before wrote it beside every dataset of positions.
TEST_F(ReconstructKeys, NoRotationIsNoFaultBesidePositions) {
  EXPECT_EQ(*read(good, {"scan.rotation=0"}).config.scan.rotation, 0);
}

TEST_F(ReconstructKeys, FaultsBetweenKeys) {
  struct Case {
    std::vector<std::string> settings;
    std::string fault;
  };
  const Case cases[] = {
      {{"calibration.dk=0.01"},
       "--set calibration.dk=0.01: calibration.dk: only one calibration may be given, there are 2: "
       "calibration.pixel_size, calibration.dk"},
      {{"calibration.fit_disc=false"}, ""},
      {{"calibration.pixel_size=~"},
       "run.yaml: calibration: one of these must be given: calibration.pixel_size, calibration.dk, "
       "calibration.mrad_per_pixel, calibration.max_angle, calibration.disc_radius, "
       "calibration.fit_disc"},
      {{"optics.xray_energy=8"},
       "--set optics.xray_energy=8: optics.xray_energy: excludes optics.energy; give one of the "
       "two"},
      {{"scan.step=1"},
       "--set scan.step=1: scan.step: excludes scan.positions; give one of the two"},
      {{"scan.positions=~"}, ""},  // the file has /positions
      {{"scan.rotation=30"},
       "--set scan.rotation=30: scan.rotation: belongs to scan.step; positions of a dataset are "
       "final"},
      {{"object.slices=5"},
       "--set object.slices=5: object.slices: needs object.slice_thickness with more than one "
       "slice"},
      {{"optics.semi_angle=~"},
       "run.yaml: probe.start: optics needs optics.semi_angle; otherwise the start is mean or a "
       "file"},
      {{"optics.semi_angle=~", "probe.start=mean"}, ""},
      {{"optics.energy=~", "probe.start=mean", "calibration.pixel_size=~"},
       "run.yaml: scan.unit: must be px where no optics.energy is given"},
      {{"optics.energy=~", "probe.start=mean"}, ""},  // a pixel size, but no wavelength
      {{"optics.energy=~", "probe.start=mean", "calibration.pixel_size=~",
        "calibration.max_angle=20", "scan.unit=px"},
       "--set calibration.max_angle=20: calibration.max_angle: needs optics.energy (or "
       "optics.xray_energy)"},
      {{"optics.semi_angle=~", "probe.start=mean", "calibration.pixel_size=~",
        "calibration.fit_disc=true"},
       "--set calibration.fit_disc=true: calibration.fit_disc: needs optics.semi_angle, the "
       "bright-field disc's "
       "radius in mrad"},
      {{"probe.modes=3", "probe.mode_power=0.5"},
       "--set probe.mode_power=0.5: probe.mode_power: 2 modes of 0.5 each leave nothing for the "
       "first; less is needed"},
      {{"optics.energy=~", "probe.start=mean", "scan.unit=px", "calibration.pixel_size=~"}, ""},
      {{"data.positions=[5, 2]"},
       "--set data.positions=[5, 2]: data.positions: must be [first, last] or [first, last, "
       "stride], first < last"},
      {{"data.positions=[-3, 2]"},  // one fault is reported once
       "--set data.positions=[-3, 2]: data.positions: -3 is out of its limits; it must be a list "
       "of "
       "whole numbers, 0 or more"},
      {{"data.mask=mask"}, ""},
      {{"data.mask=mask.h5"},
       "--set data.mask=mask.h5: data.mask: " + (fs::current_path() / "mask.h5").string() +
           " is a file; the dataset in it is needed too, as in file.h5:/mask"},
      {{"probe.start=optix"}, "--set probe.start=optix: probe.start: there is no file optix"},
      {{"object.positivity=on", "object.phase_min=-2", "object.phase_max=-1"},
       "--set object.positivity=on: object.positivity: leaves no phase where object.phase_max is "
       "-1 rad"},
      {{"object.phase_min=1"},
       "--set object.phase_min=1: object.phase_min: 1 rad is above object.phase_max, 0 rad"},
      {{"data.centre=[1, 2]", "data.find_centre=true"},
       "--set data.find_centre=true: data.find_centre: excludes data.centre; give one of the two"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(faults(good, c.settings), c.fault) << ::testing::PrintToString(c.settings);
}

TEST_F(ReconstructKeys, WhatTheFileStatesNeedNotBeGiven) {
  {
    auto file = h5::File::update((folder / "patterns.h5").string());
    file.set("/", "energy_kV", 200.0);
    file.set("/", "semi_angle_mrad", 30.0);
    file.set("/", "pixel_size", 0.1);
  }
  EXPECT_EQ(faults("data: {file: patterns.h5}\n"), "");
}

// Keys of parts that a program adds are keys as all others.
TEST_F(ReconstructKeys, OfAnAddedPartAreReadCheckedAndWritten) {
  const std::string toy = good + "toy:\n  momentum: 0.25\n  gain: true\n";
  EXPECT_EQ(faults(toy), "run.yaml:10: toy: there is no such section; --print-template lists all");
  parts = test::with_toys();
  const auto input = read(toy, {"toy.shrink=0.125"});
  EXPECT_TRUE(input.config.parts.of<test::GainOptions>().fitted);
  EXPECT_FALSE(input.config.parts.of<test::SeenOptions>().counted);
  EXPECT_EQ(input.config.parts.of<test::MomentumOptions>().memory, 0.25);
  EXPECT_EQ(input.config.parts.of<test::ShrinkOptions>().share, 0.125);
  const std::string section =
      "toy:\n  gain: true\n  seen: false\n  momentum: 0.25\n  step: 0.5\n  quartic: 0\n  shrink: "
      "0.125\n";
  EXPECT_TRUE(input.resolved.ends_with(section)) << input.resolved;
  EXPECT_EQ(read(input.resolved).resolved, input.resolved);
  EXPECT_EQ(faults(good + "toy: {shrink: 2, step: 0}\nobject: {blur: 200}\n", {"toy.gian=true"}),
            "run.yaml has 4 faults\n"
            "  run.yaml:10: toy.shrink: 2 is out of its limits; it must be a number, from 0 to 1\n"
            "  run.yaml:10: toy.step: 0 is out of its limits; it must be a number, above 0 and at "
            "most 10\n"
            "  run.yaml:11: object.blur: 200 px is out of its limits; it must be a number, from 0 "
            "to 100 px\n"
            "  --set toy.gian=true: toy.gian: there is no such key; the nearest is toy.gain");
}

TEST_F(ReconstructKeys, OfAnAddedPartAreInTemplateAndJsonSchema) {
  const std::string text = reconstruct_template(test::with_toys());
  EXPECT_NE(text.find("# parts that only a test knows\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n  # step: 0.3 "), std::string::npos) << text;
  parts = test::with_toys();
  const std::vector<std::string> others{"calibration.pixel_size=0.2", "scan.positions=/positions"};
  EXPECT_EQ(read(text, others).config.parts.of<test::MomentumOptions>().step, 0.5);
  const std::string json = reconstruct_json_schema(test::with_toys());
  EXPECT_NE(json.find(R"("shrink": {"type": "number", "minimum": 0, "maximum": 1, "default": 0, )"
                      R"("description": "of each phase, which goes every iteration"})"),
            std::string::npos)
      << json;
  EXPECT_EQ(reconstruct_json_schema().find("toy"), std::string::npos);
}

TEST_F(ReconstructKeys, ProbeOfTheDataFile) {
  const auto input = read(good, {"probe.start=/small_probe"});
  EXPECT_EQ(input.config.probe.start, (folder / "patterns.h5").string() + ":/small_probe");
}

TEST(Examples, LackOnlyTheirData) {
  for (const char* name : {"cryo-virus", "siemens-star"}) {
    const auto file = fs::path(PTYLE_SOURCE_DIR) / "examples" / (std::string(name) + ".yaml");
    ReconstructConfig config;
    Schema schema = reconstruct_schema(config);
    Faults faults;
    ASSERT_TRUE(schema.read_file(file.string(), faults));
    faults.raise(file.string());  // throws where a key or value is wrong
    const std::string data = config.data.file;
    EXPECT_EQ(fs::path(data).parent_path(), file.parent_path());
    config.data.file = data + "-that-is-not-there";
    check_reconstruct(config, schema, file.string(), faults);
    try {
      faults.raise(name);
      FAIL() << "the missing data is not reported";
    } catch (const UserError& e) {
      EXPECT_TRUE(
          std::string(e.what()).ends_with("data.file: there is no file " + config.data.file))
          << e.what();
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
    }
  }
}

TEST_F(ReconstructKeys, FaultsOfFiles) {
  std::ofstream(folder / "taken") << "x";
  fs::create_directories(folder / "done");
  std::ofstream(folder / "done" / "result.h5") << "x";
  const std::pair<std::string, const char*> cases[] = {
      {"data.file=" + (folder / "none.h5").string(), "data.file: there is no file none.h5"},
      {"data.file=" + folder.string(), "is a folder, not a file"},
      {"data.mask=" + (folder / "none.h5").string() + ":/mask",
       "data.mask: there is no file none.h5"},
      {"data.mask=/mask", ""},
      {"probe.start=" + (folder / "none.h5").string(), "probe.start: there is no file none.h5"},
      {"object.start=" + (folder / "none.h5").string(), "object.start: there is no file none.h5"},
      {"output.folder=" + (folder / "taken").string(),
       "output.folder: taken is a file, not a folder"},
      {"output.folder=" + (folder / "taken" / "in").string(),
       "output.folder: taken is a file, not a folder"},
      {"output.folder=" + (folder / "done").string(),
       "output.folder: done has a result.h5 already; --overwrite replaces it"},
  };
  for (const auto& [setting, fault] : cases) {
    const auto text = faults(good, {setting});
    if (*fault)
      EXPECT_TRUE(text.ends_with(fault)) << text;
    else
      EXPECT_EQ(text, "");
  }
  EXPECT_EQ(
      faults("optics: {energy: 300}\n"),
      "run.yaml has 4 faults\n"
      "  run.yaml: data.file: must be given, the file of the patterns\n"
      "  run.yaml: calibration: one of these must be given: calibration.pixel_size, "
      "calibration.dk, calibration.mrad_per_pixel, calibration.max_angle, "
      "calibration.disc_radius, calibration.fit_disc\n"
      "  run.yaml: scan: either scan.positions (a dataset) or scan.step must be given\n"
      "  run.yaml: probe.start: optics needs optics.semi_angle; otherwise the start is mean or "
      "a file");
}

TEST_F(ReconstructKeys, OfAProgramNeedNoFileAndNoFolder) {
  const std::vector<NamedValue> values{{"data.file", (folder / "patterns.h5").string()},
                                       {"pixel_size", "0.2"},
                                       {"scan.positions", "/positions"},
                                       {"energy", "300"},
                                       {"semi_angle", "20"}};
  const auto input = read_reconstruct_values("", values);
  EXPECT_EQ(input.config.optics.energy, 300);
  EXPECT_TRUE(input.config.output.folder.empty());
  EXPECT_EQ(input.resolved, resolved_text(input.config));
  // The same keys by a file.
  const auto by_file = read(good);
  EXPECT_EQ(input.config.data.file, by_file.config.data.file);
  EXPECT_EQ(input.config.calibration.pixel_size, by_file.config.calibration.pixel_size);
  // A file's, with one of them on top.
  const auto both = read_reconstruct_values((folder / "run.yaml").string(), {{"energy", "200"}});
  EXPECT_EQ(both.config.optics.energy, 200);
  EXPECT_EQ(both.config.optics.semi_angle, 20);
}

TEST_F(ReconstructKeys, OfAProgramHaveTheirFaults) {
  const auto fault = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const UserError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(fault([&] {
              read_reconstruct_values("", {{"energy", "high"}});
            }).find("the configuration has "),
            0);
  EXPECT_EQ(fault([&] { read_given("", {{"energy", "300"}}); }), "");  // what is missing is none
  EXPECT_EQ(fault([&] { read_given("", {{"slices", "0"}}); }).find("object.slices: 0"), 0);
}

}  // namespace
}  // namespace ptyle
