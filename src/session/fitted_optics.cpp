#include "session/fitted_optics.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/pulse.hpp"
#include "core/rounded.hpp"
#include "io/checkpoint.hpp"
#include "session/agreement.hpp"
#include "session/open_experiment.hpp"
#include "session/open_fit.hpp"
#include "session/quick_look.hpp"
#include "session/rank_memory.hpp"
#include "session/settings.hpp"

namespace ptyle {
namespace {

/// Keys that are not given, which the patterns are to say.
struct MissingKeys {
  bool defocus = false, astigmatism = false, rotation = false, flips = false;
  [[nodiscard]] bool any() const { return defocus || astigmatism || rotation; }
};

MissingKeys missing_keys(const ReconstructConfig& c) {
  const bool rotation = !c.scan.rotation && c.scan.positions.empty();
  return {!c.optics.defocus, c.optics.C12 == 0 && c.optics.phi12 == 0, rotation,
          rotation && !flips_given(c.data)};
}

/// Positions first … last of each process: as many for each, or one more.
Kept even_share(std::size_t positions, int rank, int ranks) {
  const auto at = [&](int r) { return static_cast<i64>(positions) * r / ranks; };
  Kept kept;
  kept.own.resize(static_cast<std::size_t>(at(rank + 1) - at(rank)));
  std::iota(kept.own.begin(), kept.own.end(), at(rank));
  return kept;
}

/// Step 1, on the process that leads; the others have an empty look.
QuickLook look_at(const ReconstructConfig& c, const PatternsInMemory* patterns, Team& team) {
  Ledger ledger = ledger_of_process(team.processes_on_node());
  const double budget = memory_budget(c, team.processes_on_node(), ledger);
  const bool all_here = static_cast<int>(team.here().size()) == team.size();
  const int rank = all_here ? 0 : team.here().front(), ranks = all_here ? 1 : team.size();
  const Distribution distribution{
      rank,
      ranks,
      [&](std::span<const Position> at, i64, double) { return even_share(at.size(), rank, ranks); },
      [&](std::span<double> values) { team.sum(values); },
      [&](std::span<double> values) { team.maximum(values); },
      [&](double bytes) -> std::shared_ptr<Scratch> {
        if (bytes <= double(Scratch::resident) || 2 * bytes <= budget) return {};
        return std::make_shared<Scratch>(scratch_folder(c.output));
      }};
  const Experiment e =
      open_experiment(c.data, c.calibration, c.scan, c.optics, &ledger, &distribution, patterns);
  const MissingKeys missing = missing_keys(c);
  QuickLookOptions options;
  options.thickness = thickness_of(c.object);
  options.threads =
      c.solver.threads > 0 ? c.solver.threads : default_threads(team.processes_on_node());
  options.rotation_given = !e.by_step || !missing.rotation;
  options.flips_given = !missing.flips;
  options.pictures = false;
  options.most_bytes = std::min(options.most_bytes, static_cast<std::size_t>(budget / 4));
  options.ledger = &ledger;
  options.team = &team;
  return quick_look(e, options);
}

/// The reason for which keys are wrong beside what was found; empty: they are not.
std::string contradiction(const QuickLook& look, const ReconstructConfig& c,
                          const MissingKeys& missing) {
  const FoundBeam& f = look.found;
  const bool flipped = f.flips.name() != "none" && f.flip_known && !missing.flips;
  if (flipped || (!missing.rotation && is_rotated(f)))
    return fmt::format("by the images of bright-field pixels the orientation is {}; {}",
                       orientation_keys(look, c.data),
                       look.by_step ? "correct these keys, or leave all of them out"
                                    : "positions of a dataset are final: correct them, or give "
                                      "scan.step in their place");
  const double defocus = c.optics.defocus.value_or(0);
  if (f.sign == SignBy::given_rotation && defocus != 0 &&
      std::abs(f.defocus) > told_apart * f.defocus_error && (defocus > 0) != (f.defocus > 0))
    return fmt::format(
        "optics.defocus={:.6g} has the other sign than {:+.6g} Å, which goes with the orientation "
        "as given; correct one of them",
        defocus, rounded(f.defocus, f.defocus_error));
  return {};
}

/// Step 2: why what is missing is not determined; empty: it is.
std::string refusal_of(const QuickLook& look, const ReconstructConfig& c,
                       const MissingKeys& missing) {
  const FoundBeam& f = look.found;
  if (!look.refusal.empty()) return "cannot measure the beam: " + look.refusal;
  if (!f.known)
    return fmt::format(
        "the images of bright-field pixels do not determine the beam: the best model explains "
        "{:.0f} % of them, {:.1f} % by chance; give optics.defocus by its key, and astigmatism and "
        "scan rotation where they are known",
        100 * look.fit.explained, 100 * look.fit.by_chance);
  if (const std::string wrong = contradiction(look, c, missing); !wrong.empty()) return wrong;
  if (missing.flips && !f.flip_known)
    return fmt::format(
        "the flips are not determined, as {} explain the images as well; give data.flip_rows, "
        "flip_cols and transpose, or scan.rotation",
        other_hand(look));
  if (missing.rotation && !f.rotation_known)
    return fmt::format(
        "the scan's rotation is not determined (standard error {:.0f}°); give "
        "scan.rotation",
        f.rotation_error);
  if (missing.rotation && f.sign == SignBy::nothing)
    return fmt::format(
        "the sign is not determined{}, as {} explains the images as well; give scan.rotation, or "
        "optics.defocus",
        std::abs(f.defocus) > told_apart * f.defocus_error ? "" : " in focus", other_sign(look));
  return {};
}

/// The values of the process that leads, on all.
void tell_all(ReconstructConfig& c, Team& team) {
  std::vector<double> values(8);
  if (team.leads())
    values = {c.optics.defocus.value_or(0),
              c.optics.C12,
              c.optics.phi12,
              c.scan.rotation ? 1.0 : 0.0,
              c.scan.rotation.value_or(0),
              c.data.flip_rows ? 1.0 : 0.0,
              c.data.flip_cols ? 1.0 : 0.0,
              c.data.transpose ? 1.0 : 0.0};
  team.sum(values);
  c.optics.defocus = values[0];
  c.optics.C12 = values[1];
  c.optics.phi12 = values[2];
  if (values[3] > 0) c.scan.rotation = values[4];
  c.data.flip_rows = values[5] > 0;
  c.data.flip_cols = values[6] > 0;
  c.data.transpose = values[7] > 0;
}

/// The values that the run had when the checkpoint was written.
void take_from(const Checkpoint& checkpoint, const MissingKeys& missing, FittedOptics& fitted) {
  const auto fact = [&](const char* key) -> std::optional<std::string> {
    auto text = checkpoint.fact(key);
    if (!text || text->empty() || *text == "left out") return {};
    fitted.where[key] = "as it was when the run began";
    return text;
  };
  const auto number = [&](const char* key) -> std::optional<double> {
    const auto text = fact(key);
    return text ? std::optional(std::stod(*text)) : std::nullopt;
  };
  ReconstructConfig& c = fitted.config;
  if (missing.defocus) c.optics.defocus = number("optics.defocus");
  if (missing.astigmatism) {
    c.optics.C12 = number("optics.C12").value_or(0);
    c.optics.phi12 = number("optics.phi12").value_or(0);
  }
  if (missing.rotation) c.scan.rotation = number("scan.rotation");
  if (!missing.flips) return;
  c.data.flip_rows = fact("data.flip_rows") == "true";
  c.data.flip_cols = fact("data.flip_cols") == "true";
  c.data.transpose = fact("data.transpose") == "true";
}

}  // namespace

double thickness_of(const ObjectConfig& object) {
  return object.slices > 1 ? object.slices * object.slice_thickness : 0;
}

FittedOptics with_fitted_optics(const ReconstructConfig& config, const PatternsInMemory* patterns,
                                Team& team, const ReconstructCallbacks& callbacks) {
  FittedOptics fitted{config, {}};
  ReconstructConfig& c = fitted.config;
  if (!std::exchange(c.optics.fitted, false)) return fitted;
  const auto log = [&](const std::string& line) {
    if (callbacks.log && team.leads()) callbacks.log(line);
  };
  MissingKeys missing = missing_keys(c);
  if (!missing.any()) {
    log("optics.fitted: nothing to measure, as keys give defocus, astigmatism and orientation");
    return fitted;
  }
  if (c.output.resume && finds_checkpoint(c.output.folder, team)) {
    const Checkpoint checkpoint(
        c.output.folder, [&](const std::string& path) { return file_of_leader(team, path); },
        team.leads());
    take_from(checkpoint, missing, fitted);
    return fitted;
  }
  set_stage("measuring the beam");
  const QuickLook look = look_at(c, patterns, team);
  if (team.leads()) {
    for (const std::string& line : look.lines) log(line);
    if (!look.by_step) missing.rotation = missing.flips = false;
    const std::string refusal = refusal_of(look, c, missing);
    if (!refusal.empty()) throw UserError("optics.fitted: " + refusal);
    const Adopted adopted = adopt(look, thickness_of(c.object), c.data, c.scan, c.optics);
    for (const std::string& line : adopted.lines) log("  " + line);
    fitted.where = adopted.where;
  }
  tell_all(c, team);
  return fitted;
}

}  // namespace ptyle
