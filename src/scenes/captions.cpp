#include "scenes/captions.h"

#include "scenes/grammar.h"

namespace sfumato {
namespace {

constexpr double kSynonym = .35;
constexpr double kTellsColour = .55;
constexpr double kBare = .18;
constexpr double kMedium = .28;

bool says(const std::string& phrase, const std::string& word) {
  return (" " + phrase + " ").find(" " + word + " ") != std::string::npos;
}

/// A synonym that tells a colour itself ("white kitten") takes no other.
bool tells_a_colour(const std::string& phrase) {
  for (const char* colour :
       {"red", "blue", "green", "yellow", "white", "black", "brown", "grey", "pink", "purple", "orange", "golden"}) {
    if (phrase != colour && says(phrase, colour)) return true;
  }
  return false;
}

const Noun& noun_of(Rng& rng, const Thing& thing, const Picture& picture) {
  return !picture.synonyms.empty() && rng.chance(kSynonym) ? rng.pick(picture.synonyms) : thing.name;
}

std::string colour_of(Rng& rng, const Noun& noun, const Picture& picture) {
  const bool tell = !picture.colour.empty() && rng.chance(kTellsColour);
  return tell && !tells_a_colour(noun.text) ? picture.colour : "";
}

}  // namespace

Mention mention(Rng& rng, const Thing& thing, const Picture& picture) {
  const auto& noun = noun_of(rng, thing, picture);
  const auto colour = colour_of(rng, noun, picture);
  const auto bare = colour.empty() ? noun.text : colour + " " + noun.text;
  return {one_of(noun, colour), bare, noun.mass ? bare : "the " + bare};
}

std::string counted(Rng& rng, const Thing& thing, const Picture& picture, std::size_t count, bool same) {
  const auto* noun = same ? &noun_of(rng, thing, picture) : &thing.name;
  if (noun->mass) noun = &thing.name;
  const auto colour = same ? colour_of(rng, *noun, picture) : "";
  const auto many = (colour.empty() ? "" : colour + " ") + plural_of(*noun);
  if (count == 2 && rng.chance(.1)) return "a pair of " + many;
  return (count == 2 ? "two " : "three ") + many;
}

Opening draw_opening(Rng& rng, bool photo) {
  static const std::vector<std::string> photos{"a photo of ", "a photo of ", "a photograph of ", "a picture of "};
  static const std::vector<std::string> drawings{"a picture of ", "a drawing of ", "an image of ",
                                                 "an illustration of ", "a cartoon of "};
  if (rng.chance(kMedium)) return {rng.pick(photo ? photos : drawings), false};
  return {"", rng.chance(kBare)};
}

std::string related(Rng& rng, const Opening& opening, const Mention& first, const std::string& relation,
                    const Mention& second) {
  if (opening.bare) return first.bare + " " + relation + " " + second.bare;
  const bool definite = relation != "and" && rng.chance(.15);
  return first.with_article + " " + relation + " " + (definite ? second.definite : second.with_article);
}

std::string caption_of(const Opening& opening, const std::string& what, const std::string& backdrop) {
  return opening.medium + what + (backdrop.empty() ? "" : " " + backdrop);
}

}  // namespace sfumato
