#include "session/schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "core/error.hpp"
#include "core/printable.hpp"
#include "core/text.hpp"
#include "io/dataset_name.hpp"
#include "session/value.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

constexpr int after_all_lines = std::numeric_limits<int>::max();

/// Edits (insert, delete, replace, swap neighbours) that make b of a.
int edit_distance(const std::string& a, const std::string& b) {
  const std::size_t n = a.size(), m = b.size();
  std::vector<std::vector<int>> d(n + 1, std::vector<int>(m + 1));
  for (std::size_t i = 0; i <= n; ++i) d[i][0] = int(i);
  std::iota(d[0].begin(), d[0].end(), 0);
  for (std::size_t i = 1; i <= n; ++i)
    for (std::size_t j = 1; j <= m; ++j) {
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[n][m];
}

/// As many edits make another word of one.
double far(const std::string& word) {
  return std::max(2.5, 0.5 * static_cast<double>(word.size()));
}

std::string with_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  return path.starts_with("~/") && home ? home + path.substr(1) : path;
}

/// Makes the file that a text names relative to the configuration an absolute one.
void resolve_text(const Key& key, const std::string& folder, std::string& text) {
  if (text.empty()) return;
  const auto& words = key.limits.words;
  if (std::find(words.begin(), words.end(), text) != words.end()) return;
  const std::string file = (fs::absolute(folder) / with_home(text)).lexically_normal().string();
  if (key.file == FileKind::dataset && !split_dataset(text)) {
    const bool is_file = fs::path(text).has_extension() || fs::exists(file);
    if (text.starts_with("/") || !is_file) return;
  }
  text = file;
}

void resolve_file(const Key& key, const std::string& folder) {
  if (key.file == FileKind::none) return;
  if (auto* const* field = std::get_if<std::string*>(&key.field))
    resolve_text(key, folder, **field);
  if (auto* const* fields = std::get_if<std::vector<std::string>*>(&key.field))
    for (std::string& text : **fields) resolve_text(key, folder, text);
}

Faults::Place place_of(const std::string& name, const YAML::Mark& mark) {
  return {fmt::format("{}:{}", name, mark.line + 1), mark.line + 1};
}

}  // namespace

void Faults::raise(const std::string& what) const {
  if (faults_.empty()) return;
  auto sorted = faults_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Fault& a, const Fault& b) { return a.place.line < b.place.line; });
  const auto line = [](const Fault& f) {
    return f.place.text.empty() ? f.text : fmt::format("{}: {}", f.place.text, f.text);
  };
  if (sorted.size() == 1) throw UserError(line(sorted.front()));
  std::string text = fmt::format("{} has {} faults", what, sorted.size());
  for (const auto& fault : sorted) text += "\n  " + line(fault);
  throw UserError(text);
}

Schema::Schema(Keys keys) : keys_(std::move(keys)) {
  for (const auto& key : keys_.all()) {
    defaults_.push_back(write_value(key));
    resets_.push_back(std::visit(
        [](const auto& field) -> std::function<void()> {
          if constexpr (std::is_pointer_v<std::decay_t<decltype(field)>>)
            return [field, value = *field] { *field = value; };
          else
            return [field, word = field.word()] { field.take(word); };
        },
        key.field));
  }
}

const Key* Schema::find(const std::string& path) const {
  for (const Key& key : keys_.all())
    if (path == key.path || (path == key.formerly && !path.empty())) return &key;
  return nullptr;
}

bool Schema::is_section(const std::string& path) const {
  const auto& all = keys_.sections();
  return !path.empty() && std::any_of(all.begin(), all.end(),
                                      [&](const auto& section) { return section.path == path; });
}

bool Schema::read_file(const std::string& file, Faults& faults) {
  file_ = file;
  if (fs::is_directory(file))
    throw UserError(fmt::format("{} is a folder; a configuration is a YAML file", file));
  std::ifstream in(file);
  if (!in) throw UserError(fmt::format("there is no configuration {} that can be read", file));
  std::stringstream text;
  text << in.rdbuf();
  if (text.str().substr(0, 4096).find('\0') != std::string::npos)  // no text has it
    throw UserError(fmt::format(
        "{0} is no configuration, which is a YAML file; if it holds patterns, ptyle inspect {0} "
        "--write-config run.yaml makes one of it",
        file));
  return read_text(text.str(), file, fs::absolute(file).parent_path().string(), faults);
}

void Schema::read(const std::string& file, const std::vector<std::string>& settings,
                  Faults& faults) {
  if (!file.empty() && !read_file(file, faults)) faults.raise(file);
  for (const auto& setting : settings) read_setting(setting, faults);
}

void Schema::read(const std::string& file, const std::vector<NamedValue>& values, Faults& faults) {
  if (!file.empty() && !read_file(file, faults)) faults.raise(file);
  for (const NamedValue& value : values) read_named(value, faults);
}

