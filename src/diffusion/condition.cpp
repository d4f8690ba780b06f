#include "diffusion/condition.h"

#include <array>
#include <stdexcept>

namespace sfumato {
namespace {

using Member = torch::Tensor Condition::*;

constexpr std::array<Member, 6> kInputs = {
    &Condition::encoder_hidden_states, &Condition::text_embeds,  &Condition::time_ids,
    &Condition::timestep_cond,         &Condition::class_labels, &Condition::concat};
constexpr std::array<Member, 2> kFlags = {&Condition::perturbed, &Condition::uncontrolled};

template <class Map>
Condition mapped(const Condition& condition, const Map& map) {
  Condition result;
  const auto apply = [&](Member member) {
    if ((condition.*member).defined()) result.*member = map(condition.*member);
  };
  for (const auto member : kInputs) apply(member);
  for (const auto member : kFlags) apply(member);
  result.text_keys_values = condition.text_keys_values;
  return result;
}

/// Returns the member of all conditions; empty if none has it.
std::vector<torch::Tensor> collected(const std::vector<Condition>& conditions, Member member) {
  std::vector<torch::Tensor> tensors;
  for (const auto& condition : conditions)
    if ((condition.*member).defined()) tensors.push_back(condition.*member);
  return tensors;
}

torch::Tensor joined_flags(const std::vector<Condition>& conditions, Member member) {
  std::vector<torch::Tensor> flags;
  for (const auto& condition : conditions)
    flags.push_back((condition.*member).defined() ? condition.*member : torch::zeros({condition.rows()}, torch::kBool));
  return torch::cat(flags);
}

/// Concatenates the keys and values of each layer.
std::vector<torch::Tensor> joined_keys_values(const std::vector<Condition>& conditions) {
  const auto& first = conditions.front();
  for (const auto& condition : conditions)
    if (condition.text_keys_values.size() != first.text_keys_values.size() ||
        condition.rows_for_text() != first.rows_for_text())
      throw std::invalid_argument(
          "conditions to join: expected keys and values of the text for as many layers and rows");
  std::vector<torch::Tensor> joined;
  for (std::size_t layer = 0; layer < first.text_keys_values.size(); ++layer) {
    std::vector<torch::Tensor> rows;
    for (const auto& condition : conditions) rows.push_back(condition.text_keys_values[layer]);
    joined.push_back(torch::cat(rows));
  }
  return joined;
}

}  // namespace

std::int64_t Condition::rows_for_text() const {
  return text_keys_values.empty() ? 1 : rows() / text_keys_values.front().size(0);
}

std::int64_t Condition::rows() const {
  for (const auto member : kInputs)
    if ((this->*member).defined()) return (this->*member).size(0);
  for (const auto member : kFlags)
    if ((this->*member).defined()) return (this->*member).size(0);
  return 0;
}

Condition cat(const std::vector<Condition>& conditions) {
  Condition result;
  for (const auto member : kInputs) {
    const auto tensors = collected(conditions, member);
    if (tensors.empty()) continue;
    if (tensors.size() != conditions.size())
      throw std::invalid_argument("conditions to join: expected the same tensors in each, " +
                                  std::to_string(tensors.size()) + " of " + std::to_string(conditions.size()) +
                                  " have one that the others lack");
    result.*member = torch::cat(tensors);
  }
  for (const auto member : kFlags)
    if (!collected(conditions, member).empty()) result.*member = joined_flags(conditions, member);
  if (!conditions.empty()) result.text_keys_values = joined_keys_values(conditions);
  return result;
}

Condition repeat_interleave(const Condition& condition, std::int64_t count) {
  return mapped(condition, [&](const torch::Tensor& rows) { return rows.repeat_interleave(count, 0); });
}

Condition narrow(const Condition& condition, std::int64_t first, std::int64_t count) {
  auto result = mapped(condition, [&](const torch::Tensor& rows) { return rows.narrow(0, first, count); });
  const auto shared = condition.rows_for_text();
  TORCH_CHECK(first % shared == 0 && count % shared == 0, "rows ", first, " to ", first + count,
              " of a condition: expected multiples of ", shared);
  for (auto& rows : result.text_keys_values) rows = rows.narrow(0, first / shared, count / shared);
  return result;
}

}  // namespace sfumato
