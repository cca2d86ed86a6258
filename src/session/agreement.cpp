#include "session/agreement.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>
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

std::string file_of_leader(Team& team, const std::string& path) {
  std::string bytes;
  if (team.leads()) {
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::vector<double> size{double(bytes.size())};
  team.sum(size);
  bytes.resize(static_cast<std::size_t>(size[0]));
  constexpr std::size_t each = 6, most = each << 16;  // a double holds 6 bytes as a whole number
  std::vector<double> some;
  for (std::size_t first = 0; first < bytes.size(); first += most) {
    const std::size_t count = std::min(most, bytes.size() - first);
    some.assign((count + each - 1) / each, 0);
    if (team.leads())
      for (std::size_t i = count; i-- > 0;)
        some[i / each] =
            256 * some[i / each] + double(static_cast<unsigned char>(bytes[first + i]));
    team.sum(some);
    for (std::size_t i = 0; i < count; ++i) {
      const auto number = static_cast<std::uint64_t>(some[i / each]);
      bytes[first + i] = static_cast<char>(number >> (8 * (i % each)) & 0xff);
    }
  }
  return bytes;
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

std::vector<std::string> told_by_leader(Team& team, const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += text + '\0';
  std::istringstream lines(told_by_leader(team, all));
  std::vector<std::string> told;
  for (std::string text; std::getline(lines, text, '\0');) told.push_back(text);
  return told;
}

}  // namespace ptyle
