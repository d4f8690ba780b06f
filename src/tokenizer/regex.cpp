#define PCRE2_CODE_UNIT_WIDTH 8

#include "tokenizer/regex.h"

#include <pcre2.h>

#include <array>
#include <stdexcept>

namespace sfumato {
namespace {

std::string message_of(int error) {
  std::array<PCRE2_UCHAR8, 256> message{};
  pcre2_get_error_message(error, message.data(), message.size());
  return reinterpret_cast<const char*>(message.data());
}

PCRE2_SPTR8 bytes_of(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR8>(text.data());
}

using MatchData = std::unique_ptr<pcre2_match_data_8, decltype(&pcre2_match_data_free_8)>;

}  // namespace

struct Regex::Impl {
  std::unique_ptr<pcre2_code_8, decltype(&pcre2_code_free_8)> code{nullptr, &pcre2_code_free_8};
};

Regex::Regex(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto impl = std::make_unique<Impl>();
  impl->code.reset(pcre2_compile_8(bytes_of(pattern), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr));
  if (!impl->code) throw std::invalid_argument("the pattern " + pattern + ": " + message_of(error));
  impl_ = std::move(impl);
}

Regex::~Regex() = default;

std::vector<std::string_view> Regex::matches(std::string_view text) const {
  std::vector<std::string_view> found;
  const MatchData data(pcre2_match_data_create_from_pattern_8(impl_->code.get(), nullptr), &pcre2_match_data_free_8);
  for (std::size_t start = 0; start < text.size();) {
    const int count =
        pcre2_match_8(impl_->code.get(), bytes_of(text), text.size(), start, PCRE2_NOTEMPTY, data.get(), nullptr);
    if (count == PCRE2_ERROR_NOMATCH) break;
    if (count < 0) throw std::runtime_error("matching a pattern: " + message_of(count));
    const auto* range = pcre2_get_ovector_pointer_8(data.get());
    found.push_back(text.substr(range[0], range[1] - range[0]));
    start = range[1];
  }
  return found;
}

}  // namespace sfumato
