#pragma once

// A reconstruction as an object:
//
//   ReconstructConfig config;                  // as the keys of the YAML file, in plain structs
//   const auto team = make_local_team();       // or the ranks of MPI (exchange/mpi)
//   Reconstruction run(config, *team);         // opens and divides the data, makes the fit
//   while (!run.finished()) run.step();        // an iteration at a time
//   const Result result = run.result();        // a value; or run.write(folder)
//
// It starts no MPI, catches no signal, ends no process and has no global log: lines for the user go
// to the callbacks. Every process of the team calls the same functions in the same order. All throw
// UserError for what the user can mend.

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/box.hpp"
#include "core/error.hpp"
#include "core/grid.hpp"
#include "exchange/team.hpp"
#include "io/result.hpp"
#include "session/config.hpp"
#include "session/patterns_in_memory.hpp"
#include "session/standstill.hpp"
#include "session/write_result.hpp"

namespace ptyle {

/// One line of progress.
struct Progress {
  int iteration = 0, iterations = 0;
  double cost = 0, r_factor = 0;
  double r_held_out = -1;         ///< of patterns; −1: none are held out
  double r_held_out_pixels = -1;  ///< of detector pixels, likewise
  double seconds = 0, seconds_left = 0;
  double seconds_before = 0;  ///< when the iteration before had ended
  std::string geometry;       ///< what was fitted of it: "defocus 251.3 Å"; empty: nothing
  std::string stage;  ///< of the continuation: "k < 0.60 1/Å, slices binned by 10"; empty: none
  double passes = 0;  ///< through the data since the start
  Standstill standstill;  ///< what solver.until waits for
  bool whole = true;      ///< false: stopped between two mini-batches, the next step does the rest
};

/// The same ones are given on all processes. They are called on the one that leads, but for `stop`,
/// which is asked on all. A checkpoint may be on its way meanwhile: they must not use HDF5.
struct ReconstructCallbacks {
  std::function<void(const Progress&)> progress;
  std::function<void(const std::string&)> log, warn;
  /// The configuration with what was measured for it (optics.fitted), and what stands behind these
  /// keys, by their paths, before the fit is made. It returns the text for results.
  std::function<std::string(const ReconstructConfig&, const std::map<std::string, std::string>&)>
      measured;
  /// The object as it stands after an iteration, (slice, row, col) rad, and the positions on it, Å:
  /// to watch small ones, as the process that leads holds the whole of it then.
  std::function<void(const Progress&, View<const float, 3>, const std::vector<Position>&)> look;
  std::function<bool()> stop;  ///< asked in every mini-batch; true: finish it, and write
};

/// The cost is not a number any more, on all ranks: a step is too large.
struct CostNotFinite : UserError {
  using UserError::UserError;
};

/// An array of the fit.
struct FieldFacts {
  std::string name;
  bool on_object = true;       ///< (planes, rows, cols) of the object; false: waves, on all ranks
  std::array<i64, 3> shape{};  ///< of the whole
  bool saved = false;          ///< in checkpoints
};

/// A field of the fit where it lies, of this process's first rank: float or double, of waves
/// complex. It is valid until the next step, and shows no longer the field after it.
struct FieldHere {
  const void* values = nullptr;
  bool is_double = false, is_complex = false;
  std::array<i64, 3> shape{}, strides{};  ///< strides in values
  Box box;                                ///< of the object; of waves empty
};

/// Phase (rad) and absorption (empty where it is not fitted), (slice, row, col).
struct ObjectValues {
  Array<float, 3> phase, absorption;
};

/// Checkpoints of a reconstruction, written while it goes on (session/resumption). save(), commit()
/// and finish() throw NotWritten (session/agreement) on all processes together.
class Checkpoints {
 public:
  virtual ~Checkpoints() = default;
  /// A copy is taken, and written on a thread; waits for the one before.
  virtual void save() = 0;
  /// To be called once no process is writing().
  virtual void commit() = 0;
  virtual void finish() = 0;
  [[nodiscard]] virtual bool writing() = 0;        ///< this process still is
  [[nodiscard]] virtual bool written() const = 0;  ///< it no longer is, and commit() is to come
  [[nodiscard]] virtual bool failed() const = 0;   ///< this process could not write its part
};

class Reconstruction {
 public:
  /// Checks the configuration, all of it at once (session/check); output.folder may be empty.
  /// Then opens its data and makes the fit, of its precision, on its device; with output.resume it
  /// goes on from the checkpoint in output.folder, where there is one. `text` is the resolved
  /// configuration, for results. The team must outlive it.
  Reconstruction(const ReconstructConfig& config, Team& team,
                 const ReconstructCallbacks& callbacks = {}, const std::string& text = {});
  /// The same of one that was checked.
  Reconstruction(const CheckedConfig& config, Team& team,
                 const ReconstructCallbacks& callbacks = {}, const std::string& text = {});
  /// The same of patterns in memory, in place of data.file; they are needed only meanwhile.
  Reconstruction(const ReconstructConfig& config, const PatternsInMemory& patterns, Team& team,
                 const ReconstructCallbacks& callbacks = {}, const std::string& text = {});
  Reconstruction(Reconstruction&&) noexcept;
  Reconstruction& operator=(Reconstruction&&) noexcept;
  ~Reconstruction();

