// 1. HDF5 as it is; what cannot be opened at all is refused as there.
// 2. The first format that recognises the file.
// 3. None does: what its name promises, or the line that converts it.

#include "io/data_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <memory>

#include "core/error.hpp"
#include "io/formats/formats.hpp"

namespace ptyle {
namespace {

/// Tells a file from every other, and from what it was before it was changed.
std::string state_of(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return path;
  return fmt::format("{} {} {} {} {}.{}", path, facts.st_dev, facts.st_ino, facts.st_size,
                     facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
}

/// One or two numbers are attributes of the file as well, where what it states is looked for.
void state_small_arrays(h5::File& file) {
  for (const auto& one : file.datasets()) {
    const std::string name = one.path.substr(1);
    if (one.size() < 1 || one.size() > 2 || !one.type.is_real() ||
        name.find('/') != std::string::npos)
      continue;
    const auto values = file.read<double>(one.path);
    if (values.size() == 1)
      file.set("/", name.c_str(), values[0]);
    else
      file.set("/", name.c_str(), std::span<const double>(values));
  }
}

[[noreturn]] void refuse(const formats::Source& source) {
  for (const auto& format : formats::all())
    if (std::find(format.extensions.begin(), format.extensions.end(), source.extension()) !=
        format.extensions.end())
      throw UserError(
          fmt::format("file '{}' is neither {}, as its name says, nor HDF5: it begins otherwise; "
                      "is it damaged, "
                      "or has it another format's name?",
                      source.path(), format.name));
  (void)h5::File::open(source.path());
  throw UserError(fmt::format("file '{}' has just been changed", source.path()));
}

}  // namespace

h5::File open_data_file(const std::string& path) {
  if (h5::File::is_hdf5(path)) return h5::File::open(path);
  static std::map<std::string, std::weak_ptr<h5::InMemory>> open;
  std::erase_if(open, [](const auto& one) { return one.second.expired(); });
  const std::string state = state_of(path);
  if (const auto found = open.find(state); found != open.end())
    return h5::File::of_memory(found->second.lock());
  const formats::Source source(path);
  for (const auto& format : formats::all()) {
    if (!format.recognises(source)) continue;
    h5::File file = h5::File::in_memory(path);
    format.read(source, file);
    state_small_arrays(file);
    open[state] = file.memory();
    return file;
  }
  refuse(source);
}

}  // namespace ptyle
