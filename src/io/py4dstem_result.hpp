#pragma once

// A ptychographic reconstruction of py4DSTEM (0.14), as its save() writes it by emdfile:
//
//   /NAME_root/NAME/_object_emd/data      ([slice,] row, col): exp(iφ − μ), or φ in rad (potential)
//                   _probe_emd/data       ([mode,] W, W) complex, centred on [0, 0]
//                   metadatabundle/preprocess_metadata/{sampling, positions_px}
//                   metadatabundle/instantiation_metadata/{energy, slice_thicknesses}

#include <optional>
#include <string>

#include "io/hdf5.hpp"
#include "io/result.hpp"

namespace ptyle {

/// "/NAME_root/NAME"; nothing where the file is no such one.
std::optional<std::string> py4dstem_group(const h5::File& file);

/// All but the object; the probe centred on [W/2, W/2]. UserError where a part is missing or has a
/// wrong shape, pixels are no squares, or slices differ in thickness.
ResultFacts read_py4dstem(const h5::File& file, const std::string& group);

}  // namespace ptyle
