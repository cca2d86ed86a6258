#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace ptyle::bench {

/// A new folder for what a benchmark writes, removed with it.
class Folder {
 public:
  Folder() {
    path_ = (std::filesystem::temp_directory_path() / "ptyle-bench-XXXXXX").string();
    if (!mkdtemp(path_.data())) throw std::runtime_error("no temporary folder can be made");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace ptyle::bench
