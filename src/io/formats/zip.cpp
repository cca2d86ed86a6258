// Zip archives (PKWARE's APPNOTE 6.3), as far as Python writes them: members stored or deflated,
// with numbers of 64 bits where those of 32 do not hold them.
//   1. The end of the central directory stands within the last 64 kB.
//   2. Each of its entries names a member, and where its local header stands.
//   3. The content lies behind the local header.

#include "io/formats/zip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "core/printable.hpp"

namespace ptyle::formats {
namespace {

constexpr std::string_view end_mark = "PK\x05\x06", end64_mark = "PK\x06\x06",
                           end64_place_mark = "PK\x06\x07", entry_mark = "PK\x01\x02",
                           local_mark = "PK\x03\x04";

[[noreturn]] void damaged(const Source& source, const std::string& what) {
  throw UserError(fmt::format(
      "file '{}' is a truncated or damaged archive: {}; copy it again, or write it once more",
      source.path(), what));
}

struct Directory {
  i64 at = 0, bytes = 0, entries = 0;
};

Directory directory_of(const Source& source) {
  constexpr i64 end_bytes = 22, longest_comment = 65535, place_bytes = 20, end64_bytes = 56;
  const i64 from = std::max<i64>(0, source.size() - end_bytes - longest_comment - place_bytes);
  const std::string tail = source.read(from, source.size() - from);
  const auto end = tail.rfind(end_mark);
  if (end == std::string::npos || tail.size() - end < std::size_t(end_bytes))
    damaged(source, "its list of contents, at its end, is missing");
  Directory d{static_cast<i64>(little(tail, end + 16, 4)),
              static_cast<i64>(little(tail, end + 12, 4)),
              static_cast<i64>(little(tail, end + 10, 2))};
  const auto place = end >= std::size_t(place_bytes) ? end - place_bytes : std::string::npos;
  if (place != std::string::npos && tail.substr(place).starts_with(end64_place_mark)) {
    const std::string end64 =
        source.read(static_cast<i64>(little(tail, place + 8, 8)), end64_bytes);
    if (!end64.starts_with(end64_mark))
      damaged(source, "its list of contents is not where it says");
    d = {static_cast<i64>(little(end64, 48, 8)), static_cast<i64>(little(end64, 40, 8)),
         static_cast<i64>(little(end64, 32, 8))};
  }
  return d;
}

/// The numbers of 64 bits of an entry, for each of 32 bits that is all ones.
void widen(std::string_view extra, ZipMember& member, i64& local) {
  constexpr i64 see_below = 0xFFFFFFFF;
  for (std::size_t at = 0; at + 4 <= extra.size();) {
    const auto kind = little(extra, at, 2), bytes = little(extra, at + 2, 2);
    if (kind == 1) {
      std::size_t value = at + 4;
      for (i64* number : {&member.size, &member.packed, &local})
        if (*number == see_below) {
          *number = static_cast<i64>(little(extra, value, 8));
          value += 8;
        }
      return;
    }
    at += 4 + bytes;
  }
}

ZipMember member_at(const Source& source, std::string_view list, std::size_t& at) {
  constexpr std::size_t entry_bytes = 46;
  constexpr i64 local_bytes = 30;
  const std::string_view entry = list.substr(at);
  if (!entry.starts_with(entry_mark) || entry.size() < entry_bytes)
    damaged(source, "its list of contents is cut off");
  const auto flags = little(entry, 8, 2), method = little(entry, 10, 2);
  const auto name = little(entry, 28, 2), extra = little(entry, 30, 2),
             comment = little(entry, 32, 2);
  ZipMember member{std::string(entry.substr(entry_bytes, name)),
                   method == 8,
                   0,
                   static_cast<i64>(little(entry, 20, 4)),
                   static_cast<i64>(little(entry, 24, 4)),
                   static_cast<std::uint32_t>(little(entry, 16, 4))};
  i64 local = static_cast<i64>(little(entry, 42, 4));
  widen(entry.substr(std::min(entry.size(), entry_bytes + name)).substr(0, extra), member, local);
  if ((flags & 1U) != 0 || (method != 0 && method != 8))
    throw UserError(
        fmt::format("'{}' in the archive '{}' is {}; numpy.savez or numpy.savez_compressed writes "
                    "it so that it "
                    "is read",
                    printable(member.name), source.path(),
                    (flags & 1U) != 0 ? "encrypted" : "neither stored as it is nor deflated"));
  const std::string head = source.read(local, local_bytes);
  if (!head.starts_with(local_mark))
    damaged(source, fmt::format("'{}' is not where it should be", printable(member.name)));
  member.at = local + local_bytes + static_cast<i64>(little(head, 26, 2) + little(head, 28, 2));
  if (member.packed < 0 || member.size < 0 || member.at > source.size() ||
      member.packed > source.size() - member.at ||
      (!member.deflated && member.packed != member.size))
    damaged(source, fmt::format("'{}' reaches beyond its end", printable(member.name)));
  at += entry_bytes + name + extra + comment;
  return member;
}

}  // namespace

std::vector<ZipMember> zip_members(const Source& source) {
  std::vector<ZipMember> members;
  try {
    const Directory directory = directory_of(source);
    if (directory.bytes > i64{1} << 30) damaged(source, "its list of contents is too long");
    const std::string list = source.read(directory.at, directory.bytes);
    std::size_t at = 0;
    for (i64 i = 0; i < directory.entries; ++i) members.push_back(member_at(source, list, at));
  } catch (const std::out_of_range&) {
    damaged(source, "its list of contents is cut off");
  }
  return members;
}

// The content -----------------------------------------------------------------------------------

struct ZipStream::Inflation {
  z_stream stream{};
  std::vector<char> packed;
  bool open = false;
  ~Inflation() {
    if (open) inflateEnd(&stream);
  }
};

ZipStream::ZipStream(const Source& source, const ZipMember& member)
    : source_(source),
      member_(member),
      checksum_(static_cast<std::uint32_t>(crc32(0, nullptr, 0))) {
  if (!member.deflated) return;
  inflation_ = std::make_unique<Inflation>();
  inflation_->packed.resize(std::size_t{1} << 18U);
  if (inflateInit2(&inflation_->stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  inflation_->open = true;
}

ZipStream::~ZipStream() = default;

void ZipStream::damaged(const std::string& why) const {
  formats::damaged(source_, fmt::format("'{}' {}", printable(member_.name), why));
}

void ZipStream::next(i64 bytes, char* to) {
  if (bytes < 0 || bytes > member_.size - done_)
    damaged(fmt::format("has {} bytes, fewer than its own header says", member_.size));
  if (inflation_)
    inflate_to(bytes, to);
  else
    source_.read(member_.at + done_, bytes, to);
  done_ += bytes;
  constexpr i64 most = i64{1} << 30;  // that the checksum takes at once
  for (i64 at = 0; at < bytes; at += most)
    checksum_ = static_cast<std::uint32_t>(crc32(checksum_, reinterpret_cast<const Bytef*>(to + at),
                                                 static_cast<uInt>(std::min(most, bytes - at))));
  if (done_ == member_.size && checksum_ != member_.checksum)
    damaged("is not what its checksum says");
}

void ZipStream::inflate_to(i64 bytes, char* to) {
  z_stream& z = inflation_->stream;
  constexpr i64 most = i64{1} << 30;
  for (i64 done = 0; done < bytes;) {
    if (z.avail_in == 0) {
      const i64 part =
          std::min<i64>(static_cast<i64>(inflation_->packed.size()), member_.packed - packed_done_);
      source_.read(member_.at + packed_done_, part, inflation_->packed.data());
      packed_done_ += part;
      z.next_in = reinterpret_cast<Bytef*>(inflation_->packed.data());
      z.avail_in = static_cast<uInt>(part);
    }
    const i64 wanted = std::min(most, bytes - done);
    z.next_out = reinterpret_cast<Bytef*>(to + done);
    z.avail_out = static_cast<uInt>(wanted);
    const int status = inflate(&z, Z_NO_FLUSH);
    const i64 got = wanted - static_cast<i64>(z.avail_out);
    done += got;
    if (status == Z_STREAM_END && done == bytes) return;
    if (status != Z_OK || (got == 0 && z.avail_in == 0 && packed_done_ == member_.packed))
      damaged("cannot be unpacked");
  }
}

}  // namespace ptyle::formats
