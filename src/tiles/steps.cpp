#include "tiles/steps.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ptyle {
namespace {

void check(const Message& m, const Schedule& schedule) {
  const auto holds = [&](int rank) {
    return schedule.arrays.at(static_cast<std::size_t>(rank)).contains(m.box);
  };
  if (m.from == m.to || m.box.empty() || !holds(m.from) || !holds(m.to))
    throw std::logic_error("a message of a schedule is not inside both ranks' arrays");
}

/// Places the parts one after the other in a buffer; returns their pixels together.
i64 place_parts(std::vector<StepPart>& parts) {
  i64 pixels = 0;
  for (StepPart& part : parts) {
    part.offset = pixels;
    pixels += part.box.area();
  }
  return pixels;
}

void finish(Step& step) {
  const auto by_partner = [](const StepPart& a, const StepPart& b) {
    return a.partner < b.partner;
  };
  const auto same = [](const StepPart& a, const StepPart& b) { return a.partner == b.partner; };
  for (auto* parts : {&step.sends, &step.receives}) {
    std::sort(parts->begin(), parts->end(), by_partner);
    if (std::adjacent_find(parts->begin(), parts->end(), same) != parts->end())
      throw std::logic_error("a schedule has two messages between the same ranks in a round");
  }
  step.sent_pixels = place_parts(step.sends);
  step.received_pixels = place_parts(step.receives);
}

}  // namespace

std::vector<Step> steps_of(const Schedule& schedule, int rank) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < schedule.rounds.size(); ++i) {
    const Round& round = schedule.rounds[i];
    Step step{i, round.action, {}, {}, 0, 0};
    for (const Message& m : round.messages) {
      if (m.from != rank && m.to != rank) continue;
      check(m, schedule);
      if (m.from == rank) step.sends.push_back({m.to, m.box, 0});
      if (m.to == rank) step.receives.push_back({m.from, m.box, 0});
    }
    if (step.sends.empty() && step.receives.empty()) continue;
    finish(step);
    steps.push_back(std::move(step));
  }
  return steps;
}

LargestStep largest_of(const std::vector<Step>& steps) {
  LargestStep largest;
  for (const Step& step : steps) {
    largest.sent = std::max(largest.sent, step.sent_pixels);
    largest.received = std::max(largest.received, step.received_pixels);
  }
  return largest;
}

double buffer_values(const Schedule& schedule, const Box& tile, int rank, i64 planes) {
  const LargestStep sizes = largest_of(steps_of(schedule, rank));
  const i64 chunk = schedule.chunk > 0 ? std::min(schedule.chunk, planes) : planes;
  const i64 chunks = (planes + chunk - 1) / chunk;
  const i64 slots = schedule.in_flight > 0 ? std::min(schedule.in_flight, chunks) : chunks;
  const Box array = schedule.arrays[static_cast<std::size_t>(rank)];
  return double(slots * chunk) * double(sizes.sent + sizes.received) +
         (array == tile ? 0.0 : double(planes) * double(array.area()));
}

}  // namespace ptyle
