// Every mistake that a user may make gets its one sentence, exit status 2, and leaves no file.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <regex>

#include "e2e/program.hpp"
#include "e2e/small_data.hpp"
#include "io/hdf5.hpp"
#include "io/missing_filter.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

/// A run.yaml that is right for small_data.h5, whose parts a case may replace.
struct Parts {
  std::string data = "  file: data.h5\n  patterns: /data\n";
  std::string calibration = "  pixel_size: 0.5\n";
  std::string scan = "  positions: /positions\n";
  std::string optics = "  energy: 300\n  semi_angle: 10\n  defocus: 500\n";
  std::string rest = "solver:\n  iterations: 2\n";
  [[nodiscard]] std::string yaml() const {
    return "data:\n" + data + "calibration:\n" + calibration + "scan:\n" + scan + "optics:\n" +
           optics + rest;
  }
};

using Change = std::function<void(const TestFolder&)>;

struct Mistake {
  std::string name;
  std::vector<std::string> arguments;  ///< after "ptyle"
  Parts parts;
  Change change;     ///< of the folder, after data.h5 and run.yaml are written
  std::string says;  ///< regular expression for the whole of stderr without "ptyle: "
  long file_limit = 0;
};

std::ostream& operator<<(std::ostream& out, const Mistake& mistake) { return out << mistake.name; }

Parts with(std::string Parts::*part, const std::string& text) {
  Parts parts;
  parts.*part = text;
  return parts;
}

const std::vector<std::string> run{"reconstruct", "run.yaml"};

std::vector<std::string> setting(const std::string& text) {
  return {"reconstruct", "run.yaml", "--set", text};
}

/// In a case's folder: data.h5 with other patterns or positions.
Change data_with(const SmallData& data) {
  return [data](const TestFolder& folder) { write_small_data(folder.path() / "data.h5", data); };
}

