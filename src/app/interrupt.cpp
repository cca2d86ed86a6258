#include "app/interrupt.hpp"

#include <unistd.h>

#include <csignal>
#include <initializer_list>

namespace ptyle {
namespace {

volatile std::sig_atomic_t interrupted = 0;
volatile std::sig_atomic_t spoken_for = 0;

extern "C" void on_interrupt(int signal) {
  interrupted = signal;
  // Said at once, as an iteration may be long; write() is one of the few calls allowed here.
  constexpr char words[] =
      "\nCtrl-C: finishing this step, then writing what there is; again to end at once\n";
  if (signal != SIGINT || spoken_for == 0) return;
  [[maybe_unused]] const auto written = write(STDERR_FILENO, words, sizeof words - 1);
}

}  // namespace

InterruptGuard::InterruptGuard(bool speaks) {
  interrupted = 0;
  spoken_for = speaks ? 1 : 0;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
  // The terminal is gone; under nohup nobody minds.
  struct sigaction before {};
  if (sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)
    sigaction(SIGHUP, &action, nullptr);
  // This handler serves once: a second Ctrl-C meets the default again.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

InterruptGuard::~InterruptGuard() {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGHUP}) {
    struct sigaction now {};
    if (sigaction(signal, nullptr, &now) == 0 && now.sa_handler == on_interrupt)
      std::signal(signal, SIG_DFL);
  }
}

bool InterruptGuard::asked() { return interrupted != 0; }

bool InterruptGuard::by_keyboard() { return interrupted == SIGINT; }

}  // namespace ptyle
