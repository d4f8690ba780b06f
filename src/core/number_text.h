#pragma once

#include <string>

namespace sfumato {

/// Formats a number for messages: the fewest digits that restore it, 2 rather than 2.0, nan and inf by name.
std::string number_text(double value);

}  // namespace sfumato
