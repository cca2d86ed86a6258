#include "app/new_folder.hpp"

namespace fs = std::filesystem;

namespace ptyle {

NewFolder::NewFolder(fs::path folder) : folder_(fs::absolute(folder).lexically_normal()) {
  std::error_code ignored;
  for (fs::path p = folder_; !fs::exists(p, ignored) && p.has_relative_path(); p = p.parent_path())
    first_ = p;
}

NewFolder::~NewFolder() {
  if (keep_ || first_.empty()) return;
  std::error_code failed;
  // From the folder up to the first that is new, and only as long as they are empty.
  for (fs::path p = folder_;; p = p.parent_path()) {
    const bool ours = fs::is_directory(p, failed);  // not what somebody has put in its place
    if (fs::exists(p, failed) && !(ours && fs::remove(p, failed))) return;
    if (p == first_) return;
  }
}

}  // namespace ptyle
