#include "tiles/steps.hpp"

#include <algorithm>
#include <stdexcept>

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
i64 place_parts(std::vector<Part>& parts) {
  i64 pixels = 0;
  for (Part& part : parts) {
    part.offset = pixels;
    pixels += part.box.area();
  }
  return pixels;
}

void finish(Step& step) {
  const auto by_partner = [](const Part& a, const Part& b) { return a.partner < b.partner; };
  const auto same = [](const Part& a, const Part& b) { return a.partner == b.partner; };
  for (auto* parts : {&step.sends, &step.receives}) {
    std::sort(parts->begin(), parts->end(), by_partner);
    if (std::adjacent_find(parts->begin(), parts->end(), same) != parts->end())
      throw std::logic_error("a schedule has two messages between the same ranks in a round");
  }
  step.sent_pixels = place_parts(step.sends);
  step.received_pixels = place_parts(step.receives);
}

/// Adds every message to the steps of its two ranks: steps_at(rank), or null for those left out.
template <class StepsAt>
void gather(const Schedule& schedule, StepsAt&& steps_at) {
  for (std::size_t i = 0; i < schedule.rounds.size(); ++i) {
    const Round& round = schedule.rounds[i];
    const auto step_of = [&](std::vector<Step>& steps) -> Step& {
      if (steps.empty() || steps.back().round != i)
        steps.push_back({i, round.action, {}, {}, 0, 0});
      return steps.back();
    };
    for (const Message& m : round.messages) {
      std::vector<Step>*const from = steps_at(m.from), *const to = steps_at(m.to);
      if (!from && !to) continue;
      check(m, schedule);
      if (from) step_of(*from).sends.push_back({m.to, m.box, 0});
      if (to) step_of(*to).receives.push_back({m.from, m.box, 0});
    }
  }
}

}  // namespace

std::vector<Step> steps_of(const Schedule& schedule, int rank) {
  std::vector<Step> steps;
  gather(schedule, [&](int at) { return at == rank ? &steps : nullptr; });
  for (Step& step : steps) finish(step);
  return steps;
}

std::vector<std::vector<Step>> steps_of_all(const Schedule& schedule) {
  std::vector<std::vector<Step>> all(schedule.arrays.size());
  gather(schedule, [&](int at) { return &all.at(static_cast<std::size_t>(at)); });
  for (auto& steps : all)
    for (Step& step : steps) finish(step);
  return all;
}

StepSizes largest_of(const std::vector<Step>& steps) {
  StepSizes largest;
  for (const Step& step : steps) {
    largest.sent = std::max(largest.sent, step.sent_pixels);
    largest.received = std::max(largest.received, step.received_pixels);
  }
  return largest;
}

double buffer_values(const Schedule& schedule, const Box& tile, int rank, i64 planes) {
  const StepSizes sizes = largest_of(steps_of(schedule, rank));
  const i64 chunk = schedule.chunk > 0 ? std::min(schedule.chunk, planes) : planes;
  const i64 chunks = (planes + chunk - 1) / chunk;
  const i64 slots = schedule.in_flight > 0 ? std::min(schedule.in_flight, chunks) : chunks;
  const Box array = schedule.arrays[static_cast<std::size_t>(rank)];
  return double(slots * chunk) * double(sizes.sent + sizes.received) +
         (array == tile ? 0.0 : double(planes) * double(array.area()));
}

}  // namespace ptyle
