#pragma once

#include <string>

#include "scenes/rng.h"
#include "scenes/style.h"
#include "scenes/things.h"

namespace sfumato {

/// Phrase for a thing in one caption: "an armchair", "red armchair", "the chair".
struct Mention {
  std::string with_article, bare, definite;
};

/// Chooses the name or a synonym, with or without the colour.
Mention mention(Rng& rng, const Thing& thing, const Image& image, const SceneStyle& style = {});

/// Phrase such as "two red apples"; `same` if one picture is repeated, so that its colour and synonyms fit all.
struct Count {
  std::size_t number = 2;
  bool same = true;
};
std::string counted(Rng& rng, const Thing& thing, const Image& image, Count count, const SceneStyle& style = {});

/// Start of a caption: "a photo of ", "a drawing of ", ...; or empty, and then sometimes without articles.
struct Opening {
  std::string medium;
  bool bare = false;
};
Opening draw_opening(Rng& rng, bool photo, const SceneStyle& style = {});

/// Returns "a cat on a sofa", "cat on sofa", "a cat to the left of the sofa".
std::string related(Rng& rng, const Opening& opening, const Mention& first, const std::string& relation,
                    const Mention& second);

/// Returns the caption of a whole scene.
std::string caption_of(const Opening& opening, const std::string& what, const std::string& backdrop);

}  // namespace sfumato
