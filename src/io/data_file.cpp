// 0. Raw numbers, where the user says that it is these.
// 1. HDF5 as it is; what cannot be opened at all is refused as there.
// 2. The first format that recognises the file.
// 3. None does: what its name promises, or the line that converts it.

#include "io/data_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
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

std::string described(const RawLayout& raw) {
  return fmt::format("{} x {} of {}{}", raw.shape[0], raw.shape[1], h5::to_string(raw.type),
                     raw.big_endian ? ", the most significant byte first" : "");
}

void read_raw(const formats::Source& source, const RawLayout& raw, h5::File& to) {
  const i64 frame = formats::bytes_of(source, {raw.shape[0], raw.shape[1]}, raw.type.bytes),
            stride = frame + raw.gap, left = source.size() - raw.offset;
  const auto end = [&](i64 frames) { return raw.offset + frames * stride - raw.gap; };
  const i64 frames = left < frame ? 0 : (left + raw.gap) / stride, few = std::max<i64>(frames, 1);
  if (raw.gap % raw.type.bytes != 0)
    throw UserError(fmt::format("data.raw_gap is {} bytes, and must be whole numbers of {} bytes",
                                raw.gap, raw.type.bytes));
  // A gap may follow the last frame, too.
  if (frames == 0 || (source.size() != end(frames) && source.size() != end(frames) + raw.gap))
    throw UserError(fmt::format(
        "file '{}' has {} bytes; {} frame{} of {} would be {} bytes and {} would be {} ({} each, "
        "{} "
        "before the first, {} between them): are data.raw_type, raw_shape, raw_offset and raw_gap "
        "right?",
        source.path(), source.size(), few, few == 1 ? "" : "s", described(raw), end(few), few + 1,
        end(few + 1), frame, raw.offset, raw.gap));
  to.map_dataset("/data", raw.type, {frames, raw.shape[0], raw.shape[1]},
                 {source.path(), raw.offset, raw.big_endian, raw.gap > 0 ? stride : 0});
  to.note(
      fmt::format("'{}' is read as raw numbers, as data.raw_shape and raw_type say: {} frames "
                  "of {}",
                  source.path(), frames, described(raw)));
}

}  // namespace

bool reads_data_file(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) return false;
  if (h5::File::is_hdf5(path)) return true;
  const formats::Source source(path);
  const auto& all = formats::all();
  return std::any_of(all.begin(), all.end(), [&](const formats::Format& format) {
    const auto& names = format.extensions;
    return format.recognises(source) ||
           std::find(names.begin(), names.end(), source.extension()) != names.end();
  });
}

h5::File open_data_file(const std::string& path, const std::optional<RawLayout>& raw) {
  if (h5::File::is_hdf5(path)) {
    if (raw)
      throw UserError(fmt::format(
          "file '{}' is an HDF5 file, and data.raw_type and raw_shape are for raw numbers", path));
    return h5::File::open(path);
  }
  static std::map<std::string, std::weak_ptr<h5::InMemory>> open;
  std::erase_if(open, [](const auto& one) { return one.second.expired(); });
  const std::string state = raw ? fmt::format("{} as {} from {} by {}", state_of(path),
                                              described(*raw), raw->offset, raw->gap)
                                : state_of(path);
  if (const auto found = open.find(state); found != open.end())
    return h5::File::of_memory(found->second.lock());
  const formats::Source source(path);
  if (raw) {
    h5::File file = h5::File::in_memory(path);
    read_raw(source, *raw, file);
    open[state] = file.memory();
    return file;
  }
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
