#pragma once

// YAML by the keys of a configuration (core/keys): reading, --set, the template, the resolved copy.
//
//   1. read sets the fields and collects every fault, with its line
//   2. the caller adds the faults between keys (faulty, add)
//   3. Faults::raise throws one UserError that lists them all
//   4. resolved() writes what was understood, and reads back as the same

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/keys.hpp"

namespace YAML {
class Node;
}

namespace ptyle {

/// The faults of a configuration: lines to be printed in the order of the file.
class Faults {
 public:
  /// `text` is "run.yaml:12" or "--set a.b=c", or empty where the key says it all; `line` sorts
  /// (after all lines: settings).
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

/// A key's value as a program gives it.
struct NamedValue {
  std::string name;  ///< the key's path, or its last part where no other key ends so
  std::string yaml;  ///< the value; "~": its default
};

class Schema {
 public:
  /// The fields' values at this moment are the defaults. The fields must outlive the schema.
  explicit Schema(Keys keys);

  /// Reads a YAML file into the fields; throws UserError only where there is no such file. False
  /// where it cannot be read as sections and keys at all, so that further checks say nothing.
  bool read_file(const std::string& file, Faults& faults);
  /// Reads the file (empty: none) and what is given on top, by the command line or by a program.
  /// Throws UserError where the file cannot be read at all.
  void read(const std::string& file, const std::vector<std::string>& settings, Faults& faults);
  void read(const std::string& file, const std::vector<NamedValue>& values, Faults& faults);
  /// Reads the text of one; relative files are relative to `folder`.
  bool read_text(const std::string& yaml, const std::string& name, const std::string& folder,
                 Faults& faults);
  /// Reads one `--set` of the command line: "optics.energy=300"; "optics.energy=~" takes the key
  /// back to its default. Relative files are relative to the current folder.
  void read_setting(const std::string& setting, Faults& faults);
  /// Reads one that a program gives. Relative files are relative to the current folder.
  void read_named(const NamedValue& value, Faults& faults);

  /// True if the key was given, be it with a faulty value.
  [[nodiscard]] bool given(const std::string& path) const { return given_.contains(path); }
  /// The keys that were given a faulty value, which is reported already.
  [[nodiscard]] const std::set<std::string>& faulty() const { return faulty_; }
  /// Adds what is wrong between keys, each where it was given.
  void add(const std::vector<KeyFault>& between, Faults& faults) const;
  /// The line that gives it; the file itself where none does, or nothing where there is no file.
  [[nodiscard]] Faults::Place where(const std::string& path) const;

  /// Every key with its value, as YAML; `comments` stand behind those of these paths.
  [[nodiscard]] std::string resolved(const std::map<std::string, std::string>& comments = {}) const;
  /// The same of the keys alone that differ from their defaults.
  [[nodiscard]] std::string changes(const std::map<std::string, std::string>& comments = {}) const;
  /// A commented file to start from; `title` goes first, as comment lines.
  [[nodiscard]] std::string starting_file(const std::string& title) const;

 private:
  struct Source {
    std::string name, folder;
  };
  [[nodiscard]] std::string as_yaml(bool changes_only,
                                    const std::map<std::string, std::string>& comments) const;
  void walk(const YAML::Node& node, const std::string& prefix, const Source& source,
            Faults& faults);
  void set(const Key& key, const YAML::Node& node, const Faults::Place& place,
           const std::string& folder, Faults& faults);
  void take(const std::string& path, const std::string& yaml, const Faults::Place& place,
            Faults& faults);
  /// By its path, or by its earlier name's.
  [[nodiscard]] const Key* find(const std::string& path) const;
  [[nodiscard]] bool is_section(const std::string& path) const;
  [[nodiscard]] std::string unknown(const std::string& path, bool as_section) const;
  [[nodiscard]] std::string nearest(const std::string& path) const;

  Keys keys_;
  std::vector<std::string> defaults_;          ///< as YAML, key by key
  std::vector<std::function<void()>> resets_;  ///< key by key
  struct Given {
    Faults::Place place;
    std::string name;  // the path as it was written
  };
  std::map<std::string, Given> given_;
  std::set<std::string> faulty_;
  std::string file_;
};

}  // namespace ptyle
