#pragma once

// Options of the parts of a fit: for each part a struct with its keys (core/keys), which makes the
// part if it is asked for.
//
//   struct ShrinkOptions {
//     double share = 0;  // 0: not asked for
//     template <class T>
//     void add_to(Parts<T>& parts) const {
//       if (share > 0) parts.regularisers.push_back(std::make_unique<Shrink<T>>(share));
//     }
//   };
//   template <class V>
//   void keys(V& v, ShrinkOptions& o) {
//     v.section("object");
//     v("shrink", o.share, between(0, 1), "of each phase, which goes every iteration");
//   }
//
// Such a part is a line of known_parts(); or a program adds it to a configuration that it has not
// read yet,  config.parts.add<ShrinkOptions>().  Then YAML is read by its keys, template, resolved
// copy, JSON schema, limits' check and fingerprint have them, and the fit and its plan the part.

#include <any>
#include <concepts>
#include <utility>
#include <vector>

#include "core/keys.hpp"

namespace ptyle {

template <class T>
struct Parts;

/// A value with keys, in any section, which adds its part (or none) to those of a fit.
template <class Options>
concept OptionsOfAPart = std::copyable<Options> &&
    requires(Options options, const Options& asked, Keys& v, Parts<float>& in_float,
             Parts<double>& in_double) {
  keys(v, options);
  asked.add_to(in_float);
  asked.add_to(in_double);
};

/// A value: copies have options of their own.
class PartOptions {
 public:
  /// Adds a part with these defaults; each type of options once (std::logic_error).
  template <OptionsOfAPart Options>
  Options& add(const Options& defaults = {}) {
    if (find<Options>()) refuse("is there already");
    all_.push_back({defaults, defaults,
                    [](std::any& options, Keys& v) { keys(v, *std::any_cast<Options>(&options)); },
                    [](const std::any& options, Parts<float>& parts) {
                      std::any_cast<Options>(&options)->add_to(parts);
                    },
                    [](const std::any& options, Parts<double>& parts) {
                      std::any_cast<Options>(&options)->add_to(parts);
                    }});
    return of<Options>();
  }
  /// The options of one part; std::logic_error if it was not added.
  template <class Options>
  [[nodiscard]] const Options& of() const {
    const auto* options = find<Options>();
    if (!options) refuse("was not added");
    return *options;
  }
  template <class Options>
  [[nodiscard]] Options& of() {
    return const_cast<Options&>(std::as_const(*this).of<Options>());
  }

  /// The same parts with their defaults.
  [[nodiscard]] PartOptions fresh() const;
  /// Makes the parts that are asked for, in the order in which they were added. Throws UserError
  /// for two rules.
  template <class T>
  void add_to(Parts<T>& parts) const;

  friend void keys(Keys& v, PartOptions& options);

 private:
  struct One {
    std::any now, defaults;
    void (*declare)(std::any&, Keys&);
    void (*add_in_float)(const std::any&, Parts<float>&);
    void (*add_in_double)(const std::any&, Parts<double>&);
  };
  template <class Options>
  [[nodiscard]] const Options* find() const {
    for (const One& one : all_)
      if (const auto* options = std::any_cast<Options>(&one.now)) return options;
    return nullptr;
  }
  [[noreturn]] static void refuse(const char* why);
  std::vector<One> all_;
};

/// The keys of all parts.
void keys(Keys& v, PartOptions& options);

/// The parts that ptyle has.
PartOptions known_parts();

}  // namespace ptyle
