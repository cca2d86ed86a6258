#include "app/interrupt.hpp"

#include <unistd.h>

#include <csignal>

namespace ptyle {
namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void on_interrupt(int signal) {
  interrupted = signal;
  // Said at once, as an iteration may be long; write() is one of the few calls allowed here.
  constexpr char words[] =
      "\nCtrl-C: finishing this step, then writing what there is; again to end at once\n";
  if (signal != SIGINT) return;
  [[maybe_unused]] const auto written = write(STDERR_FILENO, words, sizeof words - 1);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupted = 0;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  // The handler serves once: a second Ctrl-C meets the default again.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool InterruptGuard::asked() { return interrupted != 0; }

bool InterruptGuard::by_keyboard() { return interrupted == SIGINT; }

}  // namespace ptyle
