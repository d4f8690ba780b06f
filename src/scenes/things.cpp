#include "scenes/things.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

#include "core/files.h"

namespace sfumato {
namespace {

constexpr std::size_t kColumns = 7;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (auto end = text.find(separator); end != std::string::npos; end = text.find(separator, start)) {
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  parts.push_back(text.substr(start));
  return parts;
}

/// Parses the number after the `=` of a flag, within [0, most].
double number_of(const std::string& flag, double most) {
  const auto value = flag.substr(flag.find('=') + 1);
  std::size_t used = 0;
  double number = -1;
  try {
    number = std::stod(value, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (value.empty() || used != value.size() || !(number >= 0 && number <= most)) {
    throw std::runtime_error("'" + flag + "', expected a number from 0 to " + std::to_string(static_cast<int>(most)));
  }
  return number;
}

/// Content of a line: the picture and the properties of its thing.
struct Line {
  Thing thing;
  Image image;
};

void apply_flag(const std::string& flag, Line& line) {
  if (flag == "common") {
    line.thing.common = true;
  } else if (flag == "basic") {
    line.image.basic = true;
  } else if (flag == "photo") {
    line.image.photo = true;
  } else if (flag == "mass") {
    line.thing.name.mass = true;
  } else if (flag == "letters") {
    line.image.letters = true;
  } else if (flag == "water" || flag == "air") {
    line.thing.habitat = flag == "water" ? Habitat::water : Habitat::air;
  } else if (flag.rfind("seat=", 0) == 0) {
    line.image.seat = number_of(flag, 1);
  } else if (flag.rfind("weight=", 0) == 0) {
    line.thing.weight = number_of(flag, 100);
  } else {
    throw std::runtime_error("unknown flag '" + flag +
                             "', expected common, basic, photo, mass, letters, water, air, seat= or weight=");
  }
}

Line parse(const std::string& text) {
  const auto columns = split(text, '\t');
  if (columns.size() != kColumns) {
    throw std::runtime_error(std::to_string(columns.size()) + " columns, expected " + std::to_string(kColumns));
  }
  if (columns[0].empty() || columns[5].find(':') == std::string::npos) {
    throw std::runtime_error("a line needs a name and a source such as emoji:1F408");
  }
  Line line;
  line.thing.name = {.text = columns[0], .plural = columns[1]};
  line.thing.group = columns[2];
  line.image.colour = columns[4];
  line.image.source = columns[5];
  for (const auto& flag : split(columns[3], ',')) {
    if (!flag.empty()) apply_flag(flag, line);
  }
  for (const auto& word : split(columns[6], ',')) {
    if (word.empty()) continue;
    const bool mass = word.front() == '~';
    line.image.synonyms.push_back({.text = mass ? word.substr(1) : word, .mass = mass});
  }
  return line;
}

}  // namespace

bool Thing::carries() const {
  return std::any_of(images.begin(), images.end(), [](const Image& image) { return image.seat.has_value(); });
}

std::vector<Thing> read_things(const std::filesystem::path& path) {
  std::istringstream stream(read_file(path));
  std::vector<Thing> things;
  std::map<std::string, std::size_t> index;
  std::string text;
  for (int number = 1; std::getline(stream, text); ++number) {
    if (text.empty() || text.front() == '#') continue;
    try {
      auto line = parse(text);
      const auto [found, is_first] = index.try_emplace(line.thing.name.text, things.size());
      if (is_first) things.push_back(line.thing);
      things[found->second].images.push_back(std::move(line.image));
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(path.string() + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  if (things.empty()) throw std::runtime_error(path.string() + ": lists no things");
  return things;
}

}  // namespace sfumato
