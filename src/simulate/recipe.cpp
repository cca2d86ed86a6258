#include "simulate/recipe.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.hpp"
#include "core/keys.hpp"

namespace ptyle {
namespace {

// FNV-1a, 64 bits: names the contents of a file.
std::uint64_t checksum(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw UserError(fmt::format("{}: the structure's file cannot be read", file));
  std::uint64_t sum = 0xcbf29ce484222325;
  for (std::istreambuf_iterator<char> c(in), end; c != end; ++c)
    sum = (sum ^ static_cast<unsigned char>(*c)) * 0x100000001b3;
  return sum;
}

}  // namespace

std::string describe(const Recipe& recipe) {
  const std::string& file = recipe.specimen.file;
  return with_keys(recipe, [&](const Keys& keys, const Keys& defaults) {
    std::string text;
    for (const auto& section : keys.sections()) {
      if (!section.path.empty()) text += section.path + ":\n";
      for (std::size_t i = 0; i < keys.all().size(); ++i) {
        const Key& key = keys.all()[i];
        if (section_of(key.path) != section.path || key.at_resume == AtResume::free) continue;
        if (key.reported_if_set && text_of(key) == text_of(defaults.all()[i])) continue;
        if (key.path == (file.empty() ? "specimen.file" : "specimen.structure")) continue;
        const std::string value =
            key.file == FileKind::none
                ? text_of(key)
                : fmt::format("{}  # contents {:016x}",
                              std::filesystem::path(file).filename().string(), checksum(file));
        text +=
            fmt::format("{}{}: {}\n", section.path.empty() ? "" : "  ", leaf_of(key.path), value);
      }
    }
    return text;
  });
}

}  // namespace ptyle
