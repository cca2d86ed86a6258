// A reconstruction from the configuration to its files, by all ranks of a team together:
//   1. check the configuration and the output folder, and lock that
//   2. open the data and make the fit, or take it up again from a checkpoint (session/open_fit)
//   3. an iteration at a time, until done or stopped; checkpoints are written meanwhile
//   4. the result, put together from the ranks' cores; then the TIFF stack and the pictures
//   5. where 3 or 4 fail for want of disk or memory, a last checkpoint (session/rescue)
// One rank leads: it prints and writes.

#include "session/reconstruct.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/pulse.hpp"
#include "io/dataset_name.hpp"
#include "io/name_pattern.hpp"
#include "session/agreement.hpp"
#include "session/check.hpp"
#include "session/open_fit.hpp"
#include "session/rescue.hpp"

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

/// The advice if the run is ended because a rank stands still.
std::string resume_from(const std::string& folder) {
  return fmt::format("with that mended, --resume continues from the last checkpoint in {}", folder);
}
constexpr const char* no_checkpoint =
    "there is no checkpoint to resume from yet; output.checkpoint_minutes=30 writes one every half "
    "hour";

/// Until done or stopped. True: the last checkpoint is of the state at the end, as it may be of
/// that at the beginning (`saved`).
bool iterate(Reconstruction& run, bool saved, const ReconstructConfig& config,
             const ReconstructCallbacks& callbacks, Team& team) {
  const auto& o = config.output;
  auto last = Clock::now();
  const double minutes = o.minutes_between_checkpoints();
  const auto due = [&] {  // by the clock
    const std::chrono::duration<double> since = Clock::now() - last;
    return minutes > 0 && since.count() > 60 * minutes;
  };
  const auto asked = [&] { return callbacks.stop && callbacks.stop(); };
  const auto checkpoints = run.checkpoints(o.folder, writes_while_computing(config));
  // Ranks agree on what is written between mini-batches too: a checkpoint is not to wait for the
  // end of a long iteration. Where stops between mini-batches change the sums, those are not to
  // depend on the disk.
  const bool stops_change_sums = config.ranks.exchange_behind || config.ranks.exchange_at_end;
  const auto written = [&] { return !stops_change_sums && checkpoints->written(); };
  bool go_on = true, on_its_way = false;  // a checkpoint
  while (go_on && !run.finished()) {
    Progress now;
    set_stage(fmt::format("computing iteration {} of {}", run.history().cost.size() + 1,
                          config.solver.iterations));
    try {
      now = run.step([&] { return due() || written(); });
    } catch (const CostNotFinite&) {  // on all ranks
      checkpoints->finish();
      throw;
    }
    const bool writing = checkpoints->writing();
    std::vector<double> wishes{asked() ? 1.0 : 0.0, due() ? 1.0 : 0.0, writing ? 1.0 : 0.0,
                               checkpoints->failed() ? 1.0 : 0.0};
    team.sum(wishes);
    go_on = wishes[0] == 0;
    if (wishes[3] > 0) checkpoints->finish();  // which throws on all
    if (wishes[2] == 0) {
      checkpoints->commit();
      if (std::exchange(on_its_way, false)) team.advise(resume_from(o.folder));
    }
    const bool by_count =
        now.whole && o.checkpoint_every > 0 && now.iteration % o.checkpoint_every == 0;
    saved = !go_on || wishes[1] > 0 || by_count;
    if (!saved) continue;
    checkpoints->save();
    on_its_way = true;
    last = Clock::now();
  }
  checkpoints->finish();
  return saved;
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
  team.watch_over(c.ranks.watchdog);
  team.advise(o.resume ? resume_from(o.folder) : no_checkpoint);
  set_stage("reading the measurement");
  Reconstruction run(CheckedConfig{c}, team, callbacks, resolved_yaml);
  // Begun anew: --resume is not to mix what an earlier run left with this one.
  if (team.leads() && !o.resume) remove_checkpoint(o.folder);
  bool saved = false;
  try {
    saved = iterate(run, o.resume, c, callbacks, team);
    set_stage("writing the result");
    std::move(run).write(o.folder, {o.overwrite, o.pictures, o.tiff});
  } catch (const NotWritten& why) {  // on all ranks
    rescue(run, o.folder, saved, why, team);
  }
  const bool finished = run.finished();
  if (finished && team.leads() && o.checkpoint_every == 0 &&
      o.checkpoint_minutes.value_or(0) == 0) {
    const std::string left = failure_of([&] { remove_checkpoint(o.folder); });
    if (!left.empty() && callbacks.warn) callbacks.warn(left);
  }
  return finished;
}

}  // namespace ptyle
