#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/formats/source.hpp"

namespace ptyle::formats {

/// A file within a zip archive.
struct ZipMember {
  std::string name;
  bool deflated = false;
  i64 at = 0;                ///< byte of the archive at which its content, packed or not, begins
  i64 packed = 0, size = 0;  ///< bytes there, and unpacked
  std::uint32_t checksum = 0;
};

/// Those of an archive, in its order. UserError where it is damaged, or one is packed otherwise
/// than by deflate.
std::vector<ZipMember> zip_members(const Source& source);

/// The content of a member from its beginning on.
class ZipStream {
 public:
  ZipStream(const Source& source, const ZipMember& member);
  ~ZipStream();
  ZipStream(const ZipStream&) = delete;
  ZipStream& operator=(const ZipStream&) = delete;
  /// The next bytes. UserError where it ends before, or, with its last byte, where its checksum
  /// says that it is damaged.
  void next(i64 bytes, char* to);

 private:
  [[noreturn]] void damaged(const std::string& why) const;
  void inflate_to(i64 bytes, char* to);
  struct Inflation;
  const Source& source_;
  ZipMember member_;
  i64 packed_done_ = 0, done_ = 0;
  std::uint32_t checksum_ = 0;
  std::unique_ptr<Inflation> inflation_;
};

}  // namespace ptyle::formats
