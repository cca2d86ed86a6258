#pragma once

#include "core/keys.hpp"
#include "session/config.hpp"

namespace ptyle {

/// The keys of a reconstruction (`ptyle reconstruct`), section by section.
void keys(Keys& v, ReconstructConfig& config);

}  // namespace ptyle
