#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/terminal.hpp"

namespace ptyle {
namespace {

TEST(Terminal, Durations) {
  EXPECT_EQ(duration_text(0.04), "0.0 s");
  EXPECT_EQ(duration_text(9.94), "9.9 s");
  EXPECT_EQ(duration_text(9.96), "10 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(59.6), "1 min 0 s");
  EXPECT_EQ(duration_text(1e300), "1.0e+300 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
}

TEST(Terminal, ProgressLineSaysWhatMatters) {
  Progress now;
  now.seconds_before = 3;
  now.iteration = 4;
  now.iterations = 20;
  now.cost = 12345.6;
  now.r_factor = 0.12291;
  now.r_held_out = 0.13;
  now.seconds = 4.5;
  now.seconds_left = 75;
  now.stage = "k < 0.6 1/Å, 4 blocks";
  EXPECT_EQ(
      progress_line(now),
      "iteration  4/20  cost 1.2346e+04  R 0.12291  held-out R 0.13000  1.5 s each  1 min 15 s "
      "left  [k < 0.6 1/Å, 4 blocks]");
  now.iteration = 20;
  now.cost = 1.2;
  now.r_factor = 4.5123e-5;
  now.r_held_out = 5.6e7;
  now.stage.clear();
  EXPECT_EQ(progress_line(now),
            "iteration 20/20  cost 1.2000e+00  R 4.512e-05  held-out R 5.600e+07  1.5 s each");
  now.cost = 12345.6;
  now.r_factor = 0.12291;
  now.r_held_out = -1;
  now.stage.clear();
  EXPECT_EQ(progress_line(now), "iteration 20/20  cost 1.2346e+04  R 0.12291  1.5 s each");
  now.r_held_out_pixels = 0.124;
  EXPECT_EQ(progress_line(now),
            "iteration 20/20  cost 1.2346e+04  R 0.12291  held-out pixels R 0.12400  1.5 s each");
}

TEST(Terminal, ProgressLineSaysWhatIsWaitedFor) {
  Progress now;
  now.iteration = 4;
  now.iterations = 20;
  now.cost = 12;
  now.r_factor = 0.125;
  now.seconds = 1.5;
  now.seconds_left = 75;
  now.standstill = {{0.005, 5}, "R", {}};
  const std::string before = "iteration  4/20  cost 1.2000e+01  R 0.12500  1.5 s each  ";
  EXPECT_EQ(progress_line(now),
            before + "at most 1 min 15 s left  until R falls < 0.5 % in 5: too early");
  now.standstill.fall = 0.012;
  EXPECT_EQ(progress_line(now),
            before + "at most 1 min 15 s left  until R falls < 0.5 % in 5: 1.2 %");
  now.standstill.fall = 0.001;
  EXPECT_EQ(progress_line(now), before + "until R falls < 0.5 % in 5: 0.1 %") << "the last one";
}

TEST(Terminal, LinesAreCutToItsWidth) {
  EXPECT_EQ(cut_to("Å/nm", 4), "Å/nm");
  EXPECT_EQ(cut_to("Å/nm/x", 4), "Å/n…");
  EXPECT_EQ(cut_to("ÅÅÅÅ", 3), "ÅÅ…");
  EXPECT_EQ(cut_to("", 3), "");
  EXPECT_EQ(cut_to("as it is", 0), "as it is");
}

TEST(Terminal, OfManyLinesOfProgressTheFirstAndTheLastArePrinted) {
  ::testing::internal::CaptureStdout();
  {
    Terminal terminal(true);
    for (const char* line : {"1", "2", "3"}) terminal.progress(line);
    terminal.say("done");
  }
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "1\n3\ndone\n");
}

TEST(Terminal, LogHoldsWhatWasSaidBeforeItWasOpened) {
  const auto file = std::filesystem::path(testing::TempDir()) / "ptyle_terminal.log";
  {
    Terminal terminal;
    terminal.say("first");
    terminal.log_to(file.string(), true);
    terminal.progress("second");
  }
  const auto text = [&] {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  };
  EXPECT_EQ(text(), "first\nsecond\n");
  {
    Terminal terminal;
    terminal.log_to(file.string(), false);
    terminal.say("third");
    EXPECT_EQ(text(), "first\nsecond\nthird\n");
    terminal.remove_log();
    EXPECT_EQ(text(), "first\nsecond\n") << "what others said stays";
  }
  Terminal terminal;
  terminal.log_to(file.string(), true);
  EXPECT_EQ(text(), "");
  terminal.remove_log();
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(Terminal, WhatATerminalWouldObeyIsWrittenOut) {
  const auto file = std::filesystem::path(testing::TempDir()) / "ptyle_escapes.log";
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  {
    Terminal terminal;
    terminal.log_to(file.string(), true);
    terminal.say("note = a\n  \x1b[31mred");
    terminal.warn("unit '\x1b]0;title\x07'");
    terminal.progress("1/2\x9b");
  }
  const std::string out = testing::internal::GetCapturedStdout(),
                    err = testing::internal::GetCapturedStderr();
  EXPECT_EQ(out, "note = a\n  \\x1b[31mred\n1/2\\x9b\n");
  EXPECT_EQ(err, "warning: unit '\\x1b]0;title\\x07'\n");
  std::stringstream log;
  log << std::ifstream(file).rdbuf();
  EXPECT_EQ(log.str(), "note = a\n  \\x1b[31mred\n" + err + "1/2\\x9b\n");
}

}  // namespace
}  // namespace ptyle
