#include <gtest/gtest.h>

#include "core/printable.hpp"

namespace ptyle {
namespace {

TEST(Printable, WhatATerminalObeysIsWrittenOut) {
  EXPECT_EQ(printable("a\n\x1b[31mred\t\x07\x7f"), "a\\n\\x1b[31mred\\t\\x07\\x7f");
  EXPECT_EQ(printable_lines("a\n\x1b[31mred\r\n"), "a\n\\x1b[31mred\\x0d\n");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b"
            "31m");  // the control sequence's introducer, U+009B
}

TEST(Printable, TextOfAnyLanguageStays) {
  const std::string text = "0.2 Å, ½ λ, 電子 𝛼, \xc2\xa0nbsp, \xed\x9f\xbf, \xf4\x8f\xbf\xbf";
  EXPECT_EQ(printable(text), text);
  EXPECT_EQ(printable_lines(text), text);
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, BytesThatAreNoTextAreWrittenOut) {
  EXPECT_EQ(printable("\xb5m"), "\\xb5m");         // Latin-1
  EXPECT_EQ(printable("a\xc3"), "a\\xc3");         // cut off
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");  // likewise
  EXPECT_EQ(printable("\xc0\x9b"), "\\xc0\\x9b");  // longer than needed: ESC in two bytes
  EXPECT_EQ(printable("\xe0\x80\x9b"), "\\xe0\\x80\\x9b");
  EXPECT_EQ(printable("\xf0\x80\x80\x9b"), "\\xf0\\x80\\x80\\x9b");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // half of a surrogate pair
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond Unicode
  EXPECT_EQ(printable("\xff"), "\\xff");
}

}  // namespace
}  // namespace ptyle
