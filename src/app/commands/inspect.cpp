// ptyle inspect: what is in a file of patterns, reported and drawn. Takes the data file itself, or
// the configuration of a reconstruction, whose data, calibration, scan and optics then hold.

#include "session/inspect.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "app/commands/commands.hpp"
#include "app/new_folder.hpp"
#include "app/reconstruct_keys.hpp"
#include "app/terminal.hpp"
#include "core/error.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

struct Options {
  std::string file, folder;
  std::vector<std::string> settings;
  double memory = 2;
  bool no_pictures = false;
};

constexpr const char* help =
    "Examples:\n"
    "  ptyle inspect data.h5\n"
    "  ptyle inspect data.h5 --set data.patterns=/entry/data --set optics.energy=300 \\\n"
    "                        --set optics.semi_angle=20 --set calibration.pixel_size=0.2\n"
    "  ptyle inspect run.yaml                     the data as this configuration reads it\n"
    "\n"
    "Reports shapes, type, counts, calibration, overlap of neighbouring probes, dose, dead and\n"
    "saturated pixels, and how the detector lies to the scan; draws the mean pattern, the scan,\n"
    "a virtual dark field and the orientation check into the folder (earlier ones are replaced).\n"
    "\n"
    "Exit status: 0 done, 1 a fault of ptyle, 2 a mistake in what was given.";

InspectConfig config_of(const Options& options) {
  ReconstructConfig all;
  Schema schema = reconstruct_schema(all);
  Faults faults;
  const auto extension = fs::path(options.file).extension();
  const bool is_configuration = extension == ".yaml" || extension == ".yml";
  if (!is_configuration)
    all.data.file = options.file;
  else if (!schema.read_file(options.file, faults))
    faults.raise(options.file);
  for (const auto& setting : options.settings) schema.read_setting(setting, faults);
  faults.raise(options.file);
  if (all.data.file.empty())
    throw UserError(fmt::format("{} has no data.file to inspect", options.file));
  InspectConfig config{all.data, all.calibration, all.scan, all.optics, {}, options.memory};
  if (!options.no_pictures)
    config.folder = options.folder.empty() ? fs::path(options.file).stem().string() + "-inspect"
                                           : options.folder;
  return config;
}

}  // namespace

void add_inspect(CLI::App& app, Command& chosen) {
  auto* command =
      app.add_subcommand("inspect", "what is in a file of patterns, reported and drawn");
  auto options = std::make_shared<Options>();
  command->add_option("data", options->file, "HDF5 file, or a configuration (.yaml)")->required();
  command
      ->add_option("--set", options->settings,
                   "key=value of a configuration (data, calibration, scan, optics); repeatable")
      ->allow_extra_args(false);
  command->add_option("--folder", options->folder,
                      "for the pictures; by default NAME-inspect in the current folder");
  command->add_flag("--no-pictures", options->no_pictures, "draw nothing");
  command
      ->add_option("--memory", options->memory,
                   "[GB] larger sets are looked at in part, a run in their middle")
      ->check(CLI::Range(0.001, 1e6))
      ->capture_default_str();
  command->footer(help);
  command->callback([options, &chosen] {
    chosen = [options](Team& team) {
      alone(team, "ptyle inspect");
      Terminal terminal;
      const auto config = config_of(*options);
      NewFolder folder(config.folder.empty() ? "." : config.folder);
      inspect(config, [&](const std::string& line) { terminal.say(line); });
      folder.keep();
      return exit_status::done;
    };
  });
}

}  // namespace ptyle
