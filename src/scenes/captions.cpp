#include "scenes/captions.h"

#include "scenes/grammar.h"

namespace sfumato {
namespace {

bool says(const std::string& phrase, const std::string& word) {
  return (" " + phrase + " ").find(" " + word + " ") != std::string::npos;
}

/// True for a synonym that already contains a colour ("white kitten").
bool tells_a_colour(const std::string& phrase) {
  for (const char* colour :
       {"red", "blue", "green", "yellow", "white", "black", "brown", "grey", "pink", "purple", "orange", "golden"}) {
    if (phrase != colour && says(phrase, colour)) return true;
  }
  return false;
}

const Noun& noun_of(Rng& rng, const Thing& thing, const Image& image, const SceneStyle& style) {
  return !image.synonyms.empty() && rng.chance(style.synonym) ? rng.pick(image.synonyms) : thing.name;
}

std::string colour_of(Rng& rng, const Noun& noun, const Image& image, const SceneStyle& style) {
  const bool tell = !image.colour.empty() && rng.chance(style.colour);
  return tell && !tells_a_colour(noun.text) ? image.colour : "";
}

}  // namespace

Mention mention(Rng& rng, const Thing& thing, const Image& image, const SceneStyle& style) {
  const auto& noun = noun_of(rng, thing, image, style);
  const auto colour = colour_of(rng, noun, image, style);
  const auto bare = colour.empty() ? noun.text : colour + " " + noun.text;
  return {one_of(noun, colour), bare, noun.mass ? bare : "the " + bare};
}

std::string counted(Rng& rng, const Thing& thing, const Image& image, Count count, const SceneStyle& style) {
  const auto* noun = count.same ? &noun_of(rng, thing, image, style) : &thing.name;
  if (noun->mass) noun = &thing.name;
  const auto colour = count.same ? colour_of(rng, *noun, image, style) : "";
  const auto many = (colour.empty() ? "" : colour + " ") + plural_of(*noun);
  if (count.number == 2 && rng.chance(.1)) return "a pair of " + many;
  return (count.number == 2 ? "two " : "three ") + many;
}

Opening draw_opening(Rng& rng, bool photo, const SceneStyle& style) {
  static const std::vector<std::string> photos{"a photo of ", "a photo of ", "a photograph of ", "a picture of "};
  static const std::vector<std::string> drawings{"a picture of ", "a drawing of ", "an image of ",
                                                 "an illustration of ", "a cartoon of "};
  if (rng.chance(style.medium)) return {rng.pick(photo ? photos : drawings), false};
  return {"", rng.chance(style.bare)};
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
