#include "io/frame_axes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace ptyle {
namespace {

enum class Of { unknown, scan, detector };

/// An axis, as the file names it.
struct NamedAxis {
  Of of = Of::unknown;
  std::string name;  ///< lower case
};

/// By an axis' name and unit: reciprocal lengths and angles are the detector's.
Of kind_of(const std::string& name, const std::string& unit) {
  const std::string n = lower_case(name), u = lower_case(unit);
  for (const char* reciprocal : {"1/", "^-1", "_-1", "-1]", "⁻¹", "rad"})
    if (u.find(reciprocal) != std::string::npos) return Of::detector;
  for (const char* known : {"kx", "ky", "qx", "qy", "q_x", "q_y", "k_x", "k_y", "dx", "dy"})
    if (n == known) return Of::detector;
  for (const char* known : {"rx", "ry", "r_x", "r_y", "scan", "slow", "fast", "scan_x", "scan_y"})
    if (n == known) return Of::scan;
  if (n.starts_with("detector")) return Of::detector;
  for (const char* length : {"nm", "[n_m]", "å", "a", "angstrom", "µm", "um", "pm", "m"})
    if (u == length) return Of::scan;
  return Of::unknown;
}

std::string text_of(const h5::File& file, const std::string& object, const char* name) {
  return file.text(object, name).value_or("");
}

/// A dataset's axes; none where the file does not describe all of them.
std::vector<NamedAxis> named_in_file(const h5::File& file, const h5::DatasetInfo& info) {
  std::vector<NamedAxis> axes;
  for (int d = 0; d < static_cast<int>(info.shape.size()); ++d) {
    const std::string object = object_of_axis(file, info, d);
    if (object.empty()) return {};
    const auto navigate = file.number(object, "navigate");
    const std::string name = lower_case(text_of(file, object, "name"));
    axes.push_back({navigate ? (*navigate != 0 ? Of::scan : Of::detector)
                             : kind_of(name, text_of(file, object, "units")),
                    name});
  }
  return axes;
}

/// Axes that nothing is said of follow from the others, where that leaves one way.
void complete(std::vector<NamedAxis>& axes) {
  const auto of = [&](Of kind) {
    return static_cast<std::size_t>(
        std::count_if(axes.begin(), axes.end(), [&](const auto& axis) { return axis.of == kind; }));
  };
  const auto others_are = [&](Of kind) {
    for (NamedAxis& axis : axes)
      if (axis.of == Of::unknown) axis.of = kind;
  };
  if (of(Of::detector) == 2)
    others_are(Of::scan);
  else if (of(Of::scan) == axes.size() - 2)
    others_are(Of::detector);
}

/// Does x come before y, as in files whose arrays are written with their axes in reverse order?
/// Names of R and Q say nothing: py4DSTEM's Rx and Qx are rows.
bool x_is_first(const std::string& first, const std::string& second) {
  for (const auto& [x, y] : {std::pair("x", "y"), std::pair("kx", "ky"), std::pair("k_x", "k_y"),
                             std::pair("dx", "dy"), std::pair("scan_x", "scan_y")})
    if (first == x && second == y) return true;
  return false;
}

}  // namespace

FrameAxes FrameAxes::in_order(std::size_t rank) {
  FrameAxes axes;
  for (int d = 0; d + 2 < static_cast<int>(rank); ++d) axes.scan.push_back(d);
  axes.ky = static_cast<int>(rank) - 2;
  axes.kx = static_cast<int>(rank) - 1;
  return axes;
}

bool FrameAxes::are_in_order() const { return *this == in_order(scan.size() + 2); }

std::string object_of_axis(const h5::File& file, const h5::DatasetInfo& info, int d) {
  const std::string group = info.path.substr(0, info.path.rfind('/'));
  const int first = file.leads_somewhere(group + "/dim0") ? 0 : 1;
  for (const std::string& object :
       {fmt::format("{}/axis-{}", group, d), fmt::format("{}/dim{}", group, d + first)})
    if (file.leads_somewhere(object)) return object;
  return {};
}

std::string to_string(const FrameAxes& axes) {
  std::vector<std::string> names(axes.scan.size() + 2);
  for (std::size_t i = 0; i < axes.scan.size(); ++i)
    names[axes.scan[i]] = axes.scan.size() == 1 ? "n" : i == 0 ? "y" : "x";
  names[axes.ky] = "ky";
  names[axes.kx] = "kx";
  return fmt::format("[{}]", fmt::join(names, ", "));
}

FrameAxes axes_named(const std::vector<std::string>& names, const h5::DatasetInfo& info,
                     const std::string& file) {
  const std::size_t rank = info.shape.size();
  const std::vector<std::vector<std::string>> roles =
      rank == 2   ? std::vector<std::vector<std::string>>{{"ky", "qy"}, {"kx", "qx"}}
      : rank == 3 ? std::vector<std::vector<std::string>>{{"n", "N"}, {"ky", "qy"}, {"kx", "qx"}}
                  : std::vector<std::vector<std::string>>{
                        {"y", "slow"}, {"x", "fast"}, {"ky", "qy"}, {"kx", "qx"}};
  std::vector<int> at;  // of the roles, in the order above
  for (std::size_t r = 0; r < roles.size(); ++r) {
    const auto named = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
      return std::find(roles[r].begin(), roles[r].end(), name) != roles[r].end();
    });
    if (named != names.end()) at.push_back(static_cast<int>(named - names.begin()));
  }
  if (at.empty() && names.size() == rank)  // numbers
    for (const auto& name : names)
      if (name.size() == 1 && name[0] >= '0' && name[0] < static_cast<char>('0' + rank) &&
          std::find(at.begin(), at.end(), name[0] - '0') == at.end())
        at.push_back(name[0] - '0');
  if (names.size() != rank || at.size() != rank)
    throw UserError(
        fmt::format("the axes [{}] are not those of dataset '{}' in '{}', {}: data.axes needs {} "
                    "in the order in "
                    "which they lie, each once",
                    fmt::join(names, ", "), info.path, file, h5::to_string(info.shape),
                    rank == 4   ? "y and x (slow and fast), ky and kx"
                    : rank == 3 ? "n, ky and kx"
                                : "ky and kx"));
  FrameAxes axes;
  axes.scan.assign(at.begin(), at.end() - 2);
  axes.ky = *(at.end() - 2);
  axes.kx = at.back();
  return axes;
}

std::optional<FrameAxes> axes_in_file(const h5::File& file, const h5::DatasetInfo& info) {
  const std::size_t rank = info.shape.size();
  if (rank != 3 && rank != 4) return {};
  if (const auto said = file.text(info.path, "ptyle_axes")) {
    std::istringstream words(*said);
    return axes_named({std::istream_iterator<std::string>(words), {}}, info, file.path());
  }
  auto named = named_in_file(file, info);
  if (named.size() != rank) return {};
  complete(named);
  FrameAxes axes;
  std::vector<int> detector;
  for (std::size_t d = 0; d < rank; ++d) {
    if (named[d].of == Of::unknown) return {};
    (named[d].of == Of::scan ? axes.scan : detector).push_back(static_cast<int>(d));
  }
  if (detector.size() != 2) return {};
  for (auto* pair : {&axes.scan, &detector})
    if (pair->size() == 2 && x_is_first(named[static_cast<std::size_t>((*pair)[0])].name,
                                        named[static_cast<std::size_t>((*pair)[1])].name))
      std::swap((*pair)[0], (*pair)[1]);
  axes.ky = detector[0];
  axes.kx = detector[1];
  return axes;
}

}  // namespace ptyle
