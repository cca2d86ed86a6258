#pragma once

#include <functional>
#include <optional>
#include <string>

#include "io/formats/source.hpp"

namespace ptyle::formats {

/// The header of an array of NumPy.
struct NpyHeader {
  h5::Type type;
  bool big_endian = false, fortran = false;
  h5::Shape shape;       ///< as NumPy shows it
  i64 bytes = 0;         ///< of the header
  std::string no_array;  ///< why its values are no numbers; empty: they are
};

/// Gives the next bytes of a file or an unpacked part of it.
using NextBytes = std::function<void(i64 bytes, char* to)>;

/// UserError where it is none of versions 1 to 3. `name`: what it is called in messages.
NpyHeader npy_header(const Source& source, const std::string& name, const NextBytes& next);

/// A dataset of an array: mapped where its numbers lie at byte `offset` of the file, else read by
/// `next`. In Fortran's order it is turned round in memory, or, where it is large, its axes are
/// named by the dataset's attribute `ptyle_axes`.
void add_npy(const Source& source, h5::File& to, const std::string& dataset,
             const NpyHeader& header, std::optional<i64> offset, const NextBytes& next);

}  // namespace ptyle::formats
