#pragma once

// Helpers of this room's HDF5 sources: the library's message, checked handles, types and shapes.

#include <fmt/format.h>
#include <hdf5.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "io/hdf5.hpp"

namespace ptyle::h5 {

static_assert(std::is_same_v<hid_t, Handle::Id> && std::is_same_v<herr_t, int>);

/// HDF5 prints its own stack unless told not to; our errors carry what matters of it. It also
/// tidies up at exit, which crashes once a file could not be closed because its disk was full;
/// every handle is closed by its owner, so there is nothing to tidy up.
void quiet();

/// The innermost message of HDF5's error stack, which says most.
std::string library_message();

/// The message of HDF5's error stack that holds this text; empty: there is none.
std::string message_with(std::string_view text);

/// Adds the folders where filters usually lie to those that HDF5 knows, once, and only where the
/// environment's HDF5_PLUGIN_PATH does not say where. True: there is one more.
bool look_for_filters();

/// The first of a dataset's filters (compression) that this HDF5 has not.
struct MissingFilter {
  int number = 0;  ///< as registered with the HDF Group; 0: not known
  std::string name;
};
std::optional<MissingFilter> missing_filter(hid_t dataset);
/// The same by a message of HDF5, "required filter 'lzf' is not registered".
std::optional<MissingFilter> missing_filter(const std::string& message);
/// "compressed by lz4 (filter 32004), which is not installed here: pip install …"
std::string describe(const MissingFilter& filter);

/// A new handle, or an error that says what was being done.
template <class... Parts>
Handle made(hid_t id, Handle::Close close, fmt::format_string<Parts...> what, Parts&&... parts) {
  if (id < 0)
    throw UserError(
        fmt::format("{}: {}", fmt::format(what, std::forward<Parts>(parts)...), library_message()));
  return {id, close};
}

/// The type of numbers in memory, or in a new dataset or attribute; complex ones with the names of
/// their parts as in the type `like`, if that is complex.
Handle native(Type type, hid_t like = -1);
/// The type of numbers as they lie in a file; a float may have 2 bytes here.
Handle stored(Type type, bool big_endian);
/// The type of an HDF5 type; `other` where the file's numbers have none of ours.
Type type_in_file(hid_t type);
/// UTF-8 of variable length.
Handle text_type();

/// A new dataset, with the groups on its path; `layout`: its creation properties. Less than 0 where
/// it cannot be made, or `layout` is.
hid_t new_dataset(hid_t file, const std::string& path, const Handle& type, const Handle& space,
                  hid_t layout);

std::vector<hsize_t> extents(std::span<const i64> shape);
Handle space_of(std::span<const i64> shape);
Shape shape_of_space(hid_t space);

}  // namespace ptyle::h5
