#include <stdexcept>

#include "tokenizer/clip_tokenizer.h"
#include "tokenizer/gpt2_tokenizer.h"
#include "tokenizer/t5_tokenizer.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unigram_json.h"

namespace sfumato {

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  const auto has = [&](const char* name) { return std::filesystem::exists(folder / name); };
  if (has("spiece.model")) return std::make_unique<T5Tokenizer>(folder);
  if (GPT2Tokenizer::is_in(folder)) return std::make_unique<GPT2Tokenizer>(folder);
  if (has("vocab.json") && has("merges.txt")) return std::make_unique<CLIPTokenizer>(folder);
  if (has("tokenizer.json") && is_unigram_json(folder / "tokenizer.json")) return std::make_unique<T5Tokenizer>(folder);
  if (has("tokenizer.json")) return std::make_unique<CLIPTokenizer>(folder);
  throw std::runtime_error(folder.string() + ": no tokenizer here; expected spiece.model (T5), or vocab.json and " +
                           "merges.txt (CLIP, GPT-2), or tokenizer.json (any)");
}

}  // namespace sfumato
