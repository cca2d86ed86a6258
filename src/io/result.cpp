#include "io/result.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "core/waves.hpp"
#include "io/hdf5.hpp"
#include "io/result_layout.hpp"

namespace ptyle {
namespace {

std::vector<double> flat(const std::vector<Position>& positions) {
  std::vector<double> numbers;
  for (const Position& p : positions) numbers.insert(numbers.end(), {p.row, p.col});
  return numbers;
}

void write_history(h5::File& file, const History& history) {
  for (const auto& [name, values] : columns_of(history))
    if (!values->empty())
      file.write(std::string("/history/") + name, {static_cast<i64>(values->size())},
                 values->data());
  for (const FittedSeries& series : history.geometry) {
    const std::string path = geometry_group + series.name;
    file.write(path, {static_cast<i64>(series.values.size())}, series.values.data());
    file.set(path, "units", series.unit);
  }
}

void write_ranks(h5::File& file, const std::vector<RankFigure>& ranks) {
  for (const RankFigure& figure : ranks) {
    const std::string path = ranks_group + figure.name;
    file.write(path, {static_cast<i64>(figure.values.size())}, figure.values.data());
    file.set(path, "units", figure.unit);
  }
}

/// The unit of a dataset's values, where it is there, and of an image its pixel.
void set_units(h5::File& file, const ResultFacts& facts) {
  const auto unit = [&](const char* path, const char* of) {
    if (file.has(path)) file.set(path, "units", std::string(of));
    return file.has(path);
  };
  const auto pixel = [&](const char* path, const auto& size) {
    file.set(path, "pixel_size", size);
    file.set(path, "pixel_units", facts.units);
  };
  const std::array voxel{facts.slice_thickness, facts.pixel_size, facts.pixel_size};
  const std::array square{facts.pixel_size, facts.pixel_size};
  if (unit("/object/phase", "rad")) pixel("/object/phase", voxel);
  if (unit("/object/absorption", "1")) pixel("/object/absorption", voxel);
  if (unit("/states/phase", "rad")) pixel("/states/phase", voxel);
  if (unit("/states/absorption", "1")) pixel("/states/absorption", voxel);
  unit("/states/occupancy", "1");
  for (const char* path : {"/probe", "/variable_probe/modes"})
    if (unit(path, "1")) pixel(path, square);
  for (const char* path : {"/variable_probe/coefficients", "/intensity"}) unit(path, "1");
  for (const char* path : {"/positions", "/positions_start"}) unit(path, facts.units.c_str());
  for (const auto& [path, values] : gains_of(facts)) unit(path, "1");
  unit("/shown/patterns", "counts");
  unit("/history/seconds", "s");
}

void write_facts(h5::File& file, const ResultFacts& facts) {
  if (!facts.probe.empty()) {
    file.write("/probe", facts.probe.view());
    file.set("/probe", "power_fractions", shares_of_power<float>(facts.probe.view()));
  }
  if (!facts.variable_modes.empty()) {
    file.write("/variable_probe/modes", facts.variable_modes.view());
    const i64 each = facts.variable_modes.shape()[0];
    file.write("/variable_probe/coefficients", {std::ssize(facts.mixtures) / each, each},
               facts.mixtures.data());
  }
  if (!facts.occupancy.empty())
    file.write("/states/occupancy", {std::ssize(facts.occupancy)}, facts.occupancy.data());
  if (!facts.intensities.empty())
    file.write("/intensity", {std::ssize(facts.intensities)}, facts.intensities.data());
  if (!facts.positions.empty())
    file.write("/positions", {static_cast<i64>(facts.positions.size()), 2},
               flat(facts.positions).data());
  if (!facts.positions_start.empty())
    file.write("/positions_start", {static_cast<i64>(facts.positions_start.size()), 2},
               flat(facts.positions_start).data());
  for (const auto& [path, numbers] : numbers_of(facts))
    if (!numbers->empty()) file.write(path, {static_cast<i64>(numbers->size())}, numbers->data());
  if (!facts.patterns.empty()) file.write("/shown/patterns", std::as_const(facts.patterns).view());
  if (!facts.bad_pixels.empty()) file.write("/left_out/pixels", facts.bad_pixels.view());
  for (const auto& [path, values] : gains_of(facts))
    if (!values->empty()) file.write(path, values->view());
  write_history(file, facts.history);
  write_ranks(file, facts.ranks);
  if (!facts.atoms.empty()) write_atoms(file, facts.atoms);
  set_units(file, facts);
  file.set("/", "pixel_size", facts.pixel_size);
  file.set("/", "slice_thickness", facts.slice_thickness);
  file.set("/", "energy_kV", facts.energy_kV);
  file.set("/", "units", facts.units);
  for (const auto& [name, value] : facts.optics) file.set("/", name.c_str(), value);
  for (const auto& [name, text] : texts_of(facts))
    if (!text->empty()) file.set("/", name, *text);
  if (facts.dealt_for > 0) file.set("/", "ranks_of", facts.dealt_for);
  if (facts.origin) file.set("/", "origin", std::array{facts.origin->row, facts.origin->col});
}

}  // namespace

void write_atoms(h5::File& file, const std::vector<Atom>& atoms) {
  std::vector<std::uint8_t> numbers;
  std::vector<double> at;
  for (const Atom& a : atoms) {
    numbers.push_back(static_cast<std::uint8_t>(a.number));
    at.insert(at.end(), {a.row, a.col, a.z});
  }
  const auto n = static_cast<i64>(atoms.size());
  file.write("/atoms/numbers", {n}, numbers.data());
  file.write("/atoms/positions", {n, 3}, at.data());
}

class ResultFile::Writer {
 public:
  Writer(const std::string& path, const ResultFacts& facts, const std::array<i64, 3>& shape,
         bool absorption, bool overwrite)
      : shape_(shape), file_(h5::File::create(path, overwrite)) {
    const h5::Shape all(shape.begin(), shape.end());
    const h5::Type type = h5::type_of<float>();
    phase_ = file_.reserve_dataset("/object/phase", type, all);
    if (absorption) absorption_ = file_.reserve_dataset("/object/absorption", type, all);
    if (!facts.occupancy.empty()) {
      h5::Shape states = all;
      states.insert(states.begin(), std::ssize(facts.occupancy));
      states_phase_ = file_.reserve_dataset("/states/phase", type, states);
      if (absorption)
        states_absorption_ = file_.reserve_dataset("/states/absorption", type, states);
    }
    write_facts(file_, facts);
  }

