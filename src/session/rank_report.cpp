#include "session/rank_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace ptyle {
namespace {

// Most of what a process allocates; the rest goes under "other".
constexpr std::array ledger_names{"checkpoint",   "exchange buffers",
                                  "gradient",     "gradient patches",
                                  "object",       "object, synchronised",
                                  "patterns",     "positions",
                                  "probe",        "program",
                                  "propagator",   "result",
                                  "transmission", "waves"};

/// "object, synchronised" as a name in a file: object_synchronised.
std::string file_name_of(std::string name) {
  std::erase(name, ',');
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

std::string with_blanks(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

const std::vector<double>& values_of(const std::vector<RankFigure>& figures,
                                     const std::string& name) {
  const auto found = std::find_if(figures.begin(), figures.end(),
                                  [&](const RankFigure& f) { return f.name == name; });
  static const std::vector<double> none;
  return found == figures.end() ? none : found->values;
}

struct Column {
  const char* name;
  const char* head;
  double scale;
  int digits;
};
constexpr double mib = 1 << 20;
constexpr std::array columns{Column{"positions", "positions", 1, 0},
                             Column{"computing", "computing s", 1, 2},
                             Column{"waiting", "waiting s", 1, 2},
                             Column{"communicating", "communicating s", 1, 2},
                             Column{"reading", "reading s", 1, 2},
                             Column{"sent/bytes", "sent MiB", 1 / mib, 1},
                             Column{"sent/messages", "messages", 1, 0},
                             Column{"memory/booked", "allocated MiB", 1 / mib, 1},
                             Column{"memory/process", "process MiB", 1 / mib, 1}};

std::string table_line(const std::string& label, const std::vector<double>& values) {
  std::string line = fmt::format("  {:>5}", label);
  for (std::size_t c = 0; c < columns.size(); ++c)
    line += fmt::format("  {:>{}.{}f}", values[c] * columns[c].scale,
                        std::string(columns[c].head).size(), columns[c].digits);
  return line;
}

/// The memory allocated at the peak, by name.
void add_names(const std::string& prefix, const Ledger& ledger, std::vector<RankFigure>& figures) {
  double named = 0;
  for (const char* name : ledger_names) {
    double bytes = 0;
    for (const auto& entry : ledger.entries())
      if (entry.name == name) bytes = static_cast<double>(entry.at_peak);
    named += bytes;
    figures.push_back({prefix + file_name_of(name), "B", {bytes}});
  }
  figures.push_back({prefix + "other", "B", {static_cast<double>(ledger.peak()) - named}});
}

}  // namespace

std::vector<RankFigure> gather_report(Team& team, const RankReport& mine, const Ledger& ledger,
                                      const Ledger& gpu) {
  const TeamCosts costs = team.costs();
  std::vector<RankFigure> figures{
      {"positions", "1", {mine.positions}},
      {"handed_over/came", "1", {static_cast<double>(mine.handed_over.came)}},
      {"handed_over/went", "1", {static_cast<double>(mine.handed_over.went)}},
      {"computing", "s", {mine.iterations.computing}},
      {"waiting", "s", {costs.waiting}},
      {"communicating", "s", {costs.communicating}},
      {"reading", "s", {mine.reading}},
      {"other",
       "s",
       {mine.total - mine.iterations.computing - costs.waiting - costs.communicating -
        mine.reading}},
      {"iterations/all", "s", {mine.iterations.all()}},
      {"iterations/gradients", "s", {mine.iterations.gradients}},
      {"iterations/waiting", "s", {mine.iterations.waiting}},
      {"iterations/communicating", "s", {mine.iterations.communicating}},
      {"sent/bytes", "B", {static_cast<double>(costs.bytes)}},
      {"sent/messages", "1", {static_cast<double>(costs.messages)}},
      {"memory/booked", "B", {static_cast<double>(ledger.peak())}},
      {"memory/process", "B", {static_cast<double>(peak_resident_bytes())}},
      {"gpu/booked", "B", {static_cast<double>(gpu.peak())}}};
  add_names("memory/", ledger, figures);
  add_names("gpu/", gpu, figures);

  std::vector<double> values;
  for (const RankFigure& f : figures) values.push_back(f.values[0]);
  const std::vector<double> all = team.gather(std::span<const double>(values));
  for (std::size_t i = 0; i < figures.size(); ++i) {
    figures[i].values.clear();
    for (std::size_t at = i; at < all.size(); at += figures.size())
      figures[i].values.push_back(all[at]);
  }
  // Memory of a kind that no rank had, such as a GPU's where there is none, is no figure.
  std::erase_if(figures, [](const RankFigure& f) {
    return (f.name.starts_with("gpu/") || f.name.starts_with("memory/")) &&
           std::all_of(f.values.begin(), f.values.end(), [](double v) { return v == 0; });
  });
  return figures;
}

std::string line_of_shares(const std::vector<RankFigure>& figures) {
  const auto sum = [&](const char* name) {
    const auto& values = values_of(figures, name);
    return std::accumulate(values.begin(), values.end(), 0.0);
  };
  const double all = sum("iterations/all");
  if (values_of(figures, "positions").size() < 2 || !(all > 0)) return {};
  const double waiting = 100 * sum("iterations/waiting") / all,
               communicating = 100 * sum("iterations/communicating") / all;
  // A GPU's gradients are only queued by the calls that this process can time.
  const std::string gradients = sum("gpu/booked") > 0
                                    ? ""
                                    : fmt::format(" ({:.0f} % gradients of patterns)",
                                                  100 * sum("iterations/gradients") / all);
  return fmt::format(
      "of the ranks' time in the iterations: {:.0f} % computing{}, {:.0f} % waiting, {:.0f} % "
      "communicating",
      100 - waiting - communicating, gradients, waiting, communicating);
}

double handed_over(const std::vector<RankFigure>& figures) {
  const auto& came = values_of(figures, "handed_over/came");
  return std::accumulate(came.begin(), came.end(), 0.0);
}

std::vector<std::string> report_lines(const std::vector<RankFigure>& figures) {
  const std::size_t ranks = values_of(figures, "positions").size();
  std::vector<std::string> lines;
  if (ranks > 1) {
    std::string head = "   rank";
    for (const Column& c : columns) head += fmt::format("  {}", c.head);
    lines.push_back(head);
    std::vector<double> least, mean, most;
    for (const Column& c : columns) {
      const auto& v = values_of(figures, c.name);
      least.push_back(*std::min_element(v.begin(), v.end()));
      most.push_back(*std::max_element(v.begin(), v.end()));
      mean.push_back(std::accumulate(v.begin(), v.end(), 0.0) / double(ranks));
    }
    for (std::size_t r = 0; r < ranks && ranks <= 16; ++r) {
      std::vector<double> row;
      for (const Column& c : columns) row.push_back(values_of(figures, c.name)[r]);
      lines.push_back(table_line(std::to_string(r), row));
    }
    if (ranks > 16) lines.push_back(table_line("least", least));
    lines.push_back(table_line("mean", mean));
    if (ranks > 16) lines.push_back(table_line("most", most));
    lines.push_back(line_of_shares(figures));
    if (lines.back().empty()) lines.pop_back();
  }
  const auto largest = [&](const std::string& name) {
    const auto& v = values_of(figures, name);
    return v.empty() ? 0.0 : *std::max_element(v.begin(), v.end());
  };
  lines.push_back(
      fmt::format("memory{}: {:.0f} MiB allocated at the peak, {:.0f} MiB of the process",
                  ranks > 1 ? ", largest rank" : "", largest("memory/booked") / mib,
                  largest("memory/process") / mib));
  const auto say_names = [&](const std::string& prefix) {
    for (const RankFigure& f : figures)
      if (f.name.starts_with(prefix) && f.name != prefix + "booked" &&
          f.name != prefix + "process" && largest(f.name) > 0.05 * mib)
        lines.push_back(fmt::format("  {:<20} {:>9.1f} MiB",
                                    with_blanks(f.name.substr(prefix.size())),
                                    largest(f.name) / mib));
  };
  say_names("memory/");
  if (largest("gpu/booked") > 0)
    lines.push_back(fmt::format("memory of the GPU{}: {:.0f} MiB allocated at the peak",
                                ranks > 1 ? ", largest rank" : "", largest("gpu/booked") / mib));
  say_names("gpu/");
  return lines;
}

}  // namespace ptyle
