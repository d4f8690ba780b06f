#include "training/export_tokenizer.h"

#include <stdexcept>

#include "core/files.h"

namespace sfumato {

void export_tokenizer(const std::filesystem::path& tokenizer, const std::filesystem::path& to,
                      const std::vector<std::string>& required) {
  for (const auto& name : required)
    if (!std::filesystem::is_regular_file(tokenizer / name))
      throw std::runtime_error("the recipe's tokenizer '" + tokenizer.string() + "' has no file " + name);
  copy_tokenizer_files(tokenizer, to);
}

std::vector<std::string> missing_for_export(const std::string& key, const std::filesystem::path& folder,
                                            const std::string& file) {
  if (std::filesystem::exists(folder / file)) return {};
  return {"the recipe's " + key + " '" + folder.string() + "' has no file " + file + ", which --export will need"};
}

}  // namespace sfumato
