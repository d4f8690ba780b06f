#include "systems/stable_diffusion/prompt_script.h"

#include <algorithm>
#include <stdexcept>

#include "tokenizer/prompt_comments.h"
#include "tokenizer/prompt_parts.h"
#include "tokenizer/prompt_schedule.h"

namespace sfumato {
namespace {

/// Returns the prompt's step for each of the sampler's steps: a zero-length step repeats its predecessor's.
std::vector<std::size_t> numbered(const std::vector<Step>& steps) {
  std::vector<std::size_t> numbers;
  for (const auto& step : steps) {
    const bool repeats = !numbers.empty() && step.from.t == step.to.t && step.from.alpha == step.to.alpha;
    numbers.push_back(numbers.empty() ? 0 : numbers.back() + (repeats ? 0 : 1));
  }
  return numbers;
}

void refuse_loras(const std::string& prompt, const std::string& where) {
  const auto loras = take_out_loras(prompt).loras;
  if (loras.empty()) return;
  throw std::invalid_argument(where + ": the tag <lora:" + loras.front().name +
                              "...>: expected in the prompt of txt2img, img2img or inpaint, which take it out");
}

PromptScript plain_script(const Request& request, const std::vector<Step>& steps) {
  return {.distinct = {{{request.prompt}, request.negative_prompt.value_or("")}},
          .of_step = std::vector<std::size_t>(steps.size()),
          .weights = {1}};
}

PromptScript scheduled_script(const Request& request, const std::vector<Step>& steps) {
  const auto prompt = without_comments(request.prompt);
  const auto negative_prompt = without_comments(request.negative_prompt.value_or(""));
  refuse_loras(prompt, "prompt");
  refuse_loras(negative_prompt, "negative prompt");
  const auto numbers = numbered(steps);
  const auto count = static_cast<std::int64_t>(numbers.back()) + 1;
  PromptScript script;
  std::vector<std::vector<std::string>> parts;  // [K][count]
  for (const auto& [text, weight] : split_parts(prompt)) {
    script.weights.push_back(weight);
    parts.push_back(texts_of_steps(text, count));
  }
  const auto negative = texts_of_steps(negative_prompt, count);
  for (const auto number : numbers) {
    Wording wording{.parts = {}, .negative = negative[number]};
    for (const auto& part : parts) wording.parts.push_back(part[number]);
    const auto known = std::find(script.distinct.begin(), script.distinct.end(), wording);
    script.of_step.push_back(static_cast<std::size_t>(known - script.distinct.begin()));
    if (known == script.distinct.end()) script.distinct.push_back(std::move(wording));
  }
  return script;
}

}  // namespace

PromptScript read_prompts(const Request& request, const std::vector<Step>& steps) {
  return request.prompt_syntax == "a1111" ? scheduled_script(request, steps) : plain_script(request, steps);
}

}  // namespace sfumato