std::vector<Mistake> configurations() {
  const auto given = [](const std::string& yaml) {
    return [yaml](const TestFolder& folder) { folder.write("run.yaml", yaml); };
  };
  return {
      {"ConfigurationMissing",
       {"reconstruct", "none.yaml"},
       {},
       {},
       "there is no configuration none.yaml that can be read"},
      {"ConfigurationIsFolder",
       {"reconstruct", "."},
       {},
       {},
       ". is a folder; a configuration is a YAML file"},
      {"NoGpu",
       {"reconstruct", "run.yaml", "--device", "cuda"},
       {},
       {},
       "solver.device: cuda cannot be: (this ptyle is built without CUDA|no GPU can be used: ).*; "
       "--device cpu needs no GPU"},
      {"NoGpuFoundByCheck",
       {"reconstruct", "run.yaml", "--check", "--set", "solver.device=cuda"},
       {},
       {},
       "solver.device: cuda cannot be: (this ptyle is built without CUDA|no GPU can be used: ).*; "
       "--device cpu needs no GPU"},
      {"DeviceUnknown",
       {"reconstruct", "run.yaml", "--device", "gpu"},
       {},
       {},
       "--set solver.device=gpu: solver.device: \"gpu\" is none of its choices; it must be one of "
       "auto, cpu, cuda"},
      {"DeviceUnknownToPlan",
       {"plan", "run.yaml", "--device", "tpu"},
       {},
       {},
       "--set solver.device=tpu: solver.device: \"tpu\" is none of its choices; it must be one of "
       "auto, cpu, cuda"},
      {"ConfigurationNotNamed",
       {"reconstruct"},
       {},
       {},
       "reconstruct needs a configuration; ptyle reconstruct --print-template writes one to start "
       "from"},
      {"ConfigurationEmpty",
       run,
       {},
       given(""),
       "run.yaml: the configuration is empty; --print-template writes one to start from"},
      {"ConfigurationIsANumber",
       run,
       {},
       given("3\n"),
       "run.yaml:1: the configuration must consist of sections and keys"},
      {"YamlSyntax",
       run,
       {},
       given("data:\n  file: [a, b\noptics: 3\n"),
       "run.yaml:3: this is not YAML: .*"},
      {"YamlTab", run, {}, given("data:\n\tfile: a\n"), "run.yaml:2: this is not YAML: .*"},
      {"UnknownKey",
       run,
       with(&Parts::optics, "  enregy: 300\n  energy: 300\n  semi_angle: 10\n"),
       {},
       "run.yaml:9: optics.enregy: there is no such key; the nearest is optics.energy"},
      {"KeyOfAnotherProgram",
       run,
       with(&Parts::rest, "optics2:\n  x: 1\n"),
       {},
       "run.yaml:12: optics2: there is no such section; the nearest is optics"},
      {"KeyInWrongSection",
       run,
       with(&Parts::rest, "object:\n  iterations: 3\n"),
       {},
       "run.yaml:13: object.iterations: there is no such key; the nearest is solver.iterations"},
      {"KeyTwice",
       run,
       with(&Parts::calibration, "  dk: 0.1\n  dk: 0.2\n"),
       {},
       "run.yaml:6: calibration.dk: given twice, first at run.yaml:5"},
      {"WrongType",
       run,
       with(&Parts::rest, "solver:\n  iterations: many\n"),
       {},
       "run.yaml:13: solver.iterations: many is not a whole number; it must be a whole number, "
       "from 1 to 1000000"},
      {"SectionIsAValue",
       run,
       with(&Parts::rest, "solver: fast\n"),
       {},
       "run.yaml:12: solver: is a section and takes keys, not a value"},
      {"EnergyNegative",
       run,
       with(&Parts::optics, "  energy: -300\n  semi_angle: 10\n"),
       {},
       "run.yaml:9: optics.energy: -300 kV is out of its limits; it must be a number, above 0 and "
       "at "
       "most 10000 kV"},
      {"ModesNone",
       run,
       with(&Parts::rest, "probe:\n  modes: 0\n"),
       {},
       "run.yaml:13: probe.modes: 0 is out of its limits; it must be a whole number, from 1 to "
       "100"},
      {"LossUnknown",
       run,
       with(&Parts::rest, "solver:\n  loss: huber\n"),
       {},
       "run.yaml:13: solver.loss: \"huber\" is none of its choices; it must be one of auto, "
       "amplitude, poisson, intensity"},
      {"SizeOfBatches",
       run,
       with(&Parts::rest, "solver:\n  batch_size: 32\n"),
       {},
       "run.yaml:13: solver.batch_size: there is no such key; did you mean solver.batches \\(their "
       "number, not their size\\)\\?"},
      {"BatchesByBothNames",
       run,
       with(&Parts::rest, "solver:\n  groups: 5\n  batches: 5\n"),
       {},
       "run.yaml:14: solver.batches: given twice, first at run.yaml:13 by its other name "
       "solver.groups"},
      {"VoltageByAnotherProgramsName",
       run,
       with(&Parts::rest, "probe:\n  probe_kv: 300\n"),
       {},
       "run.yaml:13: probe.probe_kv: there is no such key; the nearest is optics.energy"},
      {"CentreOfThree",
       run,
       with(&Parts::data, "  file: data.h5\n  centre: [1, 2, 3]\n"),
       {},
       "run.yaml:3: data.centre: \\[1, 2, 3\\] has 3 values instead of 2; it must be a list of 2 "
       "numbers, in detector px"},
      {"TwoCalibrations",
       run,
       with(&Parts::calibration, "  pixel_size: 0.5\n  dk: 0.02\n"),
       {},
       "run.yaml:6: calibration.dk: only one calibration may be given, there are 2: "
       "calibration.pixel_size, calibration.dk"},
      {"NoCalibration",
       run,
       with(&Parts::calibration, ""),
       {},
       "run.yaml: calibration: one of these must be given: .*"},
      {"StepAndPositions",
       run,
       with(&Parts::scan, "  positions: /positions\n  step: 1\n"),
       {},
       "run.yaml:8: scan.step: excludes scan.positions; give one of the two"},
      {"TwoEnergies",
       run,
       with(&Parts::optics, "  energy: 300\n  xray_energy: 8\n  semi_angle: 1\n"),
       {},
       "run.yaml:10: optics.xray_energy: excludes optics.energy; give one of the two"},
      {"FittedOpticsOfNoRaster",
       setting("optics.fitted=true"),
       {},
       [](const TestFolder& folder) {
         std::vector<double> line;
         for (int i = 0; i < 25; ++i) line.insert(line.end(), {2.0 * i, 0});
         auto file = h5::File::update((folder.path() / "data.h5").string());
         file.dataset("/positions").write(line.data());
       },
       "optics.fitted: cannot measure the beam: it needs positions on a raster of several lines; "
       "these lie on none, or in one line"},
      {"RawTypeWithoutShape",
       setting("data.raw_type=uint16"),
       {},
       {},
       "--set data.raw_type=uint16: data.raw_type: needs data.raw_shape, the rows and columns of a "
       "frame"},
      {"SlicesWithoutThickness",
       run,
       with(&Parts::rest, "object:\n  slices: 4\n"),
       {},
       "run.yaml:13: object.slices: needs object.slice_thickness with more than one slice"},
      {"ProbeWithoutAngle",
       run,
       with(&Parts::optics, "  energy: 300\n"),
       {},
       "run.yaml: probe.start: optics needs optics.semi_angle; otherwise the start is mean or a "
       "file"},
      {"SettingWithoutValue",
       setting("solver.iterations"),
       {},
       {},
       "--set solver.iterations: a setting reads key=value, for example optics.energy=300"},
      {"SettingOfUnknownKey",
       setting("solver.iteration=3"),
       {},
       {},
       "--set solver.iteration=3: solver.iteration: there is no such key; the nearest is "
       "solver.iterations"},
      {"SettingOutOfLimits",
       setting("solver.iterations=0"),
       {},
       {},
       "--set solver.iterations=0: solver.iterations: 0 is out of its limits; .*"},
      {"SequentialOnDevices",
       {"reconstruct", "run.yaml", "--set", "solver.rule=pie", "--set", "solver.device=cuda"},
       {},
       {},
       "--set solver.device=cuda: solver.device: does not go with solver.rule: pie, whose updates "
       "of one position after the other run on the host alone"},
      {"SequentialOfMiniBatches",
       {"reconstruct", "run.yaml", "--set", "solver.rule=pie", "--set", "solver.batches=5"},
       {},
       {},
       "--set solver.batches=5: solver.batches: 5 are too many for solver.rule: pie, whose "
       "mini-batch is the whole scan: leave it out, or set it to 1"},
      {"GeometryOfNothingKnown",
       setting("geometry.refine=[defocus,focus]"),
       {},
       {},
       "--set geometry.refine=.*: geometry.refine: 'focus' is none of defocus, astigmatism, coma, "
       "trefoil, spherical, thickness, tilt, descan"},
      {"GeometryOfOneSlice",
       setting("geometry.refine=[thickness]"),
       {},
       {},
       "--set geometry.refine=.*: geometry.refine: a single slice has neither thickness nor tilt: "
       "leave them out, or set object.slices"},
      {"DetectorOfNothingKnown",
       setting("detector.refine=[background,offset]"),
       {},
       {},
       "--set detector.refine=.*: detector.refine: 'offset' is none of background, gain"},
      {"PositionsByTooLongSteps",
       setting("positions.step=3"),
       {},
       {},
       "--set positions.step=3: positions.step: 3 is out of its limits; it must be a number, above "
       "0 "
       "and at most 2"},
      {"PositionsByTooFar",
       setting("positions.largest_move=1e6"),
       {},
       {},
       "--set positions.largest_move=1e6: positions.largest_move: 1e6 Å is out of its limits; .*"},
      {"SeveralFaults",
       setting("probe.modes=0"),
       with(&Parts::optics, "  energy: high\n  semi_angel: 10\n  semi_angle: 10\n"),
       {},
       "run.yaml has 3 faults\n"
       "  run.yaml:9: optics.energy: high is not a number; .*\n"
       "  run.yaml:10: optics.semi_angel: there is no such key; the nearest is optics.semi_angle\n"
       "  --set probe.modes=0: probe.modes: 0 is out of its limits; .*"},
      {"OptionUnknown",
       {"reconstruct", "run.yaml", "--fast"},
       {},
       {},
       "The following argument was not expected: --fast; ptyle --help explains the commands"},
      {"CommandUnknown",
       {"recontsruct"},
       {},
       {},
       "there is no command recontsruct; the commands are simulate, reconstruct, inspect, compare, "
       "plan, tune, convert, import"},
      {"CommandMissing",
       {},
       {},
       {},
       "A subcommand is required; ptyle --help explains the commands"},
  };
}

