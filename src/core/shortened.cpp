#include "core/shortened.h"

namespace sfumato {

std::string first_bytes(const std::string& text, std::size_t longest) {
  if (text.size() <= longest) return text;
  const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80; };
  while (longest > 0 && continues(longest)) --longest;
  return text.substr(0, longest);
}

std::string shortened(const std::string& text, std::size_t longest) {
  return text.size() <= longest ? text : first_bytes(text, longest) + "...";
}

}  // namespace sfumato
