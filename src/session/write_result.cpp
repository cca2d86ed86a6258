#include "session/write_result.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "core/error.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

// Made of result.h5.
constexpr std::array copies{"phase.tif",  "absorption.tif",     "probe.tif",    "phase-sum.png",
                            "slices.png", "absorption-sum.png", "depth.png",    "spectrum.png",
                            "probe.png",  "aperture.png",       "patterns.png", "r-factor.png",
                            "ranks.png",  "positions.png"};

/// All names that a run takes; the program itself writes config.yaml.
std::vector<std::string> file_names() {
  std::vector<std::string> names(copies.begin(), copies.end());
  names.insert(names.begin(), "result.h5");
  names.emplace_back("config.yaml");
  return names;
}

}  // namespace

void check_output(const std::string& folder, bool overwrite, std::span<const std::string> inputs) {
  const fs::path path = folder.empty() ? "." : folder;
  std::error_code error;
  fs::create_directories(path, error);
  if (!fs::is_directory(path))
    throw UserError(fmt::format(
        "cannot make the output folder {}{}; choose another with output.folder", path.string(),
        error ? " (" + error.message() + ")" : std::string(": a file has that name")));
  if (!overwrite)
    for (const std::string& name : file_names())
      if (fs::exists(path / name))
        throw UserError(
            fmt::format("{} exists already; choose another output.folder, or use --overwrite "
                        "(output.overwrite: true) to replace it",
                        (path / name).string()));
  for (const std::string& name : file_names())
    for (const std::string& input : inputs)
      if (fs::equivalent(path / name, input, error))
        throw UserError(
            fmt::format("{} is what is read, and would be replaced; choose another "
                        "output.folder",
                        (path / name).string()));
  const fs::path trial = path / ".ptyle-trial.part";
  const bool writable = static_cast<bool>(std::ofstream(trial) << "trial" << std::flush);
  fs::remove(trial, error);
  if (!writable)
    throw UserError(
        fmt::format("cannot write into the output folder {}; choose another with output.folder",
                    path.string()));
}

FolderLock::FolderLock(const std::string& folder)
    : folder_(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (folder_ >= 0 && ::flock(folder_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(folder_);
    throw UserError(
        fmt::format("another run is writing into {}; choose another output.folder", folder));
  }
}
FolderLock::~FolderLock() {
  if (folder_ >= 0) ::close(folder_);
}

class ResultWriter::Writer {
 public:
  Writer(const ResultFacts& facts, const std::array<i64, 3>& shape, bool absorption,
         const std::string& folder, bool overwrite)
      : folder_(folder.empty() ? "." : folder),
        file_((make(folder_) / "result.h5").string(), facts, shape, absorption, overwrite) {}

  void rows(View<const float, 2> phase, View<const float, 2> absorption) {
    file_.rows(phase, absorption);
  }
  void states(View<const float, 3> phase, View<const float, 3> absorption) {
    file_.states(phase, absorption);
  }
  ResultFile::Place hand_out() { return file_.hand_out(); }
  void finish() {
    file_.commit();
    // Those of an earlier result would be taken for this one's.
    std::error_code ignored;
    for (const char* name : copies) fs::remove(folder_ / name, ignored);
  }

 private:
  /// The folder may have vanished since check_output.
  static const fs::path& make(const fs::path& folder) {
    std::error_code failed;
    fs::create_directories(folder, failed);
    return folder;  // what is wrong shows when the file is made
  }
  fs::path folder_;
  ResultFile file_;
};

ResultWriter::ResultWriter(const ResultFacts& facts, const std::array<i64, 3>& shape,
                           bool absorption, const std::string& folder, bool overwrite)
    : writer_(std::make_unique<Writer>(facts, shape, absorption, folder, overwrite)) {}
ResultWriter::~ResultWriter() = default;
void ResultWriter::rows(View<const float, 2> phase, View<const float, 2> absorption) {
  writer_->rows(phase, absorption);
}
void ResultWriter::states(View<const float, 3> phase, View<const float, 3> absorption) {
  writer_->states(phase, absorption);
}
ResultFile::Place ResultWriter::hand_out() { return writer_->hand_out(); }
void ResultWriter::finish() { writer_->finish(); }

std::vector<std::string> write_outputs(const Result& result, const std::string& folder,
                                       const OutputChoice& choice) {
  check_output(folder, choice.overwrite);
  const bool absorption = !result.absorption.empty();
  ResultWriter writer(result, result.phase.shape(), absorption, folder, choice.overwrite);
  for (i64 z = 0; z < result.phase.shape()[0]; ++z)
    writer.rows(result.phase.view()[z],
                absorption ? result.absorption.view()[z] : View<const float, 2>{});
  if (!result.occupancy.empty()) writer.states(result.states_phase, result.states_absorption);
  writer.finish();
  return write_copies(folder, choice);
}

}  // namespace ptyle