std::vector<Mistake> files() {
  const auto folder_with_result = [](const TestFolder& folder) {
    folder.write("run/result.h5", "x");
  };
  const auto folder_with = [](const std::string& file) {
    return [file](const TestFolder& folder) { folder.write(file, "somebody's"); };
  };
  const auto result_is_data = [](const TestFolder& folder) {
    fs::create_directory(folder.path() / "run");
    fs::create_symlink("../data.h5", folder.path() / "run/result.h5");
  };
  const auto compressed = [](const TestFolder& folder) {
    const TestFilter nobodys(511, "squeeze");  // a number for tests
    nobodys.write(folder.path() / "squeezed.h5", "/data", {25, 32, 32});
  };
  const std::string unknown_filter =
      "run.yaml:3: data.patterns: dataset '/data' in '.*/squeezed.h5' is compressed by the filter "
      "'squeeze' \\(filter 511\\), which is not installed here: h5repack -f GZIP=1 .*";
  const std::string replaced =
      ".*/run/result.h5 is what is read, and would be replaced; choose another output.folder";
  return {
      {"DataWouldBeReplaced",
       {"reconstruct", "run.yaml", "--overwrite", "--set", "data.file=run/result.h5"},
       {},
       result_is_data,
       replaced},
      {"ObjectToStartWithWouldBeReplaced",
       {"reconstruct", "run.yaml", "--overwrite", "--set", "object.start=run/result.h5"},
       {},
       result_is_data,
       replaced},
      {"ProbeToStartWithWouldBeReplaced",
       {"reconstruct", "run.yaml", "--overwrite", "--set",
        "probe.start=run/result.h5:/small_probe"},
       {},
       result_is_data,
       replaced},
      {"ForeignConfigurationInTheFolder",
       run,
       {},
       folder_with("run/config.yaml"),
       ".*/run/config.yaml exists already; choose another output.folder, or use --overwrite .*"},
      {"ForeignCheckpointInTheFolder",
       {"reconstruct", "run.yaml", "--overwrite"},
       {},
       folder_with("run/checkpoint/notes.txt"),
       ".*/run/checkpoint/notes.txt is not ptyle's, and 'checkpoint' is the name of its "
       "checkpoints; move it away, or choose another output.folder"},
      {"CheckpointOfAnEarlierRun",
       run,
       {},
       folder_with("run/checkpoint/index.h5"),
       ".*/run has a checkpoint of an earlier run; use --resume to resume from it, or "
       "--overwrite to start over"},
      {"MoreModesThanTheProbeCarries",
       {"reconstruct", "run.yaml", "--set", "optics.semi_angle=60", "--set", "optics.defocus=0",
        "--set", "probe.modes=2"},
       {},
       {},
       "probe.modes: this probe carries only 1 of 2 modes, .*"},
      {"BackgroundTakesAll",
       setting("data.background=1e9"),
       {},
       {},
       "all 25 patterns of dataset '/data' in '.*' are zero, less data.background of 1e\\+09"},
      {"WallTimeEmpty",
       {"reconstruct", "run.yaml", "--wall-time", ""},
       {},
       {},
       "--wall-time '' should be minutes, e.g. 90, or hours:minutes:seconds, e.g. 1:30:00"},
      {"DataMissing",
       run,
       with(&Parts::data, "  file: none.h5\n"),
       {},
       "run.yaml:2: data.file: there is no file .*/none.h5"},
      {"NameTooLong",
       setting("output.folder=" + std::string(300, 'x')),
       {},
       {},
       ".*/x{300}.*: File name too long"},
      {"DataIsFolder",
       run,
       with(&Parts::data, "  file: .\n"),
       {},
       "run.yaml:2: data.file: .* is a folder, not a file"},
      {"DataNotNamed",
       run,
       with(&Parts::data, "  bin: 1\n"),
       {},
       "run.yaml: data.file: must be given, the file of the patterns"},
      {"DataNotHdf5",
       run,
       {},
       [](const TestFolder& f) { f.write("data.h5", "these are no data\n"); },
       ".*data.h5.*"},
      {"DataEmptyFile",
       run,
       {},
       [](const TestFolder& f) { f.write("data.h5", ""); },
       ".*data.h5.*"},
      {"DataTruncated",
       run,
       {},
       [](const TestFolder& f) {
         fs::resize_file(f.path() / "data.h5", fs::file_size(f.path() / "data.h5") / 2);
       },
       ".*data.h5.*"},
      {"DatasetMissing",
       run,
       with(&Parts::data, "  file: data.h5\n  patterns: /dtaa\n"),
       {},
       ".*/dtaa.*/data.*"},
      {"DatasetTwoDimensional",
       run,
       with(&Parts::data, "  file: data.h5\n  patterns: /positions\n"),
       {},
       ".*/positions.*"},
      {"DatasetComplex",
       run,
       with(&Parts::data, "  file: data.h5\n  patterns: /waves\n"),
       {},
       ".*/waves.*complex.*"},
      {"FilterMissingForPlan",
       {"plan", "run.yaml", "--set", "data.file=squeezed.h5", "--set", "scan.file=data.h5"},
       {},
       compressed,
       unknown_filter},
      {"FilterMissingForCheck",
       {"reconstruct", "--check", "run.yaml", "--set", "data.file=squeezed.h5", "--set",
        "scan.file=data.h5"},
       {},
       compressed,
       unknown_filter},
      {"FilterMissing",
       {"reconstruct", "run.yaml", "--set", "data.file=squeezed.h5", "--set", "scan.file=data.h5"},
       {},
       compressed,
       unknown_filter},
      {"PatternsNotANumber",
       run,
       {},
       data_with({.spoil = SmallData::nan}),
       ".*/data.*no numbers \\(NaN\\).*"},
      {"PatternsZero", run, {}, data_with({.spoil = SmallData::zeros}), ".*zero.*"},
      {"PositionsTooFew", run, {}, data_with({.positions = 24}), ".*24 positions.*25 patterns.*"},
      {"PositionsMissing", run, with(&Parts::scan, "  positions: /nowhere\n"), {}, ".*/nowhere.*"},
      {"PositionsNotANumber", run,
       with(&Parts::data, "  file: data.h5\n  patterns: /data\n  outliers: keep\n"),
       data_with({.spoil = SmallData::nan_position}),
       ".*/positions.*number 7.*no finite numbers.*data.skip=.7..*"},
      {"MaskOfWrongShape",
       run,
       with(&Parts::data, "  file: data.h5\n  patterns: /data\n  mask: /small_mask\n"),
       {},
       ".*/small_mask.*16 x 16.*32 x 32.*"},
      {"MaskOfEverything",
       run,
       with(&Parts::data, "  file: data.h5\n  patterns: /data\n  mask: /full_mask\n"),
       {},
       ".*/full_mask.*"},
      {"MaskFileMissing",
       run,
       with(&Parts::data, "  file: data.h5\n  mask: none.h5:/mask\n"),
       {},
       "run.yaml:3: data.mask: there is no file .*/none.h5"},
      {"CropTooLarge",
       run,
       with(&Parts::data, "  file: data.h5\n  patterns: /data\n  crop: 64\n"),
       {},
       ".*crop.*"},
      {"PositionsBeyondTheScan",
       setting("data.positions=[0, 26]"),
       {},
       {},
       ".*data.positions.*25.*"},
      {"DataOfNumPyTruncated",
       setting("data.file=x.npy"),
       {},
       [](const TestFolder& folder) { folder.write("x.npy", "\x93NUMPY"); },
       "--set data.file=x.npy: data.file: file '.*/x.npy' is truncated: it has 6 bytes, and should "
       "have 8 more from byte 0 on"},
      {"DataOfDigitalMicrograph",
       setting("data.file=x.dm4"),
       {},
       [](const TestFolder& folder) { folder.write("x.dm4", "1234"); },
       "--set data.file=x.dm4: data.file: file '.*/x.dm4' is not an HDF5 file, .dm4 files are read "
       "by RosettaSciIO; this converts it: ptyle convert '.*/x.dm4' '.*/x.h5'"},
      {"DataFilesNone",
       setting("data.file=scan_*.h5"),
       {},
       {},
       "--set data.file=scan_\\*.h5: data.file: no file is called as '.*/scan_\\*.h5' says, where "
       "\\* stands for any letters"},
      {"AxesOfFour",
       setting("data.axes=[ky, kx, y, x]"),
       {},
       {},
       "--set data.axes=\\[ky, kx, y, x\\]: data.axes: the axes \\[ky, kx, y, x\\] are not those "
       "of "
       "dataset '/data' in '.*/data.h5', 25 x 32 x 32: data.axes needs n, ky and kx in the order "
       "in "
       "which they lie, each once"},
      {"ScanShapeOfOtherCount",
       setting("data.scan_shape=[5, 4]"),
       with(&Parts::scan, "  step: 2\n"),
       {},
       ".*5 x 4.*25 patterns.*"},
      {"ProbeFileMissing",
       setting("probe.start=none.h5"),
       {},
       {},
       "--set probe.start=none.h5: probe.start: there is no file .*/none.h5"},
      {"ProbeOfWrongSize", setting("probe.start=data.h5:/small_probe"), {}, {}, ".*small_probe.*"},
      {"ObjectOfWrongFile", setting("object.start=data.h5"), {}, {}, ".*data.h5.*"},
      {"OutputExists",
       run,
       {},
       folder_with_result,
       "run.yaml: output.folder: .*/run has a result.h5 already; --overwrite replaces it"},
      {"OutputIsAFile",
       run,
       {},
       [](const TestFolder& f) { f.write("run", "x"); },
       "run.yaml: output.folder: .*/run is a file, not a folder"},
      // Nobody makes folders in /proc, not even root.
      {"OutputNotWritable",
       setting("output.folder=/proc/ptyle/run"),
       {},
       {},
       ".*(may not be written|cannot make the output folder).*"},
      {"DiskFull",
       run,
       {},
       {},
       ".*dataset '.*' in '.*result.h5' cannot be written, is the disk full[^]*File too large[^]*",
       8 << 10},
  };
}

