#include "generate/prompts_file.h"

#include <iostream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "core/files.h"

namespace sfumato {

std::vector<std::string> read_prompts(const std::string& path) {
  std::stringstream text;
  if (path == "-")
    text << std::cin.rdbuf();
  else
    text << read_file(path);
  constexpr const char* kByteOrderMark = "\xEF\xBB\xBF";  // of UTF-8, as some editors write it
  std::vector<std::string> prompts;
  bool first = true;
  for (std::string line; std::getline(text, line);) {
    if (std::exchange(first, false) && line.starts_with(kByteOrderMark)) line.erase(0, 3);
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") != std::string::npos) prompts.push_back(line);
  }
  if (prompts.empty()) throw std::invalid_argument("prompts file '" + path + "' holds no prompt");
  return prompts;
}

}  // namespace sfumato
