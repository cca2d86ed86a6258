#pragma once

// A fit into a checkpoint, and out of one on any number of ranks.

#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "exchange/team.hpp"
#include "io/checkpoint.hpp"
#include "io/result.hpp"
#include "session/division.hpp"
#include "solver/fit.hpp"

namespace ptyle {

/// Writes checkpoints on a thread while the fit goes on, one at a time:
///
///   1. save():    what this process's ranks write is copied, and a thread writes it
///   2. commit():  all processes have written; on the one that leads, a thread gives the folder its
///                 name (io/checkpoint)
///   3. finish():  waits until that is done
///
/// The threads talk to no other process. From save() to the end of finish() nothing else may use
/// HDF5. A thread that fails (the disk is full) makes the next save() or finish() throw NotWritten
/// (session/agreement), on all processes together; the checkpoint before stays.
template <class T>
class CheckpointWriter {
 public:
  /// `while_computing`: the fit goes on after save(), which needs copies, accounted as
  /// "checkpoint". They are made here, so that it shows at once if there is no memory for them.
  /// Else save() writes from the fit's own arrays and waits. All that is given must outlive it.
  CheckpointWriter(Team& team, const std::string& folder, const Fit<T>& fit,
                   const Division& division, bool while_computing, Ledger* ledger);
  /// Waits for the threads, but where an exception is about to end the process: two seconds. A
  /// checkpoint that is not whole then is taken away.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // Every process of the team calls these, between two mini-batches:

  /// Waits for the checkpoint before.
  void save(const History& history, const Fingerprint& fingerprint);
  /// To be called once no process is writing().
  void commit();
  void finish();

  /// This process's part is still being written.
  [[nodiscard]] bool writing();
  /// It no longer is, and commit() is still to come: the processes should agree on it.
  [[nodiscard]] bool written() const;
  /// It could not be: finish() is to be called.
  [[nodiscard]] bool failed() const { return !failure_.empty(); }

 private:
  enum class Stage { idle, parts, name };
  /// The data that a thread reads, with which it may outlive us.
  struct Work {
    std::string folder;
    std::vector<std::vector<Array<T, 3>>> voxels;  // of each tile's core, of each field
    std::vector<Array<Complex<T>, 3>> waves;       // of each field that is the same on all ranks
    std::vector<CheckpointPart> parts;
  };
  [[nodiscard]] bool at_work() const;
  void wait();
  /// Into the parts: from the copies, or from the fit's own arrays, which are held meanwhile.
  void collect(const History& history, const Fingerprint& fingerprint,
               std::vector<OnHost<T, 3>>& own_arrays,
               std::vector<OnHost<Complex<T>, 3>>& own_waves);
  void add_global_state(CheckpointPart& part, const History& history,
                        std::vector<OnHost<Complex<T>, 3>>& own_waves);

  Team& team_;
  const Fit<T>& fit_;
  const bool while_computing_;
  std::shared_ptr<Work> work_;
  std::vector<const Field<T>*> voxels_, records_, waves_;  // that are saved
  Stage stage_ = Stage::idle;                              // the same on all processes
  std::future<void> thread_;
  std::string failure_;  // of the thread, until the processes agree on it
};

/// Phase and absorption of the part `box` of the object.
template <class T>
TileStart<T> resumed_tile(const Checkpoint& checkpoint, i64 slices, bool absorption, const Box& box,
                          Ledger* ledger);
template <class T>
Array<Complex<T>, 3> resumed_probe(const Checkpoint& checkpoint);
/// The numbers that Fit::restore takes, of the names that this fit has; `initial` where an older
/// version of ptyle saved none.
std::map<std::string, double> resumed_numbers(const Checkpoint& checkpoint,
                                              std::map<std::string, double> initial);
/// The fit, made of the object and the probe of then, resumes from the checkpoint. Patterns that
/// were left out for their misfit then stay so, or (`keep_misfits_out` false) are fitted again.
template <class T>
void resume(Fit<T>& fit, const Checkpoint& checkpoint, bool keep_misfits_out);
/// The ranks that its run's mini-batches were dealt for (ranks.of).
int resumed_dealt_for(const Checkpoint& checkpoint);

/// `in_pixels`: the run's positions are in px of the object, not in Å.
History resumed_history(const Checkpoint& checkpoint, bool in_pixels);

}  // namespace ptyle
