#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "core/error.hpp"
#include "session/schema.hpp"

namespace ptyle {
namespace {

enum class Loss { amplitude, poisson };
constexpr auto choices(Loss) {
  return std::to_array<Named<Loss>>({{Loss::amplitude, "amplitude"}, {Loss::poisson, "poisson"}});
}

/// One field of every type.
struct Fields {
  bool flag = false;
  int count = 1;
  double energy = 0;
  Loss loss = Loss::amplitude;
  std::string name, file, start = "optics";
  std::uint64_t seed = 7;
  std::optional<double> dose;
  std::array<double, 2> step{};
  std::array<int, 2> shape{};
  std::array<int, 3> repeat{1, 1, 1};
  std::array<double, 3> axis{0, 0, 1};
  std::optional<std::array<double, 2>> centre;
  std::vector<int> chosen;
  std::vector<double> list;
  std::vector<std::string> words;
};

Schema schema_of(Fields& f) {
  Keys v;
  v.section("beam", "the beam");
  v("energy", f.energy, above(0).up_to(3000), "kV", "of the beam")
      .starting("300")
      .also_called("voltage");
  v("dose", f.dose, above(0), "e/Å²", "counts").example("1000");
  v("step", f.step, above(0).alone(), "Å", "between positions").example("[1, 2]");
  v("axis", f.axis, "along");
  v("repeat", f.repeat, at_least(1), "cells");
  v.section("fit", "the fit");
  v("flag", f.flag, "a switch");
  v("count", f.count, at_least(1), "how many")
      .formerly("number")
      .not_to_be_taken_for("size", "their number, not their size");
  v("loss", f.loss, "what");
  v("name", f.name, filled(), "any text").example("abc");
  v("file", f.file, filled(), "a file").example("a.h5").file();
  v("start", f.start, words_or_file({"optics", "mean"}), "a start").file(FileKind::dataset);
  v("shape", f.shape, at_least(1), "shape").example("[2, 3]");
  v("centre", f.centre, "px", "centre").example("[1, 2]");
  v.section("fit.inner", "inside");
  v("chosen", f.chosen, at_least(0), "positions");
  v("list", f.list, "numbers");
  v("words", f.words, "texts");
  v.section("", "no section");
  v("seed", f.seed, at_least(0), "seed");
  return Schema(std::move(v));
}

std::string faults_of(const std::string& yaml, const std::vector<std::string>& settings = {}) {
  Fields fields;
  Schema schema = schema_of(fields);
  Faults faults;
  schema.read_text(yaml, "run.yaml", "/data", faults);
  for (const auto& setting : settings) schema.read_setting(setting, faults);
  try {
    faults.raise("run.yaml");
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}

TEST(Schema, ReadsEveryType) {
  Fields f;
  Schema schema = schema_of(f);
  Faults faults;
  schema.read_text(
      "beam: {energy: 300, dose: 1e4, step: 1.5, axis: [1, 1, 0], repeat: [2, 3, 4]}\n"
      "fit:\n"
      "  flag: yes\n"
      "  count: 12\n"
      "  loss: poisson\n"
      "  name: \"a: b\"\n"
      "  file: sub/x.h5\n"
      "  start: probe.h5:/p\n"
      "  shape: [46, 45]\n"
      "  centre: [126.1, 127.7]\n"
      "  inner: {chosen: [0, 10, 2], list: [0.5, -1], words: [a, b]}\n"
      "seed: 18446744073709551615\n",
      "run.yaml", "/data", faults);
  faults.raise("run.yaml");
  EXPECT_EQ(f.energy, 300);
  EXPECT_EQ(f.dose, 1e4);
  EXPECT_EQ(f.step, (std::array<double, 2>{1.5, 1.5}));
  EXPECT_EQ(f.axis, (std::array<double, 3>{1, 1, 0}));
  EXPECT_EQ(f.repeat, (std::array<int, 3>{2, 3, 4}));
  EXPECT_TRUE(f.flag);
  EXPECT_EQ(f.count, 12);
  EXPECT_EQ(f.loss, Loss::poisson);
  EXPECT_EQ(f.name, "a: b");
  EXPECT_EQ(f.file, "/data/sub/x.h5");
  EXPECT_EQ(f.start, "/data/probe.h5:/p");
  EXPECT_EQ(f.seed, 18446744073709551615u);
  EXPECT_EQ(f.shape, (std::array<int, 2>{46, 45}));
  EXPECT_EQ(*f.centre, (std::array<double, 2>{126.1, 127.7}));
  EXPECT_EQ(f.chosen, (std::vector<int>{0, 10, 2}));
  EXPECT_EQ(f.list, (std::vector<double>{0.5, -1}));
  EXPECT_EQ(f.words, (std::vector<std::string>{"a", "b"}));

  // The resolved copy reads back as the same, and is then its own resolved copy.
  const auto resolved = schema.resolved();
  Fields again;
  Schema second = schema_of(again);
  second.read_text(resolved, "resolved.yaml", "/elsewhere", faults);
  faults.raise("resolved.yaml");
  EXPECT_EQ(second.resolved(), resolved);
  EXPECT_EQ(again.file, f.file);
  EXPECT_EQ(again.start, f.start);
  EXPECT_EQ(again.name, f.name);
  EXPECT_EQ(again.seed, f.seed);
  EXPECT_EQ(again.dose, f.dose);
  EXPECT_EQ(again.centre, f.centre);
  EXPECT_EQ(again.list, f.list);
}

TEST(Schema, WholeNumbersAreDecimal) {
  Fields f;
  Schema schema = schema_of(f);
  Faults faults;
  schema.read_text("fit: {shape: [020, 014], count: 08}\nseed: 00000000000000000000000017\n",
                   "run.yaml", "/data", faults);
  schema.read_setting("beam.repeat=[010, +07, 3]", faults);
  schema.read_setting("fit.inner.chosen=[00, 0100]", faults);
  schema.read_setting("beam.energy=0300", faults);
  faults.raise("run.yaml");
  EXPECT_EQ(f.shape, (std::array<int, 2>{20, 14}));
  EXPECT_EQ(f.count, 8);
  EXPECT_EQ(f.seed, 17U);
  EXPECT_EQ(f.repeat, (std::array<int, 3>{10, 7, 3}));
  EXPECT_EQ(f.chosen, (std::vector<int>{0, 100}));
  EXPECT_EQ(f.energy, 300);
  EXPECT_NE(faults_of("fit: {count: 0o20}\n").find("0o20 is not a whole number"),
            std::string::npos);
}

TEST(Schema, DefaultsThatTheLimitsRefuseAreNotWritten) {
  Fields f;
  const auto resolved = schema_of(f).resolved();
  EXPECT_EQ(resolved.find("energy"), std::string::npos) << resolved;
  EXPECT_EQ(resolved.find("dose"), std::string::npos) << resolved;
  EXPECT_NE(resolved.find("count: 1"), std::string::npos) << resolved;
  EXPECT_EQ(f.energy, 0);
}

struct Case {
  const char *yaml, *fault;
};

TEST(Schema, NamesEveryFault) {
  const Case cases[] = {
      {"", "run.yaml: the configuration is empty; --print-template writes one to start from"},
      {"# only a comment\n",
       "run.yaml: the configuration is empty; --print-template writes one to start from"},
      {"12\n", "run.yaml:1: the configuration must consist of sections and keys"},
      {"beam:\n  energy: [1\n", "run.yaml:3: this is not YAML: end of sequence flow not found"},
      {"beam:\n  energy: 300\n---\nbeam:\n",
       "run.yaml:4: only one YAML document is allowed in the file"},
      {"beam:\n  enregy: 300\n",
       "run.yaml:2: beam.enregy: there is no such key; the nearest is beam.energy"},
      {"beam:\n  Voltage: 300\n",
       "run.yaml:2: beam.Voltage: there is no such key; the nearest is beam.energy"},
      {"fit:\n  energy: 300\n",
       "run.yaml:2: fit.energy: there is no such key; the nearest is beam.energy"},
      {"fit:\n  wavefront_sensor: 1\n",
       "run.yaml:2: fit.wavefront_sensor: there is no such key; --print-template lists all"},
      {"machine_learning:\n  a: 1\n",
       "run.yaml:1: machine_learning: there is no such section; --print-template lists all"},
      {"energy: 300\n", "run.yaml:1: energy: there is no such key; the nearest is beam.energy"},
      {"baem:\n  energy: 300\n", "run.yaml:1: baem: there is no such section; the nearest is beam"},
      {"beam: 300\n", "run.yaml:1: beam: is a section and takes keys, not a value"},
      {"beam:\n  energy: 300\n  energy: 200\n",
       "run.yaml:3: beam.energy: given twice, first at run.yaml:2"},
      {"beam:\n  energy: 300\nfit:\nbeam:\n  dose: 1\n",
       "run.yaml:4: beam: this section is given twice, first on line 1"},
      {"beam:\n  energy:\n",
       "run.yaml:2: beam.energy: it has no value; it must be a number, above 0 and at most 3000 "
       "kV"},
      {"beam:\n  energy: high\n",
       "run.yaml:2: beam.energy: high is not a number; it must be a number, above 0 and at most "
       "3000 kV"},
      {"beam:\n  energy: {a: 1}\n",
       "run.yaml:2: beam.energy: a section is not a number; it must be a number, above 0 and at "
       "most 3000 "
       "kV"},
      {"beam:\n  energy: -300\n",
       "run.yaml:2: beam.energy: -300 kV is out of its limits; it must be a number, above 0 and at "
       "most 3000 kV"},
      {"beam:\n  energy: 0\n",
       "run.yaml:2: beam.energy: 0 kV is out of its limits; it must be a number, above 0 and at "
       "most "
       "3000 kV"},
      {"beam:\n  energy: .nan\n",
       "run.yaml:2: beam.energy: .nan is not finite; it must be a number, above 0 and at most 3000 "
       "kV"},
      {"beam:\n  step: [1, 2, 3]\n",
       "run.yaml:2: beam.step: [1, 2, 3] has 3 values instead of 2; it must be a number or a list "
       "of "
       "2 numbers, above 0 Å"},
      {"beam:\n  axis: 3\n",
       "run.yaml:2: beam.axis: 3 is not a list; it must be a list of 3 numbers"},
      {"beam:\n  repeat: [1, 2.5, 3]\n",
       "run.yaml:2: beam.repeat: 2.5 is not a whole number; it must be a list of 3 whole numbers, "
       "1 "
       "or more"},
      {"fit:\n  flag: maybe\n",
       "run.yaml:2: fit.flag: maybe is not true or false; it must be true or false"},
      {"fit:\n  count: 0\n",
       "run.yaml:2: fit.count: 0 is out of its limits; it must be a whole number, 1 or more"},
      {"fit:\n  count: 99999999999\n",
       "run.yaml:2: fit.count: 99999999999 is out of its limits; it must be a whole number, 1 or "
       "more"},
      {"seed: 18446744073709551616\n",  // 2^64
       "run.yaml:1: seed: 18446744073709551616 is out of its limits; it must be a whole number, 0 "
       "or more"},
      {"seed: -1\n",
       "run.yaml:1: seed: -1 is out of its limits; it must be a whole number, 0 or more"},
      {"fit:\n  loss: huber\n",
       "run.yaml:2: fit.loss: \"huber\" is none of its choices; it must be one of amplitude, "
       "poisson"},
      {"fit:\n  name: ''\n", "run.yaml:2: fit.name: the text is empty; it must be a text"},
      {"fit:\n  count: 1\n  number: 2\n",
       "run.yaml:3: fit.number: given twice, first at run.yaml:2 by its other name fit.count"},
      {"fit:\n  number: 0\n",
       "run.yaml:2: fit.count: 0 is out of its limits; it must be a whole number, 1 or more"},
      {"fit:\n  numbr: 2\n",
       "run.yaml:2: fit.numbr: there is no such key; the nearest is fit.count"},
      {"fit:\n  size: 32\n",
       "run.yaml:2: fit.size: there is no such key; did you mean fit.count (their number, not "
       "their size)?"},
      {"fit:\n  [1, 2]: 3\n", "run.yaml:2: a key must be a word"},
  };
  for (const auto& c : cases) EXPECT_EQ(faults_of(c.yaml), c.fault) << c.yaml;
}

TEST(Schema, SettingsOverrideAndAreChecked) {
  const std::string base = "beam: {energy: 300}\n";
  const std::pair<const char*, const char*> cases[] = {
      {"beam.energy=200", ""},
      {"fit.inner.chosen=[1, 2]", ""},
      {"beam.energy=~", ""},
      {"beam.energy",
       "--set beam.energy: a setting reads key=value, for example optics.energy=300"},
      {"=3", "--set =3: a setting reads key=value, for example optics.energy=300"},
      {"beam=3", "--set beam=3: beam is a section; name one of its keys"},
      {"beam.enrgy=3",
       "--set beam.enrgy=3: beam.enrgy: there is no such key; the nearest is beam.energy"},
      {"fit.count=0",
       "--set fit.count=0: fit.count: 0 is out of its limits; it must be a whole number, 1 or "
       "more"},
      {"beam.step=[1,",
       "--set beam.step=[1,: the value is not YAML: end of sequence flow not found"},
      {"beam.step=[1, 2][3]",
       "--set beam.step=[1, 2][3]: beam.step: [1, 2][3] is more than one value; it must be a "
       "number or a list of 2 numbers, above 0 Å"},
      {"fit.count=",
       "--set fit.count=: fit.count: it has no value; it must be a whole number, 1 or more"},
  };
  for (const auto& [setting, fault] : cases)
    EXPECT_EQ(faults_of(base, {setting}), fault) << setting;

  Fields f;
  Schema schema = schema_of(f);
  Faults faults;
  schema.read_text("beam: {energy: 300, dose: 5}\nfit: {flag: false}", "run.yaml", "/data", faults);
  schema.read_setting("beam.energy=200", faults);
  schema.read_setting("beam.dose=~", faults);
  schema.read_setting("fit.file=x.h5", faults);
  faults.raise("");
  EXPECT_EQ(f.energy, 200);
  EXPECT_FALSE(f.dose.has_value());
  EXPECT_FALSE(schema.given("beam.dose"));
  EXPECT_TRUE(schema.given("fit.flag"));
  EXPECT_EQ(f.file, (std::filesystem::current_path() / "x.h5").string());
}

TEST(Schema, AnEarlierNameStillReads) {
  Fields f;
  Schema schema = schema_of(f);
  Faults faults;
  schema.read_text("fit: {number: 5}\n", "run.yaml", "/data", faults);
  faults.raise("run.yaml");
  EXPECT_EQ(f.count, 5);
  EXPECT_TRUE(schema.given("fit.count"));
  EXPECT_NE(schema.resolved().find("count: 5"), std::string::npos);
  EXPECT_EQ(schema.resolved().find("number"), std::string::npos);
  schema.read_setting("fit.number=6", faults);
  faults.raise("");
  EXPECT_EQ(f.count, 6);
  schema.read_setting("fit.number=~", faults);
  EXPECT_EQ(f.count, 1);
  EXPECT_FALSE(schema.given("fit.count"));
}

TEST(Schema, ListsAllFaultsInTheOrderOfTheFile) {
  const auto text = faults_of("fit:\n  count: 0\n  cuont: 1\nbeam:\n  energy: x\n", {"a.losss=1"});
  EXPECT_EQ(
      text,
      "run.yaml has 4 faults\n"
      "  run.yaml:2: fit.count: 0 is out of its limits; it must be a whole number, 1 or more\n"
      "  run.yaml:3: fit.cuont: there is no such key; the nearest is fit.count\n"
      "  run.yaml:5: beam.energy: x is not a number; it must be a number, above 0 and at most "
      "3000 kV\n"
      "  --set a.losss=1: a.losss: there is no such key; the nearest is fit.loss");
}

TEST(Schema, StartingFileReadsBackAndHoldsUnits) {
  Fields f;
  Schema schema = schema_of(f);
  const auto text = schema.starting_file("Title");
  EXPECT_NE(
      text.find("  energy: 300                     # [kV] of the beam; above 0 and at most 3000"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("  # loss: amplitude"), std::string::npos) << text;
  Faults faults;
  schema.read_text(text, "t.yaml", "/", faults);
  faults.raise("t.yaml");
  EXPECT_EQ(f.energy, 300);
}

TEST(Schema, TakesValuesThatAProgramGives) {
  Fields f;
  Schema schema = schema_of(f);
  Faults faults;
  schema.read_named({"energy", "200"}, faults);  // by its last part
  schema.read_named({"fit.inner.chosen", "[3, 5]"}, faults);
  schema.read_named({"name", "\"a: b\""}, faults);  // as JSON writes texts
  schema.read_named({"dose", "5"}, faults);
  schema.read_named({"dose", "~"}, faults);
  faults.raise("");
  EXPECT_EQ(f.energy, 200);
  EXPECT_EQ(f.chosen, (std::vector<int>{3, 5}));
  EXPECT_EQ(f.name, "a: b");
  EXPECT_FALSE(f.dose.has_value());
}

TEST(Schema, SaysWhatIsWrongWithValuesThatAProgramGives) {
  Fields f;
  Keys v;
  v.section("a", "one");
  v("step", f.energy, above(0), "Å", "of it");
  v("other", f.flag, "a switch");
  v.section("b", "another");
  v("step", f.count, "of that");
  Schema schema(std::move(v));
  Faults faults;
  schema.read_named({"step", "1"}, faults);
  schema.read_named({"a.step", "-1"}, faults);
  schema.read_named({"othr", "true"}, faults);
  schema.read_named({"a", "1"}, faults);
  try {
    faults.raise("the configuration");
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(),
                 "the configuration has 4 faults\n"
                 "  step: several keys end so, give one of them whole: a.step, b.step\n"
                 "  a.step: -1 Å is out of its limits; it must be a number, above 0 Å\n"
                 "  othr: there is no such key; the nearest is a.other\n"
                 "  a is a section; name one of its keys");
  }
}

}  // namespace
}  // namespace ptyle
