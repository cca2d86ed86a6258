// Reading results, of ptyle and of other programs.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "io/py4dstem_result.hpp"
#include "io/result.hpp"
#include "io/result_layout.hpp"

namespace ptyle {
namespace {

[[noreturn]] void wrong(const h5::File& file, const std::string& what) {
  throw UserError(fmt::format("{}: {}", file.path(), what));
}

/// A dataset of `dims` dimensions, read whole as T.
template <class T, int N>
Array<T, N> read_array(const h5::File& file, const std::string& path, const std::string& axes) {
  const h5::Dataset data = file.dataset(path);
  if (data.shape().size() != N || data.info().size() == 0)
    wrong(file, fmt::format("{} has the shape {}, but it should be ({})", path,
                            h5::to_string(data.shape()), axes));
  std::array<i64, N> shape{};
  std::copy(data.shape().begin(), data.shape().end(), shape.begin());
  Array<T, N> all(shape);
  data.read(all.data());
  return all;
}

/// (N, 2) or (slow, fast, 2), row and column.
std::vector<Position> read_positions(const h5::File& file, const std::string& path) {
  const h5::Dataset data = file.dataset(path);
  if (data.shape().size() < 2 || data.shape().back() != 2)
    wrong(file, fmt::format("{} has the shape {}, but positions should be (N, 2) (row, col)", path,
                            h5::to_string(data.shape())));
  const auto numbers = data.read<double>();
  std::vector<Position> positions(numbers.size() / 2);
  for (std::size_t i = 0; i < positions.size(); ++i)
    positions[i] = {numbers[2 * i], numbers[2 * i + 1]};
  const auto off = std::find_if(positions.begin(), positions.end(), [](const Position& p) {
    return !(std::isfinite(p.row) && std::isfinite(p.col));
  });
  if (off != positions.end())
    wrong(file, fmt::format("{}: row {} (counted from 0) is not finite; each should be two finite "
                            "numbers, row and column",
                            path, off - positions.begin()));
  return positions;
}

/// The fraction of the dose that sees each state.
std::vector<double> read_occupancy(const h5::File& file, const std::string& path) {
  constexpr double rounding = 1e-6;  // of float32, as another program may write them
  const auto fractions = file.read<double>(path);
  const bool none_below_0 = std::all_of(fractions.begin(), fractions.end(),
                                        [](double fraction) { return fraction >= 0; });
  const double sum = std::accumulate(fractions.begin(), fractions.end(), 0.0);
  if (!none_below_0 || !(std::abs(sum - 1) <= rounding))
    wrong(file, fmt::format("{} holds [{:.4g}], whose sum is {:.8g}; it should hold fractions of "
                            "the dose, none below 0, whose sum is 1",
                            path, fmt::join(fractions, ", "), sum));
  return fractions;
}

void read_history(const h5::File& file, History& history) {
  for (const auto& [name, values] : columns_of(history))
    if (const std::string path = std::string("/history/") + name; file.has(path))
      *values = file.read<double>(path);
  for (const auto& set : file.datasets())
    if (set.path.starts_with(geometry_group))
      history.geometry.push_back({set.path.substr(std::strlen(geometry_group)),
                                  file.text(set.path, "units").value_or(""),
                                  file.read<double>(set.path)});
}

std::vector<RankFigure> read_ranks(const h5::File& file) {
  std::vector<RankFigure> ranks;
  if (!file.has("/ranks")) return ranks;
  for (const auto& set : file.datasets())
    if (set.path.starts_with(ranks_group))
      ranks.push_back({set.path.substr(std::strlen(ranks_group)),
                       file.text(set.path, "units").value_or(""), file.read<double>(set.path)});
  return ranks;
}

std::vector<Atom> read_atoms(const h5::File& file) {
  const auto numbers = file.read<int>("/atoms/numbers");
  const auto at = read_array<double, 2>(file, "/atoms/positions", "atoms, 3");
  if (at.shape()[1] != 3 || at.shape()[0] != static_cast<i64>(numbers.size()))
    wrong(file, fmt::format("/atoms/positions has the shape {}, but it should be ({}, 3), one row "
                            "(row, col, z) an entry of /atoms/numbers",
                            h5::to_string(at.shape()), numbers.size()));
  std::vector<Atom> atoms;
  for (i64 i = 0; i < at.shape()[0]; ++i)
    atoms.push_back({numbers[static_cast<std::size_t>(i)], at(i, 0), at(i, 1), at(i, 2)});
  return atoms;
}

ResultFacts read_ptyle(const h5::File& file) {
  ResultFacts result;
  if (file.has("/probe"))
    result.probe = read_array<Complex<float>, 3>(file, "/probe", "mode, row, col");
  if (file.has("/variable_probe/modes")) {
    result.variable_modes =
        read_array<Complex<float>, 3>(file, "/variable_probe/modes", "mode, row, col");
    result.mixtures = file.read<double>("/variable_probe/coefficients");
  }
  if (file.has("/intensity")) result.intensities = file.read<double>("/intensity");
  if (file.has("/states/occupancy")) result.occupancy = read_occupancy(file, "/states/occupancy");
  // of a simulated set those that were, not those that its scan generator believed
  if (file.has("/positions_start"))
    result.positions_start = read_positions(file, "/positions_start");
  for (const char* path : {"/truth/positions", "/positions"})
    if (file.has(path) && result.positions.empty()) result.positions = read_positions(file, path);
  for (const auto& [path, numbers] : numbers_of(result))
    if (file.has(path)) *numbers = file.read<i64>(path);
  if (file.has("/shown/patterns"))
    result.patterns =
        read_array<float, 4>(file, "/shown/patterns", "pattern, measured and modelled, row, col");
  if (file.has("/left_out/pixels"))
    result.bad_pixels = read_array<std::uint8_t, 2>(file, "/left_out/pixels", "row, col");
  for (const auto& [path, values] : gains_of(result))
    if (file.has(path)) *values = read_array<float, 2>(file, path, "row, col");
  read_history(file, result.history);
  result.ranks = read_ranks(file);
  if (file.has("/atoms/numbers")) result.atoms = read_atoms(file);
  const auto pixel = file.number("/", "pixel_size");
  if (!pixel || !(*pixel > 0))
    wrong(file,
          "the attribute pixel_size is not there or no length; it should be the object's "
          "pixel, in Å");
  result.pixel_size = *pixel;
  result.slice_thickness = file.number("/", "slice_thickness").value_or(0);
  result.energy_kV = file.number("/", "energy_kV").value_or(0);
  result.units = file.text("/", "units").value_or("A");
  for (const auto& [name, text] : texts_of(result)) *text = file.text("/", name).value_or("");
  result.dealt_for = static_cast<int>(file.number("/", "ranks_of").value_or(0));
  if (const auto origin = file.numbers("/", "origin"); origin && origin->size() == 2)
    result.origin = Position{origin->at(0), origin->at(1)};
  if (result.origin && !(std::isfinite(result.origin->row) && std::isfinite(result.origin->col)))
    wrong(file, "the attribute origin is not finite; it should be where pixel [0,0] lies, in Å");
  return result;
}

/// A number that PtyRAD stores as a dataset of one value.
double ptyrad_number(const h5::File& file, const std::string& path) {
  const auto values = file.read<double>(path);
  if (values.empty() || !std::isfinite(values.front()))
    wrong(file, fmt::format("{} holds no number", path));
  return values.front();
}

// PtyRAD 1.0: object exp(i·objp)·obja with a leading axis of object modes; the window's upper left
// corner and a shift instead of the probe's centre, in pixels.
ResultFacts read_ptyrad(const h5::File& file) {
  ResultFacts result;
  result.probe =
      read_array<Complex<float>, 3>(file, "/optimizable_tensors/probe", "mode, row, col");
  result.pixel_size = ptyrad_number(file, "/model_attributes/dx");
  if (file.has("/optimizable_tensors/slice_thickness"))
    result.slice_thickness = ptyrad_number(file, "/optimizable_tensors/slice_thickness");
  result.positions = read_positions(file, "/model_attributes/crop_pos");
  const auto shifts = file.has("/optimizable_tensors/probe_pos_shifts")
                          ? read_positions(file, "/optimizable_tensors/probe_pos_shifts")
                          : std::vector<Position>(result.positions.size());
  if (shifts.size() != result.positions.size())
    wrong(file, "probe_pos_shifts and crop_pos should have as many rows as each other");
  const i64 half_rows = result.probe.shape()[1] / 2, half_cols = result.probe.shape()[2] / 2;
  for (std::size_t i = 0; i < shifts.size(); ++i) {
    Position& p = result.positions[i];
    p.row = (p.row + shifts[i].row + static_cast<double>(half_rows)) * result.pixel_size;
    p.col = (p.col + shifts[i].col + static_cast<double>(half_cols)) * result.pixel_size;
  }
  result.version = "PtyRAD";
  return result;
}

}  // namespace

class ResultReader::Reader {
 public:
  explicit Reader(const std::string& path) : file_(h5::File::open(path)) {
    if (file_.has("/object/phase")) {
      facts = read_ptyle(file_);
      open("/object/phase", "/object/absorption");
      open_states();
    } else if (file_.has("/optimizable_tensors/objp")) {
      facts = read_ptyrad(file_);
      ptyrad_ = true;
      open("/optimizable_tensors/objp", "/optimizable_tensors/obja");
    } else if (const auto group = py4dstem_group(file_)) {
      facts = read_py4dstem(file_, *group);
      open_py4dstem(*group + "/_object_emd/data");
    } else {
      wrong(file_,
            "it holds neither /object/phase (a result or simulated set of ptyle) nor "
            "/optimizable_tensors/objp (a result of PtyRAD), nor _object_emd (one of py4DSTEM)");
    }
  }

