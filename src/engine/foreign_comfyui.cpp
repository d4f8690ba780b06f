#include <set>
#include <stdexcept>

#include "engine/foreign_programs.h"

namespace sfumato {
namespace {

constexpr int kLongestPath = 100;

/// Node of ComfyUI's graph: its class, and inputs that are values or [node, output].
struct Node {
  std::string id{};
  const Json* json = nullptr;

  std::string type() const { return json->at("class_type").get<std::string>(); }
  const Json& inputs() const { return json->at("inputs"); }
};

class Graph {
 public:
  explicit Graph(const Json& json) : json_(json) {}

  std::vector<Node> nodes(const std::string& type) const {
    std::vector<Node> found;
    for (const auto& [id, node] : json_.items())
      if (node.value("class_type", "").starts_with(type)) found.push_back({id, &node});
    return found;
  }
  /// Returns the node connected to an input; nothing for a value.
  std::optional<Node> source(const Node& node, const std::string& input) const {
    const auto& inputs = node.inputs();
    const auto link = inputs.find(input);
    if (link == inputs.end() || !link->is_array() || link->empty()) return std::nullopt;
    const auto id = link->at(0).get<std::string>();
    if (!json_.contains(id)) throw std::runtime_error("ComfyUI's graph has no node " + id);
    used_.insert(id);
    return Node{id, &json_.at(id)};
  }
  /// Returns a value, also one that passes through nodes of text and numbers.
  Json value(const Node& node, const std::string& input, int depth = 0) const {
    const auto from = source(node, input);
    if (!from) return node.inputs().value(input, Json());
    if (depth > kLongestPath) throw std::runtime_error("ComfyUI's graph runs in circles");
    for (const char* name : {"value", "text", "string", "seed", "int", "float", "String", "noise_seed"})
      if (from->inputs().contains(name)) return value(*from, name, depth + 1);
    return {};
  }
  void use(const Node& node) const { used_.insert(node.id); }
  /// Returns the classes of the nodes that were not read, except those that only display and save.
  std::set<std::string> unused() const {
    static const std::set<std::string> known = {"SaveImage",      "PreviewImage", "VAEDecode",
                                                "VAEDecodeTiled", "Note",         "KSampler"};
    std::set<std::string> types;
    for (const auto& [id, node] : json_.items()) {
      const auto type = node.value("class_type", "");
      if (!used_.contains(id) && !known.contains(type)) types.insert(type);
    }
    return types;
  }

