#pragma once

#include <string>

namespace ptyle {

/// To call before anything long runs whose outcome may not fit. Throws UserError where the disk of
/// `folder` (which exists) has less than `bytes` free; `what` says for what, e.g. "the result".
void check_disk_space(const std::string& folder, double bytes, const std::string& what);

}  // namespace ptyle
