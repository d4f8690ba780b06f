#pragma once

#include <filesystem>
#include <vector>

#include "scenes/captioned_folder.h"

namespace sfumato {

/// Each non-empty line of a text, without white space at its ends.
std::vector<std::string> caption_lines(const std::string& text);

/// Images and captions of a metadata.jsonl, {"file_name", "text" or "caption"} a line, the caption a string or a list
/// of them. Throws std::runtime_error naming the path and the line.
std::vector<CaptionedFile> read_metadata_jsonl(const std::filesystem::path& path);

/// The same of a metadata.csv (RFC 4180), whose first line names the columns file_name and text or caption.
std::vector<CaptionedFile> read_metadata_csv(const std::filesystem::path& path);

}  // namespace sfumato
