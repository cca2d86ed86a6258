#pragma once

#include <memory>
#include <string>

#include "exchange/team.hpp"

namespace ptyle {

class MpiWorld;

/// True if mpirun, srun or the like has started this process.
bool started_by_launcher();

/// The ranks that this program was started as: those of mpirun, srun and the like, or one.
class Ranks {
 public:
  /// Starts MPI where a launcher has started this process. Throws UserError where it has, and ptyle
  /// is built without MPI.
  Ranks(int& argc, char**& argv);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  [[nodiscard]] Team& team() const { return *team_; }
  /// Ends all ranks with one message and this status, if there are several. Else does nothing.
  void fail(int status, const std::string& sentence) const;
  void fail(const RankFailed& other) const;

 private:
  std::unique_ptr<MpiWorld> world_;
  std::unique_ptr<Team> team_;
};

}  // namespace ptyle
