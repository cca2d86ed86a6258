#include "io/formats/source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "core/error.hpp"
#include "core/ledger.hpp"
#include "core/text.hpp"

namespace ptyle::formats {

Source::Source(const std::string& path)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat facts {};
  if (file_ < 0 || ::fstat(file_, &facts) != 0) {
    const int error = errno;
    if (file_ >= 0) ::close(file_);
    throw UserError(fmt::format("file '{}' cannot be opened: {}", path, std::strerror(error)));
  }
  size_ = facts.st_size;
  extension_ = lower_case(std::filesystem::path(path).extension().string());
  constexpr i64 most = 4096;
  start_ = read(0, std::min(size_, most));
}

Source::~Source() { ::close(file_); }

void Source::read(i64 offset, i64 bytes, char* to) const {
  if (offset < 0 || bytes < 0 || offset > size_ || bytes > size_ - offset)
    throw UserError(fmt::format(
        "file '{}' is truncated: it has {} bytes, and should have {} more from byte {} on", path_,
        size_, bytes, offset));
  for (i64 done = 0; done < bytes;) {
    const auto n = ::pread(file_, to + done, static_cast<std::size_t>(bytes - done),
                           static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      throw UserError(fmt::format("file '{}' cannot be read: {}", path_,
                                  n == 0 ? "it has become shorter" : std::strerror(errno)));
    done += n;
  }
}

std::string Source::read(i64 offset, i64 bytes) const {
  std::string text(static_cast<std::size_t>(std::clamp<i64>(bytes, 0, size_)), '\0');
  read(offset, bytes, text.data());
  return text;
}

void Source::check_end(i64 end, const std::string& what) const {
  if (end > size_)
    throw UserError(fmt::format("file '{}' is truncated: {} at byte {}, and it has {}", path_, what,
                                end, size_));
}

std::uint64_t little(std::string_view text, std::size_t at, int bytes) {
  std::uint64_t value = 0;
  for (int b = bytes; b-- > 0;)
    value =
        value << 8U | static_cast<unsigned char>(text.substr(at).at(static_cast<std::size_t>(b)));
  return value;
}

std::uint64_t big(std::string_view text, std::size_t at, int bytes) {
  std::uint64_t value = 0;
  for (int b = 0; b < bytes; ++b)
    value =
        value << 8U | static_cast<unsigned char>(text.substr(at).at(static_cast<std::size_t>(b)));
  return value;
}

i64 whole_number(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return 0;
  i64 number = 0;
  std::from_chars(text.data() + first, text.data() + text.size(), number);
  return number;
}

i64 bytes_of(const Source& source, const h5::Shape& shape, i64 bytes_each) {
  constexpr i64 most = i64{1} << 62;
  i64 bytes = bytes_each;
  for (const i64 n : shape) {
    if (n < 0 || (n > 0 && bytes > most / n))
      throw UserError(fmt::format("file '{}' is damaged: it states an array of {} numbers",
                                  source.path(), h5::to_string(shape)));
    bytes *= n;
  }
  return bytes;
}

void check_room(const Source& source, const std::string& dataset, i64 bytes,
                const std::string& remedy) {
  const auto free = static_cast<i64>(available_memory_bytes());
  if (bytes > free / 2)
    throw UserError(fmt::format(
        "'{}' in '{}' has to be unpacked into memory, where it takes {:.3g} GB of the {:.3g} GB "
        "that are free; {}",
        dataset, source.path(), static_cast<double>(bytes) / 1e9, static_cast<double>(free) / 1e9,
        remedy));
}

}  // namespace ptyle::formats