  template <class T>
  void read(const h5::Dataset& set, i64 z, const Box& box, View<T, 2> to) const {
    if (to.shape != std::array{box.rows.size(), box.cols.size()})
      throw std::logic_error("ResultReader: an array of another shape than the box");
    h5::Shape start{z, box.rows.begin, box.cols.begin}, count{1, to.shape[0], to.shape[1]};
    if (set.shape().size() == 4) {  // by state, or the first object mode
      start = {z / shape[0], z % shape[0], start[1], start[2]};
      count.insert(count.begin(), 1);
    }
    if (set.shape().size() == 2) {  // a slice alone
      start.erase(start.begin());
      count.erase(count.begin());
    }
    set.read(start, count, to.data);
  }
  void phase(i64 z, const Box& box, View<float, 2> to) const {
    if (complex_) return read_complex(z, box, to, [](Complex<float> v) { return std::arg(v); });
    read(phase_, z, box, to);
  }
  void absorption(i64 z, const Box& box, View<float, 2> to) const {
    if (complex_)
      return read_complex(z, box, to,
                          [](Complex<float> v) { return -std::log(std::max(std::abs(v), 1e-6F)); });
    if (!absorption_) throw std::logic_error("ResultReader: there is no absorption");
    read(*absorption_, z, box, to);
    if (ptyrad_)  // which stores exp(−μ)
      for (float& v : to) v = -std::log(std::max(v, 1e-6F));
  }

