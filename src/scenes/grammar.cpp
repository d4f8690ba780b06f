#include "scenes/grammar.h"

#include <array>
#include <string_view>
#include <utility>

namespace sfumato {
namespace {

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}
bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}
bool is_vowel(char letter) {
  return std::string_view("aeiou").find(letter) != std::string_view::npos;
}

/// True for a word that begins with a vowel sound; lists the words that sound unlike their first letter.
bool sounds_like_vowel(std::string_view word) {
  for (const std::string_view start : {"uni", "use", "euro", "ukulele", "ufo", "one-", "uk "}) {
    if (starts_with(word, start)) return false;
  }
  for (const std::string_view start : {"hour", "honest", "x-ray", "suv"}) {
    if (starts_with(word, start)) return true;
  }
  return !word.empty() && is_vowel(word.front());
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kIrregular{{{"woman", "women"},
                                                                                    {"man", "men"},
                                                                                    {"foot", "feet"},
                                                                                    {"tooth", "teeth"},
                                                                                    {"goose", "geese"},
                                                                                    {"mouse", "mice"},
                                                                                    {"child", "children"},
                                                                                    {"ox", "oxen"},
                                                                                    {"leaf", "leaves"},
                                                                                    {"loaf", "loaves"},
                                                                                    {"knife", "knives"},
                                                                                    {"wolf", "wolves"},
                                                                                    {"scarf", "scarves"},
                                                                                    {"shelf", "shelves"}}};

std::string plural_word(const std::string& word) {
  for (const std::string_view same : {"sheep", "deer", "fish", "bison", "aircraft", "shrimp"}) {
    if (word == same) return word;
  }
  for (const auto& [one, many] : kIrregular) {
    if (word == one) return std::string(many);
  }
  if (ends_with(word, "woman") || ends_with(word, "fireman") || ends_with(word, "policeman") ||
      ends_with(word, "snowman")) {
    return word.substr(0, word.size() - 3) + "men";
  }
  for (const std::string_view end : {"s", "x", "z", "ch", "sh"}) {
    if (ends_with(word, end)) return word + "es";
  }
  if (ends_with(word, "y") && word.size() > 1 && !is_vowel(word[word.size() - 2])) {
    return word.substr(0, word.size() - 1) + "ies";
  }
  for (const std::string_view end : {"tomato", "potato", "mango", "volcano", "mosquito", "hero"}) {
    if (ends_with(word, end)) return word + "es";
  }
  return word + "s";
}

}  // namespace

std::string with_article(const std::string& phrase) {
  return (sounds_like_vowel(phrase) ? "an " : "a ") + phrase;
}

std::string pluralise(const std::string& phrase) {
  auto head_end = phrase.size();
  for (const std::string_view word : {" of ", " with ", " in ", " on ", " behind ", " covering "}) {
    head_end = std::min(head_end, phrase.find(word));
  }
  const auto space = phrase.rfind(' ', head_end == 0 ? 0 : head_end - 1);
  const auto head_start = space == std::string::npos ? 0 : space + 1;
  return phrase.substr(0, head_start) + plural_word(phrase.substr(head_start, head_end - head_start)) +
         phrase.substr(head_end);
}

std::string plural_of(const Noun& noun) {
  return noun.plural.empty() ? pluralise(noun.text) : noun.plural;
}

std::string one_of(const Noun& noun, const std::string& adjective) {
  const auto phrase = adjective.empty() ? noun.text : adjective + " " + noun.text;
  return noun.mass ? phrase : with_article(phrase);
}

}  // namespace sfumato