bool Schema::read_text(const std::string& yaml, const std::string& name, const std::string& folder,
                       Faults& faults) {
  file_ = name;
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(yaml);
  } catch (const YAML::Exception& e) {
    faults.add(place_of(name, e.mark), fmt::format("this is not YAML: {}", e.msg));
    return false;
  }
  if (documents.empty() || documents.front().IsNull()) {
    faults.add({name, 0}, "the configuration is empty; --print-template writes one to start from");
    return false;
  }
  if (documents.size() > 1)
    faults.add(place_of(name, documents[1].Mark()),
               "only one YAML document is allowed in the file");
  const auto& root = documents.front();
  if (!root.IsMap()) {
    faults.add(place_of(name, root.Mark()), "the configuration must consist of sections and keys");
    return false;
  }
  walk(root, "", {name, folder}, faults);
  return true;
}

void Schema::walk(const YAML::Node& node, const std::string& prefix, const Source& source,
                  Faults& faults) {
  std::map<std::string, int> sections_seen;
  for (const auto& entry : node) {
    const auto place = place_of(source.name, entry.first.Mark());
    if (!entry.first.IsScalar()) {
      faults.add(place, "a key must be a word");
      continue;
    }
    const std::string path = prefix + entry.first.Scalar();
    if (const Key* key = find(path)) {
      if (const auto before = given_.find(key->path); before != given_.end()) {
        const auto& [first, name] = before->second;
        faults.add(place, fmt::format("{}: given twice, first at {}{}", path, first.text,
                                      name == path ? "" : " by its other name " + name));
        continue;
      }
      given_[key->path] = {place, path};
      set(*key, entry.second, place, source.folder, faults);
    } else if (is_section(path)) {
      const auto [first, fresh] = sections_seen.emplace(path, place.line);
      if (!fresh)
        faults.add(place, fmt::format("{}: this section is given twice, first on line {}", path,
                                      first->second));
      if (entry.second.IsMap())
        walk(entry.second, path + ".", source, faults);
      else if (!entry.second.IsNull())
        faults.add(place, fmt::format("{}: is a section and takes keys, not a value", path));
    } else {
      faults.add(place, unknown(path, entry.second.IsMap()));
    }
  }
}

void Schema::set(const Key& key, const YAML::Node& node, const Faults::Place& place,
                 const std::string& folder, Faults& faults) {
  const auto wrong = read_value(key, node);
  if (wrong.empty()) {
    faulty_.erase(key.path);
    resolve_file(key, folder);
  } else {
    faulty_.insert(key.path);
    faults.add(place, fmt::format("{}: {}; it must be {}", key.path, wrong, expected(key)));
  }
}

void Schema::read_setting(const std::string& setting, Faults& faults) {
  const Faults::Place place{"--set " + setting, after_all_lines};
  const auto equals = setting.find('=');
  if (equals == std::string::npos || equals == 0) {
    faults.add(place, "a setting reads key=value, for example optics.energy=300");
    return;
  }
  take(setting.substr(0, equals), setting.substr(equals + 1), place, faults);
}

void Schema::read_named(const NamedValue& value, Faults& faults) {
  const Faults::Place place{"", after_all_lines};
  std::vector<std::string> ends_so;
  if (!find(value.name) && !is_section(value.name))
    for (const Key& key : keys_.all())
      if (leaf_of(key.path) == value.name) ends_so.push_back(key.path);
  if (ends_so.size() > 1)
    faults.add(place, fmt::format("{}: several keys end so, give one of them whole: {}", value.name,
                                  fmt::join(ends_so, ", ")));
  else
    take(ends_so.empty() ? value.name : ends_so.front(), value.yaml, place, faults);
}

void Schema::take(const std::string& path, const std::string& text, const Faults::Place& place,
                  Faults& faults) {
  const Key* key = find(path);
  if (!key) {
    faults.add(place, is_section(path) ? fmt::format("{} is a section; name one of its keys", path)
                                       : unknown(path, false));
    return;
  }
  std::vector<YAML::Node> values;  // text behind a closing bracket is a second one
  try {
    values = YAML::LoadAll(text);
  } catch (const YAML::Exception& e) {
    faults.add(place, fmt::format("the value is not YAML: {}", e.msg));
    return;
  }
  if (values.size() > 1) {
    faults.add(place, fmt::format("{}: {} is more than one value; it must be {}", key->path, text,
                                  expected(*key)));
    return;
  }
  const YAML::Node node = values.empty() ? YAML::Node() : values.front();
  if (node.IsNull() && !text.empty()) {  // "~" or "null"
    resets_[std::size_t(key - keys_.all().data())]();
    given_.erase(key->path);
    return;
  }
  given_[key->path] = {place, path};
  set(*key, node, place, fs::current_path().string(), faults);
}

