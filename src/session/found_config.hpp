#pragma once

#include "io/frames.hpp"
#include "prepare/config.hpp"
#include "prepare/experiment.hpp"
#include "session/config.hpp"
#include "session/file_facts.hpp"
#include "session/inspect.hpp"
#include "session/schema.hpp"

namespace ptyle {

/// The keys as they were given, with what the file says of the others and what was measured on its
/// patterns.
FoundConfig found_config(const InspectConfig& given, const h5::File& file, const Frames& frames,
                         const StatedFacts& stated, const Experiment& experiment);
/// The same of patterns in memory, which state nothing.
FoundConfig found_config(const InspectConfig& given, const Experiment& experiment);

/// A configuration as YAML, the first lines of which say what is still to be given.
struct FoundText {
  std::string yaml;
  bool complete = false;             ///< nothing is
  std::vector<std::string> adopted;  ///< what was taken of the quick look, a sentence each
};
/// The one that was given, to whose fields `schema` refers, completed by what was found. `mask`:
/// where the bad pixels are, "bad.h5:/mask"; empty: in no file. `patterns` in memory, none: a file.
FoundText found_text(const Inspection& found, const Schema& schema, ReconstructConfig& config,
                     const std::string& mask, const PatternsInMemory* patterns = nullptr);

}  // namespace ptyle
