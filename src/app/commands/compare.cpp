// ptyle compare: how far a result agrees with the truth or another result.

#include "session/compare.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "app/commands/commands.hpp"
#include "app/new_folder.hpp"
#include "app/terminal.hpp"
#include "core/error.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

struct Options {
  std::string result, reference, folder;
  bool overwrite = false, print_only = false;
};

constexpr const char* help =
    "Examples:\n"
    "  ptyle compare run/result.h5 simulated.h5     with the ground truth in a simulated set\n"
    "  ptyle compare run other-run --print-only     two results; a folder: its result.h5\n"
    "\n"
    "Phase, ramp, shift and the constants between slices are taken out first; then, over the\n"
    "scanned area, phase RMSE, SSIM, correlation and the Fourier ring correlation with its\n"
    "1/2-bit resolution are printed, per slice and summed. Rings next to empty in both, as\n"
    "between a crystal's orders, are passed over. Writes comparison.txt, comparison.png and\n"
    "frc.png, by default beside the result.\n"
    "\n"
    "Exit status: 0 done, 1 a fault of ptyle, 2 a mistake in what was given.";

/// A folder stands for the result in it.
std::string result_file(const std::string& name) {
  const fs::path path = fs::is_directory(name) ? fs::path(name) / "result.h5" : fs::path(name);
  if (!fs::exists(path)) throw UserError(fmt::format("there is no file {}", path.string()));
  return path.string();
}

}  // namespace

void add_compare(CLI::App& app, Command& chosen) {
  auto* command =
      app.add_subcommand("compare", "a result with the ground truth or with another result");
  auto options = std::make_shared<Options>();
  command->add_option("result", options->result, "result file, or a folder with a result.h5")
      ->required();
  command->add_option("reference", options->reference, "simulated set, or another result")
      ->required();
  command->add_option("--folder", options->folder, "for figures and pictures");
  command->add_flag("--overwrite", options->overwrite, "replace an earlier comparison there");
  command->add_flag("--print-only", options->print_only, "write nothing");
  command->footer(help);
  command->callback([options, &chosen] {
    chosen = [options](Team& team) {
      alone(team, "ptyle compare");
      CompareConfig config;
      config.result = result_file(options->result);
      config.reference = result_file(options->reference);
      config.overwrite = options->overwrite;
      if (!options->print_only)
        config.folder = options->folder.empty() ? fs::absolute(config.result).parent_path().string()
                                                : options->folder;
      Terminal terminal;
      NewFolder folder(config.folder.empty() ? "." : config.folder);
      compare(config, [&](const std::string& line) { terminal.say(line); });
      folder.keep();
      return exit_status::done;
    };
  });
}

}  // namespace ptyle