std::string Schema::nearest(const std::string& path) const {
  const auto leaf = lower_case(leaf_of(path)), section = section_of(path);
  const Key* best = nullptr;
  double best_cost = std::numeric_limits<double>::infinity();
  for (const auto& key : keys_.all()) {
    // A right name in a wrong section is nearer than a wrong name in the right one.
    const double section_cost = section_of(key.path) == section ? 0 : 0.9;
    std::istringstream names(
        fmt::format("{} {} {}", leaf_of(key.path), key.also_called, leaf_of(key.formerly)));
    for (std::string name; names >> name;) {
      const double cost = edit_distance(leaf, lower_case(name)) + section_cost;
      if (cost < best_cost) best_cost = cost, best = &key;
    }
  }
  return best && best_cost < far(leaf) ? best->path : std::string();
}

std::string Schema::unknown(const std::string& path, bool as_section) const {
  for (const Key& key : keys_.all())
    if (!as_section && lower_case(leaf_of(path)) == key.mistaken)
      return fmt::format("{}: there is no such key; did you mean {} ({})?", path, key.path,
                         key.hint);
  const auto none = [&](const char* what) {
    return fmt::format("{}: there is no such {}; --print-template lists all", path, what);
  };
  if (!as_section) {
    const std::string near = nearest(path);
    return near.empty() ? none("key")
                        : fmt::format("{}: there is no such key; the nearest is {}", path, near);
  }
  const auto cost = [&](const Keys::Section& section) {
    return section.path.empty() ? std::numeric_limits<int>::max()
                                : edit_distance(lower_case(path), section.path);
  };
  const auto& all = keys_.sections();
  const auto near = std::min_element(
      all.begin(), all.end(), [&](const auto& a, const auto& b) { return cost(a) < cost(b); });
  if (cost(*near) > far(path)) return none("section");
  return fmt::format("{}: there is no such section; the nearest is {}", path, near->path);
}

void Schema::add(const std::vector<KeyFault>& between, Faults& faults) const {
  for (const auto& [key, text] : between) faults.add(where(key), fmt::format("{}: {}", key, text));
}

Faults::Place Schema::where(const std::string& path) const {
  const auto at = given_.find(path);
  return at == given_.end() ? Faults::Place{file_, 0} : at->second.place;
}

std::string Schema::resolved(const std::map<std::string, std::string>& comments) const {
  return as_yaml(false, comments);
}
std::string Schema::changes(const std::map<std::string, std::string>& comments) const {
  return as_yaml(true, comments);
}

std::string Schema::as_yaml(bool changes_only,
                            const std::map<std::string, std::string>& comments) const {
  const auto& all = keys_.all();
  const auto comment_of = [&](const std::string& path) {
    const auto found = comments.find(path);
    return found == comments.end() ? std::string() : "  # " + printable(found->second);
  };
  std::string text;
  for (const auto& section : keys_.sections()) {
    std::string lines;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (section_of(all[i].path) != section.path) continue;
      const auto value = write_value(all[i]);
      if (changes_only && value == defaults_[i]) continue;
      // A default such as "0: none" that the limits would refuse is left out.
      const bool takes = !value.empty() && read_value(all[i], YAML::Load(value)).empty();
      if (takes)
        lines += fmt::format("{}{}: {}{}\n", section.path.empty() ? "" : "  ", leaf_of(all[i].path),
                             value, comment_of(all[i].path));
    }
    if (!lines.empty() && !section.path.empty()) text += section.path + ":\n";
    text += lines;
  }
  return text;
}

std::string Schema::starting_file(const std::string& title) const {
  constexpr std::size_t column = 34;
  const auto& all = keys_.all();
  std::string text;
  std::istringstream lines(title);
  for (std::string line; std::getline(lines, line);) text += "# " + line + "\n";
  for (const auto& section : keys_.sections()) {
    text += section.path.empty()
                ? fmt::format("\n# {}\n", section.doc)
                : fmt::format("\n{:<{}}# {}\n", section.path + ":", column, section.doc);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& key = all[i];
      if (section_of(key.path) != section.path) continue;
      const auto& value = key.example.empty() ? defaults_[i] : key.example;
      std::string hint = key.unit.empty() ? key.doc : fmt::format("[{}] {}", key.unit, key.doc);
      if (const auto limits = limits_text(key.limits); !limits.empty()) hint += "; " + limits;
      if (const auto& choices = key.choices(); !choices.empty())
        hint += fmt::format("; {}", fmt::join(choices, " | "));
      const auto line = fmt::format("{}{}{}: {}", section.path.empty() ? "" : "  ",
                                    key.starts ? "" : "# ", leaf_of(key.path), value);
      text += fmt::format("{:<{}} # {}\n", line, column - 1, hint);
    }
  }
  return text;
}

}  // namespace ptyle
