// Filters (compression) that this HDF5 has not, and where to get them.

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "core/printable.hpp"
#include "io/hdf5_library.hpp"

namespace ptyle::h5 {
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

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// By the number, which one name may not tell; nullptr: none of ours.
const KnownFilter* known(const MissingFilter& filter) {
  const std::string name = lower(filter.name);
  const auto* found =
      std::find_if(known_filters.begin(), known_filters.end(), [&](const KnownFilter& one) {
        return filter.number > 0 ? filter.number == one.number
                                 : name.find(one.word) != std::string::npos;
      });
  return found == known_filters.end() ? nullptr : found;
}

}  // namespace

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
           "pip install hdf5plugin, then export HDF5_PLUGIN_PATH=$(python3 -c \"import "
           "hdf5plugin; print(hdf5plugin.PLUGINS_PATH)\")";
  if (one && one->word == "lzf")
    return text + "h5py alone has it; write the dataset again with h5py and compression='gzip'";
  return text + "h5repack -f GZIP=1 OLD NEW where it is makes a file that can be read";
}

}  // namespace ptyle::h5