 private:
  const Json& json_;
  mutable std::set<std::string> used_;
};

/// Escapes square brackets, which are ordinary letters in ComfyUI.
std::string with_escaped_brackets(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '[' || c == ']') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string text_in(const Graph& graph, const Node& node) {
  for (const char* input : {"text", "text_g", "prompt"})
    if (const auto text = graph.value(node, input); text.is_string())
      return with_escaped_brackets(text.get<std::string>());
  return "";
}

/// Returns the prompt of the text encoder behind conditioning nodes; adds a note for other nodes.
std::string prompt_in(const Graph& graph, const Node& sampler, const std::string& input, ForeignRecord& record) {
  auto node = graph.source(sampler, input);
  for (int i = 0; node && i < kLongestPath; ++i) {
    if (node->type().starts_with("CLIPTextEncode")) return text_in(graph, *node);
    record.notes.push_back(node->type() + " between the " + input + " prompt and the sampler");
    const auto next = graph.source(*node, "conditioning");
    node = next ? next : graph.source(*node, input);
  }
  throw std::runtime_error("ComfyUI's graph leads to no " + input + " prompt");
}

void take_lora(const Graph& graph, const Node& node, ForeignRecord& record) {
  const double unet = graph.value(node, "strength_model").get<double>();
  const auto clip = graph.value(node, "strength_clip");
  add_foreign_lora(graph.value(node, "lora_name").get<std::string>(), clip.is_number() ? clip.get<double>() : 0, unet,
                   record);
}

/// Reads the LoRAs and the checkpoint on the path of the model.
void take_model(const Graph& graph, const Node& sampler, ForeignRecord& record) {
  auto node = graph.source(sampler, "model");
  for (int i = 0; node && i < kLongestPath; node = graph.source(*node, "model"), ++i) {
    if (node->inputs().contains("ckpt_name")) {
      record.model = graph.value(*node, "ckpt_name").get<std::string>();
      return;
    }
    if (node->inputs().contains("unet_name"))
      record.model = graph.value(*node, "unet_name").get<std::string>();
    else if (node->inputs().contains("lora_name"))
      take_lora(graph, *node, record);
    else
      record.notes.push_back(node->type() + " between the model and the sampler");
  }
}

/// Reads CLIPSetLastLayer, which counts from -1, the last layer.
void take_clip_skip(const Graph& graph, ForeignRecord& record) {
  for (const auto& node : graph.nodes("CLIPSetLastLayer")) {
    graph.use(node);
    record.request.clip_skip = -graph.value(node, "stop_at_clip_layer").get<std::int64_t>();
  }
}

void take_latents(const Graph& graph, const Node& sampler, ForeignRecord& record) {
  const auto latents = graph.source(sampler, "latent_image");
  if (!latents) return;
  if (!latents->type().starts_with("EmptyLatent")) {
    record.notes.push_back("the latents of " + latents->type() +
                           ", which the image was made from: img2img and inpaint take an image with -i");
    return;
  }
  record.request.width = graph.value(*latents, "width").get<std::int64_t>();
  record.request.height = graph.value(*latents, "height").get<std::int64_t>();
  if (graph.value(*latents, "batch_size") > 1)
    record.notes.emplace_back("a batch, whose images share one seed there: only the first is the same");
}

/// Returns the sampler that begins with empty latents, or else the first.
Node sampler_of(const Graph& graph, ForeignRecord& record) {
  const auto samplers = graph.nodes("KSampler");
  if (samplers.empty()) throw std::runtime_error("ComfyUI's graph has no KSampler; no other sampler node is supported");
  auto chosen = samplers.front();
  for (const auto& sampler : samplers) {
    const auto latents = graph.source(sampler, "latent_image");
    if (latents && latents->type().starts_with("EmptyLatent")) chosen = sampler;
  }
  if (samplers.size() > 1)
    record.notes.push_back(std::to_string(samplers.size() - 1) + " more KSamplers than the one of node " + chosen.id);
  return chosen;
}

}  // namespace

ForeignRecord read_comfyui(const Json& json) {
  ForeignRecord record{.program = "ComfyUI"};
  const Graph graph(json);
  const auto sampler = sampler_of(graph, record);
  graph.use(sampler);
  auto& request = record.request;
  request.prompt = prompt_in(graph, sampler, "positive", record);
  request.negative_prompt = prompt_in(graph, sampler, "negative", record);
  request.prompt_syntax = "a1111";
  const auto seed = graph.value(sampler, "seed");
  request.seed = (seed.is_null() ? graph.value(sampler, "noise_seed") : seed).get<std::uint64_t>();
  request.steps = graph.value(sampler, "steps").get<std::int64_t>();
  request.guidance_scale = graph.value(sampler, "cfg").get<double>();
  if (const auto strength = graph.value(sampler, "denoise"); strength.is_number())
    request.strength = strength.get<double>();
  set_foreign_sampler(graph.value(sampler, "sampler_name").get<std::string>(), record);
  set_foreign_schedule(graph.value(sampler, "scheduler").get<std::string>(), record);
  take_latents(graph, sampler, record);
  take_clip_skip(graph, record);
  take_model(graph, sampler, record);
  for (const auto& type : graph.unused()) record.notes.push_back("node " + type);
  return record;
}

}  // namespace sfumato
