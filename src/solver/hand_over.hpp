#pragma once

// Records of positions that have moved out of their rank's core go to the rank in whose core they
// lie (tiles/hand_over): the position's number, all its numbers in fields of the kind `records`,
// and its pattern as it is held.
//
//   1. each rank: which of its records leave; where none does on any rank, all is done
//   2. the ranks tell each other (exchange/delivery); there is room for what comes
//   3. numbers and patterns travel
//   4. lists, fields and patterns follow; a device forgets patterns that have gone
//
// Patterns are a process's: where both ranks are in one, only the numbers travel.

#include <memory>
#include <vector>

#include "exchange/team.hpp"
#include "solver/workspace.hpp"
#include "tiles/hand_over.hpp"

namespace ptyle {

/// Records that came to this process's ranks, and that left them.
struct HandedOver {
  i64 came = 0, went = 0;
};

template <class T>
class HandOver {
 public:
  /// All processes of the team together. What is given must outlive it.
  HandOver(Workspace<T>& with, const Mesh& mesh);

  /// Hands over what lies more than `margin` px outside its rank's core, by Workspace::places;
  /// these are then to be told anew (Variable::publish). All processes together; false: nobody has
  /// handed over anything. Throws UserError where there is no memory for what comes.
  bool run(i64 margin);

  [[nodiscard]] const HandedOver& so_far() const { return so_far_; }

 private:
  /// All numbers of a tile's records, record by record, in the order of the fields.
  using Rows = std::vector<T>;

  [[nodiscard]] std::vector<Parcel> leaving(i64 margin) const;
  [[nodiscard]] i64 numbers_a_record() const;
  [[nodiscard]] std::size_t tile_of_rank(int rank) const;
  [[nodiscard]] bool is_here(int rank) const;
  /// Patterns travel with a parcel whose other rank is `other`.
  [[nodiscard]] bool with_patterns(int other) const;
  [[nodiscard]] Rows rows_of(std::size_t tile) const;
  void put_rows(std::size_t tile, const Rows& rows);
  [[nodiscard]] Rows packed(const Parcel& parcel, const std::vector<Rows>& rows) const;
  [[nodiscard]] Coming place_for(const Parcel& parcel, Rows& rows);
  [[nodiscard]] Leaving pieces_of(const Parcel& parcel, const Rows& rows) const;
  std::vector<Rows> delivered(const std::vector<Parcel>& left, const std::vector<Parcel>& come,
                              const std::vector<Rows>& before);
  void take_over(std::size_t tile, const std::vector<Parcel>& left, const std::vector<Parcel>& come,
                 const std::vector<Rows>& coming, const Rows& before);
  void drop_patterns(const std::vector<Parcel>& left);

  Workspace<T>& with_;
  Mesh mesh_;
  std::vector<int> here_;
  std::unique_ptr<Delivery> delivery_;
  HandedOver so_far_;
};

}  // namespace ptyle
