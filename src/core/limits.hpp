#pragma once

// Limits of a key's value, for the declarations beside a configuration's fields (core/keys.hpp).

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace ptyle {

/// The values that a key takes; for a list, each of its values.
struct Limits {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_open = false;           ///< min itself is not allowed
  bool or_one = false;             ///< one number stands for a list of equal numbers
  bool filled = false;             ///< a text may not be empty
  bool number = false;             ///< a text that may be a number
  std::vector<std::string> words;  ///< of a text that else names a file: these are none

  [[nodiscard]] Limits up_to(double value) const {
    Limits copy = *this;
    copy.max = value;
    return copy;
  }
  [[nodiscard]] Limits alone() const {  ///< with or_one
    Limits copy = *this;
    copy.or_one = true;
    return copy;
  }
  [[nodiscard]] Limits or_number() const {
    Limits copy = *this;
    copy.number = true;
    return copy;
  }
};

/// How the text of a key names a file.
enum class FileKind {
  none,
  file,     ///< relative to the configuration's folder
  dataset,  ///< "file.h5:/dataset" or "file.h5" relative to that folder; "/dataset", "dataset" and
            ///< the limits' words as they are
};

/// Must a resumed run agree on a key with the one before?
enum class AtResume { free, same };

inline Limits filled() {
  Limits limits;
  limits.filled = true;
  return limits;
}

inline Limits above(double value) {
  Limits limits;
  limits.min = value;
  limits.min_open = true;
  return limits;
}

inline Limits at_least(double value) {
  Limits limits;
  limits.min = value;
  return limits;
}

inline Limits between(double low, double high) { return at_least(low).up_to(high); }

inline Limits words_or_file(std::vector<std::string> words) {
  Limits limits;
  limits.words = std::move(words);
  return limits;
}

}  // namespace ptyle
