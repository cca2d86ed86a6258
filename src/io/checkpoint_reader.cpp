#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/error.hpp"
#include "io/checkpoint.hpp"
#include "io/checkpoint_files.hpp"
#include "io/hdf5.hpp"

namespace ptyle {

using namespace checkpoint_files;

namespace {

constexpr const char* remedy = "start over by --overwrite in place of --resume";

/// Reads from one of the checkpoint's files; what is wrong with it is said as the user's trouble.
template <class Read>
auto read_file(const std::string& folder, const std::string& name, Read&& read,
               const std::string& bytes = {}) {
  try {
    const std::string path = (fs::path(folder) / name).string();
    const h5::File file = bytes.empty() ? h5::File::open(path) : h5::File::of_bytes(bytes, path);
    const double is = file.number("/", "format").value_or(0);
    if (is != format)
      throw UserError(fmt::format("it has format {:g}, this version reads {}", is, format));
    return read(file);
  } catch (const UserError& error) {
    throw UserError(fmt::format("cannot resume from checkpoint {}: {}: {}; {}", folder, name,
                                error.what(), remedy));
  }
}

[[noreturn]] void incomplete(const std::string& folder, const std::string& why) {
  throw UserError(fmt::format("cannot resume from checkpoint {}: it is incomplete, {}; {}", folder,
                              why, remedy));
}

/// The same of one that all ranks read, of which the bytes may be here.
template <class Read>
auto read_shared(const std::string& folder, const std::string& name,
                 const std::map<std::string, std::string>& bytes, Read&& read) {
  const auto at = bytes.find(name);
  return read_file(folder, name, std::forward<Read>(read),
                   at == bytes.end() ? std::string() : at->second);
}

/// Copies the overlap of a core with a box out of a rank's dataset.
template <class T>
void read_overlap(const h5::Dataset& set, const Box& core, const Box& box, View<T, 3> to) {
  const Box part = intersection(core, box);
  const i64 rows = part.rows.size(), cols = part.cols.size();
  if (set.shape() != h5::Shape{to.shape[0], core.rows.size(), core.cols.size()})
    throw UserError(fmt::format("{} has the shape {}, {} x {} x {} is needed", set.info().path,
                                h5::to_string(set.shape()), to.shape[0], core.rows.size(),
                                core.cols.size()));
  const i64 most = rows_at_a_time(rows, cols);
  Array<T, 2> some({most, cols});
  for (i64 z = 0; z < to.shape[0]; ++z)
    for (i64 first = 0; first < rows; first += most) {
      const i64 count = std::min(most, rows - first), row = part.rows.begin + first;
      set.read({z, row - core.rows.begin, part.cols.begin - core.cols.begin}, {1, count, cols},
               some.data());
      for (i64 y = 0; y < count; ++y)
        std::copy(&some(y, 0), &some(y, 0) + cols,
                  &to(z, row + y - box.rows.begin, part.cols.begin - box.cols.begin));
    }
}

/// The members of "[a, b]", in the order of their texts.
std::vector<std::string> members(const std::string& set) {
  std::vector<std::string> all;
  for (std::size_t at = set.find_first_not_of("[], "); at != std::string::npos;) {
    const std::size_t end = std::min(set.find_first_of("[], ", at), set.size());
    all.push_back(set.substr(at, end - at));
    at = set.find_first_not_of("[], ", end);
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

Checkpoint::Checkpoint(const std::string& folder) : Checkpoint(folder, {}, true) {}

Checkpoint::Checkpoint(const std::string& folder, const Shared& shared, bool leads) {
  const Names names(folder);
  if (!has_checkpoint(folder))
    throw UserError(fmt::format("cannot resume: there is no checkpoint in {}; {}",
                                names.current.parent_path().string(), remedy));
  path_ = (fs::is_directory(names.current) ? names.current : names.old).string();
  for (const char* name : {"index.h5", "global.h5"})
    if (shared) bytes_[name] = shared((fs::path(path_) / name).string());
  read_shared(path_, "index.h5", bytes_, [&](const h5::File& file) {
    step_ = static_cast<i64>(file.number("/", "step").value_or(0));
    object_ = read_box(file, "/object_box");
    const auto boxes = file.read<i64>("/cores");
    for (std::size_t i = 0; i + 3 < boxes.size(); i += 4)
      cores_.push_back({{boxes[i], boxes[i + 1]}, {boxes[i + 2], boxes[i + 3]}});
    position_rank_ = file.read<int>("/position_rank");
  });
  bytes_.erase("index.h5");
  if (!divide(cores_, object_)) incomplete(path_, "its parts are not the whole object");
  if (leads) look_for_files();
  read_shared(path_, "global.h5", bytes_, [](const h5::File&) {});
}

void Checkpoint::look_for_files() const {
  std::set<std::string> there;  // one look at the folder, however many ranks there were
  for (const auto& entry : fs::directory_iterator(path_))
    there.insert(entry.path().filename().string());
  for (int rank = 0; rank < ranks(); ++rank)
    if (!there.contains(rank_file(rank))) incomplete(path_, rank_file(rank) + " is missing");
}

std::optional<std::string> Checkpoint::fact(const std::string& key) const {
  return read_shared(path_, "global.h5", bytes_,
                     [&](const h5::File& file) { return file.text("/fingerprint", key.c_str()); });
}

std::vector<std::string> Checkpoint::check(const Fingerprint& now) const {
  const auto before = read_shared(path_, "global.h5", bytes_, [&](const h5::File& file) {
    std::vector<std::string> all;
    for (const Agreed& one : now)
      all.push_back(file.text("/fingerprint", one.key.c_str()).value_or(one.value));
    return all;
  });
  std::vector<std::string> changes;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const Agreed& one = now[i];
    if (before[i] == one.value || before[i] == one.formerly.value_or(one.value) ||
        (one.any_order && members(before[i]) == members(one.value)))
      continue;
    changes.push_back(fmt::format("{} was {}, now it is {}", one.key, before[i], one.value));
    if (!one.may_change)
      throw UserError(
          fmt::format("cannot resume from checkpoint {}: it is of another run: {}{}; {}, or "
                      "resume with what it was",
                      path_, changes.back(), one.if_differs, remedy));
  }
  return changes;
}

template <class T>
void Checkpoint::read(const std::string& name, const Box& box, View<T, 3> to) const {
  if (!object_.contains(box) || to.shape[1] != box.rows.size() || to.shape[2] != box.cols.size())
    throw UserError(fmt::format(
        "cannot resume from checkpoint {}: it holds rows {} to {} and columns {} to {} of the "
        "object, a part with rows {} to {} and columns {} to {} is needed",
        path_, object_.rows.begin, object_.rows.end, object_.cols.begin, object_.cols.end,
        box.rows.begin, box.rows.end, box.cols.begin, box.cols.end));
  for (int rank = 0; rank < ranks(); ++rank) {
    const Box& core = cores_[static_cast<std::size_t>(rank)];
    if (intersection(core, box).empty()) continue;
    read_file(path_, rank_file(rank), [&](const h5::File& file) {
      read_overlap(file.dataset("/object/" + name), core, box, to);
    });
  }
}

template void Checkpoint::read(const std::string&, const Box&, View<float, 3>) const;
template void Checkpoint::read(const std::string&, const Box&, View<double, 3>) const;

std::vector<double> Checkpoint::position_state(const std::string& name,
                                               std::span<const i64> positions, i64 columns) const {
  std::map<int, std::vector<std::size_t>> of_rank;  // places in `positions`
  for (std::size_t k = 0; k < positions.size(); ++k) {
    const auto i = static_cast<std::size_t>(positions[k]);
    const int rank = i < position_rank_.size() ? position_rank_[i] : -1;
    if (rank < 0) incomplete(path_, fmt::format("nothing of position {}", positions[k]));
    of_rank[rank].push_back(k);
  }
  std::vector<double> out(positions.size() * static_cast<std::size_t>(columns));
  for (const auto& [rank, places] : of_rank)
    read_file(path_, rank_file(rank), [&, &places = places](const h5::File& file) {
      const auto numbers = file.read<i64>("/position_numbers");
      const h5::Dataset set = file.dataset("/positions/" + name);
      if (set.shape() != h5::Shape{static_cast<i64>(numbers.size()), columns})
        throw UserError(fmt::format("{} has the shape {}, {} x {} is needed", set.info().path,
                                    h5::to_string(set.shape()), numbers.size(), columns));
      const auto values = set.read<double>();
      for (const std::size_t k : places) {
        const auto at = std::lower_bound(numbers.begin(), numbers.end(), positions[k]);
        if (at == numbers.end() || *at != positions[k])
          throw UserError(fmt::format("nothing of position {}", positions[k]));
        std::copy_n(values.begin() + (at - numbers.begin()) * columns, columns,
                    out.begin() + static_cast<std::ptrdiff_t>(k) * columns);
      }
    });
  return out;
}

std::vector<double> Checkpoint::numbers(const std::string& name) const {
  return read_shared(path_, "global.h5", bytes_,
                     [&](const h5::File& file) { return file.read<double>("/global/" + name); });
}

std::optional<std::vector<double>> Checkpoint::find_numbers(const std::string& name) const {
  return read_shared(path_, "global.h5", bytes_, [&](const h5::File& file) {
    const std::string path = "/global/" + name;
    return file.has_dataset(path) ? std::optional(file.read<double>(path)) : std::nullopt;
  });
}

std::vector<i64> Checkpoint::integers(const std::string& name) const {
  return read_shared(path_, "global.h5", bytes_,
                     [&](const h5::File& file) { return file.read<i64>("/global/" + name); });
}

std::string Checkpoint::text(const std::string& name) const {
  return read_shared(path_, "global.h5", bytes_, [&](const h5::File& file) {
    const auto text = file.text("/global/" + name, "text");
    if (!text) throw UserError("'" + name + "' is no text");
    return *text;
  });
}

template <class T>
Array<Complex<T>, 3> Checkpoint::waves(const std::string& name) const {
  return read_shared(path_, "global.h5", bytes_, [&](const h5::File& file) {
    const h5::Dataset set = file.dataset("/global/" + name);
    if (set.shape().size() != 3)
      throw UserError(fmt::format("'{}' has the shape {}, modes x rows x columns are needed", name,
                                  h5::to_string(set.shape())));
    Array<Complex<T>, 3> waves({set.shape()[0], set.shape()[1], set.shape()[2]});
    set.read(waves.data());
    return waves;
  });
}

template Array<Complex<float>, 3> Checkpoint::waves(const std::string&) const;
template Array<Complex<double>, 3> Checkpoint::waves(const std::string&) const;

}  // namespace ptyle
