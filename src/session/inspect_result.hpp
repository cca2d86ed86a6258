#pragma once

#include <string>
#include <vector>

namespace ptyle {

/// A result in sentences, as `ptyle inspect` prints them: object, its states, probe, positions, R.
/// Throws UserError for a file that is none.
std::vector<std::string> describe_result(const std::string& path);

}  // namespace ptyle
