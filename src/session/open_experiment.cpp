#include "session/open_experiment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "io/data_file.hpp"
#include "io/dataset_name.hpp"
#include "io/name_pattern.hpp"
#include "io/series.hpp"
#include "prepare/prepare.hpp"

namespace ptyle {
namespace {

/// Frames of a file, as prepare() reads them.
class FileFrames final : public FrameSource {
 public:
  FileFrames(const h5::File& file, const FramesAsked& asked, Ledger* ledger, i64 most)
      : frames_(file, asked, most) {
    if (ledger && frames_.kept() > 0)
      kept_ = ledger->book("reading", static_cast<std::size_t>(frames_.kept()));
    count = frames_.count();
    rows = frames_.rows();
    cols = frames_.cols();
    scan_shape = frames_.scan_shape();
    is_integer = frames_.is_integer();
    largest = frames_.largest();
    bytes_a_value = frames_.info().type.bytes;
    name = frames_.name();
  }
  [[nodiscard]] const Frames& frames() const { return frames_; }
  void read(i64 first, i64 n, std::int64_t* to) override { frames_.read(first, n, to); }
  void read(i64 first, i64 n, float* to) override { frames_.read(first, n, to); }
  [[nodiscard]] i64 preferred_run() const override { return frames_.frames_a_chunk(); }

