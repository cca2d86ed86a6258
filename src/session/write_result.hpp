#pragma once

// The files of a reconstruction in its folder: result.h5; phase.tif, absorption.tif (where fitted),
// probe.tif (amplitudes of its modes); phase-sum.png, slices.png
// (first, middle, last, where there are several), absorption-sum.png (where fitted), probe.png,
// r-factor.png, ranks.png (where more than one rank reports what it spent its time on),
// positions.png (where they were refined). result.h5 comes first: the others are made of it.

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/ledger.hpp"
#include "exchange/team.hpp"
#include "io/result.hpp"
#include "session/slabs.hpp"

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

/// So many patterns of a result are kept beside what the model makes of them; of windows up to 512
/// px, lest they take memory that counts.
inline constexpr i64 patterns_shown = 3, largest_shown = 512;

struct OutputChoice {
  bool overwrite = false;
  bool pictures = true;
  bool tiff = true;
};

/// Bytes of result.h5, which has each of several states beside their mean, and, with `tiff`, of the
/// object's TIFF stacks for an object of this shape (slices, rows, columns); what
/// else is written is small beside them. For check_disk_space (io/disk_space) before a run.
double output_bytes(const std::array<i64, 3>& shape, bool absorption, bool tiff, i64 states = 1);

/// Bytes that every process has left, beside all that computing takes, for the facts of a result
/// while they are gathered: lists by position, the configuration's text and figures of the ranks.
double gathering_bytes(i64 positions);

/// Bytes of the process that leads while the files are written; the object itself is in none of
/// them.
struct WritingMemory {
  double result = 0;   ///< while result.h5 is, beside the object's rows (object_writing_bytes)
  double copies = 0;   ///< while the files made of it are
  double share = 0;    ///< of another process that goes through the object for them
  double facts = 0;    ///< of both: probe and positions
  double drawing = 0;  ///< of copies: what the largest picture takes
};
WritingMemory writing_memory(const std::array<i64, 3>& shape, bool absorption, i64 modes,
                             i64 window, i64 positions, const OutputChoice& choice);

/// Makes result.h5 of an object that comes some rows at a time and is never held whole.
class ResultWriter {
 public:
  /// check_output first; a folder that has vanished since is made again. The facts must outlive the
  /// writer. `shape`: (slices, rows, columns) of the object. Throws UserError where the file cannot
  /// be made.
  ResultWriter(const ResultFacts& facts, const std::array<i64, 3>& shape, bool absorption,
               const std::string& folder, bool overwrite);
  ResultWriter(const ResultWriter&) = delete;
  ResultWriter& operator=(const ResultWriter&) = delete;
  ~ResultWriter();
  /// The next rows, of one slice; absorption where it was announced. Throws UserError where they
  /// cannot be written.
  void rows(View<const float, 2> phase, View<const float, 2> absorption = {});
  /// All slices of all states, where the facts say that there are several.
  void states(View<const float, 3> phase, View<const float, 3> absorption);
  /// In place of rows(): others write them (session/write_object).
  [[nodiscard]] ResultFile::Place hand_out();
  /// After the last: the file gets its name. The other files of an earlier result go.
  void finish();

 private:
  class Writer;
  std::unique_ptr<Writer> writer_;
};

/// Makes the other files of the folder's result.h5, some rows at a time, each with its name only
/// when it is whole. Every process of the team calls it: the object is read by several of them
/// (session/copy_object), all else is done by the one that leads. There, a sentence for each that
/// could not be made; the others are there.
[[nodiscard]] std::vector<std::string> write_copies(const std::string& folder,
                                                    const OutputChoice& choice, Team& team,
                                                    Ledger* ledger);
/// The same by this process alone.
[[nodiscard]] std::vector<std::string> write_copies(const std::string& folder,
                                                    const OutputChoice& choice,
                                                    Ledger* ledger = nullptr);

/// All at once; the sentences of write_copies.
std::vector<std::string> write_outputs(const Result& result, const std::string& folder,
                                       const OutputChoice& choice);

}  // namespace ptyle
