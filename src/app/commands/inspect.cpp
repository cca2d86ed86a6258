// ptyle inspect: what is in a file of patterns, reported and drawn. Takes the data file itself, or
// the configuration of a reconstruction, whose data, calibration, scan and optics then hold.

#include "session/inspect.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include "app/commands/commands.hpp"
#include "app/new_folder.hpp"
#include "app/terminal.hpp"
#include "core/error.hpp"
#include "io/dataset_name.hpp"
#include "io/hdf5.hpp"
#include "session/fitted_optics.hpp"
#include "session/found_config.hpp"
#include "session/reconstruct_keys.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

struct Options {
  std::string file, folder;
  std::vector<std::string> settings;
  double memory = 2;
  bool no_pictures = false, overwrite = false, quick = false;
  std::string mask, config;  ///< to be written; empty: not
};

constexpr const char* help =
    "Examples:\n"
    "  ptyle inspect data.h5 --write-config run.yaml  what the file says, as a configuration\n"
    "  ptyle inspect data.h5 --set data.patterns=/entry/data --set optics.energy=300 \\\n"
    "                        --set optics.semi_angle=20 --set calibration.pixel_size=0.2\n"
    "  ptyle inspect run.yaml                     the data as this configuration reads it\n"
    "  ptyle inspect run.yaml --write-mask bad.h5 --write-config new.yaml\n"
    "                                             what was found, to be looked at and changed\n"
    "  ptyle inspect run.yaml --quick             a first picture, and how scan and beam lie\n"
    "\n"
    "Reports shapes, type, counts, calibration, overlap of neighbouring probes, dose, dead and\n"
    "saturated pixels, and how the detector lies to the scan; draws the mean pattern, the scan,\n"
    "a virtual dark field and the orientation check into the folder (earlier ones are replaced).\n"
    "--quick fits scan rotation, flips, defocus and astigmatism to the bright-field images of a\n"
    "raster scan and draws the specimen without iterations; --write-config takes what it finds.\n"
    "Of a result (result.h5) it reports object, states, probe, positions and R.\n"
    "\n"
    "Exit status: 0 done, 1 a fault of ptyle, 2 a mistake in what was given, also where axes or\n"
    "positions are such that a reconstruction is refused.";

/// The configuration of a reconstruction, as far as it is given; its keys refer to `all`.
Schema schema_of(const Options& options, ReconstructConfig& all) {
  Schema schema = reconstruct_schema(all);
  Faults faults;
  const auto extension = fs::path(options.file).extension();
  const bool is_configuration = extension == ".yaml" || extension == ".yml";
  if (!is_configuration) all.data.file = options.file;
  schema.read(is_configuration ? options.file : "", options.settings, faults);
  faults.raise(options.file);
  if (all.data.file.empty())
    throw UserError(fmt::format("{} has no data.file to inspect", options.file));
  return schema;
}

InspectConfig config_of(const Options& options, const ReconstructConfig& all) {
  InspectConfig config{all.data, all.calibration, all.scan, all.optics, {}, options.memory};
  if (!options.no_pictures)
    config.folder = options.folder.empty() ? fs::path(options.file).stem().string() + "-inspect"
                                           : options.folder;
  config.quick = options.quick;
  config.thickness = thickness_of(all.object);
  return config;
}

/// Files that are read are never replaced, nor one of the two written by the other.
void refuse_to_lose(const Options& options, const InspectConfig& config) {
  for (const std::string& to : {options.mask, options.config}) {
    if (to.empty()) continue;
    for (const std::string& read :
         {options.file, config.data.file, config.scan.file, file_part(config.data.mask)}) {
      std::error_code ignored;
      if (!read.empty() && fs::equivalent(to, read, ignored))
        throw UserError(fmt::format("{} is what is read, and would be replaced; name another", to));
    }
  }
  if (!options.mask.empty() && fs::absolute(options.mask).lexically_normal() ==
                                   fs::absolute(options.config).lexically_normal())
    throw UserError("--write-mask and --write-config name the same file");
}