  void rows(View<const float, 2> phase, View<const float, 2> absorption) {
    const auto [count, cols] = phase.shape;
    if (slice_ == shape_[0] || row_ + count > shape_[1] || cols != shape_[2] ||
        absorption_.has_value() != !absorption.empty() ||
        (absorption_ && absorption.shape != phase.shape))
      throw std::logic_error("ResultFile: other rows than announced");
    phase_->write({slice_, row_, 0}, {1, count, cols}, phase.data);
    if (absorption_) absorption_->write({slice_, row_, 0}, {1, count, cols}, absorption.data);
    row_ += count;
    if (row_ < shape_[1]) return;
    row_ = 0;
    ++slice_;
  }

  void states(View<const float, 3> phase, View<const float, 3> absorption) {
    states_written_ = true;
    const auto write = [](std::optional<h5::Dataset>& set, const View<const float, 3>& from) {
      if (set.has_value() == from.empty())
        throw std::logic_error("ResultFile: other states than announced");
      if (set) set->write(h5::Shape(4, 0), set->shape(), from.data);
    };
    write(states_phase_, phase);
    write(states_absorption_, absorption);
  }

  Place hand_out() {
    const auto offset = [](const std::optional<h5::Dataset>& set) {
      if (!set) return i64{0};
      const auto at = set->offset();
      if (!at) throw std::logic_error("ResultFile: the object has no place in the file");
      return *at;
    };
    file_.flush();
    slice_ = shape_[0];
    states_written_ = true;
    return {file_.path() + ".part", offset(phase_), offset(absorption_), offset(states_phase_),
            offset(states_absorption_)};
  }

  void commit() {
    if (slice_ != shape_[0] || (states_phase_ && !states_written_))
      throw std::logic_error("ResultFile: slices are missing");
    for (auto* set : {&phase_, &absorption_, &states_phase_, &states_absorption_}) set->reset();
    file_.commit();
  }

 private:
  std::array<i64, 3> shape_;
  h5::File file_;
  std::optional<h5::Dataset> phase_, absorption_, states_phase_, states_absorption_;
  bool states_written_ = false;
  i64 slice_ = 0, row_ = 0;  // the next
};

ResultFile::ResultFile(const std::string& path, const ResultFacts& facts,
                       const std::array<i64, 3>& shape, bool absorption, bool overwrite)
    : writer_(std::make_unique<Writer>(path, facts, shape, absorption, overwrite)) {}
ResultFile::~ResultFile() = default;
void ResultFile::rows(View<const float, 2> phase, View<const float, 2> absorption) {
  writer_->rows(phase, absorption);
}
void ResultFile::states(View<const float, 3> phase, View<const float, 3> absorption) {
  writer_->states(phase, absorption);
}
ResultFile::Place ResultFile::hand_out() { return writer_->hand_out(); }
void ResultFile::commit() { writer_->commit(); }

void write_result(const std::string& path, const Result& result, bool overwrite) {
  const bool absorption = !result.absorption.empty();
  ResultFile file(path, result, result.phase.shape(), absorption, overwrite);
  for (i64 z = 0; z < result.phase.shape()[0]; ++z)
    file.rows(result.phase.view()[z],
              absorption ? result.absorption.view()[z] : View<const float, 2>{});
  if (!result.occupancy.empty()) file.states(result.states_phase, result.states_absorption);
  file.commit();
}

}  // namespace ptyle
