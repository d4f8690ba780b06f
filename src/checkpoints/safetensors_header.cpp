#include "checkpoints/safetensors_header.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "checkpoints/dtype.h"

namespace sfumato {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian and read in place");

constexpr std::uint64_t kLengthSize = 8;
constexpr std::uint64_t kMaxHeaderSize = 100'000'000;  // the reference's MAX_HEADER_SIZE
constexpr std::size_t kMaxDimensions = 64;             // the most that ATen's operators accept
constexpr const char* kMetadata = "__metadata__";

/// Reports faults of a file: every message starts with the path.
class Fault {
 public:
  explicit Fault(const std::filesystem::path& path) : path_(path.string()) {}
  [[noreturn]] void operator()(const std::string& what) const {
    throw std::runtime_error("'" + path_ + "' is not a valid safetensors file: " + what);
  }

 private:
  std::string path_;
};

/// Builds the header from the parser's events. A DOM would drop duplicate keys, and would build the whole of a hostile
/// header before it is refused.
class HeaderBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderBuilder(SafetensorsHeader& header, const Fault& fault) : header_(header), fault_(fault) {}

  bool start_object(std::size_t) override {
    if (state_ == State::kStart) return enter(State::kTensors);
    if (state_ != State::kTensors) unexpected("an object");
    return enter(name_ == kMetadata ? State::kMetadata : State::kTensor);
  }

  bool key(std::string& key) override {
    if (state_ == State::kTensors) return begin_member(key);
    if (state_ == State::kMetadata) {
      if (header_.metadata.contains(key)) fault_("duplicate key " + in_quotes(key) + " in __metadata__");
      field_ = key;
      return true;
    }
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      fault_(tensor() + "unknown key " + in_quotes(key) + "; expected dtype, shape and data_offsets");
    if (!fields_.insert(key).second) fault_(tensor() + "duplicate key " + in_quotes(key));
    field_ = key;
    return true;
  }

  bool string(std::string& value) override {
    if (state_ == State::kMetadata) {
      header_.metadata[field_] = value;
      return true;
    }
    if (state_ != State::kTensor || field_ != "dtype") unexpected("a string");
    const auto dtype = safetensors_dtype(value);
    if (!dtype) fault_(tensor() + "dtype " + in_quotes(value) + " is not supported");
    entry_.dtype = *dtype;
    return true;
  }

  bool start_array(std::size_t) override {
    if (state_ != State::kTensor || field_ == "dtype") unexpected("an array");
    numbers_.clear();
    return enter(State::kNumbers);
  }

  bool number_unsigned(std::uint64_t value) override {
    if (state_ != State::kNumbers) unexpected("a number");
    if (numbers_.size() == kMaxDimensions)
      fault_(tensor() + field_ + " has more than " + std::to_string(kMaxDimensions) + " numbers");
    numbers_.push_back(value);
    return true;
  }

  bool end_array() override {
    if (field_ == "shape") {
      take_shape();
    } else {
      if (numbers_.size() != 2)
        fault_(tensor() + "data_offsets has " + std::to_string(numbers_.size()) + " numbers, expected 2");
      entry_.begin = numbers_[0];
      entry_.end = numbers_[1];
    }
    return enter(State::kTensor);
  }