void refuse_to_replace(const std::string& file, bool overwrite) {
  if (!file.empty() && fs::exists(file) && !overwrite)
    throw UserError(fmt::format("{} exists already; --overwrite replaces it", file));
}

void write_mask(const Inspection& found, const std::string& path, bool overwrite,
                Terminal& terminal) {
  if (found.bad_pixels.empty()) {
    terminal.say(fmt::format("no bad pixels, so no {}", path));
    return;
  }
  h5::File file = h5::File::create(path, overwrite);
  file.write("/mask", found.bad_pixels.view());
  file.commit();
  terminal.say(fmt::format("wrote {}: /mask, 1 where a pixel is bad", path));
}

/// The configuration as given, with what was found put in by name, and what is still to be given at
/// its top. The schema refers to `all`.
void write_config(const Inspection& found, const Options& options, const Schema& schema,
                  ReconstructConfig& all, Terminal& terminal) {
  const bool with_mask = !options.mask.empty() && !found.bad_pixels.empty();
  const FoundText text = found_text(
      found, schema, all,
      with_mask ? fs::absolute(options.mask).lexically_normal().string() + ":/mask" : "");
  for (const auto& line : text.adopted) terminal.say(line);
  std::ofstream file(options.config);
  file << text.yaml << std::flush;
  if (!file) throw UserError(fmt::format("{} cannot be written", options.config));
  terminal.say(
      text.complete
          ? fmt::format("wrote {0}; ptyle reconstruct {0} runs it", options.config)
          : fmt::format("wrote {}; its first lines say what it still needs", options.config));
}

}  // namespace

void add_inspect(CLI::App& app, Command& chosen) {
  auto* command =
      app.add_subcommand("inspect", "what is in a file of patterns, reported and drawn");
  auto options = std::make_shared<Options>();
  command
      ->add_option("data", options->file,
                   "file of patterns (docs/formats.md), a configuration (.yaml), or a result")
      ->required();
  command
      ->add_option("--set", options->settings,
                   "key=value of a configuration (data, calibration, scan, optics); repeatable")
      ->allow_extra_args(false);
  command->add_option("--folder", options->folder,
                      "for the pictures; by default NAME-inspect in the current folder");
  command->add_flag("--no-pictures", options->no_pictures, "draw nothing");
  command->add_flag("--quick", options->quick,
                    "fit orientation, defocus and astigmatism, and draw quick-look.png");
  command->add_option("--write-mask", options->mask,
                      "HDF5 file for the bad pixels that were found, as data.mask takes it");
  command->add_option("--write-config", options->config,
                      "YAML file for the configuration with what was found");
  command->add_flag("--overwrite", options->overwrite, "replace files of --write-…");
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
      refuse_to_replace(options->mask, options->overwrite);
      refuse_to_replace(options->config, options->overwrite);
      ReconstructConfig all;
      const Schema schema = schema_of(*options, all);
      const auto config = config_of(*options, all);
      refuse_to_lose(*options, config);
      NewFolder folder(config.folder.empty() ? "." : config.folder);
      const Inspection found =
          inspect(config, [&](const std::string& line) { terminal.say(line); });
      if (found.of_result && !(options->mask + options->config).empty())
        throw UserError(fmt::format(
            "{} is a result, without patterns: --write-mask and --write-config are of a "
            "measurement",
            config.data.file));
      if (!options->mask.empty()) write_mask(found, options->mask, options->overwrite, terminal);
      if (!options->config.empty()) write_config(found, *options, schema, all, terminal);
      folder.keep();
      if (!found.refusals.empty())
        throw UserError(fmt::format("{}", fmt::join(found.refusals, "; ")));
      return exit_status::done;
    };
  });
}

}  // namespace ptyle
