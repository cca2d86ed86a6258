#pragma once

// A file that another process makes and names, of which this one writes a part: numbers as they lie
// in memory, from a byte that the other one has told. Several processes may at once, each its own
// part.

#include <span>
#include <string>
#include <string_view>

#include "core/array.hpp"

namespace ptyle {

class RawFile {
 public:
  RawFile() = default;
  /// Opens a file that is there. `name`: what it is called in messages. Throws UserError where it
  /// cannot be opened for writing.
  RawFile(const std::string& path, std::string_view name);
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  RawFile(RawFile&& o) noexcept;
  RawFile& operator=(RawFile&& o) noexcept;
  ~RawFile();

  /// Throws UserError where the file cannot be written, as where the disk is full.
  void write(i64 offset, std::span<const float> values);
  /// To be called at the end: some file systems tell only now that the disk was full.
  void close();
  [[nodiscard]] bool is_open() const { return file_ >= 0; }

 private:
  [[noreturn]] void refuse() const;
  int file_ = -1;
  std::string name_;
};

/// A mark that tells a file from every other, on all machines that share its disk; empty: it is not
/// there.
std::string identity_of(const std::string& path);

}  // namespace ptyle
