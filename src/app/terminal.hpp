#pragma once

// A run's messages: lines on the terminal and, once it is under way, in a log file.

#include <chrono>
#include <cstdio>
#include <string>

#include "session/reconstruct.hpp"

namespace ptyle {

/// One line of a reconstruction's progress: iteration, cost, R, stage, time an iteration, time
/// left.
std::string progress_line(const Progress& now);

/// "42 s", "3 min 20 s", "2 h 5 min"
std::string duration_text(double seconds);

/// To stdout, at once. Throws UserError where it cannot be written.
void print_out(const std::string& text);

/// As many characters as a line of so many columns has; "…" at its end where some are left out.
/// 0 columns: all.
std::string cut_to(const std::string& text, int columns);

class Terminal {
 public:
  /// `lines_only`: progress never replaces its line, as on the terminal that a launcher of ranks
  /// pretends to be.
  explicit Terminal(bool lines_only = false);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Characters that a terminal would obey (names and texts of a file may hold them) are made
  // printable.
  void say(const std::string& text);   ///< to stdout
  void warn(const std::string& text);  ///< to stderr, as "warning: …"
  /// A line that the next one replaces where stdout is a terminal, cut to its width; elsewhere a
  /// plain line, of which there is one a second at most, and the last one.
  void progress(const std::string& text);
  [[nodiscard]] bool is_terminal() const { return is_terminal_; }

  /// From here on everything (what was said before, too) also goes to this file, after the line
  /// `head`.
  void log_to(const std::string& file, bool anew, const std::string& head = {});
  /// Takes what was logged away again, where there is a log.
  void remove_log();

 private:
  static void put(std::FILE* to, const std::string& text);
  void log(const std::string& line);
  void end_progress();
  bool is_terminal_;
  bool in_progress_ = false;
  std::string held_back_;  ///< the last line of progress, where it came soon after another
  std::chrono::steady_clock::time_point progressed_{};
  std::string said_;  ///< what came before there was a log
  std::FILE* log_ = nullptr;
  std::string log_file_;
  long log_begins_ = 0;  ///< where this run's part of it does
};

}  // namespace ptyle
