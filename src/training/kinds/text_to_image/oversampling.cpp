#include "training/kinds/text_to_image/oversampling.h"

#include <algorithm>
#include <cctype>

namespace sfumato {
namespace {

bool is_letter_or_digit(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80;
}

bool has_one_of(const std::string& caption, const std::vector<std::string>& words) {
  std::string word;
  for (const char c : caption + " ") {
    if (is_letter_or_digit(c)) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else {
      if (std::find(words.begin(), words.end(), word) != words.end()) return true;
      word.clear();
    }
  }
  return false;
}

}  // namespace

torch::Tensor oversampled_examples(const Pack& pack, const OversamplingRecipe& oversampling) {
  std::vector<std::int64_t> examples;
  for (std::int64_t i = 0; i < pack.size() - pack.held_out(); ++i) {
    const bool repeated = oversampling.repeats > 1 && has_one_of(pack.caption(i), oversampling.words);
    examples.insert(examples.end(), static_cast<std::size_t>(repeated ? oversampling.repeats : 1), i);
  }
  return torch::tensor(examples, torch::kInt64);
}

bool has_no_effect(const OversamplingRecipe& oversampling, const Pack& pack) {
  if (oversampling.words.empty() || oversampling.repeats == 1) return false;
  for (std::int64_t i = 0; i < pack.size() - pack.held_out(); ++i)
    if (has_one_of(pack.caption(i), oversampling.words)) return false;
  return true;
}

}  // namespace sfumato
