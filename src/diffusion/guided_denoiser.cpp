#include "diffusion/guided_denoiser.h"

#include <utility>

namespace sfumato {
namespace {

template <class Value>
std::vector<Value> listed(const GuidanceTerms<Value>& terms) {
  std::vector<Value> values;
  for_each_term(terms, [&](const Value& value) { values.push_back(value); });
  return values;
}

/// Splits a raw output [k N, ...] under the k terms of a batch into k outputs [N, ...] in float32.
GuidanceTerms<torch::Tensor> split(const torch::Tensor& raw, const GuidanceTerms<Condition>& terms) {
  const auto parts = raw.to(torch::kFloat32).chunk(static_cast<std::int64_t>(listed(terms).size()));
  auto part = parts.begin();
  GuidanceTerms<torch::Tensor> outputs;
  if (terms.negative) outputs.negative = *part++;
  if (terms.image) outputs.image = *part++;
  for (std::size_t k = 0; k < terms.positives.size(); ++k) outputs.positives.push_back(*part++);
  if (terms.perturbed) outputs.perturbed = *part++;
  return outputs;
}

/// Repeats x once for each term.
torch::Tensor for_terms(const torch::Tensor& x, const GuidanceTerms<Condition>& terms) {
  const auto count = listed(terms).size();
  return count == 1 ? x : torch::cat(std::vector<torch::Tensor>(count, x));
}

Condition perturbed(Condition condition) {
  condition.perturbed = torch::ones({condition.rows()}, torch::kBool);
  return condition;
}

/// Adds `shift` to every output's first channels, those of the prediction; a learned variance follows them.
void move_all(GuidanceTerms<torch::Tensor>& outputs, const torch::Tensor& shift) {
  for_each_term(outputs, [&](torch::Tensor& output) {
    output = output.clone();
    output.narrow(1, 0, shift.size(1)).add_(shift);
  });
}

}  // namespace

GuidedDenoiser::GuidedDenoiser(Networks networks, const GuidanceConditions& conditions, const GuidanceOptions& options,
                               const Prediction& prediction, std::size_t evaluations)
    : networks_(std::move(networks)),
      of_step_(conditions.of_step),
      weights_(conditions.weights),
      options_(options),
      prediction_(prediction),
      guided_(EvaluationRange::of_fractions(options.start, options.end, evaluations)) {
  for (auto terms : conditions.distinct) {
    if (options.perturbed_attention.scale > 0) terms.perturbed = perturbed(terms.positives.back());
    Batches batches{.terms = terms, .all = cat(listed(terms)), .unperturbed = {}};
    const auto rows = terms.positives.front().rows();  // of each term
    batches.unperturbed = terms.perturbed ? narrow(batches.all, 0, batches.all.rows() - rows) : batches.all;
    std::int64_t first = 0;
    for_each_term(batches.terms, [&](Condition& term) {
      term = narrow(batches.all, first, rows);
      first += rows;
    });
    distinct_.push_back(std::move(batches));
  }
}

Estimate GuidedDenoiser::operator()(const torch::Tensor& x, const Evaluation& evaluation) const {
  const auto& batches = distinct_[of_step_.at(evaluation.step)];
  if (!acts_at(evaluation.index)) return unguided(x, evaluation, batches);
  const auto outputs = evaluate(x, evaluation, batches);
  auto result = estimate(combined(outputs, x.size(1), options_), x, evaluation.level, prediction_);
  if (options_.plus_plus) result.eps = estimate(*outputs.negative, x, evaluation.level, prediction_).eps;
  return result;
}

bool GuidedDenoiser::acts_at(std::size_t index) const {
  return guided_.contains(index);
}

Estimate GuidedDenoiser::unguided(const torch::Tensor& x, const Evaluation& evaluation, const Batches& batches) const {
  const bool composed = weights_.size() > 1;
  auto terms = batches.terms;
  terms.perturbed.reset();
  if (!composed) terms = {.positives = terms.positives};
  const auto batch = composed ? batches.unperturbed : terms.positives.front();
  const auto outputs = split(networks_.backbone(for_terms(x, terms), evaluation, batch), terms);
  return estimate(combined(outputs, x.size(1), {.scale = 1}), x, evaluation.level, prediction_);
}

GuidedDenoiser::Outputs GuidedDenoiser::evaluate(const torch::Tensor& x, const Evaluation& evaluation,
                                                 const Batches& batches) const {
  const auto& level = evaluation.level;
  const double perturbed_scale = options_.perturbed_attention.scale_at(level.t);
  auto terms = batches.terms;
  if (perturbed_scale == 0) terms.perturbed.reset();
  const auto& batch = terms.perturbed ? batches.all : batches.unperturbed;
  const auto xs = for_terms(x, terms);
  Outputs outputs;
  if (options_.self_attention_scale > 0) {
    const auto& reference = terms.negative ? *terms.negative : terms.positives.front();
    const auto [raw, received] = networks_.attending(xs, evaluation, batch, x.size(0));
    outputs = split(raw, terms);
    const auto output = terms.negative ? *outputs.negative : outputs.positives.front();
    const auto degraded = degraded_where_attended(x, output, received, level, prediction_);
    const auto blurred = networks_.backbone(degraded, evaluation, reference).to(torch::kFloat32);
    move_all(outputs, options_.self_attention_scale * (output - blurred).narrow(1, 0, x.size(1)));
  } else {
    outputs = split(networks_.backbone(xs, evaluation, batch), terms);
  }
  if (outputs.perturbed) {
    const auto away = outputs.positives.back() - *outputs.perturbed;
    outputs.perturbed.reset();
    move_all(outputs, perturbed_scale * away.narrow(1, 0, x.size(1)));
  }
  return outputs;
}

torch::Tensor GuidedDenoiser::combined(const Outputs& outputs, std::int64_t channels,
                                       const GuidanceOptions& options) const {
  if (!outputs.negative) return outputs.positives.front();
  const auto prediction = [&](const torch::Tensor& output) { return output.narrow(1, 0, channels); };
  const auto negative = prediction(*outputs.negative), positive = prediction(outputs.positives.front());
  torch::Tensor guided;
  if (weights_.size() > 1) {
    std::vector<torch::Tensor> positives;
    for (const auto& output : outputs.positives) positives.push_back(prediction(output));
    guided = composed_guidance(negative, positives, weights_, options);
  } else if (outputs.image) {
    guided = text_and_image_guidance(negative, prediction(*outputs.image), positive, options);
  } else {
    guided = classifier_free_guidance(negative, positive, options);
  }
  const auto variance = outputs.positives.front().slice(1, channels);
  return variance.size(1) == 0 ? guided : torch::cat({guided, variance}, 1);
}

}  // namespace sfumato
