// Filters (compression) that this HDF5 has not, where they may lie, and where to get them.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "core/printable.hpp"
#include "core/text.hpp"
#include "io/hdf5_library.hpp"

namespace ptyle::h5 {
namespace fs = std::filesystem;
namespace {

struct KnownFilter {
  int number;
  std::string_view word;
  bool in_hdf5plugin;  ///< Python's package of filters for any program
};

/// A word that another one begins with stands behind it.
constexpr std::array known_filters{
    KnownFilter{32008, "bitshuffle", true}, KnownFilter{32026, "blosc2", true},
    KnownFilter{32001, "blosc", true},      KnownFilter{32004, "lz4", true},
    KnownFilter{32015, "zstd", true},       KnownFilter{32015, "zstandard", true},
    KnownFilter{307, "bzip2", true},        KnownFilter{32013, "zfp", true},
    KnownFilter{32024, "sz3", true},        KnownFilter{32028, "sperr", true},
    KnownFilter{32018, "fcidecomp", true},  KnownFilter{32000, "lzf", false},
    KnownFilter{4, "szip", false},          KnownFilter{32017, "sz", true}};

/// By the number, which one name may not tell; nullptr: none of ours.
const KnownFilter* known(const MissingFilter& filter) {
  const std::string name = lower_case(filter.name);
  const auto* found =
      std::find_if(known_filters.begin(), known_filters.end(), [&](const KnownFilter& one) {
        return filter.number > 0 ? filter.number == one.number
                                 : name.find(one.word) != std::string::npos;
      });
  return found == known_filters.end() ? nullptr : found;
}

/// The folders of filters that Python's hdf5plugin has under `root` ("/usr", an environment).
void add_those_of_python(const fs::path& root, std::vector<fs::path>& all) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / "lib", error)) {
    if (!entry.path().filename().string().starts_with("python3")) continue;
    for (const char* packages : {"site-packages", "dist-packages"})
      all.push_back(entry.path() / packages / "hdf5plugin/plugins");
  }
}

/// Folders of filters that other programs brought: the environments of Python that are active, its
/// programs' on the PATH, the user's own and the system's.
std::vector<fs::path> usual_folders() {
  std::vector<fs::path> roots, all;
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const char* root = std::getenv(variable); root && *root) {
      roots.emplace_back(root);
      all.push_back(fs::path(root) / "lib/hdf5/plugin");
    }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::error_code error;
    if (!folder.empty() && fs::exists(fs::path(folder) / "python3", error))
      roots.push_back(fs::path(folder).parent_path());
  }
  if (const char* home = std::getenv("HOME"); home && *home)
    roots.push_back(fs::path(home) / ".local");
  roots.insert(roots.end(), {"/usr/local", "/usr"});
  for (const auto& root : roots) add_those_of_python(root, all);
  return all;
}

}  // namespace

bool look_for_filters() {
  static bool looked = false;
  if (std::exchange(looked, true) || std::getenv("HDF5_PLUGIN_PATH")) return false;
  bool any = false;
  auto folders = usual_folders();
  std::reverse(folders.begin(), folders.end());
  for (const auto& folder : folders) {
    // In front: HDF5 1.10 looks no further than a folder that is not there, as its own may be.
    std::error_code error;
    if (fs::is_directory(folder, error)) any = H5PLprepend(folder.c_str()) >= 0 || any;
  }
  return any;
}

std::optional<MissingFilter> missing_filter(hid_t dataset) {
  const Handle plist(H5Dget_create_plist(dataset), H5Pclose);
  const int count = H5Pget_nfilters(plist.get());
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, configuration = 0;
    std::size_t values = 0;
    std::array<char, 128> name{};
    const auto number = H5Pget_filter2(plist.get(), static_cast<unsigned>(i), &flags, &values,
                                       nullptr, name.size() - 1, name.data(), &configuration);
    if (number >= 0 && H5Zfilter_avail(number) <= 0)
      return MissingFilter{static_cast<int>(number), name.data()};
  }
  return {};
}

std::optional<MissingFilter> missing_filter(const std::string& message) {
  if (message.find("required filter") == std::string::npos) return {};
  const auto first = message.find('\''), last = message.rfind('\'');
  if (first == last) return MissingFilter{0, "of unknown name"};
  return MissingFilter{0, message.substr(first + 1, last - first - 1)};
}

std::string describe(const MissingFilter& filter) {
  const KnownFilter* one = known(filter);
  const int number = one ? one->number : filter.number;
  std::string text = fmt::format(
      "compressed by {}{}, which is not installed here: ",
      one ? std::string(one->word) : fmt::format("the filter '{}'", printable(filter.name)),
      number > 0 ? fmt::format(" (filter {})", number) : "");
  if (one && one->in_hdf5plugin)
    return text +
           "pip install hdf5plugin, and, where it is not found by itself then, export "
           "HDF5_PLUGIN_PATH=$(python3 -c \"import "
           "hdf5plugin; print(hdf5plugin.PLUGINS_PATH)\")";
  if (one && one->word == "lzf")
    return text +
           "Debian's package hdf5-plugin-lzf brings it, or write the dataset again with h5py and "
           "compression='gzip'";
  return text + "h5repack -f GZIP=1 OLD NEW where it is makes a file that can be read";
}

}  // namespace ptyle::h5
