#pragma once

#include <string>

namespace sfumato {

/// A number as messages say it: the fewest digits that give it back, 2 rather than 2.0, nan and inf by name.
std::string number_text(double value);

}  // namespace sfumato
