#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sfumato {

/// What a prompt says at each of `steps` steps, as AUTOMATIC1111's web UI reads it. [from:to:when] is `from` in the
/// first `when` steps and then `to`; [to:when] and [from::when] leave one of them empty. A `when` with a point is a
/// part of the steps, rounded down, a whole number counts them. [a|b|c] is a in the first step, b in the second, c in
/// the third, a in the fourth. They nest; a bracket that is none of this stays as it is, and so does the whole prompt
/// where a | stands outside of them. Escaped brackets are text. The texts keep their weights and escapes.
std::vector<std::string> texts_of_steps(const std::string& prompt, std::int64_t steps);

}  // namespace sfumato