 private:
  Frames frames_;
  Ledger::Booking kept_;
};

/// Notes on the frames come before the experiment's.
void add_notes(const h5::File& file, const DataConfig& data, const Frames& frames, Experiment& e) {
  auto notes = frames.notes();
  if (file.by_matlab() && !data.transpose && data.axes.empty())
    notes.push_back(fmt::format(
        "'{}' is a file of MATLAB, where axes lie in reverse order: if its array is (ky, kx, {}) "
        "there, data.transpose: true reads the frames as it shows them",
        file.path(), frames.info().shape.size() == 4 ? "fast, slow" : "n"));
  e.notes.insert(e.notes.begin(), notes.begin(), notes.end());
}

/// The mask in "file.h5:/dataset", or in "/dataset" of the data file.
RawMask read_mask(const std::string& data_file, const std::string& text) {
  const auto [path, dataset] = split_dataset(text).value_or(DatasetName{data_file, text});
  const h5::File file = open_data_file(path);
  const h5::Dataset set = file.dataset(dataset);
  RawMask mask;
  mask.name = fmt::format("'{}' in '{}'", dataset, path);
  mask.shape = set.shape();
  while (mask.shape.size() > 2 && mask.shape[0] == 1) mask.shape.erase(mask.shape.begin());
  const auto values = set.read<double>();  // of any type: 0.5 is bad too
  mask.bad.resize(values.size());
  std::transform(values.begin(), values.end(), mask.bad.begin(), [](double v) { return v != 0; });
  return mask;
}

/// The patterns that a dataset names, where data.skip is one.
std::optional<RawSkip> read_skip(const std::string& data_file,
                                 const std::vector<std::string>& skip) {
  const auto names_one = [](const std::string& text) {
    return text.starts_with("/") || split_dataset(text);
  };
  if (std::none_of(skip.begin(), skip.end(), names_one)) return {};
  if (skip.size() > 1)
    throw UserError("data.skip: a dataset stands alone, or numbers and ranges, as in [3, 10-14]");
  const auto [path, dataset] = split_dataset(skip[0]).value_or(DatasetName{data_file, skip[0]});
  const h5::Dataset set = open_data_file(path).dataset(dataset);
  return RawSkip{set.read<double>(), set.shape(), fmt::format("'{}' in '{}'", dataset, path)};
}

}  // namespace

i64 most_kept(const Ledger* ledger) {
  const std::size_t limit = ledger ? ledger->most() : 0;
  return static_cast<i64>((limit > 0 ? limit : available_memory_bytes()) / 8);
}

namespace {

h5::Type type_of(RawNumber number) {
  switch (number) {
    case RawNumber::uint8:
      return {h5::Kind::natural, 1};
    case RawNumber::int8:
      return {h5::Kind::integer, 1};
    case RawNumber::uint16:
      return {h5::Kind::natural, 2};
    case RawNumber::int16:
      return {h5::Kind::integer, 2};
    case RawNumber::uint32:
      return {h5::Kind::natural, 4};
    case RawNumber::int32:
      return {h5::Kind::integer, 4};
    case RawNumber::float32:
      return {h5::Kind::real, 4};
    case RawNumber::float64:
      return {h5::Kind::real, 8};
  }
  return {};
}

}  // namespace

FramesAsked frames_asked(const DataConfig& data) {
  FramesAsked asked{data.patterns, data.axes, data_files(data.file)};
  if (data.raw_type && data.raw_shape[0] > 0)
    asked.raw = RawLayout{type_of(*data.raw_type),
                          data.raw_big_endian,
                          {data.raw_shape[0], data.raw_shape[1]},
                          data.raw_offset,
                          data.raw_gap};
  return asked;
}

namespace {

/// One dataset of positions.
RawPositions positions_in(const h5::File& file, const std::string& dataset) {
  const h5::Dataset set = file.dataset(dataset);
  RawPositions one{set.read<double>(), set.shape(), file.text(dataset, "units").value_or(""),
                   fmt::format("dataset '{}' in '{}'", set.info().path, file.path()), ""};
  // A result's positions count from its own object; its origin brings them back to where the
  // measured ones count from, so that positions and object may start from the same result.
  if (const auto origin = file.numbers("/", "origin");
      origin && origin->size() == 2 && set.info().path == "/positions")
    for (std::size_t i = 0; i < one.values.size(); ++i) one.values[i] += origin->at(i % 2);
  if (const auto others = others_like(file, set.info()); others.count > 0)
    one.others = fmt::format("{} reads {} more dataset{} with it", others.pattern, others.count,
                             others.count == 1 ? "" : "s");
  return one;
}

/// Rows of positions that follow those read before.
void append(std::optional<RawPositions>& to, RawPositions more) {
  if (!to) {
    to = std::move(more);
    return;
  }
  if (more.shape.empty() || more.shape.size() != to->shape.size() || more.unit != to->unit ||
      !std::equal(to->shape.begin() + 1, to->shape.end(), more.shape.begin() + 1))
    throw UserError(fmt::format(
        "{} ({}, unit '{}') and {} ({}, unit '{}') are not of one kind, to be read as one",
        to->name, h5::to_string(to->shape), to->unit, more.name, h5::to_string(more.shape),
        more.unit));
  to->shape[0] += more.shape[0];
  to->values.insert(to->values.end(), more.values.begin(), more.values.end());
}

/// Those of a dataset, or of all that a pattern names.
void append_all(std::optional<RawPositions>& to, const h5::File& file, const std::string& dataset) {
  if (!has_star(dataset) || file.has_dataset(dataset))
    return append(to, positions_in(file, dataset));
  for (const auto& one : series_of(file, dataset).members) append(to, positions_in(file, one.path));
  to->name = fmt::format("datasets '{}' in '{}'", dataset, file.path());
  to->others.clear();
}

}  // namespace

std::optional<RawPositions> read_positions(const h5::File& data_file, const ScanConfig& scan,
                                           const FramesAsked& asked) {
  const std::string dataset = scan.positions.empty() ? "/positions" : scan.positions;
  if (scan.positions.empty() && (!scan.file.empty() || !data_file.has(dataset))) return {};
  std::optional<RawPositions> all;
  append_all(all, scan.file.empty() ? data_file.again() : open_data_file(scan.file), dataset);
  const auto& data_files = asked.files;
  if (!scan.file.empty() || data_files.size() < 2) return all;
  std::size_t joined = 1;  // each file of a series may hold its own, or the first those of all
  for (std::size_t i = 1; i < data_files.size(); ++i)
    if (const h5::File more = open_data_file(data_files[i], asked.raw);
        has_star(dataset) || more.has(dataset)) {
      append_all(all, more, dataset);
      ++joined;
    }
  if (joined > 1) all->name = fmt::format("dataset '{}' in {} files", dataset, joined);
  return all;
}

namespace {

/// Calls make(measurement) while the files are open. `judging`: frames from all over the file are
/// read to see whether they are patterns.
template <class Make>
Experiment opened(const DataConfig& data, const CalibrationConfig& calibration,
                  const ScanConfig& scan, const OpticsConfig& optics, Ledger* ledger, i64 most,
                  bool looking, bool judging, Make&& make, const StatedFacts* known = nullptr) {
  if (data.file.empty())
    throw UserError("data.file is not given, the file of the patterns is needed");
  const FramesAsked asked = frames_asked(data);
  const h5::File file = open_data_file(asked.files.front(), asked.raw);
  FileFrames frames(file, asked, ledger, most);
  const auto doubt = judging ? frames.frames().doubt() : std::nullopt;
  if (doubt && doubt->sure && !looking) throw UserError(doubt->text);
  const StatedFacts stated = known ? *known : read_file_facts(file, &frames.frames());
  Measurement m{data, calibration, scan, optics, &frames, {}, {}, {}, stated.facts};
  m.looking = looking;
  const std::string mask = data.mask.empty() ? stated.mask : data.mask;
  if (!mask.empty()) m.mask = read_mask(file.path(), mask);
  if (m.mask && m.mask->shape == h5::Shape{130, 128} && frames.rows == 128) {  // an EMPAD's
    m.mask->shape[0] = frames.rows;
    m.mask->bad.resize(static_cast<std::size_t>(frames.rows * frames.cols));
  }
  m.skipped = read_skip(file.path(), data.skip);
  const bool step_given = scan.gives_step();
  if (step_given && !scan.positions.empty())
    throw UserError("scan.positions and scan.step are both given, one is needed");
  if (!step_given) m.positions = read_positions(file, scan, asked);
  if (!step_given && !m.positions && !stated.positions.empty()) {
    m.scan.positions = stated.positions;
    m.scan.order = PairOrder::x_y;
    m.scan.unit = scan.unit.value_or(LengthUnit::metre);
    m.positions = read_positions(file, m.scan, asked);
  }
  const bool shape_known = data.scan_shape[0] > 0 || frames.scan_shape[0] > 0;
  const auto warnings =
      warnings_of(stated, calibration, scan, optics, m.positions.has_value(), shape_known);
  Experiment e = make(m);
  add_notes(file, data, frames.frames(), e);
  e.notes.insert(e.notes.end(), stated.notes.begin(), stated.notes.end());
  if (data.mask.empty() && !stated.mask.empty())
    e.notes.push_back(fmt::format("mask taken from '{}', as the layout has it", stated.mask));
  if (scan.positions.empty() && !m.scan.positions.empty())
    e.notes.push_back(fmt::format("positions taken from '{}', x before y, as the layout has them",
                                  stated.positions));
  e.warnings.insert(e.warnings.begin(), warnings.begin(), warnings.end());
  if (doubt) {
    auto& said = doubt->sure ? e.refusals : e.warnings;
    said.insert(said.begin(), doubt->text);
  }
  return e;
}

}  // namespace

namespace {

/// The mask that lies beside the patterns, or that of a file.
std::optional<RawMask> mask_of(const PatternsInMemory& patterns, const std::string& text) {
  if (patterns.bad.empty() && text.empty()) return {};
  if (patterns.bad.empty()) return read_mask({}, text);
  RawMask mask;
  mask.name = "in memory";
  mask.shape.assign(patterns.bad.shape.begin(), patterns.bad.shape.end());
  mask.bad.assign(patterns.bad.begin(), patterns.bad.end());
  return mask;
}

/// As opened(), of patterns in memory.
template <class Make>
Experiment opened(const DataConfig& data, const CalibrationConfig& calibration,
                  const ScanConfig& scan, const OpticsConfig& optics,
                  const PatternsInMemory& patterns, bool looking, Make&& make) {
  raise(faults_of(patterns, data, scan));
  const auto frames = frames_of(patterns);
  Measurement m{data, calibration, scan, optics, frames.get(), {}, {}, {}, patterns.facts};
  m.looking = looking;
  m.mask = mask_of(patterns, data.mask);
  m.skipped = read_skip({}, data.skip);
  m.positions = positions_of(patterns, scan);
  Experiment e = make(m);
  StatedFacts stated;
  stated.facts = patterns.facts;
  const auto warnings =
      warnings_of(stated, calibration, scan, optics, m.positions.has_value(), true);
  e.warnings.insert(e.warnings.begin(), warnings.begin(), warnings.end());
  return e;
}

}  // namespace

Experiment open_experiment(const DataConfig& data, const CalibrationConfig& calibration,
                           const ScanConfig& scan, const OpticsConfig& optics, Ledger* ledger,
                           const Distribution* distribution, const PatternsInMemory* patterns) {
  const auto make = [&](const Measurement& m) { return prepare(m, ledger, distribution); };
  if (patterns) return opened(data, calibration, scan, optics, *patterns, false, make);
  // One rank looks on behalf of all.
  const bool judging = !distribution || distribution->rank == 0;
  return opened(data, calibration, scan, optics, ledger, most_kept(ledger), false, judging, make);
}

Experiment plan_experiment(const DataConfig& data, const CalibrationConfig& calibration,
                           const ScanConfig& scan, const OpticsConfig& optics,
                           const PatternsInMemory* patterns) {
  const auto make = [](const Measurement& m) { return prepare_to_plan(m); };
  if (patterns) return opened(data, calibration, scan, optics, *patterns, false, make);
  return opened(data, calibration, scan, optics, nullptr, most_kept(nullptr), false, true, make);
}

Experiment look_at_experiment(const DataConfig& data, const CalibrationConfig& calibration,
                              const ScanConfig& scan, const OpticsConfig& optics, Ledger* ledger,
                              i64 most, const StatedFacts* stated,
                              const PatternsInMemory* patterns) {
  const auto make = [&](const Measurement& m) { return prepare(m, ledger); };
  if (patterns) return opened(data, calibration, scan, optics, *patterns, true, make);
  return opened(data, calibration, scan, optics, ledger, std::min(most, most_kept(ledger)), true,
                true, make, stated);
}

}  // namespace ptyle
