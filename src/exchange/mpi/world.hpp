#pragma once

namespace ptyle {

/// MPI from its start to its end, for a program's main: one thread (the one that made this) talks
/// to it. Throws std::runtime_error if MPI does not start.
class MpiWorld {
 public:
  MpiWorld(int& argc, char**& argv);
  MpiWorld(const MpiWorld&) = delete;
  MpiWorld& operator=(const MpiWorld&) = delete;
  /// Waits for all ranks: after an error that the others do not share, abort() instead.
  ~MpiWorld();

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  /// Ends all ranks at once.
  [[noreturn]] void abort(int status) const;

 private:
  int rank_ = 0, size_ = 1;
};

}  // namespace ptyle
