#include "io/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "io/disk_space.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

void remove(const std::string& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) throw UserError(fmt::format("'{}' cannot be removed: {}", path, error.message()));
}

bool same_recipe(const h5::File& file, const std::string& recipe) {
  return file.text("/", "recipe").value_or("") == recipe;
}

void refuse(const std::string& path) {
  throw UserError(fmt::format(
      "file '{}' was made from another recipe; name another output, remove it, or use --overwrite",
      path));
}

/// Bytes that will be written: the object with its configurations, and the patterns to be made now.
double bytes_now(const DatasetHeader& h) {
  const auto side = static_cast<double>(h.detector);
  const auto voxels = static_cast<double>(View<const float, 3>{nullptr, h.object}.size());
  const int objects = h.configurations > 1 ? h.configurations + 1 : 1;
  return static_cast<double>(h.now) * side * side * h.pattern_type.bytes +
         objects * voxels * sizeof(float);
}

void write_pairs(h5::File& file, const char* name, const std::vector<Position>& pairs,
                 const char* unit) {
  std::vector<double> at;
  for (const Position& p : pairs) at.insert(at.end(), {p.row, p.col});
  file.write(name, {static_cast<i64>(pairs.size()), 2}, at.data());
  file.set(name, "units", unit);
}

void set_numbers(h5::File& file, const char* group,
                 const std::vector<std::pair<std::string, std::vector<double>>>& numbers) {
  for (const auto& [name, values] : numbers)
    if (values.size() == 1)
      file.set(group, name.c_str(), values[0]);
    else
      file.set(group, name.c_str(), std::span<const double>(values));
}

void write_truth(h5::File& file, const DatasetTruth& truth) {
  if (truth.positions.empty()) return;
  write_pairs(file, "/truth/positions", truth.positions, "A");
  if (!truth.descan.empty()) write_pairs(file, "/truth/descan", truth.descan, "px");
  if (!truth.dead.empty()) file.write("/truth/mask", truth.dead);
  if (!truth.gains.empty()) {
    file.write("/truth/gain", truth.gains);
    file.set("/truth/gain", "units", "1");
  }
  for (const auto& [path, unit, values] : truth.by_position) {
    file.write(path, {static_cast<i64>(values.size())}, values.data());
    file.set(path, "units", unit);
  }
  set_numbers(file, "/truth", truth.numbers);
}

}  // namespace

h5::File SimulatedSet::create(const std::string& part, const DatasetHeader& header) {
  const auto n = static_cast<i64>(header.positions.size());
  const auto [nz, ny, nx] = header.object;
  if (exists(part)) remove(part);
  check_disk_space(fs::path(part).parent_path().string(), bytes_now(header),
                   fs::path(part).stem().string());
  // Everything that is not yet known is 0, and what is not yet written takes no room in the file.
  h5::File file = h5::File::create(part);
  file.create_dataset("/patterns", header.pattern_type, {n, header.detector, header.detector},
                      {1, header.detector, header.detector});
  write_pairs(file, "/positions", header.positions, "A");
  file.write("/probe", header.probe.view());
  file.create_dataset<float>("/object/phase", {nz, ny, nx});
  if (header.configurations > 1)
    file.create_dataset<float>("/object/configurations", {header.configurations, nz, ny, nx});
  if (!header.atoms.empty()) write_atoms(file, header.atoms);
  const std::vector<std::uint8_t> none(static_cast<std::size_t>(n));
  file.write("/done", {n}, none.data());
  write_truth(file, header.truth);
  set_numbers(file, "/", header.numbers);
  file.set("/", "units", "A");
  file.set("/", "version", header.version);
  file.set("/", "recipe", header.recipe);
  file.set("/object", "complete", 0);
  file.commit();
  return h5::File::update(part);
}

std::optional<SimulatedSet> SimulatedSet::open(const std::string& path, const DatasetHeader& header,
                                               bool overwrite) {
  const std::string part = path + ".part";
  if (exists(path)) {
    bool same = false;
    try {
      same = same_recipe(h5::File::open(path), header.recipe);
    } catch (const UserError&) {
      if (!overwrite) throw;
    }
    if (same) return {};
    if (!overwrite) refuse(path);
  }
  if (exists(part)) {
    bool same = false;
    try {
      same = same_recipe(h5::File::open(part), header.recipe);
    } catch (const UserError& e) {
      if (!overwrite)
        throw UserError(
            fmt::format("{} (an interrupted simulation; remove it to start over)", e.what()));
    }
    if (same) return SimulatedSet(h5::File::update(part), path, header);
    if (!overwrite) refuse(part);
  }
  return SimulatedSet(create(part, header), path, header);
}

SimulatedSet::SimulatedSet(h5::File file, std::string path, const DatasetHeader& header)
    : path_(std::move(path)), file_(std::move(file)), count_(header.configurations) {
  patterns_ = file_->dataset("/patterns");
  phase_ = file_->dataset("/object/phase");
  if (count_ > 1) configurations_ = file_->dataset("/object/configurations");
  done_set_ = file_->dataset("/done");
  done_ = done_set_.read<std::uint8_t>();
  object_done_ = file_->number("/object", "complete").value_or(0) == 1;
}

void SimulatedSet::write_slice(int configuration, i64 z, View<const float, 2> phase) {
  const auto [ny, nx] = phase.shape;
  if (count_ > 1)
    configurations_.write({configuration, z, 0, 0}, {1, 1, ny, nx}, phase.data);
  else
    phase_.write({z, 0, 0}, {1, ny, nx}, phase.data);
}

void SimulatedSet::write_mean_slice(i64 z, View<const float, 2> phase) {
  const auto [ny, nx] = phase.shape;
  phase_.write({z, 0, 0}, {1, ny, nx}, phase.data);
}

void SimulatedSet::finish_object() {
  file_->flush();
  file_->set("/object", "complete", 1);
  file_->flush();
  object_done_ = true;
}

void SimulatedSet::read_object(int configuration, const std::array<i64, 3>& from,
                               View<float, 3> to) const {
  const auto [nz, ny, nx] = to.shape;
  if (count_ > 1)
    configurations_.read({configuration, from[0], from[1], from[2]}, {1, nz, ny, nx}, to.data);
  else
    phase_.read({from[0], from[1], from[2]}, {nz, ny, nx}, to.data);
}

void SimulatedSet::record(const std::vector<i64>& numbers) {
  file_->flush();
  for (const i64 i : numbers) done_[static_cast<std::size_t>(i)] = 1;
  done_set_.write(done_.data());
  file_->flush();
}

void SimulatedSet::discard() {
  patterns_ = {}, phase_ = {}, configurations_ = {}, done_set_ = {};
  file_.reset();
  std::error_code ignored;
  fs::remove(path_ + ".part", ignored);
}

bool SimulatedSet::finish() {
  if (std::find(done_.begin(), done_.end(), 0) != done_.end()) return false;
  patterns_ = {}, phase_ = {}, configurations_ = {}, done_set_ = {};
  file_->flush();
  file_.reset();
  std::error_code error;
  fs::rename(path_ + ".part", path_, error);
  if (error)
    throw UserError(
        fmt::format("'{}.part' cannot be renamed to '{}': {}", path_, path_, error.message()));
  return true;
}

}  // namespace ptyle
