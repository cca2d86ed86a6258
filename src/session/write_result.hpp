#pragma once

// What a reconstruction leaves in its folder: result.h5, phase.tif, phase-sum.png, slices.png
// (first, middle, last, where there are several), absorption-sum.png (where fitted), probe.png,
// r-factor.png.

#include <string>

#include "io/result.hpp"

namespace ptyle {

/// To call before anything long runs: makes the folder where it is missing, tries whether files can
/// be made in it, and, unless `overwrite`, that none of the files above is there already.
/// Throws UserError otherwise.
void check_output(const std::string& folder, bool overwrite);

struct OutputChoice {
  bool overwrite = false;
  bool pictures = true;
  bool tiff = true;
};

/// Writes the files above into `folder`; check_output first. The history may be empty or short
/// (nothing iterated, or stopped early): then there is no curve.
void write_outputs(const Result& result, const std::string& folder, const OutputChoice& choice);

}  // namespace ptyle
