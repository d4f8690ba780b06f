#pragma once

#include <string>

#include "scenes/rng.h"
#include "scenes/style.h"
#include "scenes/things.h"

namespace sfumato {

/// A thing as one caption calls it: "an armchair", "red armchair", "the chair".
struct Mention {
  std::string with_article, bare, definite;
};

/// Chooses the name or a synonym, and whether to tell the colour.
Mention mention(Rng& rng, const Thing& thing, const Picture& picture, const SceneStyle& style = {});

/// "two red apples"; `same` where one picture is repeated, so that its colour and synonyms hold for all.
struct Count {
  std::size_t number = 2;
  bool same = true;
};
std::string counted(Rng& rng, const Thing& thing, const Picture& picture, Count count, const SceneStyle& style = {});

/// How a caption starts: "a photo of ", "a drawing of ", ...; or nothing, and then at times without articles.
struct Opening {
  std::string medium;
  bool bare = false;
};
Opening draw_opening(Rng& rng, bool photo, const SceneStyle& style = {});

/// "a cat on a sofa", "cat on sofa", "a cat to the left of the sofa".
std::string related(Rng& rng, const Opening& opening, const Mention& first, const std::string& relation,
                    const Mention& second);

/// The caption of a whole scene.
std::string caption_of(const Opening& opening, const std::string& what, const std::string& backdrop);

}  // namespace sfumato
