#pragma once

// The keys of a configuration, declared once: path, field, unit, limits, one line of explanation.
// From the table come the reading of YAML, --set, the checks, the template and the resolved copy.
//
//   1. read_file and read_setting set the fields and collect every fault, with its line
//   2. the caller adds the faults between keys (given, where)
//   3. Faults::raise throws one UserError that lists them all
//   4. resolved() writes what was understood, and reads back as the same

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace YAML {
class Node;
}

namespace ptyle {

/// What is wrong with a configuration: lines to be printed in the order of the file.
class Faults {
 public:
  /// `where` is "run.yaml:12" or "--set a.b=c"; `line` sorts (after all lines: settings).
  struct Place {
    std::string text;
    int line = 0;
  };
  void add(const Place& place, const std::string& text) { faults_.push_back({place, text}); }
  [[nodiscard]] bool empty() const { return faults_.empty(); }
  /// Throws UserError with every fault where there is any; `what` names the file.
  void raise(const std::string& what) const;

 private:
  struct Fault {
    Place place;
    std::string text;
  };
  std::vector<Fault> faults_;
};

/// Which values a key takes; for a list, each of its values.
struct Limits {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_open = false;             ///< min itself is not allowed
  std::vector<std::string> choices;  ///< of a text
  bool or_one = false;               ///< one number stands for a list of equal numbers
  bool filled = false;               ///< a text may not be empty

  [[nodiscard]] Limits up_to(double value) const;
  [[nodiscard]] Limits alone() const;  ///< with or_one
};
Limits filled();
Limits above(double value);
Limits at_least(double value);
Limits between(double low, double high);
Limits one_of(std::vector<std::string> choices);

/// How the text of a key names a file.
enum class FileKind {
  none,
  file,     ///< relative to the configuration's folder
  dataset,  ///< "file.h5:/dataset" or "file.h5" relative to that folder; "/dataset", "dataset" and
            ///< choices as they are
};

struct Key {
  using Field =
      std::variant<bool*, int*, double*, std::string*, std::uint64_t*, std::optional<double>*,
                   std::array<double, 2>*, std::array<double, 3>*, std::array<int, 2>*,
                   std::array<int, 3>*, std::optional<std::array<double, 2>>*, std::vector<int>*,
                   std::vector<double>*, std::vector<std::string>*>;

  std::string path = {};  ///< "optics.energy"
  Field field = {};
  std::string unit = {};  ///< "kV"; empty: none
  Limits limits = {};
  std::string doc;               ///< one line
  std::string example = {};      ///< in the template; empty: the default
  bool starts = false;           ///< not commented out in the template
  std::string also_called = {};  ///< what users of other programs call it, separated by spaces
  FileKind file = FileKind::none;
};

struct Section {
  std::string path;  ///< "optics"; empty: keys without a section
  std::string doc;
};

class Schema {
 public:
  /// The fields' values at this moment are the defaults. The fields must outlive the schema.
  Schema(std::vector<Section> sections, std::vector<Key> keys);

  /// Reads a YAML file into the fields; throws UserError only where there is no such file. False
  /// where it cannot be read as sections and keys at all, so that further checks say nothing.
  bool read_file(const std::string& file, Faults& faults);
  /// Reads the text of one; relative files are relative to `folder`.
  bool read_text(const std::string& yaml, const std::string& name, const std::string& folder,
                 Faults& faults);
  /// Reads one `--set` of the command line: "optics.energy=300"; "optics.energy=~" takes the key
  /// back to its default. Relative files are relative to the current folder.
  void read_setting(const std::string& setting, Faults& faults);

  /// Whether the key was given, be it with a faulty value.
  [[nodiscard]] bool given(const std::string& path) const { return given_.contains(path); }
  /// Whether it was given another value than its default, be it a faulty one.
  [[nodiscard]] bool active(const std::string& path) const;
  /// Whether it was given a faulty value, which is told already.
  [[nodiscard]] bool faulty(const std::string& path) const { return faulty_.contains(path); }
  /// Where it was given; the file itself where it was not.
  [[nodiscard]] Faults::Place where(const std::string& path) const;

  /// Every key with its value, as YAML.
  [[nodiscard]] std::string resolved() const;
  /// A commented file to start from; `title` goes first, as comment lines.
  [[nodiscard]] std::string starting_file(const std::string& title) const;

 private:
  struct Source {
    std::string name, folder;
  };
  void walk(const YAML::Node& node, const std::string& prefix, const Source& source,
            Faults& faults);
  void set(const Key& key, const YAML::Node& node, const Faults::Place& place,
           const std::string& folder, Faults& faults);
  [[nodiscard]] const Key* find(const std::string& path) const;
  [[nodiscard]] bool is_section(const std::string& path) const;
  [[nodiscard]] std::string unknown(const std::string& path, bool as_section) const;
  [[nodiscard]] std::string nearest(const std::string& path) const;

  std::vector<Section> sections_;
  std::vector<Key> keys_;
  std::vector<std::string> defaults_;          ///< as YAML, key by key
  std::vector<std::function<void()>> resets_;  ///< key by key
  std::map<std::string, Faults::Place> given_;
  std::set<std::string> faulty_;
  std::string file_;
};

}  // namespace ptyle
