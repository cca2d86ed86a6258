#include "io/py4dstem_result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "core/grid.hpp"

namespace ptyle {
namespace {

[[noreturn]] void wrong(const h5::File& file, const std::string& what) {
  throw UserError(fmt::format("{}: {}", file.path(), what));
}

/// The one number that all of a dataset's are, to a thousandth.
double one_number(const h5::File& file, const std::string& path, const char* if_not) {
  const auto values = file.read<double>(path);
  const bool good = !values.empty() && std::all_of(values.begin(), values.end(), [&](double v) {
    return v > 0 && std::abs(v / values.front() - 1) < 1e-3;
  });
  if (!good) wrong(file, fmt::format("{}, by {}", if_not, path));
  return values.front();
}

Array<Complex<float>, 3> read_probe(const h5::File& file, const std::string& path) {
  const h5::Dataset set = file.dataset(path);
  const h5::Shape& shape = set.shape();
  const std::size_t rank = shape.size();
  if (rank < 2 || rank > 3 || set.info().size() == 0)
    wrong(file, fmt::format("{} has the shape {}, but it should be (row, col) or (mode, row, col)",
                            path, h5::to_string(shape)));
  Array<Complex<float>, 3> probe({rank == 3 ? shape[0] : 1, shape[rank - 2], shape[rank - 1]});
  set.read(probe.data());
  for (i64 m = 0; m < probe.shape()[0]; ++m) {
    const auto moved = centred<Complex<float>>(probe.view()[m]);
    std::copy(moved.begin(), moved.end(), probe.view()[m].begin());
  }
  return probe;
}

}  // namespace

std::optional<std::string> py4dstem_group(const h5::File& file) {
  for (const std::string& root : file.names("/"))
    for (const std::string& name : file.names("/" + root)) {
      const std::string group = fmt::format("/{}/{}", root, name);
      if (file.has_dataset(group + "/_object_emd/data")) return group;
    }
  return {};
}

ResultFacts read_py4dstem(const h5::File& file, const std::string& group) {
  const std::string prepared = group + "/metadatabundle/preprocess_metadata/",
                    made = group + "/metadatabundle/instantiation_metadata/";
  ResultFacts result;
  result.version = "py4DSTEM";
  result.pixel_size = one_number(file, prepared + "sampling",
                                 "its pixels are no squares of a size above 0, as they should be");
  if (file.has_dataset(group + "/_probe_emd/data"))
    result.probe = read_probe(file, group + "/_probe_emd/data");
  if (const auto energy = file.value(made + "energy"); energy && energy->numbers.size() == 1)
    result.energy_kV = 1e-3 * energy->numbers[0];
  if (const auto stated = file.has_dataset(made + "slice_thicknesses"); stated)
    result.slice_thickness =
        one_number(file, made + "slice_thicknesses", "its slices are not of one thickness");
  const h5::Dataset set = file.dataset(prepared + "positions_px");
  if (set.shape().size() != 2 || set.shape()[1] != 2)
    wrong(file, fmt::format("{}positions_px has the shape {}, but it should be (N, 2)", prepared,
                            h5::to_string(set.shape())));
  const auto px = set.read<double>();
  for (std::size_t i = 0; i + 1 < px.size(); i += 2)
    result.positions.push_back({px[i] * result.pixel_size, px[i + 1] * result.pixel_size});
  return result;
}

}  // namespace ptyle
