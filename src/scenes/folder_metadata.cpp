#include "scenes/folder_metadata.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "core/files.h"
#include "core/json.h"

namespace sfumato {
namespace {

[[noreturn]] void refuse_line(const std::filesystem::path& path, std::size_t line, const std::string& expected) {
  throw std::runtime_error(path.string() + ":" + std::to_string(line) + ": expected " + expected);
}

/// Joins a text into one line without white space at its ends.
std::string on_one_line(std::string text) {
  for (auto& letter : text) letter = letter == '\n' || letter == '\r' || letter == '\t' ? ' ' : letter;
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::vector<std::string> captions_of(const Json& value) {
  std::vector<std::string> captions;
  if (value.is_string()) return {on_one_line(value.get<std::string>())};
  for (const auto& caption : value.get<std::vector<std::string>>()) captions.push_back(on_one_line(caption));
  return captions;
}

/// Reads the file name and captions of an entry. A caption may be empty, but at least one is required.
CaptionedFile file_of(const std::filesystem::path& folder, const Json& entry) {
  const auto key = entry.contains("text") ? "text" : "caption";
  CaptionedFile file{folder / entry.at("file_name").get<std::string>(), captions_of(entry.at(key))};
  if (file.captions.empty()) throw std::runtime_error("no caption");
  return file;
}

/// Returns the fields of the next record, or nothing at the end. Counts the lines that it reads.
std::optional<std::vector<std::string>> next_record(std::istream& in, std::size_t& line) {
  if (in.peek() == std::istream::traits_type::eof()) return std::nullopt;
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (char c = 0; in.get(c);) {
    if (c == '\n') ++line;
    if (quoted && c == '"' && in.peek() == '"') {
      fields.back() += static_cast<char>(in.get());
    } else if (c == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (!quoted && c == ',') {
      fields.emplace_back();
    } else if (!quoted && c == '\n') {
      break;
    } else if (quoted || c != '\r') {
      fields.back() += c;
    }
  }
  return fields;
}

std::size_t column_of(const std::vector<std::string>& header, const std::string& name) {
  return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
}

std::string without_byte_order_mark(std::string text) {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

}  // namespace

std::vector<std::string> caption_lines(const std::string& text) {
  std::vector<std::string> captions;
  std::istringstream lines(without_byte_order_mark(text));
  for (std::string line; std::getline(lines, line);)
    if (auto caption = on_one_line(line); !caption.empty()) captions.push_back(std::move(caption));
  return captions;
}

std::vector<CaptionedFile> read_metadata_jsonl(const std::filesystem::path& path) {
  std::istringstream lines(without_byte_order_mark(read_file(path)));
  std::vector<CaptionedFile> files;
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    if (on_one_line(line).empty()) continue;
    try {
      files.push_back(file_of(path.parent_path(), Json::parse(line)));
    } catch (const std::exception&) {
      refuse_line(path, number,
                  R"({"file_name": "...", "text": "..."}, with "text" or "caption" a text or a list of them)");
    }
  }
  return files;
}

std::vector<CaptionedFile> read_metadata_csv(const std::filesystem::path& path) {
  std::istringstream in(without_byte_order_mark(read_file(path)));
  std::size_t line = 1;
  const auto header = next_record(in, line).value_or(std::vector<std::string>());
  const auto name = column_of(header, "file_name");
  const auto text = std::min(column_of(header, "text"), column_of(header, "caption"));
  if (name == header.size() || text == header.size()) refuse_line(path, 1, "columns file_name and text (or caption)");
  std::vector<CaptionedFile> files;
  for (auto begin = line; auto record = next_record(in, line); begin = line) {
    if (record->size() == 1 && record->front().empty()) continue;
    if (record->size() != header.size())
      refuse_line(path, begin, std::to_string(header.size()) + " fields, found " + std::to_string(record->size()));
    files.push_back({path.parent_path() / record->at(name), {on_one_line(record->at(text))}});
  }
  return files;
}

}  // namespace sfumato
