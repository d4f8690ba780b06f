#include <stdexcept>

#include "tokenizer/clip_tokenizer.h"
#include "tokenizer/t5_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace sfumato {

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "spiece.model")) return std::make_unique<T5Tokenizer>(folder);
  const auto has = [&](const char* name) { return std::filesystem::exists(folder / name); };
  if ((has("vocab.json") && has("merges.txt")) || has("tokenizer.json")) return std::make_unique<CLIPTokenizer>(folder);
  throw std::runtime_error(folder.string() + ": no tokenizer here; expected spiece.model (T5), or vocab.json and " +
                           "merges.txt, or tokenizer.json (CLIP)");
}

}  // namespace sfumato
