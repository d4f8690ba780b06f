#pragma once

#include <filesystem>
#include <vector>

#include "scenes/captioned_folder.h"

namespace sfumato {

/// Returns the non-empty lines of a text, without white space at their ends.
std::vector<std::string> caption_lines(const std::string& text);

/// Reads the images and captions of a metadata.jsonl, one {"file_name", "text" or "caption"} a line; a caption is a
/// string or a list of strings. Throws std::runtime_error naming the path and the line.
std::vector<CaptionedFile> read_metadata_jsonl(const std::filesystem::path& path);

/// Reads the same from a metadata.csv (RFC 4180), whose first line names the columns file_name and text or caption.
std::vector<CaptionedFile> read_metadata_csv(const std::filesystem::path& path);

}  // namespace sfumato
