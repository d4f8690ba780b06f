#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sfumato {

/// Returns the text of a prompt at each of `steps` steps, as AUTOMATIC1111's web UI parses it. [from:to:when] is `from`
/// in the first `when` steps and then `to`; [to:when] and [from::when] leave one of them empty. A `when` with a decimal
/// point is a fraction of the steps, rounded down; an integer is a number of steps. [a|b|c] is a in the first step, b
/// in the second, c in the third, a in the fourth. Brackets nest; any other bracket stays unchanged, and so does the
/// whole prompt if a | is outside brackets. Escaped brackets are text. The texts keep their weights and escapes.
std::vector<std::string> texts_of_steps(const std::string& prompt, std::int64_t steps);

}  // namespace sfumato
