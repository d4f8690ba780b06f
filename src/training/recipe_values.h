#pragma once

#include <limits>
#include <string>
#include <vector>

#include "core/json.h"

namespace sfumato {

// Functions shared by the readers of a recipe's parts. `where` names the file and the part.

inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// Returns the value at `key`, or an empty object if it is missing or null.
Json object_at(const Json& json, const std::string& key);

/// Returns the config at `key`, or an empty object as object_at does. Throws std::invalid_argument for another value.
Json config_at(const Json& json, const std::string& key, const std::string& where);

/// Throws std::invalid_argument for a number outside [low, high].
void expect_within(double value, double low, double high, const std::string& where, const std::string& key);

/// Throws std::invalid_argument "WHERE: WHAT in JSON" unless `holds`.
void expect(bool holds, const std::string& where, const std::string& what, const Json& json);

/// Throws std::invalid_argument "KEY is VALUE; expected EXPECTED".
[[noreturn]] void refuse_misfit(const std::string& key, std::int64_t value, const std::string& expected);

/// Refuses keys of a network's or scheduler's `config` that its class lacks: those that are neither in `written`, the
/// config as the class writes it, nor in `others`, nor diffusers' own (_class_name and the like).
void refuse_other_keys(const Json& config, const Json& written, std::vector<std::string> others,
                       const std::string& where);

/// Throws std::invalid_argument for a network's `config` without `key`, which gives its size: the default of a class is
/// that of a large model. Other keys may be left to their defaults.
void require_size(const Json& config, const std::string& key, const std::string& where);

/// Throws std::invalid_argument for a scheduler's config with an unknown key or value, and for a sample grid with more
/// steps than the scheduler has timesteps.
void check_scheduler(const Json& config, std::int64_t sample_steps);

}  // namespace sfumato
