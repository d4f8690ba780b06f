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
  /// Irregular plural; empty if grammar.h's pluralise finds it.
  std::string plural{};
  /// Takes no article and is not counted: "bread", "scissors".
  bool mass = false;
};

/// One picture of a thing: a line of data/things/things.tsv.
struct Image {
  /// emoji:CODEPOINT, stamp:PATH, clipart:PATH or drawing:FILE.
  std::string source{};
  /// Colour such as "red", for a thing that has pictures in several; else empty.
  std::string colour{};
  /// True for a photograph, false for a drawing.
  bool photo = false;
  /// True for the small set of drawings in one style, from which a small model can learn the look of each thing.
  bool basic = false;
  /// True if it shows letters, so that it is never mirrored.
  bool letters = false;
  /// Height at which another thing stands on it: fraction of the picture's height from its top. None if nothing can.
  std::optional<double> seat{};
  std::vector<Noun> synonyms{};
};

/// Habitat of a thing, for landscapes.
enum class Habitat { land, water, air };

/// A thing and all its pictures.
struct Thing {
  Noun name{};
  /// animal, food, furniture, ...
  std::string group{};
  /// True for a thing of everyday prompts.
  bool common = false;
  /// Probability of being drawn relative to other things.
  double weight = 1;
  Habitat habitat = Habitat::land;
  std::vector<Image> images{};

  bool carries() const;
};

/// Reads the list: tab-separated name, plural, group, flags (common, basic, photo, mass, letters, water, air, seat=0.5,
/// weight=2), colour, source, synonyms (comma-separated, `~` before one without an article). Flags about the thing
/// count only on its first line. Lines that begin with # are comments. Throws std::runtime_error naming the file, the
/// line and the fault.
std::vector<Thing> read_things(const std::filesystem::path& path);

}  // namespace sfumato
