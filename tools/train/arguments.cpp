#include "train/arguments.h"

#include <functional>
#include <map>
#include <stdexcept>

#include "core/json.h"

namespace sfumato {

const char* const kUsage = R"(Trains a model from a recipe, or exports what a run has learnt.

  train RECIPE --out RUN [options]
  train --export RUN FOLDER [--dtype fp16] [--max-shard-size 16MiB]
  train --curve RUN FILE.svg
  train --bpd RUN FILE.json [--images N] [--timesteps N]

  RECIPE                  a JSON file such as configs/ddpm-32.json
  --out RUN               the run's folder: log, pictures, checkpoints
  --resume                continue from the run's newest checkpoint
  --steps N               train for N steps in all instead of the recipe's
  --set KEY=VALUE         replace a value of the recipe (optimizer.lr=1e-4); may
                          be repeated
  --init-from FOLDER      start from the weights of a diffusers folder
  --device NAME           auto, cpu, cuda or cuda:N
  --tf32                  on CUDA: what is computed in float32 may round factors
                          to TF32, which is faster
  --replicas N            copies of the networks that compute parts of a batch
                          at the same time, on a CPU (default: auto, one a
                          thread, at most 8)
  --quiet                 no progress bars

  --export RUN FOLDER     write a run's averaged weights as a diffusers folder
  --force                 write into a folder that has files already
  --dtype NAME            fp32, fp16 or bf16 (default fp16)
  --max-shard-size SIZE   cut files above this size, such as 16MiB (default: one
                          file)

  --curve RUN FILE.svg    draw a run's loss and held-out metric over its steps

  --bpd RUN FILE.json     measure bits per dimension of held-out images with a
                          run's averaged weights, and the loss per timestep
  --images N              measure on N held-out images at most (default: all)
  --timesteps N           estimate from N of the timesteps (default: all)
)";

namespace {

std::int64_t parse_count(const std::string& text, const std::string& option, const std::string& others = "") {
  std::size_t used = 0;
  std::int64_t value = 0;
  try {
    value = std::stoll(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size() || value < 1) {
    throw std::invalid_argument(option + " '" + text + "': expected " + others + "a whole number of at least 1");
  }
  return value;
}

/// A small parser of its own: the program can be built without the argument library.
class ArgumentParser {
 public:
  Arguments parse(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto equals = words[i].find('=');
      const auto name = words[i].substr(0, equals);
      if (words[i].size() < 2 || words[i][0] != '-') {
        result_.positional.push_back(words[i]);
      } else if (const auto flag = flags_.find(words[i]); flag != flags_.end()) {
        *flag->second = true;
        note(name);
      } else if (const auto option = options_.find(name); option != options_.end()) {
        const bool inside = equals != std::string::npos;
        if (!inside && i + 1 == words.size()) throw std::invalid_argument(name + " needs a value");
        const auto value = inside ? words[i].substr(equals + 1) : words[++i];
        if (value.empty()) throw std::invalid_argument(name + " '': expected a value");
        option->second(value);
        note(name);
      } else {
        refuse(name);
      }
    }
    return result_;
  }

 private:
  using Take = std::function<void(const std::string&)>;
  static Take into(std::string& target) {
    return [&target](const std::string& value) { target = value; };
  }

  /// Records an option. Throws std::invalid_argument if it is repeated, except for --set, which is a list.
  void note(const std::string& name) {
    if (!result_.given.insert(name).second && name != "--set")
      throw std::invalid_argument(name + " is given 2 times: expected once");
  }

  [[noreturn]] void refuse(const std::string& name) const {
    std::vector<std::string> known;
    for (const auto& [flag, target] : flags_) known.push_back(flag);
    for (const auto& [option, take] : options_) known.push_back(option);
    const auto suggestion = nearest(name, known);
    throw std::invalid_argument("unknown option '" + name + "'" +
                                (suggestion.empty() ? "; see --help" : "; did you mean '" + suggestion + "'?"));
  }

  Arguments result_;
  std::map<std::string, bool*> flags_{
      {"--resume", &result_.resume}, {"--export", &result_.exports}, {"--curve", &result_.curve},
      {"--tf32", &result_.tf32},     {"--bpd", &result_.bpd},        {"--quiet", &result_.quiet},
      {"--force", &result_.force},   {"--help", &result_.help},      {"-h", &result_.help}};
  std::map<std::string, Take> options_{
      {"--out", into(result_.out)},
      {"--init-from", into(result_.init_from)},
      {"--device", into(result_.device)},
      {"--dtype", into(result_.dtype)},
      {"--max-shard-size", into(result_.max_shard_size)},
      {"--images", [this](const std::string& value) { result_.images = parse_count(value, "--images"); }},
      {"--timesteps", [this](const std::string& value) { result_.timesteps = parse_count(value, "--timesteps"); }},
      {"--steps", [this](const std::string& value) { result_.steps = parse_count(value, "--steps"); }},
      {"--replicas",
       [this](const std::string& value) {
         result_.replicas.reset();
         if (value != "auto") result_.replicas = parse_count(value, "--replicas", "auto or ");
       }},
      {"--set", [this](const std::string& value) { result_.settings.push_back(value); }}};
};

/// A mode of the program other than training, and the options that it takes.
struct Mode {
  std::string name;
  std::set<std::string> options;
};

const std::vector<Mode>& modes() {
  static const std::vector<Mode> all = {{"--export", {"--dtype", "--max-shard-size", "--force"}},
                                        {"--curve", {}},
                                        {"--bpd", {"--images", "--timesteps", "--device", "--tf32"}}};
  return all;
}

/// Returns the selected mode, or null for training. Throws std::invalid_argument for two.
const Mode* mode_of(const Arguments& arguments) {
  const Mode* found = nullptr;
  for (const auto& mode : modes()) {
    if (!arguments.given.contains(mode.name)) continue;
    if (found != nullptr) throw std::invalid_argument(mode.name + " with " + found->name + "; see --help");
    found = &mode;
  }
  return found;
}

/// Refuses options that have no effect in the selected mode.
void refuse_idle_options(const Arguments& arguments) {
  const auto* chosen = mode_of(arguments);
  for (const auto& name : arguments.given) {
    if (name == "--quiet") continue;
    if (chosen != nullptr && name != chosen->name && !chosen->options.contains(name))
      throw std::invalid_argument(name + " with " + chosen->name + "; see --help");
    for (const auto& mode : modes())
      if (chosen == nullptr && mode.options.contains(name) && name != "--device" && name != "--tf32")
        throw std::invalid_argument(name + " without " + mode.name + "; see --help");
  }
}

}  // namespace

Arguments parse_arguments(const std::vector<std::string>& words) {
  auto arguments = ArgumentParser().parse(words);
  if (!arguments.help) refuse_idle_options(arguments);
  return arguments;
}

}  // namespace sfumato
