#include "app/terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"
#include "core/printable.hpp"

namespace ptyle {

std::string duration_text(double seconds) {
  if (!(seconds < 1e9)) return fmt::format("{:.1e} s", seconds);
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

namespace {

/// The terminal's width; 0: it does not say.
int columns() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

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
  if (now.r_held_out_pixels >= 0) line += "  held-out pixels R " + r_text(now.r_held_out_pixels);
  line += fmt::format("  {} each", duration_text(now.seconds - now.seconds_before));
  if (now.iteration < now.iterations && !now.standstill.reached())
    line += fmt::format("  {}{} left", now.standstill.asked() ? "at most " : "",
                        duration_text(now.seconds_left));
  if (now.standstill.asked()) line += "  " + describe(now.standstill);
  if (!now.geometry.empty()) line += "  " + now.geometry;
  if (!now.stage.empty()) line += fmt::format("  [{}]", now.stage);
  return line;
}

std::string cut_to(const std::string& text, int columns) {
  if (columns <= 0) return text;
  int characters = 0;
  std::size_t end = 0;  // of those that have room beside the "…"
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80) continue;  // inside of a character
    if (characters == columns - 1) end = i;
    if (++characters > columns) return text.substr(0, end) + "…";
  }
  return text;
}

void print_out(const std::string& text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw UserError(fmt::format("the standard output cannot be written: {}", std::strerror(errno)));
}

void Terminal::put(std::FILE* to, const std::string& text) {
  // A terminal that has been closed, or a full disk behind it, does not end a run.
  [[maybe_unused]] const auto written = std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

Terminal::Terminal(bool lines_only) : is_terminal_(!lines_only && isatty(STDOUT_FILENO) == 1) {}

Terminal::~Terminal() {
  end_progress();
  if (log_) std::fclose(log_);
}

void Terminal::end_progress() {
  if (in_progress_) put(stdout, "\n");
  if (!held_back_.empty()) put(stdout, held_back_ + "\n");
  in_progress_ = false;
  held_back_.clear();
}

void Terminal::say(const std::string& text) {
  const std::string line = printable_lines(text);
  end_progress();
  put(stdout, line + "\n");
  log(line);
}

void Terminal::warn(const std::string& text) {
  const std::string line = "warning: " + printable_lines(text);
  end_progress();
  put(stderr, line + "\n");
  log(line);
}

void Terminal::progress(const std::string& text) {
  const std::string line = printable(text);
  log(line);
  if (is_terminal_) {
    // to the line's start, the text, erase the rest
    put(stdout, "\r" + cut_to(line, columns()) + "\x1b[K");
    in_progress_ = true;
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - progressed_ < std::chrono::seconds(1)) {
    held_back_ = line;
    return;
  }
  put(stdout, line + "\n");
  progressed_ = now;
  held_back_.clear();
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

void Terminal::log_to(const std::string& file, bool anew, const std::string& head) {
  log_ = std::fopen(file.c_str(), anew ? "w" : "a");
  if (!log_)
    throw UserError(fmt::format("the log {} cannot be written: {}", file, std::strerror(errno)));
  log_begins_ = std::fseek(log_, 0, SEEK_END) == 0 ? std::ftell(log_) : 0;
  log_file_ = file;
  if (!head.empty()) std::fputs((printable(head) + "\n").c_str(), log_);
  std::fputs(said_.c_str(), log_);
  std::fflush(log_);
}

void Terminal::remove_log() {
  if (!log_) return;
  std::fclose(log_);
  log_ = nullptr;
  std::error_code ignored;
  if (log_begins_ > 0)
    std::filesystem::resize_file(log_file_, static_cast<std::uintmax_t>(log_begins_), ignored);
  else
    std::filesystem::remove(log_file_, ignored);
}

}  // namespace ptyle
