#include "session/rescue.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <thread>
#include <vector>

#include "io/checkpoint.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

/// Folders to write to, the best one first: the output folder, then new ones.
std::vector<std::string> places(const std::string& folder, const Team& team) {
  std::error_code error;
  const fs::path output = fs::absolute(folder.empty() ? "." : folder, error).lexically_normal();
  std::string name = output.filename().string();
  if (name.empty()) name = output.parent_path().filename().string();
  std::vector<std::string> all{folder};
  std::vector<fs::path> above{output.parent_path(), fs::current_path(error)};
  // That for temporary files is each machine's own.
  const bool one_machine = static_cast<int>(team.here().size()) == team.size() ||
                           team.processes_on_node() == team.size();
  if (one_machine) above.push_back(fs::temp_directory_path(error));
  std::set<fs::path> tried;
  for (const fs::path& parent : above) {
    if (parent.empty() || !tried.insert(parent).second) continue;
    fs::path place = parent / (name + "-rescued");
    for (int n = 2; fs::exists(place, error); ++n)
      place = parent / fmt::format("{}-rescued-{}", name, n);
    all.push_back(place.string());
  }
  return all;
}

/// The first place where a checkpoint could be written; empty: none.
std::string save_somewhere(const Reconstruction& run, const std::vector<std::string>& places,
                           Team& team) {
  // The process that leads decides, as another may look at other disks.
  const auto count = std::stoul(told_by_leader(team, std::to_string(places.size())));
  for (std::size_t i = 0; i < count; ++i) {
    const std::string place = told_by_leader(team, i < places.size() ? places[i] : "");
    std::error_code ignored;
    const bool there = fs::exists(place, ignored);
    try {
      run.save(place);
      return place;
    } catch (const NotWritten&) {  // on all ranks
      if (team.leads() && !there) fs::remove(place, ignored);
    }
  }
  return {};
}

}  // namespace

void rescue(const Reconstruction& run, const std::string& folder, bool saved, const NotWritten& why,
            Team& team) {
  const std::vector<std::string> all = places(folder, team);
  saved = saved && told_by_leader(team, has_checkpoint(folder) ? "yes" : "no") == "yes";
  const std::string place = saved ? folder : save_somewhere(run, all, team);
  const auto iterations = run.history().cost.size();
  std::string sentence = why.what();
  if (saved || !place.empty())
    sentence += fmt::format(
        "; what was computed, {} iteration{}, is in {}: with that mended, the same command with "
        "--resume{} {}",
        iterations, iterations == 1 ? "" : "s", (fs::path(place) / "checkpoint").string(),
        place == folder ? "" : fmt::format(" --set output.folder={}", place),
        run.finished() ? "writes the result, computing nothing again" : "goes on from there");
  else
    sentence += fmt::format("; nor could what was computed be saved in {}", fmt::join(all, ", "));
  if (place.empty() && has_checkpoint(folder)) sentence += "; the checkpoint before is as it was";
  sentence = told_by_leader(team, sentence);
  // The process that leads says it, and ends the others: one that spoke first would say it as of
  // its own rank.
  constexpr std::chrono::seconds patience{3};
  if (!team.leads()) std::this_thread::sleep_for(patience);
  if (team.leads() && why.rank() > 0) throw RankFailed(why.rank(), 2, sentence);
  throw UserError(sentence);
}

}  // namespace ptyle
