#pragma once

// The formats other than HDF5 that are read. Each is a file of this folder and a line of the table
// in formats.cpp; what it opens is seen as an HDF5 file that lies in memory (h5::File::in_memory).

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/formats/source.hpp"

namespace ptyle::formats {

struct Format {
  std::string_view name;                     ///< "an array of NumPy"
  std::vector<std::string_view> extensions;  ///< that tell such a file by its name
  bool (*recognises)(const Source&);         ///< by its content, of some by its name too
  void (*read)(const Source&, h5::File& to);
};

/// In the order in which they are tried.
std::span<const Format> all();

bool is_npy(const Source& source);
void read_npy(const Source& source, h5::File& to);
bool is_npz(const Source& source);
void read_npz(const Source& source, h5::File& to);
bool is_tiff(const Source& source);
void read_tiff(const Source& source, h5::File& to);
bool is_matlab(const Source& source);
void read_matlab(const Source& source, h5::File& to);
bool is_mib(const Source& source);
void read_mib(const Source& source, h5::File& to);
bool is_empad(const Source& source);
void read_empad(const Source& source, h5::File& to);

}  // namespace ptyle::formats
