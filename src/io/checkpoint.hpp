#pragma once

// A checkpoint is the folder "checkpoint" in a run's output folder, from which any number of ranks
// goes on:
//
//   global.h5      what is the same on all ranks, and what must agree with the run that goes on
//   rank-0007.h5   a rank's core of each array on the object, and what belongs to its positions
//   index.h5       where the cores lie, and whose each position is
//
// Written in three steps, between which the callers agree; 1 and 3 may run on a thread beside other
// work that does not use HDF5:
//
//   1. every rank: write_checkpoint_part()   into "checkpoint.part"
//   2. the ranks learn from each other that all have written
//   3. one rank: commit_checkpoint()         "checkpoint" becomes "checkpoint.old",
//                                            "checkpoint.part" becomes "checkpoint",
//                                            "checkpoint.old" goes
//
// At any moment "checkpoint", or where it is missing "checkpoint.old", is whole; reading takes the
// one that is there.

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/array.hpp"
#include "core/box.hpp"

namespace ptyle {

/// A fact that a resumed run must share with the one that wrote, in words that the user knows.
struct Agreed {
  std::string key;                           ///< "data.file"
  std::string value;                         ///< "scan.h5"
  std::optional<std::string> formerly = {};  ///< what an earlier version wrote for this value
  std::string if_differs = {};  ///< appended to the sentence that refuses another value
  bool may_change = false;      ///< another value is not refused, but reported
  bool any_order = false;       ///< the value is a set "[a, b]": [b, a] is the same
};
using Fingerprint = std::vector<Agreed>;

/// State of every pixel of the object. A name has no "/".
struct ObjectState {
  std::string name;
  Box box;  ///< what `values` covers: at least the core; object pixels
  std::variant<View<const float, 3>, View<const double, 3>> values;  ///< (planes, rows, columns)
};

/// State of every position: `columns` numbers for each of CheckpointPart::positions.
struct PositionState {
  std::string name;
  i64 columns = 1;
  std::vector<double> values;
};

/// State that is the same on all ranks.
struct GlobalState {
  std::string name;
  std::variant<std::vector<double>, std::vector<i64>, std::string, View<const Complex<float>, 3>,
               View<const Complex<double>, 3>>
      values;
};

/// The part that one rank writes. Views must last through the call.
struct CheckpointPart {
  int rank = 0, ranks = 1;
  i64 step = 0;  ///< of the run (iterations or mini-batches), the same on all ranks
  Box object;    ///< the whole
  Box core;      ///< this rank's; the ranks' cores are the object, without overlap
  std::vector<ObjectState> object_state;
  std::vector<i64> positions;  ///< this rank's own, by global number, ascending
  std::vector<PositionState> position_state;
  Fingerprint fingerprint;                ///< of rank 0 alone
  std::vector<GlobalState> global_state;  ///< of rank 0 alone
};

/// Writes a rank's files into `folder`/checkpoint.part. Throws UserError where they cannot be
/// written (the disk is full); the checkpoint that was there stays.
void write_checkpoint_part(const std::string& folder, const CheckpointPart& part);

/// Makes what `ranks` ranks have written the checkpoint. UserError where a file is missing or
/// damaged or cannot be renamed; std::logic_error where the parts do not belong together.
void commit_checkpoint(const std::string& folder, int ranks);

/// Takes away what was written since the last commit, after a failure. Never throws.
void discard_checkpoint_part(const std::string& folder) noexcept;

/// True if `folder` holds a checkpoint.
bool has_checkpoint(const std::string& folder);

/// To call before a run: UserError where something else has the names that checkpoints take.
void check_checkpoint_place(const std::string& folder);

/// Takes the checkpoint away: the run has come to its end, or begins anew.
void remove_checkpoint(const std::string& folder);

/// A checkpoint to resume from. All throw UserError, in one sentence, for one that is missing,
/// damaged, incomplete, of another format, or lacks what is asked for.
class Checkpoint {
 public:
  explicit Checkpoint(const std::string& folder);

  /// A process's copy of a file of the checkpoint that all need: its bytes, as one of them has
  /// read it on behalf of all. Called by all in the same order.
  using Shared = std::function<std::string(const std::string& path)>;
  /// The same on several processes, of which one `leads`: it alone looks whether all files are
  /// there.
  Checkpoint(const std::string& folder, const Shared& shared, bool leads);

  [[nodiscard]] i64 step() const { return step_; }
  [[nodiscard]] int ranks() const { return static_cast<int>(cores_.size()); }  ///< that wrote it
  [[nodiscard]] const Box& object() const { return object_; }
  /// UserError that names the first key that differs, with both values. One that the checkpoint
  /// does not record, of an older program, is passed. Returned are those that differ and may, as
  /// "KEY was A, now it is B".
  [[nodiscard]] std::vector<std::string> check(const Fingerprint& now) const;

  /// One of its facts; nothing where it does not record the key, as of an older program.
  [[nodiscard]] std::optional<std::string> fact(const std::string& key) const;

  /// The part of an array that lies in `box` (inside the object), (planes, rows, columns) of it;
  /// opens only files whose cores meet the box. Exact where T is the type that was written.
  template <class T>
  void read(const std::string& name, const Box& box, View<T, 3> to) const;

  /// `columns` numbers for each of the positions.
  [[nodiscard]] std::vector<double> position_state(const std::string& name,
                                                   std::span<const i64> positions,
                                                   i64 columns) const;

  [[nodiscard]] std::vector<double> numbers(const std::string& name) const;
  /// Nothing where there are none: versions of ptyle differ in what they save.
  [[nodiscard]] std::optional<std::vector<double>> find_numbers(const std::string& name) const;
  [[nodiscard]] std::vector<i64> integers(const std::string& name) const;
  [[nodiscard]] std::string text(const std::string& name) const;
  template <class T>
  [[nodiscard]] Array<Complex<T>, 3> waves(const std::string& name) const;

 private:
  void look_for_files() const;
  std::string path_;
  std::map<std::string, std::string> bytes_;  // of shared files, by name
  i64 step_ = 0;
  Box object_;
  std::vector<Box> cores_;          // by rank
  std::vector<int> position_rank_;  // by global number; −1: nobody's
};

}  // namespace ptyle
