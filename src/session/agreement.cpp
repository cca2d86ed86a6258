#include "session/agreement.hpp"

#include <algorithm>
#include <vector>

namespace ptyle {

void agree(Team& team, const std::string& failure) {
  const int own = team.here().front();
  std::vector<double> first{failure.empty() ? 0.0 : double(team.size() - own)};
  team.maximum(first);
  if (first[0] == 0) return;
  const int rank = team.size() - static_cast<int>(first[0]);
  std::vector<float> letters;
  if (own == rank) letters.assign(failure.begin(), failure.end());
  std::string sentence;
  for (const float letter : team.gather(std::span<const float>(letters)))
    sentence += static_cast<char>(letter);
  throw NotWritten(rank, team.leads() ? sentence : failure);
}

std::string told_by_leader(Team& team, const std::string& text) {
  std::vector<double> length{team.leads() ? double(text.size()) : 0.0};
  team.sum(length);
  std::vector<double> letters(static_cast<std::size_t>(length[0]));
  if (team.leads()) std::copy(text.begin(), text.end(), letters.begin());
  team.sum(letters);
  std::string told;
  for (const double letter : letters) told += static_cast<char>(letter);
  return told;
}

}  // namespace ptyle
