#include "diffusion/subsequences.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string_view>

namespace sfumato {
namespace {

/// Returns every k-th timestep from 0 on, for the smallest k that keeps `count`.
std::vector<std::int64_t> strided_timesteps(const Schedule& schedule, std::int64_t count, const std::string& text) {
  const auto total = schedule.num_train_timesteps();
  for (std::int64_t stride = 1; stride < total; ++stride) {
    if ((total + stride - 1) / stride != count) continue;
    std::vector<std::int64_t> timesteps;
    for (std::int64_t i = count - 1; i >= 0; --i) timesteps.push_back(i * stride);
    return timesteps;
  }
  throw std::invalid_argument("respacing is '" + text + "', but no whole stride keeps " + std::to_string(count) +
                              " of " + std::to_string(total) + " timesteps");
}

/// Returns fast27, which has fewer of DDIM's artifacts from the noisiest timestep.
std::vector<std::int64_t> fast27_timesteps(const Schedule& schedule) {
  auto timesteps = respaced_timesteps(schedule, {10, 10, 3, 2, 2});
  timesteps.front() -= 2;
  return timesteps;
}

}  // namespace

std::vector<std::int64_t> quadratic_timesteps(const Schedule& schedule, std::int64_t n) {
  const auto total = schedule.num_train_timesteps();
  if (n < 1 || n > total)
    throw std::invalid_argument("steps is " + std::to_string(n) + ", expected 1 to " + std::to_string(total));
  const double last = std::sqrt(0.8 * static_cast<double>(total));
  const double stride = n == 1 ? 0 : last / static_cast<double>(n - 1);
  std::vector<std::int64_t> timesteps;
  for (std::int64_t i = n - 1; i >= 0; --i) {
    // Like numpy.linspace, whose last number is exact.
    const double root = i == n - 1 && n > 1 ? last : static_cast<double>(i) * stride;
    const auto t = static_cast<std::int64_t>(root * root);
    if (timesteps.empty() || t < timesteps.back()) timesteps.push_back(t);
  }
  return timesteps;
}

std::vector<std::int64_t> respaced_timesteps(const Schedule& schedule, const std::vector<std::int64_t>& counts) {
  if (counts.empty()) throw std::invalid_argument("respacing has no counts, expected some, as in 10,15,20");
  const auto sections = static_cast<std::int64_t>(counts.size());
  const auto size = schedule.num_train_timesteps() / sections, extra = schedule.num_train_timesteps() % sections;
  std::vector<std::int64_t> timesteps;
  std::int64_t first = 0;
  for (std::int64_t section = 0; section < sections; ++section) {
    const auto length = size + (section < extra ? 1 : 0), count = counts[static_cast<std::size_t>(section)];
    if (count < 1 || count > length)
      throw std::invalid_argument("respacing has a count of " + std::to_string(count) + ", expected 1 to " +
                                  std::to_string(length) + " of a section's " + std::to_string(length) + " timesteps");
    const double stride = count == 1 ? 1 : static_cast<double>(length - 1) / static_cast<double>(count - 1);
    double at = 0;  // accumulated, and rounded half to even, as in the reference
    for (std::int64_t i = 0; i < count; ++i, at += stride)
      timesteps.push_back(first + static_cast<std::int64_t>(std::nearbyint(at)));
    first += length;
  }
  std::reverse(timesteps.begin(), timesteps.end());
  return timesteps;
}

std::vector<std::int64_t> parse_respacing(const Schedule& schedule, const std::string& text) {
  constexpr std::string_view kStrided = "ddim";
  if (text == "fast27") return fast27_timesteps(schedule);
  if (text.starts_with(kStrided)) {
    const auto counts = parse_counts("respacing", text.substr(kStrided.size()));
    if (counts.size() == 1) return strided_timesteps(schedule, counts.front(), text);
  }
  return respaced_timesteps(schedule, parse_counts("respacing", text));
}

std::vector<std::int64_t> parse_counts(const std::string& option, const std::string& text) {
  std::vector<std::int64_t> counts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    std::int64_t count = 0;
    const auto [stopped, error] = std::from_chars(text.data() + begin, text.data() + end, count);
    if (stopped != text.data() + end || begin == end || error != std::errc())
      throw std::invalid_argument(option + " '" + text + "': expected whole numbers, as in 10,15,20");
    counts.push_back(count);
    begin = end + 1;
  }
  return counts;
}

std::vector<Step> steps_at(const Schedule& schedule, const std::vector<std::int64_t>& timesteps, const Level& end) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const bool is_last = i + 1 == timesteps.size();
    steps.push_back({schedule.level_at(static_cast<double>(timesteps[i])),
                     is_last ? end : schedule.level_at(static_cast<double>(timesteps[i + 1]))});
  }
  return steps;
}

std::vector<Step> inverse_steps(const std::vector<Step>& steps) {
  std::vector<Step> inverse;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const auto& [noisy, clean, middle] = *step;
    inverse.push_back({{.t = noisy.t, .alpha = clean.alpha, .sigma = clean.sigma}, noisy});
  }
  return inverse;
}

}  // namespace sfumato
