#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "core/error.hpp"
#include "core/keys.hpp"

namespace ptyle {
namespace {

enum class Side { left, right };
constexpr auto choices(Side) {
  return std::to_array<Named<Side>>({{Side::left, "left"}, {Side::right, "right"}});
}
constexpr auto choices(std::optional<Side>) {
  return std::to_array<Named<std::optional<Side>>>({{std::nullopt, "auto"}, {Side::left, "left"}});
}

struct Config {
  double energy = 0;  // 0: not given, which the limits refuse
  Side side = Side::left;
  std::optional<Side> maybe;
  std::array<int, 2> shape{4, 5};
  std::optional<double> defocus;
  std::vector<std::string> words;
  std::string name;
  bool flag = false;
};

template <class V>
void keys(V& v, Config& c) {
  v.section("beam", "the beam", AtResume::same);
  v("energy", c.energy, above(0).up_to(10), "kV", "of the beam").starting("3").formerly("volts");
  v("side", c.side, "where").free_at_resume();
  v("maybe", c.maybe, "where, perhaps");
  v.section("", "the rest");
  v("shape", c.shape, at_least(1), "rows and columns").example("[1, 2]");
  v("defocus", c.defocus, "Å", "under");
  v("words", c.words, "some");
  v("name", c.name, filled(), "of it").file();
  v("flag", c.flag, "a switch").same_at_resume();
}

/// The faults of a configuration after a change, as one text.
template <class Change>
std::string faults_after(Change&& change) {
  Config config;
  change(config);
  try {
    check_limits(config);
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}

TEST(Keys, SayWhatWasDeclared) {
  Config config;
  Keys all;
  keys(all, config);
  ASSERT_EQ(all.all().size(), 8U);
  const Key& energy = all.all()[0];
  EXPECT_EQ(energy.path, "beam.energy");
  EXPECT_EQ(energy.formerly, "beam.volts");
  EXPECT_EQ(energy.unit, "kV");
  EXPECT_TRUE(energy.starts);
  EXPECT_EQ(expected(energy), "a number, above 0 and at most 10 kV");
  EXPECT_EQ(energy.at_resume, AtResume::same);
  EXPECT_EQ(all.all()[1].at_resume, AtResume::free);
  EXPECT_EQ(all.all()[3].path, "shape");
  EXPECT_EQ(all.all()[3].at_resume, AtResume::free);
  EXPECT_EQ(all.all()[7].at_resume, AtResume::same);
  std::vector<std::string> texts;
  for (const Key& key : all.all()) texts.push_back(text_of(key));
  EXPECT_EQ(texts,
            (std::vector<std::string>{"0", "left", "auto", "[4, 5]", "", "[]", "", "false"}));
}

TEST(Keys, ASectionGoesOnWhereItIsNamedAgain) {
  Config config;
  double more = 0;
  Keys all;
  keys(all, config);
  all.section("beam");
  all("more", more, "of the beam");
  EXPECT_EQ(all.sections().size(), 2U);
  EXPECT_EQ(all.sections()[0].doc, "the beam");
  EXPECT_EQ(all.all().back().path, "beam.more");
  EXPECT_EQ(all.all().back().at_resume, AtResume::free);
  EXPECT_THROW(all("energy", more, "of the beam"), std::logic_error);
}

TEST(Keys, ChoicesAreReadAndWrittenByTheirWords) {
  Config config;
  Keys all;
  keys(all, config);
  const auto& side = std::get<ChoiceField>(all.all()[1].field);
  EXPECT_TRUE(side.take("right"));
  EXPECT_EQ(config.side, Side::right);
  EXPECT_FALSE(side.take("middle"));
  EXPECT_EQ(config.side, Side::right);
  const auto& maybe = std::get<ChoiceField>(all.all()[2].field);
  EXPECT_TRUE(maybe.take("left"));
  EXPECT_EQ(config.maybe, Side::left);
  EXPECT_TRUE(maybe.take("auto"));
  EXPECT_FALSE(config.maybe.has_value());
  EXPECT_EQ(all.all()[2].choices(), (std::vector<std::string>{"auto", "left"}));
  EXPECT_TRUE(all.all()[0].choices().empty());
}

TEST(Keys, ValuesOutOfTheirLimitsAreFaults) {
  EXPECT_EQ(faults_after([](Config&) {}), "");  // defaults are right, though 0 kV is none to give
  EXPECT_EQ(faults_after([](Config& c) { c.energy = 10; }), "");
  EXPECT_EQ(faults_after([](Config& c) { c.energy = 11; }),
            "beam.energy: 11 kV is out of its limits; it must be a number, above 0 and at most 10 "
            "kV");
  EXPECT_EQ(faults_after([](Config& c) { c.side = static_cast<Side>(2); }),
            "beam.side: the value is none of its choices; it must be one of left, right");
  EXPECT_EQ(faults_after([](Config& c) { c.maybe = Side::right; }),
            "beam.maybe: the value is none of its choices; it must be one of auto, left");
  EXPECT_EQ(faults_after([](Config& c) {
              c.shape = {3, 0};
            }),
            "shape: 0 is out of its limits; it must be a list of 2 whole numbers, 1 or more");
  EXPECT_EQ(faults_after([](Config& c) { c.defocus = std::numeric_limits<double>::infinity(); }),
            "defocus: inf is not finite; it must be a number, in Å");
  EXPECT_EQ(faults_after([](Config& c) {
              c.energy = -1, c.shape = {0, 1};
            }),
            "the configuration has 2 faults\n"
            "  beam.energy: -1 kV is out of its limits; it must be a number, above 0 and at most "
            "10 kV\n"
            "  shape: 0 is out of its limits; it must be a list of 2 whole numbers, 1 or more");
}

}  // namespace
}  // namespace ptyle
