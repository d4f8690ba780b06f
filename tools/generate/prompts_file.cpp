#include "generate/prompts_file.h"

#include <iostream>
#include <sstream>
#include <stdexcept>

#include "core/files.h"

namespace sfumato {

std::vector<std::string> read_prompts(const std::string& path) {
  std::stringstream text;
  if (path == "-")
    text << std::cin.rdbuf();
  else
    text << read_file(path);
  std::vector<std::string> prompts;
  for (std::string line; std::getline(text, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) prompts.push_back(line);
  }
  if (prompts.empty()) throw std::invalid_argument("prompts file '" + path + "' holds no prompt");
  return prompts;
}

}  // namespace sfumato
