#include "checkpoints/file_kind.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace sfumato {
namespace {

struct FileKind {
  std::string_view start;
  const char* text;
};

using namespace std::string_view_literals;

constexpr std::array kKinds = {
    FileKind{"\x89PNG\r\n\x1a\n"sv, "is a PNG picture"},
    FileKind{"\xff\xd8\xff\xe0"sv, "is a JPEG picture"},
    FileKind{"\xff\xd8\xff\xe1"sv, "is a JPEG picture"},
    FileKind{"\xff\xd8\xff\xdb"sv, "is a JPEG picture"},
    FileKind{"GIF8"sv, "is a GIF picture"},
    FileKind{"RIFF"sv, "is a WebP picture or another RIFF file"},
    FileKind{"GGUF"sv, "is a GGUF file, whose weights are not supported"},
    FileKind{"ggjt"sv, "is a GGML file, whose weights are not supported"},
    FileKind{"ggml"sv, "is a GGML file, whose weights are not supported"},
    FileKind{"lmgg"sv, "is a GGML file, whose weights are not supported"},
    FileKind{"version https://git-lfs"sv, "is a Git LFS pointer in place of the file ('git lfs pull' gets it)"},
    FileKind{"\x89HDF\r\n\x1a\n"sv, "is an HDF5 file, whose weights are not supported"},
    FileKind{"%PDF"sv, "is a PDF file"},
    FileKind{"\x1f\x8b\x08"sv, "is a gzip archive: expected its contents"},
    FileKind{"7z\xbc\xaf\x27\x1c"sv, "is a 7z archive: expected its contents"},
    FileKind{"Rar!"sv, "is a RAR archive: expected its contents"},
    FileKind{"\x7f"
             "ELF"sv,
             "is a program"},
};

/// Returns the text in lower case, without a byte order mark and leading white space.
std::string plain_text(std::string_view begin) {
  if (begin.starts_with("\xef\xbb\xbf")) begin.remove_prefix(3);
  const auto first = begin.find_first_not_of(" \t\r\n");
  std::string text(first == std::string_view::npos ? "" : begin.substr(first));
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// True for the length of a safetensors header in eight bytes (100 MB at most, so the upper four are 0), then its '{'.
bool may_be_safetensors(std::string_view begin) {
  constexpr std::size_t kLength = 8;
  return begin.size() > kLength && begin[kLength] == '{' && begin.substr(4, 4) == std::string_view("\0\0\0\0", 4);
}

}  // namespace

std::string file_kind(std::string_view begin) {
  if (begin.empty()) return "is empty";
  if (may_be_safetensors(begin)) return "";
  for (const auto& [start, text] : kKinds)
    if (begin.starts_with(start)) return text;
  const auto text = plain_text(begin.substr(0, kFileKindBytes));
  if (text.starts_with("<!doctype html") || text.starts_with("<html") || text.starts_with("<head"))
    return "is an HTML page, probably from a failed download";
  if (text.starts_with("<?xml")) return "is an XML text";
  if (text.starts_with('{') || text.starts_with("[")) return "is a JSON text";
  return "";
}

}  // namespace sfumato
