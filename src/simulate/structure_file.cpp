// Structures from files: CIF (its cell, symmetry and sites interpreted by gemmi) and XYZ.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <gemmi/cifdoc.hpp>
#include <gemmi/numb.hpp>
#include <gemmi/small.hpp>
#include <gemmi/symmetry.hpp>
#include <sstream>

#include "core/error.hpp"
#include "physics/scattering.hpp"
#include "simulate/specimen.hpp"

namespace ptyle {
namespace {

std::string read_text(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw UserError(fmt::format("{}: the structure's file cannot be read", file));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

int element(const std::string& file, const std::string& said, const std::string& where) {
  std::string symbol = said;
  symbol.erase(
      std::find_if(symbol.begin(), symbol.end(), [](unsigned char c) { return !std::isalpha(c); }),
      symbol.end());  // "O2-" → "O"
  for (std::size_t i = 0; i < symbol.size(); ++i) {
    const auto c = static_cast<unsigned char>(symbol[i]);
    symbol[i] = static_cast<char>(i == 0 ? std::toupper(c) : std::tolower(c));
  }
  if (const auto Z = atomic_number(symbol)) return *Z;
  throw UserError(
      fmt::format("{}: {} is of an unknown element \"{}\"; H to Lr are known", file, where, said));
}

// A CIF's words, quotes left on (gemmi takes them off): blanks separate, # begins a comment, ' and
// " quote up to the same mark before a blank, a line's leading ; begins a text that ends with
// another.
std::vector<std::string> cif_words(const std::string& text, const std::string& file) {
  std::vector<std::string> words;
  const auto blank = [&](std::size_t at) {
    return at >= text.size() || std::isspace(static_cast<unsigned char>(text[at]));
  };
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    std::size_t end = i;
    if (blank(i)) {
      ++i;
      continue;
    }
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if (c == ';' && (i == 0 || text[i - 1] == '\n')) {
      end = text.find("\n;", i);
      if (end != std::string::npos) end += 2;
    } else if (c == '\'' || c == '"') {
      end = text.find(c, i + 1);
      while (end != std::string::npos && !blank(end + 1)) end = text.find(c, end + 1);
      if (end > text.find('\n', i)) end = std::string::npos;  // not beyond its line
      if (end != std::string::npos) ++end;
    } else {
      while (!blank(end)) ++end;
    }
    if (end == std::string::npos)
      throw UserError(fmt::format("{}: a quoted text is not closed", file));
    words.push_back(text.substr(i, end - i));
    i = end;
  }
  return words;
}

bool begins(const std::string& word, const char* with) {
  const std::string prefix(with);
  return gemmi::iequal(word.substr(0, prefix.size()), prefix);
}

// A tag, or a word that ends a loop's values.
bool is_name(const std::string& word) {
  return word[0] == '_' || begins(word, "loop_") || begins(word, "data_");
}

// The first block that has a cell.
gemmi::cif::Block cif_block(const std::string& file) {
  const auto words = cif_words(read_text(file), file);
  gemmi::cif::Block block;
  for (std::size_t i = 0; i < words.size();) {
    if (begins(words[i], "data_")) {
      if (block.find_value("_cell_length_a")) break;
      block = gemmi::cif::Block(words[i++].substr(5));
    } else if (begins(words[i], "loop_")) {
      block.items.emplace_back(gemmi::cif::LoopArg{});
      auto& loop = block.items.back().loop;
      for (++i; i < words.size() && words[i][0] == '_'; ++i) loop.tags.push_back(words[i]);
      for (; i < words.size() && !is_name(words[i]); ++i) loop.values.push_back(words[i]);
      if (loop.tags.empty() || loop.values.size() % loop.tags.size() != 0)
        throw UserError(fmt::format("{}: the loop of {} does not have whole rows", file,
                                    loop.tags.empty() ? "nothing" : loop.tags[0]));
    } else if (words[i][0] == '_' && i + 1 < words.size()) {
      block.items.emplace_back(words[i], words[i + 1]);
      i += 2;
    } else {
      throw UserError(
          fmt::format("{}: \"{}\" stands where a CIF has a tag or loop_", file, words[i]));
    }
  }
  return block;
}

// Cell, space group and sites as the block gives them; without coordinates: NaN.
gemmi::SmallStructure small_structure(gemmi::cif::Block& block) {
  using gemmi::cif::as_number;
  gemmi::SmallStructure st;
  const auto value = [&](const char* tag) {
    const std::string* found = block.find_value(tag);
    return found ? as_number(*found) : std::nan("");
  };
  st.cell.set(value("_cell_length_a"), value("_cell_length_b"), value("_cell_length_c"),
              value("_cell_angle_alpha"), value("_cell_angle_beta"), value("_cell_angle_gamma"));
  for (const char* tag : {"_symmetry_space_group_name_H-M", "_space_group_name_H-M_alt"})
    if (const std::string* name = block.find_value(tag))
      st.spacegroup_hm = gemmi::cif::as_string(*name);
  for (auto row : block.find("_atom_site_", {"label", "fract_x", "fract_y", "fract_z",
                                             "?type_symbol", "?occupancy"})) {
    gemmi::SmallStructure::Site site;
    site.label = row.str(0);
    site.type_symbol = row.has2(4) ? row.str(4) : site.label;
    site.fract = gemmi::Fractional(as_number(row[1]), as_number(row[2]), as_number(row[3]));
    if (row.has2(5)) site.occ = as_number(row[5], 1.0);
    st.sites.push_back(site);
  }
  st.setup_cell_images();
  return st;
}

// The operations that the file lists; where it lists none, gemmi takes those of the space group's
// name.
void use_listed_operations(gemmi::cif::Block& block, gemmi::SmallStructure& st,
                           const std::string& file) {
  gemmi::cif::Column listed;
  for (const char* tag : {"_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz",
                          "_space_group_symop.operation_xyz"})
    if (!listed) listed = block.find_values(tag);
  if (!listed) {
    if (st.cell.images.empty() && !st.spacegroup_hm.empty() && !st.find_spacegroup())
      throw UserError(
          fmt::format("{}: the space group \"{}\" is unknown and no symmetry operations are listed "
                      "(_space_group_symop_operation_xyz)",
                      file, st.spacegroup_hm));
    return;
  }
  st.cell.images.clear();
  for (const std::string& word : listed) {
    const std::string triplet = gemmi::cif::as_string(word);
    try {
      const gemmi::Op op = gemmi::parse_triplet(triplet);
      if (op != gemmi::Op::identity())
        st.cell.images.push_back(
            gemmi::Transform{gemmi::rot_as_mat33(op), gemmi::tran_as_vec3(op)});
    } catch (const std::exception&) {
      throw UserError(fmt::format("{}: \"{}\" is no symmetry operation", file, triplet));
    }
  }
}

bool finite(const Vector3& v) {
  return std::isfinite(v[0]) && std::isfinite(v[1]) && std::isfinite(v[2]);
}

// Lattice="ax ay az bx by bz cx cy cz" of extended XYZ.
void read_lattice(const std::string& comment, Structure& s, const std::string& file) {
  const auto at = comment.find("Lattice=\"");
  if (at == std::string::npos) return;
  std::istringstream numbers(comment.substr(at + 9));
  for (auto& v : s.lattice)
    if (!(numbers >> v[0] >> v[1] >> v[2]))
      throw UserError(fmt::format("{}: Lattice=\"…\" in line 2 does not have nine numbers", file));
  const auto& [a, b, c] = s.lattice;
  const double volume = a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) +
                        a[2] * (b[0] * c[1] - b[1] * c[0]);
  if (!(std::abs(volume) > 1e-6))  // Å³
    throw UserError(fmt::format("{}: Lattice=\"…\" in line 2 spans no volume", file));
  s.periodic = true;
}

}  // namespace

