// The schema by its structure; tests/e2e/check-json-schema holds it against configurations.

#include <gtest/gtest.h>

#include <cctype>
#include <cstring>
#include <map>
#include <stdexcept>

#include "session/json_schema.hpp"
#include "session/keys.hpp"
#include "simulate/recipe.hpp"

namespace ptyle {
namespace {

/// A value of JSON (RFC 8259), strictly parsed. Scalars are kept as they are written.
struct Json {
  std::string scalar;
  std::vector<Json> list;
  std::map<std::string, Json> members;

  [[nodiscard]] const Json& at(const std::string& path) const {
    const auto dot = path.find('.');
    const Json& member = members.at(path.substr(0, dot));
    return dot == std::string::npos ? member : member.at(path.substr(dot + 1));
  }
  [[nodiscard]] bool has(const std::string& name) const { return members.contains(name); }
};

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}
  Json whole() {
    Json json = value();
    if (peek() != 0) fail();
    return json;
  }

 private:
  [[noreturn]] void fail() const {
    throw std::runtime_error("no JSON at: " + text_.substr(at_, 60));
  }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : char(0);
  }
  void take(char c) {
    if (peek() != c) fail();
    ++at_;
  }
  bool takes(char c) {
    const bool there = peek() == c;
    at_ += there;
    return there;
  }
  std::string text() {
    const auto begin = at_;
    take('"');
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) fail();
      if (text_[at_] == '\\' && !std::strchr("\"\\/bfnrtu", text_[++at_])) fail();
    }
    take('"');
    return text_.substr(begin, at_ - begin);
  }
  Json value() {
    Json json;
    if (peek() == '"') {
      json.scalar = text();
    } else if (takes('{')) {
      while (!takes('}')) {
        if (!json.members.empty()) take(',');
        if (peek() != '"') fail();
        const std::string name = text();
        take(':');
        if (!json.members.emplace(name.substr(1, name.size() - 2), value()).second) fail();
      }
    } else if (takes('[')) {
      while (!takes(']')) {
        if (!json.list.empty()) take(',');
        json.list.push_back(value());
      }
    } else {
      const auto end = text_.find_first_of(" \n,]}", at_);
      json.scalar = text_.substr(at_, end - at_);
      std::size_t used = 0;
      const bool word = json.scalar == "true" || json.scalar == "false" || json.scalar == "null";
      if (!word) (void)std::stod(json.scalar, &used);
      const bool number = used == json.scalar.size() && json.scalar[0] != '+' &&
                          json.scalar[0] != '.' && !std::isalpha(json.scalar.back());
      if (!word && !number) fail();
      at_ = end;
    }
    return json;
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

template <class Config>
Json schema_of() {
  Config config;
  Keys all;
  keys(all, config);
  const std::string text = json_schema(all, "a \"title\"");
  return Parser(text).whole();
}

std::string words(const Json& list) {
  std::string all;
  for (const auto& one : list.list) all += one.scalar + " ";
  return all;
}

TEST(JsonSchema, OfAReconstruction) {
  const Json schema = schema_of<ReconstructConfig>();
  EXPECT_EQ(schema.at("$schema").scalar, "\"https://json-schema.org/draft/2020-12/schema\"");
  EXPECT_EQ(schema.at("title").scalar, "\"a \\\"title\\\"\"");
  EXPECT_EQ(schema.at("additionalProperties").scalar, "false");
  EXPECT_EQ(schema.at("properties").members.size(), 13U);
  const auto key = [&](const std::string& section, const std::string& name) -> const Json& {
    const Json& of = schema.at("properties." + section);
    EXPECT_EQ(of.at("additionalProperties").scalar, "false");
    return of.at("properties").at(name);
  };
  const Json& energy = key("optics", "energy");
  EXPECT_EQ(energy.at("type").scalar, "\"number\"");
  EXPECT_EQ(energy.at("exclusiveMinimum").scalar, "0");
  EXPECT_EQ(energy.at("maximum").scalar, "10000");
  EXPECT_EQ(energy.at("description").scalar, "\"[kV] accelerating voltage\"");
  EXPECT_FALSE(energy.has("default"));  // 0: not given
  const Json& modes = key("probe", "modes");
  EXPECT_EQ(modes.at("type").scalar, "\"integer\"");
  EXPECT_EQ(modes.at("minimum").scalar, "1");
  EXPECT_EQ(modes.at("default").scalar, "1");
  EXPECT_EQ(words(key("solver", "loss").at("enum")),
            "\"auto\" \"amplitude\" \"poisson\" \"intensity\" ");
  EXPECT_EQ(key("solver", "loss").at("default").scalar, "\"auto\"");
  const Json& centre = key("data", "centre");
  EXPECT_EQ(centre.at("type").scalar, "\"array\"");
  EXPECT_EQ(centre.at("items.type").scalar, "\"number\"");
  EXPECT_EQ(centre.at("minItems").scalar, "2");
  EXPECT_EQ(centre.at("maxItems").scalar, "2");
  EXPECT_EQ(key("scan", "step").at("anyOf").list.size(), 2U);
  EXPECT_EQ(words(key("ranks", "halo").at("type")), "\"string\" \"number\" ");
  EXPECT_EQ(key("solver", "groups").at("deprecated").scalar, "true");
  EXPECT_EQ(words(schema.at("properties.solver.not.anyOf").list.at(0).at("required")),
            "\"batches\" \"groups\" ");
}

TEST(JsonSchema, HasEveryKeyOfARecipe) {
  const Json schema = schema_of<Recipe>();
  Recipe recipe;
  Keys all;
  keys(all, recipe);
  for (const Key& key : all.all()) {
    const std::string section = section_of(key.path);
    const Json& of = section.empty() ? schema : schema.at("properties." + section);
    const Json& property = of.at("properties").at(leaf_of(key.path));
    EXPECT_TRUE(property.has("type") || property.has("anyOf")) << key.path;
    EXPECT_TRUE(property.has("description")) << key.path;
  }
  EXPECT_EQ(schema.at("properties.seed.default").scalar, "0");
}

}  // namespace
}  // namespace ptyle
