#pragma once

// The object of a result.h5, which is read once more by several ranks together, a slab at a time
// (session/slabs): into the strips of phase.tif and absorption.tif, and into the images of the
// pictures.

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "exchange/team.hpp"
#include "io/reduced_image.hpp"

namespace ptyle {

/// Images of the object, as large as the pictures show them.
struct ObjectImages {
  using Image = ReducedImage<double>;
  std::optional<Image> phase_sum, absorption_sum;
  std::map<i64, Image> slices;  ///< first, middle, last, where there are several

  static constexpr int sum_px = 800, slice_px = 500;  ///< the longer side of a picture

  ObjectImages() = default;
  ObjectImages(const std::array<i64, 3>& shape, bool absorption, Ledger* ledger);
  static double bytes(const std::array<i64, 3>& shape, bool absorption);
  /// All of them, in order.
  std::vector<View<double, 2>> values();
};

/// A TIFF stack whose strips are to be filled.
struct StripTask {
  std::string path;         ///< it is there as its .part; empty: none is wanted
  std::vector<i64> strips;  ///< the bytes of its strips, by slab
};

/// The files to be made of result.h5; the same on all ranks, once the one that leads has told it.
struct CopyTask {
  std::string result;  ///< result.h5; empty: nothing is to be done
  StripTask phase, absorption;
  bool images = false;
};

struct CopiedStack {
  std::string failure;      ///< why it could not be; empty: it was
  float low = 0, high = 0;  ///< of its numbers
};

/// The files that were made of it, on the process that leads.
struct Copied {
  CopiedStack phase, absorption;
  std::string images_failure;
  ObjectImages images;
};

/// Every process of the team calls it, the one that leads with the task.
Copied copy_object(Team& team, const CopyTask& task, Ledger* ledger);

}  // namespace ptyle
