#include "io/checkpoint.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>

#include "core/crew.hpp"
#include "core/error.hpp"
#include "core/pulse.hpp"
#include "io/checkpoint_files.hpp"
#include "io/hdf5.hpp"

namespace ptyle {

using namespace checkpoint_files;

namespace {

[[noreturn]] void cannot(const char* what, const fs::path& path, const std::error_code& error) {
  throw UserError(
      fmt::format("the checkpoint '{}' cannot be {}: {}", path.string(), what, error.message()));
}

/// Waits until the system has a file or folder on its disk, on behalf of `whole`.
void to_disk(const fs::path& path, const fs::path& whole) {
  const int file = ::open(path.c_str(), O_RDONLY);
  const int failure = file < 0 || ::fsync(file) != 0 ? errno : 0;
  if (file >= 0) ::close(file);
  // Some file systems have no such call for folders.
  const bool unknown = failure == EINVAL || failure == EBADF || failure == ENOTSUP;
  if (failure != 0 && !(unknown && fs::is_directory(path)))
    cannot("written", whole, std::error_code(failure, std::generic_category()));
}

/// Takes a folder away with what is in it; nothing where there is none. Removing a file waits for
/// the disk or the network, some ms, and thousands of ranks have written one each: threads wait
/// side by side.
void remove_folder(const fs::path& folder, std::error_code& error) noexcept {
  error.clear();
  std::error_code none;
  if (!fs::exists(fs::symlink_status(folder, none))) return;
  try {
    std::vector<fs::path> files;
    if (fs::is_directory(folder))
      for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
    std::vector<std::error_code> failures(files.size());
    constexpr int threads = 16;
    std::atomic<std::size_t> next{0};
    const auto work = [&](int) {
      for (std::size_t i = next++; i < files.size(); i = next++) {
        fs::remove_all(files[i], failures[i]);
        beat();
      }
    };
    if (files.size() > 2 * threads)
      Crew().run(threads, work);
    else
      work(0);
    for (const auto& failure : failures)
      if (failure) error = failure;
    if (!error) fs::remove_all(folder, error);
  } catch (const fs::filesystem_error& failure) {
    error = failure.code();
  } catch (const std::exception&) {
    error = std::make_error_code(std::errc::not_enough_memory);
  }
}

std::vector<i64> flat(const Box& box) {
  return {box.rows.begin, box.rows.end, box.cols.begin, box.cols.end};
}

/// The core of (planes, rows, columns) on a box, some rows of a plane at a time: each is a sign of
/// life (core/pulse).
template <class T>
void write_core(h5::File& file, const std::string& path, View<const T, 3> values, const Box& box,
                const Box& core) {
  const i64 planes = values.shape[0], rows = core.rows.size(), cols = core.cols.size();
  if (!box.contains(core) || values.shape[1] != box.rows.size() ||
      values.shape[2] != box.cols.size())
    throw std::logic_error("checkpoint: " + path + " does not cover the core");
  auto set = file.create_dataset<T>(path, {planes, rows, cols});
  const i64 most = rows_at_a_time(rows, cols);
  Array<T, 2> some({most, cols});
  for (i64 z = 0; z < planes; ++z)
    for (i64 first = 0; first < rows; first += most) {
      const i64 count = std::min(most, rows - first);
      for (i64 y = 0; y < count; ++y) {
        const T* from = &values(z, first + y + core.rows.begin - box.rows.begin,
                                core.cols.begin - box.cols.begin);
        std::copy(from, from + cols, &some(y, 0));
      }
      set.write({z, first, 0}, {1, count, cols}, some.data());
    }
}

void write_rank(h5::File& file, const CheckpointPart& part) {
  file.set("/", "format", format);
  file.set("/", "rank", part.rank);
  file.set("/", "ranks", part.ranks);
  file.set("/", "step", part.step);
  file.write("/object_box", {4}, flat(part.object).data());
  file.write("/core", {4}, flat(part.core).data());
  for (const ObjectState& s : part.object_state)
    std::visit(
        [&](auto values) { write_core(file, "/object/" + s.name, values, s.box, part.core); },
        s.values);
  const auto n = static_cast<i64>(part.positions.size());
  file.write("/position_numbers", {n}, part.positions.data());
  for (const PositionState& s : part.position_state) {
    if (static_cast<i64>(s.values.size()) != n * s.columns)
      throw std::logic_error("checkpoint: " + s.name + " has not " + std::to_string(s.columns) +
                             " numbers a position");
    file.write("/positions/" + s.name, {n, s.columns}, s.values.data());
  }
}

void write_global(h5::File& file, const CheckpointPart& part) {
  file.set("/", "format", format);
  file.create_dataset<int>("/fingerprint", {0});
  for (const Agreed& one : part.fingerprint) file.set("/fingerprint", one.key.c_str(), one.value);
  for (const GlobalState& s : part.global_state) {
    const std::string path = "/global/" + s.name;
    std::visit(
        [&](const auto& values) {
          using V = std::decay_t<decltype(values)>;
          if constexpr (std::is_same_v<V, std::string>) {
            file.create_dataset<int>(path, {0});
            file.set(path, "text", values);
          } else if constexpr (requires { values.shape; }) {
            file.write(path, values);
          } else {
            file.write(path, {static_cast<i64>(values.size())}, values.data());
          }
        },
        s.values);
  }
}

template <class Write>
void write_file(const fs::path& path, Write&& write) {
  h5::File file = h5::File::create(path.string(), true);
  write(file);
  file.commit();
  to_disk(path, path);
}

// The index -------------------------------------------------------------------------------------

/// The part of a rank's file that makes the index.
struct RankHeader {
  i64 step = 0;
  Box object, core;
  std::vector<i64> positions;
};

RankHeader read_header(const fs::path& folder, int rank, int ranks) {
  const h5::File file = h5::File::open((folder / rank_file(rank)).string());
  if (file.number("/", "rank") != rank || file.number("/", "ranks") != ranks)
    throw std::logic_error(fmt::format("checkpoint: {} is of another run", file.path()));
  return {static_cast<i64>(file.number("/", "step").value_or(-1)), read_box(file, "/object_box"),
          read_box(file, "/core"), file.read<i64>("/position_numbers")};
}

void write_index(const fs::path& folder, int ranks) {
  std::vector<Box> cores;
  std::vector<int> position_rank;
  RankHeader first;
  for (int rank = 0; rank < ranks; ++rank) {
    const RankHeader header = read_header(folder, rank, ranks);
    if (rank == 0) first = header;
    if (header.step != first.step || !(header.object == first.object))
      throw std::logic_error(
          fmt::format("checkpoint: rank {} wrote step {} of {} x {} pixels, "
                      "rank 0 step {} of {} x {}",
                      rank, header.step, header.object.rows.size(), header.object.cols.size(),
                      first.step, first.object.rows.size(), first.object.cols.size()));
    cores.push_back(header.core);
    for (const i64 i : header.positions) {
      const auto at = static_cast<std::size_t>(i);
      if (at >= position_rank.size()) position_rank.resize(at + 1, -1);
      position_rank[at] = rank;
    }
  }
  if (!divide(cores, first.object))
    throw std::logic_error("checkpoint: the cores do not divide the object");
  write_file(folder / "index.h5", [&](h5::File& file) {
    file.set("/", "format", format);
    file.set("/", "step", first.step);
    std::vector<i64> boxes;
    for (const Box& core : cores)
      for (const i64 edge : flat(core)) boxes.push_back(edge);
    file.write("/object_box", {4}, flat(first.object).data());
    file.write("/cores", {ranks, 4}, boxes.data());
    file.write("/position_rank", {static_cast<i64>(position_rank.size())}, position_rank.data());
  });
}

/// Files of another number of ranks, left by a run that was killed while it wrote.
void remove_strangers(const fs::path& folder, int ranks) {
  std::set<std::string> ours{"global.h5", "index.h5"};
  for (int rank = 0; rank < ranks; ++rank) ours.insert(rank_file(rank));
  std::vector<fs::path> strangers;
  for (const auto& entry : fs::directory_iterator(folder))
    if (!ours.contains(entry.path().filename().string())) strangers.push_back(entry.path());
  std::error_code ignored;
  for (const auto& path : strangers) fs::remove_all(path, ignored);
}

}  // namespace

void write_checkpoint_part(const std::string& folder, const CheckpointPart& part) {
  const Names names(folder);
  std::error_code error;
  fs::create_directories(names.part, error);
  if (error) cannot("written", names.part, error);
  write_file(names.part / rank_file(part.rank), [&](h5::File& file) { write_rank(file, part); });
  if (part.rank == 0)
    write_file(names.part / "global.h5", [&](h5::File& file) { write_global(file, part); });
}

void commit_checkpoint(const std::string& folder, int ranks) {
  const Names names(folder);
  (void)h5::File::open((names.part / "global.h5").string());
  write_index(names.part, ranks);
  remove_strangers(names.part, ranks);
  to_disk(names.part, names.part);
  std::error_code error;
  if (fs::exists(names.current)) {
    remove_folder(names.old, error);
    if (!error) fs::rename(names.current, names.old, error);
    if (error) cannot("replaced", names.current, error);
  }
  fs::rename(names.part, names.current, error);
  if (error) cannot("renamed", names.part, error);
  to_disk(names.current.parent_path(), names.current);
  remove_folder(names.old, error);  // what is left goes the next time
}

void discard_checkpoint_part(const std::string& folder) noexcept {
  std::error_code ignored;
  remove_folder(Names(folder).part, ignored);
}

bool has_checkpoint(const std::string& folder) {
  const Names names(folder);
  std::error_code ignored;
  return fs::is_directory(names.current, ignored) || fs::is_directory(names.old, ignored);
}

void check_checkpoint_place(const std::string& folder) {
  const Names names(folder);
  const auto ours = [](std::string name) {
    if (name.ends_with(".part")) name.resize(name.size() - 5);  // of a run that was killed
    return name == "global.h5" || name == "index.h5" ||
           (name.starts_with("rank-") && name.ends_with(".h5"));
  };
  for (const auto& path : {names.current, names.part, names.old}) {
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    fs::path stranger = fs::is_directory(path) ? "" : path;
    for (auto at = fs::directory_iterator(path, error); !error && at != fs::end(at);
         at.increment(error))
      if (!ours(at->path().filename().string())) stranger = at->path();
    if (!stranger.empty())
      throw UserError(
          fmt::format("{} is not ptyle's, and '{}' is the name of its checkpoints; move it away, "
                      "or choose another output.folder",
                      stranger.string(), path.filename().string()));
  }
}

void remove_checkpoint(const std::string& folder) {
  const Names names(folder);
  std::error_code error;
  for (const auto& path : {names.part, names.old, names.current}) {
    remove_folder(path, error);
    if (error) cannot("removed", path, error);
  }
}

}  // namespace ptyle
