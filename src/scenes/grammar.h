#pragma once

#include <string>

#include "scenes/things.h"

namespace sfumato {

/// Adds the article: "a cat", "an apple", "a unicorn", "an hourglass".
std::string with_article(const std::string& phrase);

/// Returns the plural of an English noun phrase, whose head ends before "of", "with", "in", ... ("cups of coffee").
std::string pluralise(const std::string& phrase);

/// Returns the plural of a noun: the one in the list if there is one.
std::string plural_of(const Noun& noun);

/// Returns a noun with an adjective (or none, "") before it, and with an article unless it takes none.
std::string one_of(const Noun& noun, const std::string& adjective);

}  // namespace sfumato
