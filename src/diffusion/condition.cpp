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

}  // namespace

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
  return result;
}

Condition repeat_interleave(const Condition& condition, std::int64_t count) {
  return mapped(condition, [&](const torch::Tensor& rows) { return rows.repeat_interleave(count, 0); });
}

Condition narrow(const Condition& condition, std::int64_t first, std::int64_t count) {
  return mapped(condition, [&](const torch::Tensor& rows) { return rows.narrow(0, first, count); });
}

}  // namespace sfumato
