#include "core/error_text.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <utility>

#include "core/json_text.h"

namespace sfumato {

std::string error_text(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  text.resize(text.find_last_not_of(" \n") + 1);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return without_library_marks(std::move(text));
}

}  // namespace sfumato
