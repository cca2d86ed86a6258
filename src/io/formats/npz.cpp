// An archive of NumPy: a zip of arrays NAME.npy, each of which becomes a dataset /NAME. Stored ones
// stay where they lie, deflated ones are unpacked into memory. What is no array of numbers (texts,
// objects) is left out.

#include <fmt/format.h>

#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/printable.hpp"
#include "io/formats/formats.hpp"
#include "io/formats/npy.hpp"
#include "io/formats/zip.hpp"

namespace ptyle::formats {

bool is_npz(const Source& source) {
  return source.start().starts_with("PK\x03\x04") ||
         (source.extension() == ".npz" && source.start().starts_with("PK\x05\x06"));
}

void read_npz(const Source& source, h5::File& to) {
  constexpr std::string_view ending = ".npy";
  std::vector<std::string> others;
  bool any = false;
  for (const ZipMember& member : zip_members(source)) {
    const std::string shown = printable(member.name);
    if (!member.name.ends_with(ending)) {
      others.push_back(shown);
      continue;
    }
    ZipStream stream(source, member);
    const NextBytes next = [&](i64 bytes, char* part) { stream.next(bytes, part); };
    const NpyHeader header = npy_header(source, "'" + shown + "'", next);
    if (!header.no_array.empty()) {
      others.push_back(shown);
      continue;
    }
    const i64 bytes = header.bytes + bytes_of(source, header.shape, header.type.bytes);
    if (bytes != member.size)
      throw UserError(fmt::format(
          "'{}' in '{}' is damaged: its header says {} of {}, which take {} bytes, and it has {}",
          shown, source.path(), h5::to_string(header.shape), h5::to_string(header.type), bytes,
          member.size));
    const std::string name = member.name.substr(0, member.name.size() - ending.size());
    const std::optional<i64> offset =
        member.deflated ? std::nullopt : std::optional(member.at + header.bytes);
    add_npy(source, to, "/" + name, header, offset, next);
    any = true;
  }
  if (!any)
    throw UserError(fmt::format("the archive '{}' holds no array of numbers (NAME.npy){}",
                                source.path(),
                                others.empty() ? ", it is empty" : ", but " + others.front()));
}

}  // namespace ptyle::formats
