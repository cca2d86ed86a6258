#include "io/raw_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.hpp"

namespace ptyle {

RawFile::RawFile(const std::string& path, std::string_view name)
    : file_(::open(path.c_str(), O_WRONLY | O_CLOEXEC)), name_(name) {
  if (file_ < 0) refuse();
}
RawFile::RawFile(RawFile&& o) noexcept
    : file_(std::exchange(o.file_, -1)), name_(std::move(o.name_)) {}
RawFile& RawFile::operator=(RawFile&& o) noexcept {
  std::swap(file_, o.file_);
  std::swap(name_, o.name_);
  return *this;
}
RawFile::~RawFile() {
  if (file_ >= 0) ::close(file_);
}

void RawFile::write(i64 offset, std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  for (std::size_t done = 0; done < bytes.size();) {
    const auto n = ::pwrite(file_, bytes.data() + done, bytes.size() - done,
                            static_cast<off_t>(offset) + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;
    if (n <= 0) refuse();
    done += static_cast<std::size_t>(n);
  }
}

void RawFile::close() {
  if (file_ >= 0 && ::close(std::exchange(file_, -1)) != 0) refuse();
}

void RawFile::refuse() const {
  throw UserError(fmt::format("file '{}' cannot be written: {}", name_, std::strerror(errno)));
}

std::string identity_of(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return {};
  return fmt::format("{} {}", facts.st_ino, facts.st_size);
}

}  // namespace ptyle
