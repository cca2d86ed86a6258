#pragma once

// Ranks in another order than MPI's, so that tiles of a node form blocks (tiles/nodes).

#include <memory>
#include <span>

#include "exchange/mpi/world.hpp"

namespace ptyle {

class Communicator;

/// The processes of the world in an order, which gives each its rank.
class MpiRanks {
 public:
  /// In the world's own order.
  MpiRanks(
      const MpiWorld& world);  // NOLINT(google-explicit-constructor): where nobody asks for another
  /// `rank_of`, by process of the world. Made by all of them together.
  MpiRanks(const MpiWorld& world, std::span<const int> rank_of);

  [[nodiscard]] const MpiWorld& world() const { return *world_; }
  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return world_->size(); }
  /// The communicator of another order than the world's; else none.
  [[nodiscard]] const Communicator* communicator() const { return communicator_.get(); }

 private:
  const MpiWorld* world_;
  int rank_;
  std::shared_ptr<const Communicator> communicator_;
};

}  // namespace ptyle
