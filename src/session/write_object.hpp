#pragma once

// The object into result.h5, by several ranks:
//
//   1. the process that leads makes the file, and tells where the object lies in it
//   2. some ranks open it, too; where one does not find it, on a disk of its own, the one that
//      leads writes alone
//   3. a slab on each of them is put together (session/stitch), and written to its place; where the
//      object has several states, each to its own, and their mean to the object's

#include "exchange/team.hpp"
#include "session/write_result.hpp"
#include "solver/fit.hpp"
#include "tiles/mesh.hpp"

namespace ptyle {

/// The object that is written, on all ranks alike.
struct ObjectInFile {
  std::array<i64, 3> shape{};  ///< (slices, rows, columns)
  bool absorption = false;
  std::vector<double> shares = {};  ///< of its states, 1 together; empty: there is one
};

/// Bytes that a rank holds meanwhile.
double object_writing_bytes(const Mesh& mesh, int rank, const ObjectInFile& object);

/// Every process of the team calls it, the one that leads with the file; what is held is accounted
/// as "result". Throws NotWritten (session/agreement), on all.
template <class T>
void write_object(Team& team, const Mesh& mesh, const Fit<T>& fit, const ObjectInFile& object,
                  ResultWriter* file, Ledger* ledger);

}  // namespace ptyle
