#pragma once

// A file is written under another name and takes its own when it is whole.

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace ptyle {

/// "name.part", to be written to; taken away again where it does not come to commit().
class PartFile {
 public:
  explicit PartFile(const std::string& path) : path_(path), part_(path + ".part") {}
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile() {
    std::error_code ignored;
    if (!committed_) std::filesystem::remove(part_, ignored);
  }
  [[nodiscard]] const std::string& name() const { return part_; }
  /// Gives the closed file its own name.
  [[nodiscard]] std::error_code commit() {
    std::error_code error;
    std::filesystem::rename(part_, path_, error);
    committed_ = !error;
    return error;
  }

 private:
  std::string path_, part_;
  bool committed_ = false;
};

/// Writes a text as such a file. False: it cannot be written, and what was there is as it was.
[[nodiscard]] inline bool write_whole(const std::string& path, const std::string& text) {
  PartFile part(path);
  std::ofstream out(part.name(), std::ios::binary);
  out << text;
  out.close();
  return out && !part.commit();
}

}  // namespace ptyle
