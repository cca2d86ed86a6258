#include "app/terminal.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstring>

#include "core/error.hpp"

namespace ptyle {

std::string duration_text(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

namespace {

/// Five decimals, as figures are compared, but no fewer than four digits.
std::string r_text(double r) {
  return r >= 0.001 && r < 1000 ? fmt::format("{:.5f}", r) : fmt::format("{:.3e}", r);
}

}  // namespace

std::string progress_line(const Progress& now) {
  std::string line = fmt::format("iteration {:>{}}/{}  cost {:.4e}  R {}", now.iteration,
                                 std::to_string(now.iterations).size(), now.iterations, now.cost,
                                 r_text(now.r_factor));
  if (now.r_held_out >= 0) line += "  held-out R " + r_text(now.r_held_out);
  line += fmt::format("  {} each", duration_text(now.seconds - now.seconds_before));
  if (now.iteration < now.iterations)
    line += fmt::format("  {} left", duration_text(now.seconds_left));
  if (!now.stage.empty()) line += fmt::format("  [{}]", now.stage);
  return line;
}

Terminal::Terminal(bool lines_only) : is_terminal_(!lines_only && isatty(STDOUT_FILENO) == 1) {}

Terminal::~Terminal() {
  end_progress();
  if (log_) std::fclose(log_);
}

void Terminal::end_progress() {
  if (in_progress_) fmt::print("\n");
  in_progress_ = false;
  std::fflush(stdout);
}

void Terminal::say(const std::string& line) {
  end_progress();
  fmt::print("{}\n", line);
  std::fflush(stdout);
  log(line);
}

void Terminal::warn(const std::string& line) {
  end_progress();
  fmt::print(stderr, "warning: {}\n", line);
  log("warning: " + line);
}

void Terminal::progress(const std::string& line) {
  if (is_terminal_) {
    fmt::print("\r{}\x1b[K", line);  // to the line's start, the text, erase the rest
    in_progress_ = true;
  } else {
    fmt::print("{}\n", line);
  }
  std::fflush(stdout);
  log(line);
}

void Terminal::log(const std::string& line) {
  if (!log_) {
    said_ += line + "\n";
    return;
  }
  // Flushed line by line: a log is read while the run goes on. A full disk does not end the run
  // here; whoever writes the result says so.
  std::fputs((line + "\n").c_str(), log_);
  std::fflush(log_);
}

void Terminal::log_to(const std::string& file) {
  log_ = std::fopen(file.c_str(), "w");
  if (!log_)
    throw UserError(fmt::format("the log {} cannot be written: {}", file, std::strerror(errno)));
  log_file_ = file;
  std::fputs(said_.c_str(), log_);
  std::fflush(log_);
}

void Terminal::remove_log() {
  if (!log_) return;
  std::fclose(log_);
  log_ = nullptr;
  std::remove(log_file_.c_str());
}

}  // namespace ptyle
