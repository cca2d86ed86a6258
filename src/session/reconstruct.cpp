// A reconstruction from the configuration to its files, by all ranks of a team together:
//   1. check the configuration and the output folder, and lock that
//   2. open the data and make the fit, or take it up again from a checkpoint (session/open_fit)
//   3. an iteration at a time, until done or stopped; checkpoints are written meanwhile
//   4. the result, put together from the ranks' cores, the TIFF stack and the pictures
// One rank leads: it prints and writes.

#include "session/reconstruct.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "io/dataset_name.hpp"
#include "io/name_pattern.hpp"
#include "session/check.hpp"
#include "session/open_fit.hpp"

namespace ptyle {
namespace {

using Clock = std::chrono::steady_clock;

/// The measurement's files, and those of the start.
std::vector<std::string> files_read(const ReconstructConfig& c) {
  std::vector<std::string> files = data_files(c.data.file);
  for (const auto& file : {c.scan.file, file_part(c.data.mask), c.object.start})
    files.push_back(file);
  if (c.probe.starts_from() == ProbeStart::file) files.push_back(file_part(c.probe.start));
  std::erase(files, "");
  return files;
}

/// Until done (true) or stopped.
bool iterate(Reconstruction& run, const ReconstructConfig& config,
             const ReconstructCallbacks& callbacks, Team& team) {
  const auto& o = config.output;
  auto saved = Clock::now();
  const auto due = [&] {  // by the clock
    const std::chrono::duration<double> since = Clock::now() - saved;
    return o.checkpoint_minutes > 0 && since.count() > 60 * o.checkpoint_minutes;
  };
  const auto asked = [&] { return callbacks.stop && callbacks.stop(); };
  const auto checkpoints = run.checkpoints(o.folder, writes_while_computing(config));
  // Ranks agree on what is written between mini-batches too: a checkpoint is not to wait for the
  // end of a long iteration. Where stops between mini-batches change the sums, those are not to
  // depend on the disk.
  const auto written = [&] { return !config.ranks.exchange_behind && checkpoints->written(); };
  bool go_on = true;
  while (go_on && !run.finished()) {
    Progress now;
    try {
      now = run.step([&] { return due() || written(); });
    } catch (const CostNotFinite&) {  // on all ranks
      checkpoints->finish();
      throw;
    }
    std::vector<double> wishes{asked() ? 1.0 : 0.0, due() ? 1.0 : 0.0,
                               checkpoints->writing() ? 1.0 : 0.0};
    team.sum(wishes);
    go_on = wishes[0] == 0;
    if (wishes[2] == 0) checkpoints->commit();
    const bool by_count =
        now.whole && o.checkpoint_every > 0 && now.iteration % o.checkpoint_every == 0;
    if (!go_on || wishes[1] > 0 || by_count) {
      checkpoints->save();
      saved = Clock::now();
    }
  }
  checkpoints->finish();
  return run.finished();
}

}  // namespace

bool reconstruct(const ReconstructConfig& config, const std::string& resolved_yaml,
                 const ReconstructCallbacks& callbacks, Team& team) {
  return reconstruct(checked(config), resolved_yaml, callbacks, team);
}

bool reconstruct(const CheckedConfig& config, const std::string& resolved_yaml,
                 const ReconstructCallbacks& callbacks, Team& team) {
  ReconstructConfig c = config.config;
  auto& o = c.output;
  o.resume = o.resume && finds_checkpoint(o.folder, team);
  // The run that goes on replaces what it wrote when it was stopped.
  if (o.resume) o.overwrite = true;
  std::optional<FolderLock> lock;
  if (team.leads()) {
    check_output(o.folder, o.overwrite, files_read(c));
    lock.emplace(o.folder);
    check_checkpoint_place(o.folder);
    if (!o.overwrite && has_checkpoint(o.folder))
      throw UserError(
          fmt::format("{} has a checkpoint of an earlier run; use --resume to resume from it, or "
                      "--overwrite to start over",
                      o.folder));
  }
  Reconstruction run(CheckedConfig{c}, team, callbacks, resolved_yaml);
  // Begun anew: --resume is not to mix what an earlier run left with this one.
  if (team.leads() && !o.resume) remove_checkpoint(o.folder);
  const bool finished = iterate(run, c, callbacks, team);
  std::move(run).write(o.folder, {o.overwrite, o.pictures, o.tiff});
  if (finished && team.leads() && o.checkpoint_every == 0 && o.checkpoint_minutes == 0)
    remove_checkpoint(o.folder);
  return finished;
}

}  // namespace ptyle