  /// All of solver.iterations are done, or R stands still by solver.until.
  [[nodiscard]] bool finished() const;
  /// solver.iterations from now on: the whole number of them, also those that are done.
  void set_iterations(int iterations);
  /// One iteration, or the rest of one. In every mini-batch callbacks.stop and `pause` are asked:
  /// where one says so on any rank, all end after that mini-batch. Throws CostNotFinite.
  Progress step(const std::function<bool()>& pause = {});

  /// The object as it stands, on the process that leads, which holds the whole of it; else empty.
  [[nodiscard]] ObjectValues object() const;
  /// Shares of the object's states, 1 together; empty: there is one.
  [[nodiscard]] std::vector<double> shares() const;
  /// (mode, W, W), centred on [W/2, W/2]; the fit's modes as they are.
  [[nodiscard]] Array<Complex<float>, 3> probe() const;
  /// From the centre of object pixel [0, 0], Å (px in pixel units).
  [[nodiscard]] std::vector<Position> positions() const;
  /// One value for each whole iteration.
  [[nodiscard]] const History& history() const;
  [[nodiscard]] std::vector<FieldFacts> fields() const;
  /// One that is on the object, whole as object() is. Throws std::out_of_range for another name.
  [[nodiscard]] Array<float, 3> field(const std::string& name) const;
  /// One that is on the object, on the core of this process's first rank, or waves, without a copy:
  /// the positions' records are in neither. Throws UserError on a GPU, whose memory no program
  /// reads, and std::out_of_range for another name.
  [[nodiscard]] FieldHere here(const std::string& name) const;

  /// All that a result file has, its probe as orthogonal modes; nothing is written. The object and
  /// the probe are only on the process that leads.
  [[nodiscard]] Result result() const;
  /// Writes the files of session/write_result, some rows at a time: no process holds the whole
  /// object. Throws NotWritten (session/agreement), on all processes, where result.h5 cannot be
  /// written; callbacks.warn is told what else is missing.
  void write(const std::string& folder, const OutputChoice& choice = {}) const&;
  /// The same at the end, into a folder of which check_output was asked before: the fit's memory is
  /// free for it, and nothing else is to be asked then (std::logic_error). Where it throws, save()
  /// still is.
  void write(const std::string& folder, const OutputChoice& choice = {}) &&;

  /// Writes a checkpoint into the folder, which is made, and waits; output.resume goes on from it.
  void save(const std::string& folder) const;
  /// For checkpoints into the folder; with `while_computing` steps may follow a save() at once,
  /// which needs memory for the copies. It must not outlive this.
  [[nodiscard]] std::unique_ptr<Checkpoints> checkpoints(const std::string& folder,
                                                         bool while_computing) const;

  class Work;  ///< in the configuration's precision

 private:
  std::unique_ptr<Work> work_;
};

}  // namespace ptyle
