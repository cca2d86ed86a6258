#pragma once

// The files of a reconstruction in its folder: result.h5, phase.tif, phase-sum.png, slices.png
// (first, middle, last, where there are several), absorption-sum.png (where fitted), probe.png,
// r-factor.png, ranks.png (where more than one rank reports what it spent its time on).

#include <array>
#include <memory>
#include <span>
#include <string>

#include "core/array.hpp"
#include "core/ledger.hpp"
#include "io/result.hpp"

namespace ptyle {

/// To call before anything long runs: makes the folder where it is missing, tries whether files can
/// be made in it, that none of the files above is one of the `inputs`, and, unless `overwrite`,
/// that none of them is there already. Throws UserError otherwise.
void check_output(const std::string& folder, bool overwrite,
                  std::span<const std::string> inputs = {});

/// As long as it is there, no other run writes into the folder, on systems that can keep it so.
class FolderLock {
 public:
  /// Throws UserError where another one has it.
  explicit FolderLock(const std::string& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  int folder_;
};

struct OutputChoice {
  bool overwrite = false;
  bool pictures = true;
  bool tiff = true;
};

/// Bytes of result.h5 and, with `tiff`, phase.tif for an object of this shape; what else is written
/// is small beside them. For check_disk_space (io/disk_space) before a run.
double output_bytes(const std::array<i64, 3>& shape, bool absorption, bool tiff);

/// Makes the files above of an object that comes slice by slice and is never held whole, only its
/// sum and three slices. Every file has its name only when it is whole.
class ResultWriter {
 public:
  /// check_output first. The facts must outlive the writer. `shape`: (slices, rows, columns) of the
  /// object. The history may be empty or short (nothing iterated, or stopped early): then there is
  /// no curve. Throws UserError where files cannot be made.
  ResultWriter(const ResultFacts& facts, const std::array<i64, 3>& shape, bool absorption,
               const std::string& folder, const OutputChoice& choice, Ledger* ledger = nullptr);
  ResultWriter(const ResultWriter&) = delete;
  ResultWriter& operator=(const ResultWriter&) = delete;
  ~ResultWriter();
  /// Slices in order, z = 0, 1, …; absorption where it was announced. Throws UserError where
  /// result.h5 cannot be written; a TIFF that cannot is given up, and finish() says so.
  void slice(i64 z, View<const float, 2> phase, View<const float, 2> absorption = {});
  /// After the last: names the files, draws the pictures. UserError where one of them failed; the
  /// others are there.
  void finish();

 private:
  class Files;
  std::unique_ptr<Files> files_;
};

/// The same at once.
void write_outputs(const Result& result, const std::string& folder, const OutputChoice& choice);

}  // namespace ptyle
