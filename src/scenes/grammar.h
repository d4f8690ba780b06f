#pragma once

#include <string>

#include "scenes/things.h"

namespace sfumato {

/// "a cat", "an apple", "a unicorn", "an hourglass".
std::string with_article(const std::string& phrase);

/// The plural of an English noun phrase: its head is what stands before "of", "with", "in", ... ("cups of coffee").
std::string pluralise(const std::string& phrase);

/// The plural of a noun: its own where the list gives one.
std::string plural_of(const Noun& noun);

/// A noun with an adjective (or none, "") before it, with an article unless it takes none.
std::string one_of(const Noun& noun, const std::string& adjective);

}  // namespace sfumato
