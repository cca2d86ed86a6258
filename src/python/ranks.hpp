#pragma once

// The processes that share a reconstruction: those of a communicator of mpi4py's, or this one
// alone. What fails on one of several is an exception on all: nobody waits for who has given up.

#include <nanobind/nanobind.h>

#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "core/stop.hpp"
#include "exchange/team.hpp"
#include "python/errors.hpp"
#include "session/agreement.hpp"
#include "session/reconstruction.hpp"

namespace ptyle {
class MpiWorld;
}

namespace ptyle::python {

class Ranks {
 public:
  /// This process alone.
  Ranks();
  /// The processes of a communicator, all of which call it; `address` is that of its MPI_Comm.
  /// Throws UserError where this module is built without MPI.
  explicit Ranks(std::size_t address);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  [[nodiscard]] Team& team() const { return *team_; }
  [[nodiscard]] bool several() const { return team_->size() > 1; }
  [[nodiscard]] int rank() const { return team_->here().front(); }
  /// True on all where it is on any; all call it.
  [[nodiscard]] bool any(bool here) const;
  /// A failure of this process, for the others.
  void tell_others(bool users_mistake, const std::string& sentence) const;
  /// Some process has failed: nothing of what they share may be used or freed any more.
  [[nodiscard]] bool broken() const;

  /// Work that all do together, without the interpreter's lock.
  template <class Work>
  auto together(Work&& work) const;

 private:
  std::unique_ptr<MpiWorld> world_;
  std::unique_ptr<Team> team_;
};

/// Work of this process alone, which Ctrl-C ends: KeyboardInterrupt, with nothing half made.
template <class Work>
auto interruptible(Work&& work) {
  Interrupt interrupt;
  try {
    const nanobind::gil_scoped_release unlocked;
    const StopGuard guard([&] { return interrupt.asked(); });
    return work();
  } catch (const Stopped&) {
    interrupt.raise();
    throw std::logic_error("work was called off, but nobody asked for that");
  }
}

template <class Work>
auto Ranks::together(Work&& work) const {
  const nanobind::gil_scoped_release unlocked;
  if (!several()) return work();
  try {
    return work();
  } catch (const NotWritten&) {
    throw;  // on all
  } catch (const CostNotFinite&) {
    throw;  // on all
  } catch (const RankFailed&) {
    throw;  // known already
  } catch (const std::exception& e) {
    tell_others(dynamic_cast<const UserError*>(&e) != nullptr, e.what());
    throw;
  }
}

void bind_ranks(nanobind::module_& m);

}  // namespace ptyle::python
