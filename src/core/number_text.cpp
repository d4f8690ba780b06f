#include "core/number_text.h"

#include <array>
#include <charconv>

namespace sfumato {

std::string number_text(double value) {
  std::array<char, 32> digits{};  // -1.7976931348623157e+308 has 24
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

}  // namespace sfumato
