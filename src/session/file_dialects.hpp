#pragma once

// Facts of a measurement that HDF5 layouts of other programs state, beside attributes of the root
// group:
//
//   EMD 0.2, EMD 1.0 (py4DSTEM)   axes dim1 …, or dim0 …, beside the patterns; calibration group
//   hyperspy (.hspy)              axis-0 … beside the patterns; Acquisition_instrument/TEM
//   CXI                           source, detector, translation, mask; SI units
//   NeXus, Dectris                entry/instrument/{beam, detector}; units as attributes

#include <map>
#include <string>
#include <vector>

#include "io/frames.hpp"
#include "io/hdf5.hpp"

namespace ptyle {

/// A value that stands for a key, in its unit.
struct StatedValue {
  std::vector<double> numbers;
  std::string where;  ///< "beam_energy of '/Experiments/scan/metadata/…/TEM'"
};

struct DialectFacts {
  /// By the key that a user would give: optics.energy, optics.xray_energy, optics.semi_angle,
  /// scan.step, and, of a detector pixel as it lies in the file, calibration.dk or
  /// calibration.mrad_per_pixel.
  std::map<std::string, StatedValue> values;
  std::string positions;           ///< dataset, x before y, m unless it says another; empty: none
  std::string mask;                ///< dataset, not 0 = bad; empty: none
  std::string probe;               ///< dataset of complex waves at the specimen; empty: none
  std::vector<std::string> notes;  ///< what is stated and not taken, a line each
};

/// Throws nothing for what makes no sense: it is not taken.
DialectFacts dialect_facts(const h5::File& file, const Frames& frames);

}  // namespace ptyle
