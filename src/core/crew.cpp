#include "core/crew.hpp"

#include <algorithm>
#include <system_error>

namespace ptyle {
namespace {

thread_local bool within_work = false;

}  // namespace

Crew& Crew::of_this_thread() {
  thread_local Crew crew;
  return crew;
}

bool Crew::at_work() { return within_work; }

Crew::~Crew() {
  work_ = nullptr;
  ++runs_;
  for (const auto& worker : workers_) worker->asked.raise_to(runs_);
  for (const auto& worker : workers_) worker->thread.join();
}

std::size_t Crew::grow(int wanted) {
  try {
    while (std::ssize(workers_) < wanted) {
      auto worker = std::make_unique<Worker>();
      worker->number = static_cast<int>(workers_.size()) + 1;
      worker->thread = std::thread([this, &its = *worker, now = runs_] { serve(its, now); });
      workers_.push_back(std::move(worker));
    }
  } catch (const std::system_error&) {
    // those that there are do all the work
  }
  return std::min(workers_.size(), static_cast<std::size_t>(wanted));
}

void Crew::serve(Worker& worker, i64 served) const {
  within_work = true;
  for (;;) {
    worker.asked.wait_for(served + 1);
    if (!work_) return;
    served = worker.asked.now();
    (*work_)(worker.number);
    worker.done.raise_to(served);
  }
}

void Crew::run(int threads, const std::function<void(int)>& work) {
  const std::size_t others = grow(threads - 1);
  work_ = &work;
  ++runs_;
  for (std::size_t i = 0; i < others; ++i) workers_[i]->asked.raise_to(runs_);
  within_work = true;
  work(0);
  within_work = false;
  for (std::size_t i = 0; i < others; ++i) workers_[i]->done.wait_for(runs_);
}

}  // namespace ptyle
