#pragma once

#include <filesystem>

namespace ptyle {

/// A folder that a command may make: where the command fails, what was made for nothing is removed
/// again, so that a mistake leaves no trace.
class NewFolder {
 public:
  explicit NewFolder(std::filesystem::path folder);
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder();
  void keep() { keep_ = true; }

 private:
  std::filesystem::path folder_, first_;  ///< first_: the uppermost folder that is not there yet
  bool keep_ = false;
};

}  // namespace ptyle
