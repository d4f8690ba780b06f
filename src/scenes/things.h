#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sfumato {

/// A name of a thing as captions use it.
struct Noun {
  std::string text{};
  /// Plural where grammar.h's pluralise does not find it; empty where it does.
  std::string plural{};
  /// Takes no article and is not counted: "bread", "scissors".
  bool mass = false;
};

/// One picture of a thing: a line of data/things/things.tsv.
struct Picture {
  /// emoji:CODEPOINT, stamp:PATH, clipart:PATH or drawing:FILE.
  std::string source{};
  /// "red" where the picture shows that colour of a thing that comes in several; else empty.
  std::string colour{};
  /// A photograph; else a drawing.
  bool photo = false;
  /// Of the small set of drawings in one style, from which a small model can learn what each thing looks like.
  bool basic = false;
  /// Bears letters, so that it is never mirrored.
  bool letters = false;
  /// Where something put on it stands: fraction of the picture's height from its top. None for what carries nothing.
  std::optional<double> seat{};
  std::vector<Noun> synonyms{};
};

/// Where a thing is at home, for landscapes.
enum class Habitat { land, water, air };

/// A thing and all its pictures.
struct Thing {
  Noun name{};
  /// animal, food, furniture, ...
  std::string group{};
  /// Of everyday prompts.
  bool common = false;
  /// How much likelier than others it is drawn.
  double weight = 1;
  Habitat habitat = Habitat::land;
  std::vector<Picture> pictures{};

  bool carries() const;
};

/// Reads the list: tab-separated name, plural, group, flags (common, basic, photo, mass, letters, water, air, seat=0.5,
/// weight=2), colour, source, synonyms (comma-separated, `~` before what takes no article). What flags say of the
/// thing counts on its first line. Lines with # first are comments. Throws std::runtime_error naming the file, the
/// line and what is wrong with it.
std::vector<Thing> read_things(const std::filesystem::path& path);

}  // namespace sfumato
