#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/scratch.hpp"
#include "session/config.hpp"
#include "session/division.hpp"

namespace ptyle {

/// The disk for so many bytes of a rank's patterns where they do not fit into `budget` bytes of
/// memory (patterns_on_disk), in scratch_folder; null: they do. `log` is told. Throws UserError
/// where no file can be made there.
template <class T>
std::shared_ptr<Scratch> disk_for_patterns(const ReconstructConfig& config,
                                           const Division& division, int rank, double bytes,
                                           double budget,
                                           const std::function<void(const std::string&)>& log);

}  // namespace ptyle
