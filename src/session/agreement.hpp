#pragma once

// Ranks that agree on what could not be written, so that all go on together: none waits for one
// that has given up.

#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "exchange/team.hpp"

namespace ptyle {

/// Something cannot be written for want of disk or memory, on some rank. All ranks throw it
/// together, and the fit is as it was. The process that leads knows the sentence of the rank.
class NotWritten : public UserError {
 public:
  NotWritten(int rank, const std::string& sentence) : UserError(sentence), rank_(rank) {}
  [[nodiscard]] int rank() const { return rank_; }  ///< the first that could not

 private:
  int rank_;
};

/// Does the work; the reason where disk or memory do not suffice for it, else empty. What is a
/// fault of ours is thrown on.
template <class Work>
std::string failure_of(Work&& work) {
  try {
    work();
  } catch (const UserError& e) {
    return e.what();
  } catch (const std::bad_alloc&) {
    return "the memory is not enough";
  } catch (const std::filesystem::filesystem_error& e) {
    return e.what();
  }
  return {};
}

/// Every process calls it with its failure, empty where there is none. Throws NotWritten on all
/// where there is one on any.
void agree(Team& team, const std::string& failure);

/// The text of the process that leads, on all, which call it together.
std::string told_by_leader(Team& team, const std::string& text);

/// Several texts of it, none of which holds a zero.
std::vector<std::string> told_by_leader(Team& team, const std::vector<std::string>& texts);

/// The bytes of a file as the process that leads reads it, on all, which call it together; none
/// where it cannot be read.
std::string file_of_leader(Team& team, const std::string& path);

}  // namespace ptyle