  void states_phase(i64 plane, const Box& box, View<float, 2> to) const {
    if (!states_phase_) throw std::logic_error("ResultReader: there are no states");
    read(*states_phase_, plane, box, to);
  }
  void states_absorption(i64 plane, const Box& box, View<float, 2> to) const {
    if (!states_absorption_) throw std::logic_error("ResultReader: the states do not absorb");
    read(*states_absorption_, plane, box, to);
  }

  ResultFacts facts;
  std::array<i64, 3> shape{};
  [[nodiscard]] bool has_absorption() const { return absorption_.has_value() || complex_; }
  [[nodiscard]] i64 states() const { return states_phase_ ? std::ssize(facts.occupancy) : 1; }

 private:
  void open(const std::string& phase, const std::string& absorption) {
    phase_ = file_.dataset(phase);
    const auto& all = phase_.shape();
    const std::size_t axes = ptyrad_ ? 4 : 3;
    if (all.size() != axes || phase_.info().size() == 0)
      wrong(file_, fmt::format("{} has the shape {}, but it should be ({}slice, row, col)", phase,
                               h5::to_string(all), ptyrad_ ? "object mode, " : ""));
    std::copy(all.end() - 3, all.end(), shape.begin());
    if (!file_.has(absorption)) return;
    absorption_ = file_.dataset(absorption);
    if (absorption_->shape() != all)
      wrong(file_, fmt::format("{} and {} differ in shape, but should agree", absorption, phase));
  }
  /// Datasets of each state; a result may state several and hold only their mean.
  void open_states() {
    const auto opened = [&](const char* path) -> std::optional<h5::Dataset> {
      if (!file_.has(path)) return {};
      if (facts.occupancy.empty())
        wrong(file_, fmt::format("{} needs /states/occupancy, the fraction of the dose that sees "
                                 "each state",
                                 path));
      h5::Dataset all = file_.dataset(path);
      if (all.shape() != h5::Shape{std::ssize(facts.occupancy), shape[0], shape[1], shape[2]})
        wrong(file_, fmt::format("{} has the shape {}, but it should be that of /object/phase for "
                                 "each of the {} states of /states/occupancy",
                                 path, h5::to_string(all.shape()), facts.occupancy.size()));
      return all;
    };
    states_phase_ = opened("/states/phase");
    if (has_absorption()) states_absorption_ = opened("/states/absorption");
    if (states_phase_ && has_absorption() && !states_absorption_)
      wrong(file_, "the object absorbs, so that there should be /states/absorption, too");
  }
  /// py4DSTEM's object of complex numbers, or a potential.
  void open_py4dstem(const std::string& object) {
    phase_ = file_.dataset(object);
    const h5::Shape& all = phase_.shape();
    if (all.size() < 2 || all.size() > 3 || phase_.info().size() == 0)
      wrong(file_, fmt::format("{} has the shape {}, but it should be ([slice,] row, col)", object,
                               h5::to_string(all)));
    shape = {all.size() == 3 ? all[0] : 1, all[all.size() - 2], all.back()};
    complex_ = phase_.info().type.kind == h5::Kind::complex;
  }
  template <class Part>
  void read_complex(i64 z, const Box& box, View<float, 2> to, Part&& part) const {
    Array<Complex<float>, 2> values(to.shape);
    read(phase_, z, box, values.view());
    std::transform(values.begin(), values.end(), to.begin(), part);
  }

