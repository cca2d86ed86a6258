#pragma once

// The arithmetic of rules that remember. Their memory is on cores alone, where each voxel of the
// object is once: dot products are sums over all ranks, and memory doesn't grow with halos.

#include <map>
#include <string>
#include <vector>

#include "solver/rules/rule.hpp"

namespace ptyle {

/// Fields on tiles or cores, one for each of the object's, with names that begin so.
template <class T>
Volumes<T> declare_as_object(State<T>& state, Kind kind, const std::string& name,
                             const std::string& account, bool saved);
template <class T>
Volumes<T> declare_on_cores(State<T>& state, const std::string& name, const std::string& account,
                            bool saved);

/// Volumes on tiles (the object, its gradient) and on cores.
template <class T>
class OnCores {
 public:
  /// to ← the cores of `from`.
  void take(Workspace<T>& with, const Volumes<T>& from, const Volumes<T>& to);
  /// The cores of `to` ← from.
  void put(Workspace<T>& with, const Volumes<T>& from, const Volumes<T>& to);
  /// The object's cores ← from, and all copies of them. Pixels that no window reaches stay vacuum.
  void set_object(const Trial<T>& trial, const Volumes<T>& from);

 private:
  struct Part {
    Pieces core;                     // one piece of the tile's arrays
    std::map<T*, Planes<T>> planes;  // of each volume, by its first
  };
  template <class Carry>
  void each(Workspace<T>& with, const Volumes<T>& on_tiles, const Volumes<T>& on_cores,
            Carry&& carry);
  std::vector<Part> parts_;
};

// For volumes on cores:

/// to = from.
template <class T>
void copy(Workspace<T>& with, const Volumes<T>& from, const Volumes<T>& to);
/// to = a·from + b·to.
template <class T>
void combine(Workspace<T>& with, double a, const Volumes<T>& from, double b, const Volumes<T>& to);
/// Σ a·b, over all ranks.
template <class T>
double dot(Workspace<T>& with, const Volumes<T>& a, const Volumes<T>& b);
/// Σ g·(to − from), over all ranks.
template <class T>
double slope_of_step(Workspace<T>& with, const Volumes<T>& g, const Volumes<T>& from,
                     const Volumes<T>& to);
/// to = from − step·d within the object's limits; `to` may be `from` or `d`.
template <class T>
void move_along(const Trial<T>& trial, const Volumes<T>& from, const Volumes<T>& d, double step,
                const Volumes<T>& to);

}  // namespace ptyle
