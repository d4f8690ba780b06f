#pragma once

#include <cstdint>
#include <vector>

#include "scenes/captions.h"
#include "scenes/cutouts.h"
#include "scenes/layouts.h"
#include "scenes/rng.h"
#include "scenes/scene.h"
#include "scenes/style.h"
#include "scenes/things.h"

namespace sfumato {

/// Returns all pictures of `things`, in the order in which a SceneMaker numbers its cut-outs.
std::vector<Image> images_of(const std::vector<Thing>& things);

/// Composes captioned scenes: one thing, one on, beside or above another, or two or three of a kind.
class SceneMaker {
 public:
  /// `cutouts` are those of images_of(things).
  SceneMaker(std::vector<Thing> things, const Cutouts& cutouts, std::uint64_t seed, SceneStyle style = {});

  /// Returns scene `index` of the seed, which does not depend on the number or order of the scenes made.
  Scene scene(std::uint64_t index) const;

 private:
  /// Draws things by their probability.
  class Lottery {
   public:
    void add(std::size_t entry, double weight);
    std::size_t draw(Rng& rng) const;
    bool empty() const { return entries_.empty(); }

   private:
    std::vector<std::size_t> entries_;
    std::vector<double> totals_;
  };
  /// A thing and one picture of it.
  struct Choice {
    const Thing* thing = nullptr;
    const Image* image = nullptr;
    Subject subject;
  };

  Choice choose(Rng& rng, std::size_t thing) const;
  Choice choose_with_seat(Rng& rng, std::size_t thing) const;
  Choice choice_of(std::size_t thing, std::size_t image) const;
  Backdrop backdrop(Rng& rng, const std::vector<Choice>& choices, bool alone) const;

  Mention words_for(Rng& rng, const Choice& choice) const;
  /// Words for the backdrop after a relation between two things.
  std::string phrase_after_relation(const Backdrop& backdrop) const;

  Scene alone(Rng& rng) const;
  Scene one_on_another(Rng& rng) const;
  Scene beside(Rng& rng) const;
  Scene above(Rng& rng) const;
  Scene several(Rng& rng) const;

  std::vector<Thing> things_;
  std::vector<std::size_t> first_cutout_;  // of each thing
  std::vector<Cutouts::Extent> extents_;
  std::vector<Colour> colours_;  // mean of each cut-out
  Lottery all_, countable_, tops_, supports_;
  std::uint64_t seed_;
  SceneStyle style_;
};

}  // namespace sfumato