  bool end_object() override {
    if (state_ == State::kTensors) return enter(State::kEnd);
    if (state_ == State::kTensor) end_tensor();
    return enter(State::kTensors);
  }

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool number_integer(std::int64_t value) override { unexpected("the number " + std::to_string(value)); }
  bool number_float(double, const std::string& text) override { unexpected("the number " + text.substr(0, 40)); }
  bool binary(nlohmann::json::binary_t&) override { unexpected("binary"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    fault_("the header is not valid JSON at byte " + std::to_string(position) + " of it");
  }

 private:
  enum class State { kStart, kTensors, kMetadata, kTensor, kNumbers, kEnd };

  bool enter(State state) {
    state_ = state;
    return true;
  }

  bool begin_member(const std::string& name) {
    const bool seen = name == kMetadata ? has_metadata_ : header_.entries.contains(name);
    if (seen) fault_("duplicate key " + in_quotes(name));
    has_metadata_ = has_metadata_ || name == kMetadata;
    name_ = name;
    entry_ = {};
    fields_.clear();
    return true;
  }

  void take_shape() {
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    for (const auto size : numbers_) {
      if (size > kMax) fault_(tensor() + "size " + std::to_string(size) + " in shape overflows");
      entry_.shape.push_back(static_cast<std::int64_t>(size));
    }
  }

  void end_tensor() {
    for (const char* field : {"dtype", "shape", "data_offsets"})
      if (!fields_.contains(field)) fault_(tensor() + "has no " + field);
    header_.names.push_back(name_);
    header_.entries.emplace(name_, std::move(entry_));
  }

  std::string tensor() const { return "tensor " + in_quotes(name_) + ": "; }

  [[noreturn]] void unexpected(const std::string& what) const {
    if (state_ == State::kStart) fault_("the header is not an object");
    if (state_ == State::kTensors) fault_(in_quotes(name_) + ": expected an object, got " + what);
    if (state_ == State::kMetadata) fault_("__metadata__ of " + in_quotes(field_) + ": expected a string, got " + what);
    fault_(tensor() + "unexpected " + what + " in " + field_);
  }

  SafetensorsHeader& header_;
  const Fault& fault_;
  State state_ = State::kStart;
  std::string name_, field_;
  SafetensorsEntry entry_;
  std::set<std::string> fields_;
  std::vector<std::uint64_t> numbers_;
  bool has_metadata_ = false;
};

std::string range(const SafetensorsEntry& entry) {
  return "[" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + ")";
}

/// Returns the bytes that shape and dtype require. Sizes of 0 count as 1 until the end, as they do in a tensor's
/// strides, so that those cannot overflow either.
std::uint64_t byte_size(const std::string& name, const SafetensorsEntry& entry, const Fault& fault) {
  std::int64_t bytes = static_cast<std::int64_t>(c10::elementSize(entry.dtype));
  bool empty = false;
  for (const auto size : entry.shape) {
    empty = empty || size == 0;
    if (__builtin_mul_overflow(bytes, std::max<std::int64_t>(size, 1), &bytes))
      fault("tensor " + in_quotes(name) + ": the product of its shape overflows");
  }
  return empty ? 0 : static_cast<std::uint64_t>(bytes);
}

void check_ranges(const SafetensorsHeader& header, std::uint64_t data_size, const Fault& fault) {
  for (const auto& name : header.names) {
    const auto& entry = header.entries.at(name);
    const auto of = "tensor " + in_quotes(name) + ": data_offsets " + range(entry);
    if (entry.begin > entry.end) fault(of + " run backwards");
    if (entry.end > data_size) fault(of + " run past the end of the data (" + std::to_string(data_size) + " bytes)");
    const auto expected = byte_size(name, entry, fault);
    if (entry.end - entry.begin != expected)
      fault(of + " disagree with shape and dtype, which require " + std::to_string(expected) + " bytes");
  }
}

void check_cover(const SafetensorsHeader& header, std::uint64_t data_size, const Fault& fault) {
  std::vector<const std::pair<const std::string, SafetensorsEntry>*> order;
  for (const auto& item : header.entries) order.push_back(&item);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::tie(a->second.begin, a->second.end, a->first) < std::tie(b->second.begin, b->second.end, b->first);
  });
  std::uint64_t end = 0;
  for (const auto* item : order) {
    const auto& [name, entry] = *item;
    const auto of = "tensor " + in_quotes(name) + ": data_offsets " + range(entry);
    if (entry.begin < end) fault(of + " overlap those of another tensor, which end at " + std::to_string(end));
    if (entry.begin > end) fault(of + " leave a gap after byte " + std::to_string(end));
    end = entry.end;
  }
  if (end != data_size)
    fault("the tensors end at byte " + std::to_string(end) + " of the data, which has " + std::to_string(data_size) +
          " bytes");
}

std::string_view header_text(std::string_view file, const Fault& fault) {
  if (file.size() < kLengthSize)
    fault("it has " + std::to_string(file.size()) + " bytes, the length of the header alone takes 8");
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthSize);
  if (length > kMaxHeaderSize)
    fault("the header's length is " + std::to_string(length) + ", the limit " + std::to_string(kMaxHeaderSize));
  if (length > file.size() - kLengthSize)
    fault("the header's length is " + std::to_string(length) + ", but only " +
          std::to_string(file.size() - kLengthSize) + " bytes follow");
  const auto text = file.substr(kLengthSize, length);
  if (text.empty() || text.front() != '{') fault("the header does not start with '{'");
  return text;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view file, const std::filesystem::path& path) {
  const Fault fault(path);
  const auto text = header_text(file, fault);
  SafetensorsHeader header;
  HeaderBuilder builder(header, fault);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  header.data_begin = kLengthSize + text.size();
  const auto data_size = file.size() - header.data_begin;
  check_ranges(header, data_size, fault);
  check_cover(header, data_size, fault);
  return header;
}

std::string in_quotes(const std::string& name) {
  constexpr std::size_t kLongest = 120;
  const auto shown = name.size() > kLongest ? name.substr(0, kLongest) + "..." : name;
  return nlohmann::json(shown).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sfumato