Structure read_cif(const std::string& file) {
  gemmi::cif::Block block = cif_block(file);
  gemmi::SmallStructure st;
  try {
    st = small_structure(block);
  } catch (const std::exception& e) {
    throw UserError(fmt::format("{}: not a CIF of a crystal: {}", file, e.what()));
  }
  if (!st.cell.is_crystal() || !(st.cell.volume > 0))
    throw UserError(fmt::format("{}: no unit cell (_cell_length_a … _cell_angle_gamma)", file));
  for (const double angle : {st.cell.alpha, st.cell.beta, st.cell.gamma})
    if (!(angle > 0 && angle < 180))
      throw UserError(fmt::format(
          "{}: an angle of the cell is {:.6g} degrees; it must be between 0 and 180", file, angle));
  use_listed_operations(block, st, file);
  Structure s;
  s.periodic = true;
  const auto cartesian = [&](double x, double y, double z) {
    const gemmi::Position p = st.cell.orthogonalize(gemmi::Fractional(x, y, z));
    return Vector3{p.x, p.y, p.z};
  };
  s.lattice = {cartesian(1, 0, 0), cartesian(0, 1, 0), cartesian(0, 0, 1)};
  for (const auto& site : st.get_all_unit_cell_sites()) {
    const gemmi::Fractional f = site.fract.wrap_to_unit();
    const Vector3 at = cartesian(f.x, f.y, f.z);
    if (!finite(at))
      throw UserError(fmt::format("{}: site {} has no coordinates (_atom_site_fract_x, _y, _z)",
                                  file, site.label));
    s.sites.push_back({element(file, site.type_symbol, "site " + site.label), at, site.occ});
  }
  if (s.sites.empty()) throw UserError(fmt::format("{}: no atoms (_atom_site_ loop)", file));
  return s;
}

Structure read_xyz(const std::string& file) {
  std::istringstream in(read_text(file));
  std::string line, comment;
  long count = 0;
  std::getline(in, line);
  if (!(std::istringstream(line) >> count) || count < 1)
    throw UserError(fmt::format("{}: the first line of an XYZ file is the number of atoms", file));
  std::getline(in, comment);
  Structure s;
  read_lattice(comment, s, file);
  for (long i = 0; i < count; ++i) {
    std::string symbol;
    Vector3 at{};
    if (!std::getline(in, line) ||
        !(std::istringstream(line) >> symbol >> at[0] >> at[1] >> at[2]) || !finite(at))
      throw UserError(fmt::format("{}: line {} is not \"symbol x y z\"; {} atoms were announced",
                                  file, i + 3, count));
    s.sites.push_back({element(file, symbol, fmt::format("line {}", i + 3)), at, 1});
  }
  return s;
}

Structure read_structure(const std::string& file) {
  const auto ends = [&](std::string_view with) {
    return file.size() >= with.size() &&
           gemmi::iequal(file.substr(file.size() - with.size()), std::string(with));
  };
  if (ends(".cif")) return read_cif(file);
  if (ends(".xyz") || ends(".extxyz")) return read_xyz(file);
  throw UserError(fmt::format("{}: a structure's file ends in .cif or .xyz", file));
}

}  // namespace ptyle