/// A recipe.yaml in place of run.yaml.
Change recipe(const std::string& yaml) {
  return [yaml](const TestFolder& folder) { folder.write("recipe.yaml", yaml); };
}

std::vector<Mistake> other_commands() {
  const std::vector<std::string> make{"simulate", "recipe.yaml"};
  const auto with_cif = [](const std::string& cif) {
    return [cif](const TestFolder& folder) {
      folder.write("recipe.yaml", "specimen: {file: broken.cif}\n");
      folder.write("broken.cif", cif);
    };
  };
  const std::string small = "detector: {window: 32}\nscan: {shape: [2, 2]}\n";
  return {
      {"RecipeNotNamed",
       {"simulate"},
       {},
       {},
       "simulate needs a recipe; ptyle simulate --print-template writes one to start from"},
      {"RecipeEmpty", make, {}, recipe("\n"), "recipe.yaml: the configuration is empty; .*"},
      {"SpecimenUnknown",
       make,
       {},
       recipe("specimen:\n  structure: NaCl\n"),
       "recipe.yaml:2: specimen.structure: \"NaCl\" is none of its choices; it must be one of "
       "PbTiO3, SrTiO3, MoS2"},
      {"RecipeWouldBeReplaced",
       {"simulate", "recipe.yaml", "--overwrite", "--set", "output=recipe.yaml"},
       {},
       recipe(small),
       "output: .*recipe.yaml is what is read, and would be replaced; name another"},
      {"CountsBeyondTheirType",
       {"simulate", "recipe.yaml", "--set", "dose.electrons_per_A2=1e9", "--set",
        "dose.type=uint8"},
       {},
       recipe(small),
       "dose.type: a pixel of pattern [0-3] counts [0-9]+, more than uint8 holds; take a wider "
       "type or "
       "a smaller dose"},
      {"TooManyAtoms",
       {"simulate", "recipe.yaml", "--set", "detector.pixel_size=10000"},
       {},
       recipe(small),
       "the specimen would have .* atoms in .*: are detector.pixel_size, scan.step and "
       "specimen.thickness right, in Å\\?"},
      {"CifMissing",
       make,
       {},
       recipe("specimen:\n  file: none.cif\n"),
       "recipe.yaml:2: specimen.file: there is no file .*/none.cif"},
      {"CifBroken", make, {}, with_cif("data_x\nloop_\n_atom_site_label\n"), ".*broken.cif.*"},
      {"CifWithoutAtoms", make, {}, with_cif("data_x\n_cell_length_a 4\n"), ".*broken.cif.*"},
      {"ThicknessNegative",
       make,
       {},
       recipe("specimen:\n  thickness: -5\n"),
       "recipe.yaml:2: specimen.thickness: -5 Å is out of its limits; it must be a number, above 0 "
       "and at most 100000 Å"},
      {"WindowNone",
       make,
       {},
       recipe("detector:\n  window: 0\n"),
       "recipe.yaml:2: detector.window: 0 px is out of its limits; it must be a whole number, from "
       "8 to 8192 px"},
      {"ThermalElementUnknown",
       make,
       {},
       recipe(small + "thermal: {motion: debye_waller, B: [Xx=1]}\n"),
       "thermal.B: .*Xx=1.*"},
      {"DeadPixelsAll",
       make,
       {},
       recipe("detector:\n  dead_pixels: 1\n"),
       "recipe.yaml:2: detector.dead_pixels: 1 is out of its limits; it must be a number, from 0 "
       "to "
       "0.5"},
      {"SubstitutionOfNothing",
       make,
       {},
       recipe(small + "specimen: {substitutions: [\"Sr=Ba at=(0 0) radius=9\"]}\n"),
       "specimen.substitutions: \"Sr=Ba at=\\(0 0\\) radius=9\" finds no Sr .* from the scan's "
       "middle and from the entrance"},
      {"DescanOffTheDetector",
       make,
       {},
       recipe("detector: {window: 32, descan_row: [50, 0]}\nscan: {shape: [2, 2]}\n"),
       "detector.descan_row: patterns shift by up to .* px, and .* leaves the detector of 32 px; "
       "at "
       "most .* times as much is possible"},
      {"PartOfScanBeyondIt",
       {"simulate", "recipe.yaml", "--positions", "2:9"},
       {},
       recipe(small),
       "--positions 2:9: the scan has positions 0:4"},
      {"PartOfScanMalformed",
       {"simulate", "recipe.yaml", "--positions", "two"},
       {},
       recipe(small),
       "--positions two: first:last is needed, last not included, for example 0:1000"},
      {"ThreadsNegative",
       {"simulate", "recipe.yaml", "--threads", "-2"},
       {},
       recipe(small),
       "--set threads=-2: threads: -2 is out of its limits; it must be a whole number, from 0 to "
       "4096"},
      {"InspectMissing", {"inspect", "none.h5"}, {}, {}, "file 'none.h5' does not exist"},
      {"InspectNotHdf5",
       {"inspect", "run.yaml", "--set", "data.file=run.yaml"},
       {},
       {},
       "file '.*/run.yaml' is not an HDF5 file"},
      {"InspectPositionsOfAnotherNumber",
       {"inspect", "data.h5", "--no-pictures", "--set", "scan.positions=/two"},
       {},
       [](const TestFolder& folder) {
         const std::vector<double> two(4);
         h5::File::update((folder.path() / "data.h5").string()).write("/two", {2, 2}, two.data());
       },
       ".*'/two'.* has 2 positions but .* has 25 patterns; .*"},
      {"InspectUnknownKey",
       {"inspect", "data.h5", "--set", "optics.enrgy=3"},
       {},
       {},
       "--set optics.enrgy=3: optics.enrgy: there is no such key; the nearest is optics.energy"},
      {"CompareMissing", {"compare", "none.h5", "data.h5"}, {}, {}, "there is no file none.h5"},
      {"CompareNoResult", {"compare", "data.h5", "data.h5"}, {}, {}, ".*data.h5.*/object/phase.*"},
      {"CompareOne",
       {"compare", "data.h5"},
       {},
       {},
       "reference is required; ptyle --help explains the commands"},
  };
}

class Mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, IsToldInOneSentence) {
  const auto& mistake = GetParam();
  const TestFolder folder;
  write_small_data(folder.path() / "data.h5", {});
  folder.write("run.yaml", mistake.parts.yaml());
  if (mistake.change) mistake.change(folder);
  const auto before = folder.files();
  setenv("CUDA_VISIBLE_DEVICES", "-1", 1);  // whatever the machine has
  const auto ran =
      run_ptyle(mistake.arguments, {.folder = folder.path(), .file_limit = mistake.file_limit});
  EXPECT_EQ(ran.status, 2) << ran.err << ran.out;
  std::string said = ran.err;
  // Warnings come before; the sentence is what "ptyle: " begins.
  if (const auto at = said.find("ptyle: "); at != std::string::npos) said = said.substr(at);
  EXPECT_TRUE(std::regex_match(said, std::regex("ptyle: " + mistake.says + "\n"))) << ran.err;
  EXPECT_EQ(folder.files(), before);
}

const auto named = [](const auto& info) { return info.param.name; };
/// The Python package is not installed, or there is no Python.
TEST(PythonCommands, NameTheLineThatInstallsThePackage) {
  const TestFolder folder;
  folder.write("bin/python3", "#!/bin/sh\nexport PATH=\"$REAL_PATH\"\nexec python3 -S -E \"$@\"\n");
  fs::permissions(folder.path() / "bin/python3", fs::perms::owner_all);
  const std::string path = std::getenv("PATH");
  const bool python = std::system("command -v python3 > /dev/null") == 0;
  for (const std::string command : {"convert", "import"}) {
    const Ran without =
        run_ptyle({command, "a", "b"},
                  {.folder = folder.path(), .environment = {{"PATH", folder.path() / "none"}}});
    EXPECT_EQ(without.status, 2);
    EXPECT_TRUE(std::regex_match(without.err, std::regex("ptyle: " + command +
                                                         " belongs to ptyle's Python package, and "
                                                         "there is no python3 here; .* pip install "
                                                         "ptyle\n")))
        << without.err;
    if (!python) continue;
    const Ran bare =
        run_ptyle({command, "a", "b"},
                  {.folder = folder.path(),
                   .environment = {{"PATH", folder.path() / "bin"}, {"REAL_PATH", path}}});
    EXPECT_EQ(bare.status, 2);
    EXPECT_TRUE(std::regex_match(bare.err,
                                 std::regex("ptyle: " + command +
                                            " belongs to ptyle's Python package, which .*python3.* "
                                            "does not have; pip install ptyle\n")))
        << bare.err;
  }
  EXPECT_EQ(folder.files(), (std::vector<std::string>{"bin", "bin/python3"}));
}

INSTANTIATE_TEST_SUITE_P(Configuration, Mistakes, testing::ValuesIn(configurations()), named);
INSTANTIATE_TEST_SUITE_P(OtherCommands, Mistakes, testing::ValuesIn(other_commands()), named);
INSTANTIATE_TEST_SUITE_P(Files, Mistakes, testing::ValuesIn(files()), named);

}  // namespace
}  // namespace ptyle