  h5::File file_;
  h5::Dataset phase_;
  std::optional<h5::Dataset> absorption_, states_phase_, states_absorption_;
  bool ptyrad_ = false, complex_ = false;
};

ResultReader::ResultReader(const std::string& path) : reader_(std::make_unique<Reader>(path)) {}
ResultReader::~ResultReader() = default;
const ResultFacts& ResultReader::facts() const { return reader_->facts; }
const std::array<i64, 3>& ResultReader::shape() const { return reader_->shape; }
bool ResultReader::has_absorption() const { return reader_->has_absorption(); }
void ResultReader::phase(i64 z, const Box& box, View<float, 2> to) const {
  reader_->phase(z, box, to);
}
void ResultReader::absorption(i64 z, const Box& box, View<float, 2> to) const {
  reader_->absorption(z, box, to);
}
i64 ResultReader::states() const { return reader_->states(); }
void ResultReader::states_phase(i64 plane, const Box& box, View<float, 2> to) const {
  reader_->states_phase(plane, box, to);
}
void ResultReader::states_absorption(i64 plane, const Box& box, View<float, 2> to) const {
  reader_->states_absorption(plane, box, to);
}
ResultFacts ResultReader::take_facts() { return std::move(reader_->facts); }

Result read_result(const std::string& path) {
  ResultReader reader(path);
  const std::array<i64, 3> shape = reader.shape();
  const Box all{{0, shape[1]}, {0, shape[2]}};
  Result result;
  result.phase = Array<float, 3>(shape);
  if (reader.has_absorption()) result.absorption = Array<float, 3>(shape);
  for (i64 z = 0; z < shape[0]; ++z) {
    reader.phase(z, all, result.phase.view()[z]);
    if (reader.has_absorption()) reader.absorption(z, all, result.absorption.view()[z]);
  }
  if (const i64 planes = reader.states() * shape[0]; planes > shape[0]) {
    result.states_phase = Array<float, 3>({planes, shape[1], shape[2]});
    if (reader.has_absorption())
      result.states_absorption = Array<float, 3>(result.states_phase.shape());
    for (i64 plane = 0; plane < planes; ++plane) {
      reader.states_phase(plane, all, result.states_phase.view()[plane]);
      if (reader.has_absorption())
        reader.states_absorption(plane, all, result.states_absorption.view()[plane]);
    }
  }
  static_cast<ResultFacts&>(result) = reader.take_facts();
  return result;
}

}  // namespace ptyle
