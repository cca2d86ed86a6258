#pragma once

// The bytes of a file of another format, and what its readers have in common.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/array.hpp"
#include "io/hdf5.hpp"

namespace ptyle::formats {

class Source {
 public:
  /// UserError where it cannot be read.
  explicit Source(const std::string& path);
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source();
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] i64 size() const { return size_; }
  /// Its first 4096 bytes, fewer where it has fewer.
  [[nodiscard]] const std::string& start() const { return start_; }
  /// ".npy", in small letters.
  [[nodiscard]] const std::string& extension() const { return extension_; }
  /// UserError where the file ends before.
  [[nodiscard]] std::string read(i64 offset, i64 bytes) const;
  void read(i64 offset, i64 bytes, char* to) const;
  /// UserError where the file ends before `end`, which `what` says ("its header says …, which would
  /// end").
  void check_end(i64 end, const std::string& what) const;

 private:
  std::string path_, extension_, start_;
  int file_ = -1;
  i64 size_ = 0;
};

/// A whole number of `bytes` bytes, the least or the most significant first. std::out_of_range
/// where the text is shorter.
std::uint64_t little(std::string_view text, std::size_t at, int bytes);
std::uint64_t big(std::string_view text, std::size_t at, int bytes);

/// The whole number that a text begins with, behind blanks; 0: there is none.
i64 whole_number(std::string_view text);

/// Product of the numbers of a shape and the bytes of each; UserError beyond 2^62, as a damaged
/// file may have it.
i64 bytes_of(const Source& source, const h5::Shape& shape, i64 bytes_each);

/// UserError where a dataset, unpacked, takes more than half of the memory that is free. `remedy`:
/// what makes a file that needs no memory.
void check_room(const Source& source, const std::string& dataset, i64 bytes,
                const std::string& remedy);

}  // namespace ptyle::formats
