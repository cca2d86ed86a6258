#include "session/open_experiment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "io/dataset_name.hpp"
#include "prepare/prepare.hpp"
#include "session/file_facts.hpp"

namespace ptyle {
namespace {

/// Frames of an HDF5 file, as prepare() reads them.
class FileFrames final : public FrameSource {
 public:
  FileFrames(const h5::File& file, const std::string& dataset, Ledger* ledger)
      : frames_(file, dataset, most_kept(ledger)) {
    if (ledger && frames_.kept() > 0)
      kept_ = ledger->book("reading", static_cast<std::size_t>(frames_.kept()));
    count = frames_.count();
    rows = frames_.rows();
    cols = frames_.cols();
    scan_shape = frames_.scan_shape();
    is_integer = frames_.is_integer();
    largest = frames_.largest();
    bytes_a_value = frames_.info().type.bytes;
    name = fmt::format("dataset '{}' in '{}'", frames_.info().path, file.path());
  }
  void read(i64 first, i64 n, std::int64_t* to) override { frames_.read(first, n, to); }
  void read(i64 first, i64 n, float* to) override { frames_.read(first, n, to); }
  [[nodiscard]] i64 preferred_run() const override { return frames_.frames_a_chunk(); }

 private:
  Frames frames_;
  Ledger::Booking kept_;
};

/// The mask in "file.h5:/dataset", or in "/dataset" of the data file.
RawMask read_mask(const std::string& data_file, const std::string& text) {
  const auto [path, dataset] = split_dataset(text).value_or(DatasetName{data_file, text});
  const h5::File file = h5::File::open(path);
  const h5::Dataset set = file.dataset(dataset);
  RawMask mask;
  mask.name = fmt::format("'{}' in '{}'", dataset, path);
  mask.shape = set.shape();
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
  const h5::Dataset set = h5::File::open(path).dataset(dataset);
  return RawSkip{set.read<double>(), set.shape(), fmt::format("'{}' in '{}'", dataset, path)};
}

}  // namespace

i64 most_kept(const Ledger* ledger) {
  const std::size_t limit = ledger ? ledger->most() : 0;
  return static_cast<i64>((limit > 0 ? limit : available_memory_bytes()) / 8);
}

std::optional<RawPositions> read_positions(const h5::File& data_file, const ScanConfig& scan) {
  const std::string dataset = scan.positions.empty() ? "/positions" : scan.positions;
  if (scan.positions.empty() && (!scan.file.empty() || !data_file.has(dataset))) return {};
  const auto read_from = [&](const h5::File& file) {
    const h5::Dataset set = file.dataset(dataset);
    const std::string unit = file.text(dataset, "units").value_or("");
    auto values = set.read<double>();
    // A result's positions count from its own object; its origin brings them back to where the
    // measured ones count from, so that positions and object may start from the same result.
    if (const auto origin = file.numbers("/", "origin");
        origin && origin->size() == 2 && set.info().path == "/positions")
      for (std::size_t i = 0; i < values.size(); ++i) values[i] += origin->at(i % 2);
    return RawPositions{std::move(values), set.shape(), unit,
                        fmt::format("dataset '{}' in '{}'", set.info().path, file.path())};
  };
  return scan.file.empty() ? read_from(data_file) : read_from(h5::File::open(scan.file));
}

namespace {

/// Calls make(measurement) while the files are open.
template <class Make>
Experiment opened(const DataConfig& data, const CalibrationConfig& calibration,
                  const ScanConfig& scan, const OpticsConfig& optics, Ledger* ledger, Make&& make) {
  if (data.file.empty())
    throw UserError("data.file is not given, the HDF5 file of the patterns is needed");
  const h5::File file = h5::File::open(data.file);
  FileFrames frames(file, data.patterns, ledger);
  const StatedFacts stated = read_file_facts(file);
  Measurement m{data, calibration, scan, optics, &frames, {}, {}, {}, stated.facts};
  if (!data.mask.empty()) m.mask = read_mask(data.file, data.mask);
  m.skipped = read_skip(data.file, data.skip);
  const bool step_given = scan.step[0] > 0 || scan.step[1] > 0;
  if (step_given && !scan.positions.empty())
    throw UserError("scan.positions and scan.step are both given, one is needed");
  if (!step_given) m.positions = read_positions(file, scan);
  const bool shape_known = data.scan_shape[0] > 0 || frames.scan_shape[0] > 0;
  const auto warnings =
      warnings_of(stated, calibration, scan, optics, m.positions.has_value(), shape_known);
  Experiment experiment = make(m);
  experiment.warnings.insert(experiment.warnings.begin(), warnings.begin(), warnings.end());
  return experiment;
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

}  // namespace

Experiment open_experiment(const DataConfig& data, const CalibrationConfig& calibration,
                           const ScanConfig& scan, const OpticsConfig& optics, Ledger* ledger,
                           const Distribution* distribution, const PatternsInMemory* patterns) {
  if (patterns) {
    raise(faults_of(*patterns, data, scan));
    const auto frames = frames_of(*patterns);
    Measurement m{data, calibration, scan, optics, frames.get(), {}, {}, {}, {}};
    m.mask = mask_of(*patterns, data.mask);
    m.skipped = read_skip({}, data.skip);
    m.positions = positions_of(*patterns, scan);
    return prepare(m, ledger, distribution);
  }
  return opened(data, calibration, scan, optics, ledger,
                [&](const Measurement& m) { return prepare(m, ledger, distribution); });
}

Experiment plan_experiment(const DataConfig& data, const CalibrationConfig& calibration,
                           const ScanConfig& scan, const OpticsConfig& optics) {
  return opened(data, calibration, scan, optics, nullptr,
                [](const Measurement& m) { return prepare_to_plan(m); });
}

Experiment look_at_experiment(const DataConfig& data, const CalibrationConfig& calibration,
                              const ScanConfig& scan, const OpticsConfig& optics, Ledger* ledger) {
  return opened(data, calibration, scan, optics, ledger, [&](Measurement& m) {
    m.looking = true;
    return prepare(m, ledger);
  });
}

}  // namespace ptyle
